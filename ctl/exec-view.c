/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * From snapshots' ids to a plan; see exec.h.
 *
 * A place that the caller wants is entered into his mount table as if the snapshot's volume were mounted
 * there. So the plan is made by run's own rules, and what is mounted below is dealt with in the same way.
 */

#include "ctl/exec.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include "ctl/origin.h"
#include "ctl/table.h"

#define NO_DEVICE_MAJOR 0xfffu /* no device has it */

static const char *snapshot_id(const ExecSnapshot *snapshot) {
        return dict_get_string(&snapshot->properties, "id");
}

static const char *snapshot_volume(const ExecSnapshot *snapshot) {
        return dict_get_string(&snapshot->properties, "volume");
}

/**
 * exec_view_done() - forget a view
 * @view:       it
 */
void exec_view_done(ExecView *view) {
        for (size_t i = 0; i < view->n_snapshots; i++)
                dict_done(&view->snapshots[i].properties);
        free(view->snapshots);
        view->plan = plan_free(view->plan);
        view->table = mount_table_free(view->table);
        free(view->shown);
        *view = (ExecView){};
}

static int call_snapshot(sd_bus *bus, const char *path, const char *method, sd_bus_message **ret,
                         sd_bus_error *error) {
        _cleanup_message_ sd_bus_message *call = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &call, QUIESCE_BUS_NAME, path, QUIESCE_BUS_SNAPSHOT, method);
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(call, true);
        if (r >= 0)
                r = sd_bus_message_append(call, "a{sv}", 0);
        return r >= 0 ? sd_bus_call(bus, call, UINT64_MAX, error, ret) : r;
}

/* All of one set, or there would be no one instant. */
static int view_check_set(const ExecView *view, const ExecSnapshot *snapshot) {
        const char *set = dict_get_string(&snapshot->properties, "set");

        if (streq(set, dict_get_string(&view->snapshots[0].properties, "set")))
                return 0;
        say("%s belongs to the set %s, and %s to another: what a command sees is of one instant, so take "
            "snapshots of one set",
            snapshot_id(snapshot), set, snapshot_id(&view->snapshots[0]));
        return CTL_E_SAID;
}

static int view_add_snapshot(ExecView *view, sd_bus *bus, const char *path, bool named) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        ExecSnapshot *more, *snapshot;
        int r;

        more = reallocarray(view->snapshots, view->n_snapshots + 1, sizeof(*more));
        if (!more)
                return error_origin(-ENOMEM);
        view->snapshots = more;
        snapshot = &more[view->n_snapshots++];
        *snapshot = (ExecSnapshot){.named = named};
        r = call_snapshot(bus, path, "GetProperties", &reply, &error);
        if (r < 0)
                return say_bus_error("cannot look at a snapshot", &error, r);
        r = dict_read(&snapshot->properties, reply);
        if (r < 0)
                return error_trace(r);
        for (size_t i = 0; i + 1 < view->n_snapshots; i++)
                if (streq(snapshot_id(&view->snapshots[i]), snapshot_id(snapshot))) {
                        view->snapshots[i].named |= named;
                        dict_done(&snapshot->properties);
                        view->n_snapshots--;
                        return 0;
                }
        return view_check_set(view, snapshot);
}

static int view_add_set(ExecView *view, sd_bus *bus, const char *set_path) {
        _cleanup_(dict_array_done) DictArray snapshots = {};
        _cleanup_(dict_done) Dict set = {};
        int r;

        r = object_properties(&set, bus, set_path, QUIESCE_BUS_SET);
        if (r == 0)
                r = set_check_whole(&set,
                                    "the volumes of the others would be seen live: name the snapshots to be "
                                    "shown instead of the set");
        if (r == 0)
                r = objects_read(&snapshots, bus, QUIESCE_BUS_SNAPSHOT);
        for (size_t i = 0; r == 0 && i < snapshots.n_dicts; i++)
                if (streq(dict_get_string(&snapshots.dicts[i], "Set"), dict_get_string(&set, "Id")))
                        r = view_add_snapshot(view, bus, snapshots.dicts[i].name, false);
        return r;
}

static int view_add(ExecView *view, sd_bus *bus, const char *id) {
        _cleanup_free_ char *path = NULL;
        const char *interface;
        int r;

        r = object_find(bus, id, &path, &interface);
        if (r != 0)
                return r;
        if (streq(interface, QUIESCE_BUS_SET))
                return view_add_set(view, bus, path);
        if (streq(interface, QUIESCE_BUS_SNAPSHOT))
                return view_add_snapshot(view, bus, path, true);
        say("%s is a session; take its set or its snapshots, which 'quiescectl show' tells", id);
        return CTL_E_SAID;
}

static int snapshot_check(const ExecSnapshot *snapshot) {
        const char *state = dict_get_string(&snapshot->properties, "state");

        if (streq(state, "created"))
                return 0;
        say("the snapshot %s of %s cannot be looked into: it is %s", snapshot_id(snapshot),
            snapshot_volume(snapshot), state);
        return CTL_E_SAID;
}

/**
 * exec_view_read() - ask quiesced about the snapshots that the caller has chosen
 * @view:       options is set, all else zero
 * @bus:        the bus
 *
 * Return: 0, CTL_E_SAID or a negative errno.
 */
int exec_view_read(ExecView *view, sd_bus *bus) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < view->options->n_ids; i++)
                r = view_add(view, bus, view->options->ids[i]);
        for (size_t i = 0; r == 0 && i < view->n_snapshots; i++)
                r = snapshot_check(&view->snapshots[i]);
        return r;
}

static bool place_is_for(const ExecPlace *place, const ExecSnapshot *snapshot) {
        return streq(place->of, snapshot_id(snapshot)) || streq(place->of, snapshot_volume(snapshot));
}

/* Return: 0, CTL_E_SAID or a negative errno. */
static int view_enter_places(ExecView *view) {
        int r;

        for (size_t p = 0; p < view->options->n_places; p++) {
                const ExecPlace *place = &view->options->places[p];
                size_t s = 0;

                while (s < view->n_snapshots && !place_is_for(place, &view->snapshots[s]))
                        s++;
                if (s == view->n_snapshots) {
                        say("--at: %s is no volume or snapshot among those to be shown", place->of);
                        return CTL_E_SAID;
                }
                r = mount_table_add(view->table, place->path, makedev(NO_DEVICE_MAJOR, (unsigned) s),
                                    dict_get_string(&view->snapshots[s].properties, "file-system"),
                                    snapshot_volume(&view->snapshots[s]));
                if (r < 0)
                        return error_trace(r);
                view->snapshots[s].n_shown++;
        }
        return 0;
}

/* Which of the snapshots is to be seen where that is mounted; n_snapshots: none. */
static size_t view_find_mount(const ExecView *view, const Mount *mount) {
        if (major(mount->device) == NO_DEVICE_MAJOR)
                return minor(mount->device);
        for (size_t s = 0; s < view->n_snapshots; s++) {
                bool elsewhere = false;

                for (size_t p = 0; p < view->options->n_places; p++)
                        elsewhere |= place_is_for(&view->options->places[p], &view->snapshots[s]);
                if (!elsewhere && device_lies_on("/sys", mount->device,
                                                 dict_get_string(&view->snapshots[s].properties, "key")))
                        return s;
        }
        return view->n_snapshots;
}

/* The paths of the plan: all places at which a chosen snapshot is to be seen. */
static int view_collect_paths(ExecView *view, PlanOptions *options) {
        for (size_t i = 0; i < view->table->n_mounts; i++) {
                const Mount *mount = &view->table->mounts[i];
                int r;

                if (mount_table_resolve(view->table, mount->point) != mount)
                        continue;
                if (major(mount->device) != NO_DEVICE_MAJOR) {
                        size_t s = view_find_mount(view, mount);

                        if (s == view->n_snapshots)
                                continue;
                        view->snapshots[s].n_shown++;
                }
                r = options_append(&options->paths, &options->n_paths, strdup(mount->point));
                if (r < 0)
                        return error_trace(r);
        }
        return 0;
}

/* What is on a volume that is mounted nowhere may be of no interest, unless the caller has named it. */
static int view_check_shown(const ExecView *view) {
        int r = 0;

        for (size_t i = 0; i < view->n_snapshots; i++) {
                const ExecSnapshot *snapshot = &view->snapshots[i];
                const char *no_tree = dict_get_string(&snapshot->properties, "open-tree");

                if (snapshot->n_shown > 0)
                        continue;
                if (*no_tree && !snapshot->named) {
                        say("%s is left out: %s", snapshot_volume(snapshot), no_tree);
                        continue;
                }
                say("%s is not mounted anywhere now, so its snapshot has no place: give it one with --at %s=DIR, "
                    "or name the snapshots to be shown instead of the set",
                    snapshot_volume(snapshot), snapshot_volume(snapshot));
                r = CTL_E_SAID;
        }
        return r;
}

/* Volumes of the plan that are of the set show their snapshots, all others stay live. */
static int view_match_volumes(ExecView *view) {
        Plan *plan = view->plan;
        int r;

        view->shown = calloc(plan->n_volumes + 1, sizeof(*view->shown));
        if (!view->shown)
                return error_origin(-ENOMEM);
        for (size_t v = 0; v < plan->n_volumes; v++) {
                size_t s = view->shown[v] = view_find_mount(view, plan->volumes[v].mount);

                if (s < view->n_snapshots)
                        plan->volumes[v].snapshot = strdup(snapshot_id(&view->snapshots[s]));
                r = s < view->n_snapshots ? plan->volumes[v].snapshot ? 0 : error_origin(-ENOMEM)
                                          : plan_volume_stays_live(plan, v, "no snapshot of it was chosen");
                if (r < 0)
                        return error_trace(r);
        }
        plan_finish(plan);
        return 0;
}

static void view_say_live(const ExecView *view) {
        for (size_t i = 0; i < view->plan->n_entries; i++) {
                const PlanEntry *entry = &view->plan->entries[i];

                if (entry->kind == PLAN_LIVE && entry->named)
                        say("%s stays live (%s on %s): %s", entry->path, entry->mount->type,
                            entry->mount->source, entry->reason);
        }
}

/**
 * exec_view_plan() - find each snapshot's places among the caller's mounts
 * @view:       read
 *
 * Return: 0, CTL_E_SAID or a negative errno.
 */
int exec_view_plan(ExecView *view) {
        PlanOptions options = view->options->plan;
        int r;

        r = mount_table_new(&view->table, NULL);
        if (r >= 0)
                r = view_enter_places(view);
        if (r == 0)
                r = view_collect_paths(view, &options);
        if (r == 0)
                r = view_check_shown(view);
        if (r == 0 && options.n_paths == 0) {
                say("there is nothing to be shown");
                r = CTL_E_SAID;
        }
        if (r == 0)
                r = plan_new(&view->plan, view->table, &options);
        if (r == 0)
                r = view_match_volumes(view);
        quiesce_strv_free(options.paths);
        if (r == 0)
                view_say_live(view);
        return r;
}

/* Asked in the event loop, so that a signal ends the wait. */
static int open_tree(Backup *backup, const char *snapshot, int *ret_fd, sd_bus_error *error) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        _cleanup_free_ char *path = NULL;
        const char *interface;
        int fd, r;

        r = object_find(backup->bus, snapshot, &path, &interface);
        if (r != 0)
                return r;
        r = sd_bus_message_new_method_call(backup->bus, &call, QUIESCE_BUS_NAME, path, QUIESCE_BUS_SNAPSHOT,
                                           "OpenTree");
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(call, true);
        if (r >= 0)
                r = sd_bus_message_append(call, "a{sv}", 0);
        if (r >= 0)
                r = quiesce_backup_call(backup->session, call, &reply, error);
        if (r >= 0)
                r = sd_bus_message_read(reply, "h", &fd);
        if (r < 0)
                return r;
        *ret_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return *ret_fd < 0 ? error_origin(-errno) : 0;
}

/**
 * exec_view_open() - open each snapshot, once for each place it is seen at
 * @view:       planned
 * @backup:     whose bus and event loop are used
 *
 * Return: 0, CTL_E_SAID, -EINTR after a signal, or another negative errno.
 */
int exec_view_open(ExecView *view, Backup *backup) {
        for (size_t i = 0; i < view->plan->n_entries; i++) {
                _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
                PlanEntry *entry = &view->plan->entries[i];
                int r;

                if (entry->kind != PLAN_SNAPSHOT)
                        continue;
                r = open_tree(backup, view->plan->volumes[entry->volume].snapshot, &entry->tree_fd, &error);
                if (r == -EINTR || r == CTL_E_SAID)
                        return r;
                if (r < 0) {
                        (void) say_bus_error("cannot look into a snapshot", &error, r);
                        say("it is the snapshot of %s, that %s should show",
                            snapshot_volume(&view->snapshots[view->shown[entry->volume]]), entry->path);
                        return CTL_E_SAID;
                }
        }
        return 0;
}

/**
 * exec_view_find_lost() - does every snapshot still hold its instant
 * @view:       read
 * @bus:        the bus
 * @ret_reason: why not, a word; lives as long as the view
 *
 * Return: the volume of the first that does not; NULL: all do, as far as can be told.
 */
const char *exec_view_find_lost(const ExecView *view, sd_bus *bus, const char **ret_reason) {
        for (size_t i = 0; i < view->n_snapshots; i++) {
                ExecSnapshot *snapshot = &view->snapshots[i];
                _cleanup_message_ sd_bus_message *reply = NULL;
                _cleanup_(dict_done) Dict now = {};
                _cleanup_free_ char *path = NULL;
                const char *interface;

                if (snapshot->n_shown == 0 ||
                    object_find(bus, snapshot_id(snapshot), &path, &interface) != 0 ||
                    call_snapshot(bus, path, "GetProperties", &reply, NULL) < 0 ||
                    dict_read(&now, reply) < 0 || !streq(dict_get_string(&now, "state"), "invalid"))
                        continue;
                if (dict_add_string(&snapshot->properties, "lost", dict_get_string(&now, "invalid-reason")) <
                    0)
                        continue;
                *ret_reason = dict_get_string(&snapshot->properties, "lost");
                return snapshot_volume(snapshot);
        }
        return NULL;
}
