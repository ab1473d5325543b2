/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What writers and sets call back with, turned into inputs.
 */

#include "daemon/bus/publish.h"
#include "daemon/manager.h"
#include "daemon/session-object.h"

#include "util/error.h"
#include "util/log.h"

static int launched_note(SessionObject *session, const ContractWriterSpec *writers, size_t n_writers) {
        int r;

        r = session_object_set_writers(session, n_writers);
        if (r == 0)
                r = record_set_writers(&session->record, n_writers);
        if (r < 0)
                return error_trace(r);
        session->record_unsaved = true;
        for (size_t i = 0; i < n_writers; i++) {
                session->record.writers[i].level = writers[i].level;
                session->record.writers[i].name = strdup(writers[i].name);
                if (!session->record.writers[i].name)
                        return error_origin(-ENOMEM);
        }
        return 0;
}

/**
 * writers_launched() - the answer to writers_launch()
 * @session:    handle
 * @writers:    who is there, in the order that gives them their index
 * @n_writers:  how many
 * @userdata:   the manager
 */
void writers_launched(uint64_t session, const ContractWriterSpec *writers, size_t n_writers,
                      void *userdata) {
        Manager *manager = userdata;
        SessionObject *object = session_object_find(manager, session);
        ContractInput input = {
                .type = CONTRACT_INPUT_WRITERS,
                .session = session,
                .writers = writers,
                .n_writers = n_writers,
        };

        if (object && launched_note(object, writers, n_writers) < 0) {
                input.error = CONTRACT_ERROR_WRITER_INFRASTRUCTURE;
                input.text = "GatherWriterMetadata: quiesced is short of memory.";
                input.n_writers = 0;
        }
        manager_feed(manager, &input);
}

/* The keys of the volumes on which a writer's data lies. */
typedef struct Places {
        char **keys;
        size_t n_keys, n_allocated;
} Places;

static void places_done(Places *places) {
        for (size_t i = 0; i < places->n_keys; i++)
                free(places->keys[i]);
        free(places->keys);
}

static int places_add(Places *places, Manager *manager, const char *path) {
        _cleanup_free_ char *key = NULL;
        int r;

        r = sets_volume_key_of_path(manager->sets, path, &key);
        if (r < 0)
                return r;
        for (size_t i = 0; i < places->n_keys; i++)
                if (streq(places->keys[i], key))
                        return 0;
        if (places->n_keys == places->n_allocated) {
                char **grown = reallocarray(places->keys, places->n_allocated + 64, sizeof(*grown));

                if (!grown)
                        return error_origin(-ENOMEM);
                places->keys = grown;
                places->n_allocated += 64;
        }
        places->keys[places->n_keys++] = TAKE_PTR(key);
        return 0;
}

/* C9: a writer is placed only if every path that it names is on a volume that we know. */
static bool places_find(Places *places, Manager *manager, const WriterMetadata *metadata) {
        for (size_t i = 0; i < metadata->n_paths; i++)
                if (places_add(places, manager, metadata->paths[i]) < 0)
                        return false;
        for (size_t i = 0; i < metadata->n_components; i++)
                for (size_t j = 0; j < metadata->components[i].n_files; j++)
                        if (places_add(places, manager, metadata->components[i].files[j].path) < 0)
                                return false;
        return places->n_keys > 0;
}

/* In a restore with a document the writer's components are those of the document: what it has lost since is
 * what is to be restored. A writer that the document does not know has none. Referenced. */
static WriterMetadata *metadata_that_counts(SessionObject *session, uint32_t writer,
                                            WriterMetadata *metadata) {
        const DocumentWriter *documented;
        WriterMetadata *empty = NULL;

        if (!session || !session->document || writer >= session->record.n_writers)
                return writer_metadata_ref(metadata);
        documented = document_find_writer(session->document, session->record.writers[writer].name);
        if (documented)
                return writer_metadata_ref(documented->metadata);
        (void) writer_metadata_new(&empty);
        return empty;
}

static void specs_fill(ContractComponentSpec *specs, const SessionObject *session, uint32_t writer,
                       const WriterMetadata *metadata) {
        const DocumentWriter *documented =
                session && session->document
                        ? document_find_writer(session->document, session->record.writers[writer].name)
                        : NULL;

        for (size_t i = 0; i < metadata->n_components; i++) {
                const WriterComponent *component = &metadata->components[i];

                specs[i] = (ContractComponentSpec){
                        .logical_path = component->logical_path,
                        .name = component->name,
                        .selectable = component->selectable,
                        .selectable_for_restore = component->selectable_for_restore,
                };
                if (documented)
                        specs[i].backed_up =
                                document_backed_up(documented, component->logical_path, component->name);
        }
}

static int identify_note(SessionObject *session, uint32_t writer, WriterMetadata *metadata) {
        int r;

        r = session_object_note_metadata(session, writer, metadata);
        if (r == 0 && session->document)
                r = session_object_note_document(session, writer);
        return error_trace(r);
}

static void answered_identify(Manager *manager, ContractInput *input, WriterMetadata *answered) {
        SessionObject *session = session_object_find(manager, input->session);
        _cleanup_(writer_metadata_unrefp) WriterMetadata *metadata =
                metadata_that_counts(session, input->writer, answered);
        _cleanup_free_ ContractComponentSpec *specs = NULL;
        _cleanup_(places_done) Places places = {};

        if (metadata && (!session || identify_note(session, input->writer, metadata) == 0))
                specs = calloc(metadata->n_components + 1, sizeof(*specs));
        if (specs) {
                specs_fill(specs, session, input->writer, metadata);
                input->components = specs;
                input->n_components = metadata->n_components;
        } else {
                input->failure = CONTRACT_FAILURE_OUT_OF_RESOURCES;
                input->text = "quiesced is short of memory";
        }
        input->never_restored = answered->never_restored;
        input->placed = places_find(&places, manager, answered);
        input->names = (const char *const *) places.keys;
        input->n_names = places.n_keys;
        manager_feed(manager, input);
}

static uint32_t count_ignored(Manager *manager, uint64_t session, uint32_t writer) {
        ContractWriterInfo info;

        return contract_get_writer(manager->contract, session, writer, &info) ? info.n_ignored : 0;
}

/* Stamps and metadata count if the answer that brings them does: the contract ignores one that came late. */
static void answered_with_notes(Manager *manager, ContractInput *input, const WriterAnswer *answer) {
        uint32_t n_ignored = count_ignored(manager, input->session, input->writer);
        SessionObject *session;

        manager_feed(manager, input);
        session = session_object_find(manager, input->session);
        if (!session || count_ignored(manager, input->session, input->writer) != n_ignored)
                return;
        for (size_t i = 0; i < answer->n_notes; i++)
                if (session_object_note_component(session, input->writer, &answer->notes[i]) < 0)
                        log_warning("session %s: a writer noted something of component %.64s, which was not "
                                    "selected, ignoring",
                                    session->record.id, answer->notes[i].name);
}

static void answered_freeze(Manager *manager, uint64_t session, const WriterAnswer *answer) {
        SessionObject *object = session_object_find(manager, session);
        ContractSessionInfo info;
        SnapshotSet *set;

        if (!object || !session_object_get_info(object, &info) || !info.set_id)
                return;
        set = sets_find(manager->sets, info.set_id);
        if (set)
                snapshot_set_note_frozen(set, answer->frozen, answer->n_frozen);
}

/**
 * writers_answered() - a writer has answered an event
 * @session:    handle
 * @writer:     index
 * @event:      which
 * @answer:     what it said
 * @userdata:   the manager
 */
void writers_answered(uint64_t session, uint32_t writer, ContractEvent event, const WriterAnswer *answer,
                      void *userdata) {
        Manager *manager = userdata;
        ContractInput input = {
                .type = CONTRACT_INPUT_WRITER_ANSWER,
                .session = session,
                .writer = writer,
                .event = event,
                .failure = answer->failure,
                .text = answer->text,
        };

        if (event == CONTRACT_EVENT_IDENTIFY && answer->failure == CONTRACT_FAILURE_NONE &&
            answer->metadata) {
                answered_identify(manager, &input, answer->metadata);
                return;
        }
        if (answer->n_notes > 0 && answer->failure == CONTRACT_FAILURE_NONE) {
                answered_with_notes(manager, &input, answer);
                return;
        }
        if (event == CONTRACT_EVENT_FREEZE && answer->n_frozen > 0)
                answered_freeze(manager, session, answer);
        manager_feed(manager, &input);
}

/**
 * writers_gone() - the process of a writer is gone
 * @session:    handle
 * @writer:     index
 * @userdata:   the manager
 */
void writers_gone(uint64_t session, uint32_t writer, void *userdata) {
        ContractInput input = {
                .type = CONTRACT_INPUT_WRITER_GONE,
                .session = session,
                .writer = writer,
        };

        manager_feed(userdata, &input);
}

/**
 * sets_space_low() - what a snapshot is stored in runs full
 * @set_id:         its set
 * @snapshot_id:    the snapshot
 * @full:           percent
 * @userdata:       the manager
 */
void sets_space_low(const char *set_id, const char *snapshot_id, double full, void *userdata) {
        bus_signal_space_low(userdata, snapshot_id, set_id, full);
}

/**
 * sets_invalid() - a snapshot does not hold its instant any more
 * @set_id:         its set
 * @snapshot_id:    the snapshot
 * @reason:         a word
 * @userdata:       the manager
 */
void sets_invalid(const char *set_id, const char *snapshot_id, const char *reason, void *userdata) {
        Manager *manager = userdata;

        bus_signal_snapshot_invalid(manager, snapshot_id, set_id, reason);
        published_refresh(manager, "deleted");
}

/**
 * sets_removed() - a snapshot or set went away by itself
 * @set_id:         the set
 * @snapshot_id:    the snapshot, or NULL: all of the set
 * @reason:         a word
 * @userdata:       the manager
 */
void sets_removed(const char *set_id, const char *snapshot_id, const char *reason, void *userdata) {
        Manager *manager = userdata;

        if (manager->dark) /* bus_after_dark() looks again */
                return;
        if (snapshot_id)
                published_remove_snapshot(manager, snapshot_id, reason);
        else
                published_remove(manager, set_id, reason);
}
