/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What quiesced keeps of a session beside the contract; see session-object.h.
 */

#include "daemon/session-object.h"

#include "daemon/bus/bus.h"
#include "util/error.h"
#include "util/log.h"

static void notes_clear(WriterObject *writer) {
        for (size_t i = 0; writer->metadata && i < writer->metadata->n_components; i++) {
                free(writer->notes[i].options);
                free(writer->notes[i].previous_stamp);
                free(writer->notes[i].backup_stamp);
                free(writer->notes[i].backup_metadata);
                free(writer->notes[i].restore_options);
        }
        free(writer->notes);
        writer->notes = NULL;
        writer->metadata = writer_metadata_unref(writer->metadata);
}

static void writers_clear(SessionObject *session) {
        for (size_t i = 0; i < session->n_writers; i++) {
                free(session->writers[i].path);
                notes_clear(&session->writers[i]);
        }
        free(session->writers);
        session->writers = NULL;
        session->n_writers = 0;
}

/**
 * session_object_new() - a session that is about to be opened or recovered
 * @manager:    the manager, which owns it
 * @ret:        the session; its handle is new
 * @id:         its UUID
 * @uid:        whose it is
 *
 * Return: 0, or -ENOMEM.
 */
int session_object_new(Manager *manager, SessionObject **ret, const char *id, uint32_t uid) {
        SessionObject *session = calloc(1, sizeof(*session));

        if (!session)
                return error_origin(-ENOMEM);
        session->manager = manager;
        session->handle = ++manager->last_handle;
        session->record.uid = uid;
        session->backup_type = "copy";
        session->shown_state = _CONTRACT_STATE_MAX;
        (void) snprintf(session->record.id, sizeof(session->record.id), "%s", id);
        session->path = bus_path("session", id);
        if (!session->path) {
                free(session);
                return error_origin(-ENOMEM);
        }
        session->next = manager->sessions;
        manager->sessions = session;
        manager->n_sessions++;
        *ret = session;
        return 0;
}

/**
 * session_object_free() - forget a session
 * @session:    the session, or NULL; it leaves its manager's list
 *
 * Return: NULL.
 */
SessionObject *session_object_free(SessionObject *session) {
        if (!session)
                return NULL;
        for (SessionObject **place = &session->manager->sessions; *place; place = &(*place)->next)
                if (*place == session) {
                        *place = session->next;
                        session->manager->n_sessions--;
                        break;
                }
        writers_clear(session);
        record_done(&session->record);
        (void) document_free(session->document);
        set_description_done(&session->description);
        (void) owner_free(session->owner);
        sd_event_source_disable_unref(session->progress_source);
        free(session->path);
        free(session);
        return NULL;
}

/**
 * session_object_find() - by handle
 * @manager:    the manager
 * @handle:     the contract's handle
 *
 * Return: the session, or NULL.
 */
SessionObject *session_object_find(Manager *manager, uint64_t handle) {
        for (SessionObject *s = manager->sessions; s; s = s->next)
                if (s->handle == handle)
                        return s;
        return NULL;
}

/**
 * session_object_find_id() - by UUID
 * @manager:    the manager
 * @id:         UUID text
 *
 * Return: the session, or NULL.
 */
SessionObject *session_object_find_id(Manager *manager, const char *id) {
        for (SessionObject *s = manager->sessions; s; s = s->next)
                if (streq(s->record.id, id))
                        return s;
        return NULL;
}

/**
 * session_objects_count_uid() - how many sessions a user has
 * @manager:    the manager
 * @uid:        the user
 *
 * Return: the number.
 */
size_t session_objects_count_uid(const Manager *manager, uint32_t uid) {
        size_t n = 0;

        for (const SessionObject *s = manager->sessions; s; s = s->next)
                n += s->record.uid == uid;
        return n;
}

/**
 * session_object_set_writers() - forget the writers and make room for others
 * @session:    the session
 * @n_writers:  how many
 *
 * Return: 0, or -ENOMEM.
 */
int session_object_set_writers(SessionObject *session, size_t n_writers) {
        writers_clear(session);
        session->writers = calloc(n_writers > 0 ? n_writers : 1, sizeof(*session->writers));
        if (!session->writers)
                return error_origin(-ENOMEM);
        for (size_t i = 0; i < n_writers; i++) {
                WriterObject *writer = &session->writers[i];

                writer->session = session;
                writer->index = (uint32_t) i;
                if (asprintf(&writer->path, "%s/writer/%zu", session->path, i) < 0) {
                        writer->path = NULL;
                        writers_clear(session);
                        return error_origin(-ENOMEM);
                }
                session->n_writers = i + 1;
        }
        return 0;
}

/**
 * session_object_note_metadata() - what a writer said about itself
 * @session:    the session
 * @writer:     index
 * @metadata:   of its answer to Identify; referenced
 *
 * Return: 0, or -ENOMEM.
 */
int session_object_note_metadata(SessionObject *session, uint32_t writer, WriterMetadata *metadata) {
        ComponentNotes *notes;

        if (writer >= session->n_writers)
                return 0;
        notes = calloc(metadata->n_components + 1, sizeof(*notes));
        if (!notes)
                return error_origin(-ENOMEM);
        for (size_t i = 0; i < metadata->n_components; i++)
                notes[i].succeeded = -1;
        notes_clear(&session->writers[writer]);
        session->writers[writer].metadata = writer_metadata_ref(metadata);
        session->writers[writer].notes = notes;
        return 0;
}

/**
 * session_object_get_notes() - what goes with a component
 * @session:    the session
 * @writer:     index
 * @component:  index among the writer's
 *
 * Return: the notes, or NULL if there is no such component.
 */
ComponentNotes *session_object_get_notes(SessionObject *session, uint32_t writer, uint32_t component) {
        if (writer >= session->n_writers || !session->writers[writer].metadata ||
            component >= session->writers[writer].metadata->n_components)
                return NULL;
        return &session->writers[writer].notes[component];
}

static int set_if(char **field, const char *value) {
        return value ? writer_metadata_set(field, value) : 0;
}

/**
 * session_object_note_document() - what goes with a writer's components, as the document has it
 * @session:    a restore with a document
 * @writer:     index; its metadata is that of the document
 *
 * Return: 0, or -ENOMEM.
 */
int session_object_note_document(SessionObject *session, uint32_t writer) {
        const DocumentWriter *documented;
        const WriterMetadata *metadata;
        int r = 0;

        if (writer >= session->n_writers)
                return 0;
        documented = document_find_writer(session->document, session->record.writers[writer].name);
        metadata = session->writers[writer].metadata;
        for (uint32_t i = 0; documented && i < metadata->n_components && r == 0; i++) {
                const DocumentComponent *component = document_find_component(
                        documented, metadata->components[i].logical_path, metadata->components[i].name);
                ComponentNotes *notes = &session->writers[writer].notes[i];

                if (!component)
                        continue;
                notes->succeeded = component->succeeded;
                r = set_if(&notes->options, component->options);
                if (r == 0)
                        r = set_if(&notes->previous_stamp, component->previous_stamp);
                if (r == 0)
                        r = set_if(&notes->backup_stamp, component->backup_stamp);
                if (r == 0)
                        r = set_if(&notes->backup_metadata, component->backup_metadata);
        }
        return error_trace(r);
}

/**
 * session_object_note_component() - a writer's stamp and metadata of a component
 * @session:    the session
 * @writer:     index
 * @note:       of a component that was selected
 *
 * Return: 0; -ENOENT: it was not selected, or is not there; -ENOMEM.
 */
int session_object_note_component(SessionObject *session, uint32_t writer, const WriterNote *note) {
        ContractComponentInfo info;
        int r;

        for (uint32_t i = 0;
             contract_get_component(session->manager->contract, session->handle, writer, i, &info); i++) {
                ComponentNotes *notes = session_object_get_notes(session, writer, i);

                if (!notes || !info.selected || !streq(info.name, note->name) ||
                    !streq(info.logical_path, note->logical_path))
                        continue;
                r = set_if(&notes->backup_stamp, note->stamp);
                return error_trace(r < 0 ? r : set_if(&notes->backup_metadata, note->metadata));
        }
        return error_origin(-ENOENT);
}

/**
 * session_object_is_unheard() - is it of the last run, and has the contract not heard of it yet?
 * @session:    the session
 *
 * Return: whether it is.
 */
bool session_object_is_unheard(const SessionObject *session) {
        return session->recovered && session->shown_state == _CONTRACT_STATE_MAX;
}

/**
 * session_object_get_info() - what the contract says of a session
 * @session:    the session
 * @ret:        the contract's view; strings live until the next input
 *
 * Return: false if the contract does not know it (any more).
 */
bool session_object_get_info(const SessionObject *session, ContractSessionInfo *ret) {
        return contract_get_session(session->manager->contract, session->handle, ret);
}

/* Return: whether the record says something else now. */
static bool note_state(SessionObject *session) {
        SessionRecord *record = &session->record;
        ContractSessionInfo info;
        bool aborted;

        if (!session_object_get_info(session, &info))
                return false;
        aborted = record->aborted || (!record->completed && (info.state == CONTRACT_ABORTED ||
                                                             info.running == CONTRACT_CALL_ABORT_BACKUP));
        if (record->context == info.context && record->aborted == aborted)
                return false;
        record->context = info.context;
        record->aborted = aborted;
        return true;
}

/**
 * session_object_save() - bring the session's record up to date
 * @session:    the session
 *
 * A record that cannot be written is logged, and tried again with the next change: the backup goes on, only
 * a crash of quiesced until then would be noticed less well.
 */
void session_object_save(SessionObject *session) {
        int r;

        (void) note_state(session);
        r = record_write(&session->record, session->manager->config->runtime_dir);
        session->record_unsaved = r < 0;
        if (r < 0)
                log_warning(
                        "the record of session %s could not be written, ignoring until its next change: %s",
                        session->record.id, strerror(-r));
}

/**
 * session_object_save_changes() - the same, if there is anything that it does not say yet
 * @session:    the session; after each change of its state or its writers', of which most are none of the
 * record
 */
void session_object_save_changes(SessionObject *session) {
        if (note_state(session) || session->record_unsaved)
                session_object_save(session);
}
