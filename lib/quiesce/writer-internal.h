/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The writer side of libquiesce from within: one connection, the sessions that are frozen, the events that
 * are not answered yet.
 *
 * writer-bus.c speaks org.quiesce1.Writer, writer-system-bus.c finds quiesced on the system bus,
 * writer-event.c holds what one event tells and answers, writer.c holds what must be remembered between
 * events: above all whether a session is frozen, because then somebody owes it a Thaw or an Abort (C18).
 */

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "bus/dictionary.h"
#include "quiesce/writer.h"
#include "util/macro.h"

#define WRITER_OBJECT         "/org/quiesce1/Writer"
#define WRITER_INTERFACE      "org.quiesce1.Writer"
#define WRITER_HOST_OBJECT    "/org/quiesce1/WriterHost"
#define WRITER_HOST_INTERFACE "org.quiesce1.WriterHost"
#define WRITER_SOCKET         "/run/quiesced/writers"
#define WRITER_FREEZE_WINDOW  (60 * USEC_PER_SEC)
#define WRITER_END_LIMIT      (60 * USEC_PER_SEC)
#define WRITER_TEXT_MAX       500u
#define WRITER_STRINGS_MAX    4096u
#define WRITER_STAMP_MAX      4096u
#define WRITER_METADATA_MAX   16384u

#define EVENT_NONE ((QuiesceWriterEventType) 0)
#define EVENT_MAX  ((size_t) QUIESCE_EVENT_SESSION_CLOSED + 1)

/* What Identify declares. */
typedef struct DeclaredFiles {
        char *path, *pattern;
        int recursive;
} DeclaredFiles;

typedef struct DeclaredComponent {
        char *type, *logical_path, *name, *caption;
        int selectable, selectable_for_restore;
        DeclaredFiles *files;
        size_t n_files;
} DeclaredComponent;

typedef struct Declaration {
        DeclaredComponent *components;
        size_t n_components;
        DeclaredFiles *exclude_files;
        size_t n_exclude_files;
        char *restore_method; /* NULL: not said */
        int never_restored;
} Declaration;

/* What an answer says of a component. */
typedef struct ComponentNote {
        char *stamp, *metadata; /* NULL: nothing */
} ComponentNote;

/* One session between Freeze and Thaw or Abort. */
typedef struct FrozenSession FrozenSession;
struct FrozenSession {
        FrozenSession *next;
        QuiesceWriter *writer;
        char *id;
        char *set_id;
        sd_event_source *window; /* the guard's own clock */
};

/* Where a session's volumes are: told before Freeze, kept for the events in the freeze window. */
typedef struct WriterPlaces WriterPlaces;
struct WriterPlaces {
        WriterPlaces *next; /* of the writer's */
        unsigned n_references;
        char *session;
        char **volume_names; /* NULL-terminated, or NULL, as the next two */
        char **mount_points, **directories;
        uint64_t *devices; /* that lie on the volumes */
        size_t n_devices;
};

/* A snapshot that may be written into in PostSnapshot. */
typedef struct WriterTree {
        uint64_t device; /* of the live file system; or it is the folder … */
        char *directory; /* … of this name, if not NULL */
        int fd;          /* of the mount, the message's */
} WriterTree;

struct QuiesceWriter {
        char *name;
        char *socket_path;
        QuiesceWriterCallbacks callbacks;
        void *userdata;
        QuiesceLevel level; /* 0: not set */
        uint64_t freeze_window_usec;
        void (*closed)(QuiesceWriter *writer, int r, void *userdata);
        sd_event *event;
        int64_t priority;
        sd_bus *bus; /* NULL: not started */
        sd_bus_slot *vtable_slot, *disconnected_slot, *registered_slot;
        char *error; /* what a refusal said */
        /* on the system bus */
        char *bus_name;    /* to be owned on a connection of the library's */
        sd_bus *given_bus; /* the caller's */
        bool attached;     /* the caller's is in the event loop by us */
        char *host;        /* quiesced's unique name; NULL: it is not there */
        sd_bus_slot *name_slot, *owner_slot, *query_slot;
        FrozenSession *frozen;
        WriterPlaces *places;       /* of sessions that have not ended */
        QuiesceWriterEvent *events; /* not answered yet */
        bool ending;
        int end_reason;
        bool end_limit_passed;
        sd_event_source *end_limit;
};

struct QuiesceWriterEvent {
        QuiesceWriterEvent *next;
        QuiesceWriter *writer;
        QuiesceWriterEventType type;
        sd_bus_message *message; /* what is answered; NULL: the guard's own Abort */
        char *own_session, *own_set;
        const char *session, *set, *backup_type, *outcome, *cause, *guard;
        uint64_t limit_usec;
        bool persistent, bootable, component_mode;
        bool aborting_by_default; /* thaw was called for an Abort, post_snapshot is next */
        const char **volumes, **snapshots;
        WriterPlaces *places; /* PrepareForBackup to PostSnapshot; NULL: nothing was told */
        char **found;         /* mount points that were asked for */
        size_t n_found;
        QuiesceFileSystem *file_systems;
        size_t n_file_systems;
        bool told_trees;
        WriterTree *trees;
        size_t n_trees;
        QuiesceSelection *selection;
        size_t n_selection;
        ComponentNote *notes; /* of these, as answered: NULL or one for each */
        /* the answer */
        Declaration declaration;
        QuiesceFailure failure; /* 0: none said */
        char *text, *warning, *description;
        char **paths;
        size_t n_paths;
        uint32_t *frozen;
        size_t n_frozen;
};

DEFINE_CLEANUP(QuiesceWriter *, quiesce_writer_free)

/* writer.c */
void writer_dispatch(QuiesceWriter *writer, QuiesceWriterEvent *event);
void writer_let_go(QuiesceWriter *writer);
void writer_end(QuiesceWriter *writer, int r);

static inline bool writer_is_on_system_bus(const QuiesceWriter *writer) {
        return writer->bus_name || writer->given_bus;
}

/* writer-bus.c */
int writer_bus_connect(QuiesceWriter *writer);
int writer_bus_start(QuiesceWriter *writer);
int writer_bus_register(QuiesceWriter *writer, const char *destination, const char *path,
                        const char *interface, sd_bus_message_handler_t registered);
void writer_bus_refused(QuiesceWriter *writer, sd_bus_message *reply);
void writer_bus_close(QuiesceWriter *writer);
void writer_bus_answer(QuiesceWriterEvent *event, int r);

/* writer-system-bus.c */
int writer_system_bus_connect(QuiesceWriter *writer);
void writer_system_bus_close(QuiesceWriter *writer);

/* writer-event.c */
int writer_event_new(QuiesceWriterEvent **ret, QuiesceWriter *writer, QuiesceWriterEventType type);
QuiesceWriterEvent *writer_event_free(QuiesceWriterEvent *event);
DEFINE_CLEANUP(QuiesceWriterEvent *, writer_event_free)
int writer_event_read_details(QuiesceWriterEvent *event, sd_bus_message *m);

/* writer-places.c */
#define WRITER_PLACES_FIELDS 4u
void writer_places_fields(WriterPlaces *places, DictionaryField *fields);
int writer_places_take(QuiesceWriterEvent *event, WriterPlaces *places);
void writer_places_done(WriterPlaces *places);
WriterPlaces *writer_places_unref(WriterPlaces *places);
void writer_places_forget(QuiesceWriter *writer, const char *session);

/* writer-recovery.c */
int writer_trees_read(sd_bus_message *m, void *userdata);
void writer_trees_free(QuiesceWriterEvent *event);

/* writer-components.c */
int writer_declaration_append(const Declaration *declaration, sd_bus_message *reply);
void writer_declaration_done(Declaration *declaration);
int writer_selection_read(sd_bus_message *m, void *userdata);
void writer_notes_free(QuiesceWriterEvent *event);
int writer_notes_append(const QuiesceWriterEvent *event, sd_bus_message *reply);
