/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * BREAK: the snapshots of a set become volumes like any other, which quiesced forgets.
 *
 * First it is looked whether their new names are free. Then all tags go, in one command per group: from then
 * on they are nobody's snapshots, whatever happens. Last they are renamed, one after the other in a group; a
 * crash before that leaves an ordinary volume with a name that says little.
 */

#include <time.h>

#include "daemon/providers/lvm-group.h"
#include "util/error.h"

/* "data_20261130T064512Z", or with the suffix that was wished for. */
static bool name_new(const ProviderVolume *volume, char ret[static LVM_VG_SIZE]) {
        time_t instant = (time_t) (volume->set->instant_realtime_usec / USEC_PER_SEC);
        char suffix[sizeof(volume->set->broken.suffix)] = "";
        struct tm utc;

        (void) snprintf(suffix, sizeof(suffix), "%s", volume->set->broken.suffix);
        if (!suffix[0] && gmtime_r(&instant, &utc))
                (void) strftime(suffix, sizeof(suffix), "%Y%m%dT%H%M%SZ", &utc);
        return snprintf(ret, LVM_VG_SIZE, "%s_%s", lvm_data(volume)->lv, suffix) < (int) LVM_VG_SIZE;
}

/* A snapshot's next command. Return: false if it has had both. */
static bool next_spec(ProviderVolume *volume, LvmCommandSpec *spec, char path[static 2 * LVM_VG_SIZE],
                      char origin[static LVM_TAG_SIZE]) {
        LvmData *data = lvm_data(volume);
        const char *const rename[] = {"lvrename", path, data->broken_name};
        const char *const untag[] = {"lvchange", "--yes", "--deltag", origin, path};

        if (data->n_break_steps == 2)
                return false;
        lvm_lv_path(path, data->vg, data->n_break_steps == 0 ? data->name : data->broken_name);
        (void) snprintf(origin, LVM_TAG_SIZE, "quiesced.origin=%.32s", data->origin_uuid);
        *spec = (LvmCommandSpec){.lane = data->vg, .limit_usec = LVM_CHANGE_LIMIT, .changes = true};
        if (data->n_break_steps++ == 0)
                memcpy(spec->arguments, rename, sizeof(rename));
        else
                memcpy(spec->arguments, untag, sizeof(untag));
        return true;
}

static void run_next(LvmGroup *group) {
        const LvmGroupOperation *operation = group->operation;
        char path[2 * LVM_VG_SIZE], origin[LVM_TAG_SIZE];
        LvmCommandSpec spec;

        for (size_t i = 0; i < operation->n_volumes; i++)
                if (streq(lvm_data(operation->volumes[i])->vg, group->vg) &&
                    next_spec(operation->volumes[i], &spec, path, origin)) {
                        lvm_group_run(group, &spec);
                        return;
                }
}

/* A command for each group, until there is nothing left to be done in any. */
static void rename_all(LvmGroupOperation *operation) {
        operation->doing = "renamed, but are volumes of their own";
        operation->next = rename_all;
        for (size_t g = 0; g < operation->n_groups && !lvm_group_operation_failed(operation); g++)
                run_next(&operation->groups[g]);
        if (operation->n_pending == 0)
                lvm_group_operation_end(operation);
}

/* Those of one snapshot are those of all, but for the origin's. */
static void add_common_tags(LvmCommandSpec *spec, char **tags) {
        for (; *tags; tags++) {
                if (strncmp(*tags, "quiesced.", strlen("quiesced.")) != 0 ||
                    strncmp(*tags, "quiesced.origin=", strlen("quiesced.origin=")) == 0)
                        continue;
                (void) lvm_spec_add(spec, "--deltag");
                (void) lvm_spec_add(spec, *tags);
        }
}

static void untag_group(LvmGroup *group, const LvmReport *report) {
        const LvmGroupOperation *operation = group->operation;
        LvmPaths paths;
        LvmCommandSpec spec = {
                .lane = group->vg,
                .arguments = {"lvchange", "--yes"},
                .limit_usec = LVM_CHANGE_LIMIT,
                .changes = true,
        };
        size_t i = 0;

        if (operation->volumes[0]->set->broken.writable) {
                (void) lvm_spec_add(&spec, "--permission");
                (void) lvm_spec_add(&spec, "rw");
        }
        while (!streq(lvm_data(operation->volumes[i])->vg, group->vg))
                i++;
        add_common_tags(&spec,
                        lvm_report_find(report, group->vg, lvm_data(operation->volumes[i])->name)->tags);
        (void) lvm_group_add_paths(&spec, group, false, paths);
        lvm_group_run(group, &spec);
}

/* Return: false if one of them is not there, or its name is not free. */
static bool check_names(LvmGroupOperation *operation, const LvmReport *report) {
        for (size_t i = 0; i < operation->n_volumes; i++) {
                ProviderVolume *volume = operation->volumes[i];
                LvmData *data = lvm_data(volume);

                operation->fault = volume;
                data->n_break_steps = 0;
                if (!lvm_report_find(report, data->vg, data->name))
                        return lvm_verdict(&operation->verdict, CONTRACT_ERROR_OBJECT_NOT_FOUND,
                                           "The snapshot %s of %.200s is gone.", data->name, volume->name);
                if (!name_new(volume, data->broken_name))
                        return lvm_verdict(&operation->verdict, CONTRACT_ERROR_INVALID_ARGUMENT,
                                           "The name of %.200s is too long for that suffix.", volume->name);
                lvm_lv_path(data->broken_path, data->vg, data->broken_name);
                if (lvm_report_find(report, data->vg, data->broken_name))
                        return lvm_verdict(&operation->verdict, CONTRACT_ERROR_OBJECT_ALREADY_EXISTS,
                                           "There is a volume %.128s/%.128s already; choose another suffix.",
                                           data->vg, data->broken_name);
        }
        return true;
}

static void begin(LvmGroupOperation *operation, const LvmReport *report) {
        if (!check_names(operation, report))
                return;
        operation->doing = "made volumes of their own";
        operation->next = rename_all;
        for (size_t g = 0; g < operation->n_groups && !lvm_group_operation_failed(operation); g++)
                untag_group(&operation->groups[g], report);
}

/**
 * lvm_break_set() - BREAK: make them volumes like any other
 * @provider:   of all of them
 * @volumes:    whose snapshots count; copied
 * @n_volumes:  how many
 * @done:       called once; after a failure some groups' may have been made so
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno.
 */
int lvm_break_set(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes, ProviderDone done,
                  void *userdata) {
        return error_trace(lvm_group_operation_look(provider, volumes, n_volumes, begin, done, userdata));
}

/**
 * lvm_get_broken_name() - what a snapshot is called after BREAK
 * @volume:     the volume
 *
 * Return: "vg/lv", "" before; the volume's.
 */
const char *lvm_get_broken_name(const ProviderVolume *volume) {
        const LvmData *data = volume->data;

        return data->broken_path;
}
