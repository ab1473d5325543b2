/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What quiesced keeps of a session beside the contract: who owns it, where it is on the bus, what its
 * writers said about themselves, what was last shown on the bus, and its record.
 */

#include "daemon/bus/owner.h"
#include "daemon/documents/document.h"
#include "daemon/manager.h"
#include "daemon/records/record.h"

/* What goes with a component of a writer, in the order of its metadata. */
typedef struct ComponentNotes {
        char *options, *previous_stamp, *backup_stamp, *backup_metadata; /* or NULL */
        int succeeded;                                                   /* negative: not said */
        char *restore_options;                                           /* or NULL */
        const char *file_restore_status;                                 /* static, or NULL */
} ComponentNotes;

typedef struct WriterObject {
        SessionObject *session;
        uint32_t index;
        char *path;               /* D-Bus path */
        WriterMetadata *metadata; /* of its Identify answer; NULL: none came */
        ComponentNotes *notes;    /* one for each of its components */

        /* As last shown on the bus. */
        bool shown;
        ContractWriterState state;
        ContractFailure failure;
        ContractEvent last_event;
        bool takes_part;
} WriterObject;

struct SessionObject {
        SessionObject *next;
        Manager *manager;
        uint64_t handle;
        char *path; /* D-Bus path */
        Owner *owner;
        SessionRecord record;
        bool record_unsaved;     /* it says something that is to be written with the next change of state */
        bool recovered;          /* of a quiesced that ended; see session_object_is_unheard() */
        const char *backup_type; /* of SetBackupState; told to writers */
        bool bootable;           /* likewise */
        Document *document;      /* of the backup that is restored, or NULL */
        SetDescription description; /* of StartSnapshotSet: of the set that is to be made */

        WriterObject *writers;
        size_t n_writers;

        /* As last shown on the bus. */
        ContractState shown_state;
        ContractCall shown_running;
        char shown_phase[32];
        char shown_set[CONTRACT_ID_MAX];
        uint32_t shown_progress;
        uint64_t shown_usec;
        sd_event_source *progress_source;
};

int session_object_new(Manager *manager, SessionObject **ret, const char *id, uint32_t uid);
SessionObject *session_object_free(SessionObject *session);
SessionObject *session_object_find(Manager *manager, uint64_t handle);
SessionObject *session_object_find_id(Manager *manager, const char *id);
size_t session_objects_count_uid(const Manager *manager, uint32_t uid);
int session_object_set_writers(SessionObject *session, size_t n_writers);
int session_object_note_metadata(SessionObject *session, uint32_t writer, WriterMetadata *metadata);
ComponentNotes *session_object_get_notes(SessionObject *session, uint32_t writer, uint32_t component);
int session_object_note_document(SessionObject *session, uint32_t writer);
int session_object_note_component(SessionObject *session, uint32_t writer, const WriterNote *note);
bool session_object_is_unheard(const SessionObject *session);
bool session_object_get_info(const SessionObject *session, ContractSessionInfo *ret);
void session_object_save(SessionObject *session);
void session_object_save_changes(SessionObject *session);
