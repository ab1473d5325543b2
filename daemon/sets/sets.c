/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * All snapshot sets, and the ways in: sets.h carried out with the pieces of this room.
 */

#include <assert.h>

#include "daemon/providers/external.h"
#include "daemon/providers/mapped.h"
#include "daemon/providers/test.h"
#include "daemon/sets/sets-internal.h"
#include "util/error.h"

static int on_reap(sd_event_source *source, void *userdata) {
        Sets *sets = userdata;
        size_t kept = 0;

        for (size_t i = 0; i < sets->n_sets; i++) {
                SnapshotSet *set = sets->sets[i];

                if (set->is_over && snapshot_set_is_idle(set) && snapshot_set_is_gone(set))
                        (void) snapshot_set_free(set);
                else
                        sets->sets[kept++] = set;
        }
        sets->n_sets = kept;
        return 0;
}

static int sets_copy_config(Sets *sets, const SetsConfig *config) {
        sets->config = *config;
        sets->hold_socket_path = strdup(config->hold_socket_path ?: HOLD_SOCKET_PATH);
        sets->runtime_dir = strdup(config->runtime_dir);
        if (!sets->hold_socket_path || !sets->runtime_dir)
                return error_origin(-ENOMEM);
        sets->config.hold_socket_path = sets->hold_socket_path;
        sets->config.runtime_dir = sets->runtime_dir;
        return 0;
}

static ProviderDmConfig dm_config(const Sets *sets) {
        return (ProviderDmConfig){.runtime_dir = sets->runtime_dir,
                                  .stores = sets->config.dm_stores,
                                  .allow_plaintext = sets->config.dm_plaintext_stores,
                                  .cow_percent = sets->config.cow_percent};
}

static ProviderLvmConfig lvm_config(const Sets *sets) {
        return (ProviderLvmConfig){.cow_percent = sets->config.cow_percent,
                                   .snapshots_max = sets->config.snapshots_max,
                                   .grow_percent = sets->config.grow_percent,
                                   .grow_by_percent = sets->config.grow_by_percent,
                                   .placements = sets->config.placements};
}

static int sets_new_dm(Sets *sets) {
        ProviderDmConfig config = dm_config(sets);

        return error_trace(provider_dm_new(&sets->dm_provider, sets->event, &config));
}

static int sets_new_providers(Sets *sets) {
        ProviderLvmConfig config = lvm_config(sets);
        int r;

        /* What is tried with the test provider must never touch this machine's volumes. */
        if (sets->config.test_provider_dir &&
            asprintf(&sets->lvm_program, "%s/lvm", sets->config.test_provider_dir) < 0) {
                sets->lvm_program = NULL;
                return error_origin(-ENOMEM);
        }
        r = lvm_new(&sets->lvm, sets->event, sets->lvm_program);
        if (r < 0)
                return error_trace(r);
        r = lvm_set_runtime_dir(sets->lvm, sets->runtime_dir);
        if (r < 0)
                return error_trace(r);
        r = lvm_set_expedite_rcu(sets->lvm, sets->config.expedite_rcu);
        if (r < 0)
                return error_trace(r);
        r = provider_lvm_new(&sets->lvm_provider, sets->lvm, &config);
        if (r < 0)
                return error_trace(r);
        r = provider_external_new(&sets->external_provider, sets->event);
        if (r < 0)
                return error_trace(r);
        if (!sets->config.test_provider_dir)
                return error_trace(sets_new_dm(sets));
        return error_trace(
                provider_test_new(&sets->test_provider, sets->event, sets->config.test_provider_dir));
}

/**
 * sets_new() - no set yet
 * @ret:        all sets to come
 * @event:      loop
 * @config:     copied, but for test_provider_dir's contents
 *
 * Return: 0, or a negative errno.
 */
int sets_new(Sets **ret, sd_event *event, const SetsConfig *config) {
        _cleanup_(sets_freep) Sets *sets = NULL;
        int r;

        assert(ret && event && config && config->runtime_dir);
        sets = calloc(1, sizeof(*sets));
        if (!sets)
                return error_origin(-ENOMEM);
        sets->event = sd_event_ref(event);
        r = sets_copy_config(sets, config);
        if (r < 0)
                return error_trace(r);
        r = sd_event_add_defer(event, &sets->reap_source, on_reap, sets);
        if (r < 0)
                return error_trace(r);
        r = sd_event_source_set_enabled(sets->reap_source, SD_EVENT_OFF);
        if (r < 0)
                return error_trace(r);
        r = sets_new_providers(sets);
        if (r < 0)
                return error_trace(r);
        r = watch_new(sets);
        if (r < 0)
                return error_trace(r);
        r = space_new(sets);
        if (r < 0)
                return error_trace(r);
        r = copy_watch_new(sets);
        if (r < 0)
                return error_trace(r);
        *ret = TAKE_PTR(sets);
        return 0;
}

/**
 * sets_configure() - another configuration, for all that begins from now on
 * @sets:       it
 * @config:     copied; but for the room and the providers, what sets_new() was given stays
 *
 * What was decided of a volume that is in a set already stays.
 */
void sets_configure(Sets *sets, const SetsConfig *config) {
        ProviderDmConfig dm;
        ProviderLvmConfig lvm;

        sets->config.cow_percent = config->cow_percent;
        sets->config.snapshots_max = config->snapshots_max;
        sets->config.placements = config->placements;
        sets->config.dm_stores = config->dm_stores;
        sets->config.dm_plaintext_stores = config->dm_plaintext_stores;
        sets->config.space_check_usec = config->space_check_usec;
        sets->config.growth_usec = config->growth_usec;
        sets->config.warn_percent = config->warn_percent;
        sets->config.grow_percent = config->grow_percent;
        sets->config.grow_by_percent = config->grow_by_percent;
        sets->config.drop_percent = config->drop_percent;
        lvm = lvm_config(sets);
        provider_lvm_configure(sets->lvm_provider, &lvm);
        dm = dm_config(sets);
        if (sets->dm_provider)
                provider_dm_configure(sets->dm_provider, &dm);
        space_look_soon(sets);
}

/**
 * sets_free() - end it all
 * @sets:       it or NULL
 *
 * Snapshots stay as they are: the next start finds them by their tags.
 *
 * Return: NULL.
 */
Sets *sets_free(Sets *sets) {
        if (!sets)
                return NULL;
        unused_waits_free(sets);
        sets->watch = watch_free(sets->watch);
        sets->space = space_free(sets->space);
        storage_done(sets);
        sets->copy_watch = copy_watch_free(sets->copy_watch);
        sets->held_child = child_free(sets->held_child);
        sets->freezers_child = child_free(sets->freezers_child);
        for (size_t i = 0; i < sets->n_sets; i++)
                (void) snapshot_set_free(sets->sets[i]);
        free(sets->sets);
        sets->test_provider = provider_test_free(sets->test_provider);
        sets->lvm_provider = provider_lvm_free(sets->lvm_provider);
        sets->external_provider = provider_external_free(sets->external_provider);
        sets->dm_provider = provider_dm_free(sets->dm_provider);
        sets->lvm = lvm_free(sets->lvm);
        recovery_cancel(sets);
        sets->reap_source = sd_event_source_disable_unref(sets->reap_source);
        sets->event = sd_event_unref(sets->event);
        free(sets->hold_socket_path);
        free(sets->runtime_dir);
        free(sets->lvm_program);
        free(sets);
        return NULL;
}

/**
 * sets_add() - a new set in the list
 * @sets:       the list
 * @ret:        the set, which belongs to it
 * @set_id:     as for snapshot_set_new(), like the rest
 * @session_id: likewise
 * @owner_uid:  likewise
 * @persistent: likewise
 *
 * Return: 0, or a negative errno.
 */
int sets_add(Sets *sets, SnapshotSet **ret, const char *set_id, const char *session_id, uint32_t owner_uid,
             bool persistent) {
        _cleanup_(snapshot_set_freep) SnapshotSet *set = NULL;
        int r;

        if (sets->n_sets == sets->n_allocated) {
                size_t n = sets->n_allocated ? 2 * sets->n_allocated : 8;
                SnapshotSet **more = reallocarray(sets->sets, n, sizeof(*more));

                if (!more)
                        return error_origin(-ENOMEM);
                sets->sets = more;
                sets->n_allocated = n;
        }
        r = snapshot_set_new(&set, sets, set_id, session_id, owner_uid, persistent);
        if (r < 0)
                return error_trace(r);
        sets->sets[sets->n_sets++] = *ret = TAKE_PTR(set);
        space_look_soon(sets);
        return 0;
}

/**
 * sets_new_set() - a set that volumes can join
 * @sets:       the list
 * @ret:        the set, which belongs to @sets
 * @set_id:     UUID text
 * @session_id: UUID text
 * @owner_uid:  whose
 * @persistent: whether it outlives its session
 *
 * Return: 0; -EEXIST; or another negative errno.
 */
int sets_new_set(Sets *sets, SnapshotSet **ret, const char *set_id, const char *session_id,
                 uint32_t owner_uid, bool persistent) {
        assert(sets && ret && set_id && session_id);
        if (strlen(set_id) >= CONTRACT_ID_MAX || strlen(session_id) >= CONTRACT_ID_MAX)
                return error_origin(-EINVAL);
        if (sets_find(sets, set_id))
                return error_origin(-EEXIST);
        return error_trace(sets_add(sets, ret, set_id, session_id, owner_uid, persistent));
}

/**
 * snapshot_set_step() - begin a step of the set
 * @set:        the set, with no step running unless @step is ABORT
 * @step:       END_PREPARE … DELETE
 * @snapshot:   DELETE: one snapshot's id, or NULL: all
 * @done:       answered once, from the event loop
 * @userdata:   for @done
 *
 * Return: 0; -ENOENT: no such snapshot; -EBUSY: another step runs; or another negative errno.
 */
int snapshot_set_step(SnapshotSet *set, ContractStep step, const char *snapshot, StepDone done,
                      void *userdata) {
        assert(step >= CONTRACT_STEP_END_PREPARE && step <= CONTRACT_STEP_DELETE);
        if (set->step == CONTRACT_STEP_ABORT ||
            (set->step != CONTRACT_STEP_NONE && step != CONTRACT_STEP_ABORT))
                return error_origin(-EBUSY);
        if (step == CONTRACT_STEP_DELETE) {
                set->delete_only = NULL;
                if (snapshot && !streq(snapshot, set->given.id)) {
                        set->delete_only = snapshot_set_find_volume(set, snapshot);
                        if (!set->delete_only)
                                return error_origin(-ENOENT);
                }
        }
        step_begin(set, step, HOLD_NONE, done, userdata);
        return 0;
}

/**
 * sets_window_end() - the freeze window is over
 * @sets:       where LVM commands, and jobs of provider dm, may run again
 */
void sets_window_end(Sets *sets) {
        lvm_gate_open(sets->lvm);
        if (sets->dm_provider)
                provider_dm_open_gate(sets->dm_provider);
        space_look_soon(sets);
}

/**
 * sets_find() - by the set's id or one of its snapshots'
 * @sets:       the list
 * @id:         UUID text
 *
 * Return: borrowed, or NULL.
 */
SnapshotSet *sets_find(Sets *sets, const char *id) {
        for (size_t i = 0; i < sets->n_sets; i++) {
                SnapshotSet *set = sets->sets[i];

                if (!set->is_question && (streq(set->given.id, id) || snapshot_set_find_volume(set, id)))
                        return set;
        }
        return NULL;
}

/**
 * sets_count() - how many sets there are
 * @sets:       the list
 *
 * Return: their number.
 */
size_t sets_count(const Sets *sets) {
        size_t n = 0;

        for (size_t i = 0; i < sets->n_sets; i++)
                n += !sets->sets[i]->is_question;
        return n;
}

/**
 * sets_get() - one of them
 * @sets:       the list
 * @index:      0 … sets_count() - 1, in order of their making
 *
 * Return: borrowed, or NULL.
 */
SnapshotSet *sets_get(Sets *sets, size_t index) {
        for (size_t i = 0; i < sets->n_sets; i++)
                if (!sets->sets[i]->is_question && index-- == 0)
                        return sets->sets[i];
        return NULL;
}
