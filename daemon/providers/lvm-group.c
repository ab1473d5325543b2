/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A command per volume group for all volumes of a set; see lvm-group.h.
 */

#include "daemon/providers/lvm-group.h"

#include <assert.h>

#include "util/error.h"

/**
 * lvm_group_operation_new() - sort volumes by their groups
 * @ret:        the operation; ends in lvm_group_operation_end(), or is freed by who began nothing with it
 * @provider:   of all of them
 * @volumes:    copied
 * @n_volumes:  how many
 * @done:       called once, by lvm_group_operation_end()
 * @userdata:   for @done
 *
 * Return: 0, or -ENOMEM.
 */
int lvm_group_operation_new(LvmGroupOperation **ret, Provider *provider, ProviderVolume *const *volumes,
                            size_t n_volumes, ProviderDone done, void *userdata) {
        LvmGroupOperation *operation = calloc(1, sizeof(*operation));

        if (!operation)
                return error_origin(-ENOMEM);
        assert(n_volumes <= CONTRACT_VOLUMES_MAX);
        operation->provider = provider;
        memcpy(operation->volumes, volumes, n_volumes * sizeof(*volumes));
        operation->n_volumes = n_volumes;
        operation->done = done;
        operation->userdata = userdata;
        for (size_t i = 0; i < n_volumes; i++) {
                const char *vg = lvm_data(volumes[i])->vg;
                size_t g = 0;

                while (g < operation->n_groups && !streq(operation->groups[g].vg, vg))
                        g++;
                if (g == operation->n_groups)
                        operation->groups[operation->n_groups++] =
                                (LvmGroup){.operation = operation, .vg = vg};
        }
        *ret = operation;
        return 0;
}

static void on_listed(int error, const LvmReport *report, const char *text, void *userdata) {
        LvmGroupOperation *operation = userdata;

        if (error < 0)
                (void) lvm_verdict(&operation->verdict, CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR,
                                   "LVM could not be asked for the snapshots. %.400s", text);
        else
                operation->looked(operation, report);
        if (operation->n_pending == 0)
                lvm_group_operation_end(operation);
}

/**
 * lvm_group_operation_look() - begin an operation with a look at what LVM has now
 * @provider:   of all of them
 * @volumes:    copied
 * @n_volumes:  how many
 * @looked:     called if LVM has answered
 * @done:       called once, by lvm_group_operation_end()
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno.
 */
int lvm_group_operation_look(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes,
                             LvmGroupLooked looked, ProviderDone done, void *userdata) {
        LvmGroupOperation *operation;
        int r;

        r = lvm_group_operation_new(&operation, provider, volumes, n_volumes, done, userdata);
        if (r < 0)
                return error_trace(r);
        operation->looked = looked;
        r = lvm_list(provider->lvm, NULL, on_listed, operation);
        if (r < 0)
                free(operation);
        return error_trace(r);
}

/**
 * lvm_group_operation_end() - say how it went
 * @operation:  freed
 */
void lvm_group_operation_end(LvmGroupOperation *operation) {
        LvmVerdict *verdict = &operation->verdict;

        operation->done(verdict->error == CONTRACT_OK ? NULL : operation->fault, verdict->error,
                        verdict->error == CONTRACT_OK ? NULL : verdict->text, operation->userdata);
        free(operation);
}

/**
 * lvm_group_operation_failed() - whether a group has failed
 * @operation:  it
 *
 * Return: whether one has.
 */
bool lvm_group_operation_failed(const LvmGroupOperation *operation) {
        return operation->verdict.error != CONTRACT_OK;
}

static void note_failure(LvmGroupOperation *operation, ProviderVolume *volume, const LvmAnswer *answer) {
        if (lvm_group_operation_failed(operation))
                return;
        operation->fault = volume;
        (void) lvm_verdict(&operation->verdict,
                           answer->error == -ECANCELED ? CONTRACT_ERROR_ABORTED
                                                       : CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR,
                           "The snapshots in %.128s could not be %s. %.300s", lvm_data(volume)->vg,
                           operation->doing, answer->text);
}

static void on_answered(const LvmAnswer *answer, void *userdata) {
        LvmGroup *group = userdata;
        LvmGroupOperation *operation = group->operation;

        for (size_t i = 0; i < operation->n_volumes; i++) {
                LvmData *data = lvm_data(operation->volumes[i]);

                if (!streq(data->vg, group->vg))
                        continue;
                data->command = NULL;
                if (answer->error < 0)
                        note_failure(operation, operation->volumes[i], answer);
        }
        if (--operation->n_pending > 0)
                return;
        if (operation->next && !lvm_group_operation_failed(operation))
                operation->next(operation);
        else
                lvm_group_operation_end(operation);
}

/**
 * lvm_group_run() - run a command for a group
 * @group:      of an operation; its volumes can be cancelled meanwhile
 * @spec:       the command; copied
 *
 * That it could not be run is a failure of the operation: who has begun all groups looks whether any is
 * pending, and else ends it.
 */
void lvm_group_run(LvmGroup *group, const LvmCommandSpec *spec) {
        LvmGroupOperation *operation = group->operation;
        LvmCommand *command = NULL;
        int r;

        operation->n_pending++;
        r = lvm_command_new(&command, operation->provider->lvm, spec, on_answered, group);
        if (r < 0) {
                operation->n_pending--;
                (void) lvm_verdict(&operation->verdict, CONTRACT_ERROR_UNEXPECTED,
                                   "No command could be given to LVM: %s.", strerror(-r));
                return;
        }
        for (size_t i = 0; i < operation->n_volumes; i++)
                if (streq(lvm_data(operation->volumes[i])->vg, group->vg))
                        lvm_data(operation->volumes[i])->command = command;
}

/**
 * lvm_group_add_paths() - add the LVs that a command is about: the snapshots in a group
 * @spec:       the command
 * @group:      the group
 * @thin_only:  no thick ones
 * @paths:      filled; must live as long as @spec
 *
 * Return: whether there are any.
 */
bool lvm_group_add_paths(LvmCommandSpec *spec, const LvmGroup *group, bool thin_only, LvmPaths paths) {
        const LvmGroupOperation *operation = group->operation;
        bool any = false;

        for (size_t i = 0; i < operation->n_volumes; i++) {
                const ProviderVolume *volume = operation->volumes[i];

                if (!streq(lvm_data(volume)->vg, group->vg) || (thin_only && volume->ops != &lvm_thin_ops))
                        continue;
                lvm_lv_path(paths[i], group->vg, lvm_data(volume)->name);
                (void) lvm_spec_add(spec, paths[i]);
                any = true;
        }
        return any;
}
