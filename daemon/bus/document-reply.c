/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * SaveDocument: what a session knows, as a document.
 */

#include <time.h>

#include "daemon/bus/component-bus.h"
#include "daemon/bus/publish.h"
#include "daemon/records/set-store.h"

#include "contract/names.h"
#include "util/error.h"
#include "util/log.h"

static int set_if(char **field, const char *value) {
        return value ? writer_metadata_set(field, value) : 0;
}

static int add_component(DocumentWriter *writer, const WriterComponent *declared,
                         const ComponentNotes *notes) {
        DocumentComponent *component;
        int r;

        r = document_writer_add_component(writer, &component);
        if (r == 0)
                r = writer_metadata_set(&component->logical_path, declared->logical_path);
        if (r == 0)
                r = writer_metadata_set(&component->name, declared->name);
        if (r == 0)
                r = set_if(&component->options, notes->options);
        if (r == 0)
                r = set_if(&component->previous_stamp, notes->previous_stamp);
        if (r == 0)
                r = set_if(&component->backup_stamp, notes->backup_stamp);
        if (r == 0)
                r = set_if(&component->backup_metadata, notes->backup_metadata);
        if (r == 0)
                r = set_if(&component->restore_options, notes->restore_options);
        if (r == 0)
                r = set_if(&component->file_restore_status, notes->file_restore_status);
        if (r == 0)
                component->succeeded = notes->succeeded;
        return error_trace(r);
}

static int add_writer(Document *document, const WriterObject *writer, const ContractWriterInfo *info) {
        const SessionObject *session = writer->session;
        ContractComponentInfo component;
        DocumentWriter *added;
        int r;

        r = document_add_writer(document, &added);
        if (r < 0)
                return error_trace(r);
        added->level = info->level;
        added->takes_part = info->takes_part;
        added->metadata = writer_metadata_ref(writer->metadata);
        r = writer_metadata_set(&added->name, info->name);
        if (r == 0 && info->failure != CONTRACT_FAILURE_NONE)
                r = writer_metadata_set(&added->failure, contract_failure_to_string(info->failure));
        for (uint32_t i = 0; r == 0 && i < writer->metadata->n_components; i++)
                if (contract_get_component(session->manager->contract, session->handle, writer->index, i,
                                           &component) &&
                    component.selected)
                        r = add_component(added, &writer->metadata->components[i], &writer->notes[i]);
        return error_trace(r);
}

static int add_snapshots(Document *document, Manager *manager, const char *set_id) {
        SnapshotSet *set = sets_find(manager->sets, set_id);
        DocumentSnapshot *added;
        SnapshotInfo snapshot;
        SetInfo info;
        int r = 0;

        if (!set || !snapshot_set_get_info(set, &info))
                return 0;
        for (size_t i = 0; i < info.n_snapshots && r == 0; i++) {
                if (!snapshot_set_get_snapshot(set, i, &snapshot))
                        continue;
                r = document_add_snapshot(document, &added);
                if (r == 0)
                        r = writer_metadata_set(&added->id, snapshot.id);
                if (r == 0)
                        r = writer_metadata_set(&added->volume, snapshot.volume);
                if (r == 0)
                        r = writer_metadata_set(&added->key, snapshot.key);
        }
        return error_trace(r);
}

/* A set that is only begun is not in it. */
static int add_set(Document *document, const SessionObject *session, const ContractSessionInfo *info) {
        int r;

        if (!session->record.set_id[0])
                return 0;
        r = writer_metadata_set(&document->set, session->record.set_id);
        if (r == 0)
                r = writer_metadata_set(&document->consistency,
                                        contract_consistency_to_string(info->consistency));
        return error_trace(r < 0 ? r : add_snapshots(document, session->manager, session->record.set_id));
}

static int document_of(SessionObject *session, Document **ret) {
        _cleanup_(document_freep) Document *document = NULL;
        ContractSessionInfo info;
        ContractWriterInfo writer;
        int r;

        if (!session_object_get_info(session, &info))
                return error_origin(-ENOENT);
        r = document_new(&document);
        if (r == 0)
                r = writer_metadata_set(&document->session, session->record.id);
        if (r == 0)
                r = writer_metadata_set(&document->context, contract_context_to_string(info.context));
        if (r == 0)
                r = writer_metadata_set(&document->type,
                                        session->backup_type ? session->backup_type : "copy");
        if (r < 0)
                return error_trace(r);
        document->saved_usec = now_usec(CLOCK_REALTIME);
        document->component_mode = info.component_mode;
        document->bootable = session->bootable;
        r = add_set(document, session, &info);
        for (uint32_t i = 0; i < session->n_writers && r == 0; i++)
                if (session->writers[i].metadata &&
                    contract_get_writer(session->manager->contract, session->handle, i, &writer))
                        r = add_writer(document, &session->writers[i], &writer);
        if (r == 0)
                *ret = TAKE_PTR(document);
        return error_trace(r);
}

/* The notes of this restore, for each component of the document that was selected in it. */
static int document_note_restore(SessionObject *session) {
        for (size_t i = 0; i < session->document->n_writers; i++) {
                DocumentWriter *documented = &session->document->writers[i];

                for (uint32_t w = 0; w < session->n_writers; w++) {
                        const WriterObject *writer = &session->writers[w];

                        if (writer->metadata != documented->metadata)
                                continue;
                        for (size_t c = 0; c < documented->n_components; c++)
                                for (size_t d = 0; d < writer->metadata->n_components; d++) {
                                        DocumentComponent *component = &documented->components[c];
                                        const WriterComponent *declared = &writer->metadata->components[d];
                                        const ComponentNotes *notes = &writer->notes[d];

                                        if (!streq(declared->name, component->name) ||
                                            !streq(declared->logical_path, component->logical_path))
                                                continue;
                                        if (set_if(&component->restore_options, notes->restore_options) <
                                                    0 ||
                                            set_if(&component->file_restore_status,
                                                   notes->file_restore_status) < 0)
                                                return error_origin(-ENOMEM);
                                }
                }
        }
        return 0;
}

/**
 * reply_save_document() - a backup's document; that of a restore, with what was restored
 * @call:       the call
 * @effect:     REPLY
 * @reply:      the answer
 *
 * Return: 0 or more, or a negative errno.
 */
int reply_save_document(BusCall *call, const ContractEffect *effect, sd_bus_message *reply) {
        SessionObject *session = session_object_find(call->manager, call->session);
        _cleanup_(document_freep) Document *document = NULL;
        _cleanup_free_ char *text = NULL;
        int r;

        if (!session)
                return error_origin(-ENOENT);
        if (session->document) {
                r = document_note_restore(session);
                if (r == 0)
                        r = document_write(session->document, &text);
        } else {
                r = document_of(session, &document);
                if (r == 0)
                        r = document_write(document, &text);
        }
        return error_trace(r < 0 ? r : sd_bus_message_append(reply, "s", text));
}

/**
 * session_document_save() - keep a session's document with its persistent set
 * @session:    the session; nothing happens if it has no persistent set that others can see
 */
void session_document_save(SessionObject *session) {
        const PublishedSet *set = published_find(session->manager, session->record.set_id);
        _cleanup_(document_freep) Document *document = NULL;
        _cleanup_free_ char *text = NULL;
        int r;

        if (session->recovered || !set || !set->persistent)
                return;
        r = document_of(session, &document);
        if (r == 0)
                r = document_write(document, &text);
        if (r < 0)
                log_warning("the document of snapshot set %s could not be made, ignoring: %s", set->id,
                            strerror(-r));
        else
                set_store_write(session->manager->document_store, set->id, TAKE_PTR(text));
}
