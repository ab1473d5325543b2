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

/* C9: a writer is placed only if every path that it names is on a volume that we know. */
static size_t paths_to_keys(Manager *manager, const WriterAnswer *answer, char ***ret) {
        char **keys = calloc(answer->n_paths + 1, sizeof(*keys));

        for (size_t i = 0; keys && i < answer->n_paths; i++)
                if (sets_volume_key_of_path(manager->sets, answer->paths[i], &keys[i]) < 0) {
                        for (size_t j = 0; j < i; j++)
                                free(keys[j]);
                        free(keys);
                        return 0;
                }
        *ret = keys;
        return keys ? answer->n_paths : 0;
}

static void answered_identify(Manager *manager, ContractInput *input, const WriterAnswer *answer) {
        SessionObject *session = session_object_find(manager, input->session);
        char **keys = NULL;

        if (session && session_object_note_identity(session, input->writer, answer) < 0)
                log_warning("what a writer said about itself could not be kept, ignoring");
        if (answer->n_paths > 0)
                input->n_names = paths_to_keys(manager, answer, &keys);
        input->placed = input->n_names > 0;
        input->names = (const char *const *) keys;
        manager_feed(manager, input);
        for (size_t i = 0; i < input->n_names; i++)
                free(keys[i]);
        free(keys);
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

        if (event == CONTRACT_EVENT_IDENTIFY) {
                answered_identify(manager, &input, answer);
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
        log_notice("snapshot %s of set %s went away: %s", snapshot_id ? snapshot_id : "(all)", set_id,
                   reason);
        if (snapshot_id)
                published_remove_snapshot(manager, snapshot_id, reason);
        else
                published_remove(manager, set_id, reason);
}
