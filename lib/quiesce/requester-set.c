/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Making the snapshot set and looking into it: PrepareForBackup, DoSnapshotSet, OpenTree, and reading the
 * dictionaries they answer. Unknown keys are skipped: a newer quiesced may say more.
 */

#include <fcntl.h>

#include "quiesce/requester-internal.h"
#include "util/error.h"

#define SNAPSHOT_PREFIX QUIESCE_BUS_PATH "/snapshot/"

/* The structure may be of a program that was built before it had these members. */
static bool has_moment(const QuiesceRequirement *requirement) {
        return requirement &&
               requirement->size >= offsetof(QuiesceRequirement, moment_limit_usec) + sizeof(uint64_t) &&
               requirement->moment_fd > 0;
}

/**
 * requester_append_requirement() - append a{sv} options saying which writers must not fail
 * @call:           the message
 * @requirement:    NULL: none need succeed
 *
 * Return: 0 or a negative errno.
 */
int requester_append_requirement(sd_bus_message *call, const QuiesceRequirement *requirement) {
        int r;

        r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0 && requirement && requirement->require_writers)
                r = sd_bus_message_append(call, "{sv}", "require-writers", "b", 1);
        if (r >= 0 && requirement && requirement->ignore_writers && requirement->ignore_writers[0]) {
                r = dictionary_open_array(call, "ignore-writers", "as");
                for (const char *const *w = requirement->ignore_writers; r >= 0 && *w; w++)
                        r = sd_bus_message_append(call, "s", *w);
                if (r >= 0)
                        r = dictionary_close_array(call);
        }
        if (r >= 0 && has_moment(requirement))
                r = sd_bus_message_append(call, "{sv}{sv}", "moment", "h", requirement->moment_fd,
                                          "moment-limit-usec", "t", requirement->moment_limit_usec);
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        return error_trace(r < 0 ? r : 0);
}

static int read_string(sd_bus_message *m, void *userdata) {
        char **field = userdata, *copy;
        const char *value;
        int r;

        r = sd_bus_message_read_basic(m, 's', &value);
        if (r < 0)
                return error_trace(r);
        copy = strdup(value);
        if (!copy)
                return error_origin(-ENOMEM);
        free(*field);
        *field = copy;
        return 0;
}

static int read_strv(sd_bus_message *m, void *userdata) {
        char ***field = userdata, **value = NULL;
        int r;

        r = sd_bus_message_read_strv(m, &value);
        if (r < 0) {
                quiesce_strv_free(value);
                return error_trace(r);
        }
        quiesce_strv_free(*field);
        *field = value;
        return 0;
}

static int snapshot_set_read(QuiesceSnapshotSet *set, sd_bus_message *reply) {
        const DictionaryField fields[] = {
                {"set", "s", &set->id, read_string},
                {"consistency", "s", &set->consistency, read_string},
                {"failed-writers", "as", &set->failed_writers, read_strv},
                {"instant-usec", "t", &set->instant_usec, NULL},
                {"hold-usec", "t", &set->hold_usec, NULL},
                {"freeze-usec", "t", &set->freeze_usec, NULL},
                {"suspend-usec", "t", &set->suspend_usec, NULL},
                {"commit-usec", "t", &set->commit_usec, NULL},
        };
        int r;

        r = dictionary_read(reply, fields, ELEMENTSOF(fields));
        return error_trace(r < 0 ? r : 0);
}

/**
 * requester_read_failed() - which writers failed, of a dictionary with `failed-writers`
 * @reply:          the answer
 * @ret_failed:     NULL-terminated; quiesce_strv_free() it; may be NULL
 *
 * Return: 0 or a negative errno.
 */
int requester_read_failed(sd_bus_message *reply, char ***ret_failed) {
        _cleanup_(quiesce_snapshot_set_freep) QuiesceSnapshotSet *answer = NULL;
        int r;

        answer = calloc(1, sizeof(*answer));
        if (!answer)
                return error_origin(-ENOMEM);
        r = snapshot_set_read(answer, reply);
        if (r < 0)
                return error_trace(r);
        if (ret_failed)
                *ret_failed = TAKE_PTR(answer->failed_writers);
        return 0;
}

static int call_with_requirement(QuiesceBackup *backup, const char *member,
                                 const QuiesceRequirement *requirement, QuiesceSnapshotSet **ret,
                                 sd_bus_error *error) {
        _cleanup_(quiesce_snapshot_set_freep) QuiesceSnapshotSet *set = NULL;
        _cleanup_(message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        int r;

        set = calloc(1, sizeof(*set));
        if (!set)
                return error_origin(-ENOMEM);
        r = quiesce_backup_new_call(backup, &call, QUIESCE_BUS_BACKUP, member);
        if (r >= 0)
                r = requester_append_requirement(call, requirement);
        if (r >= 0)
                r = requester_call(backup, call, &reply, error);
        if (r >= 0)
                r = snapshot_set_read(set, reply);
        if (r < 0)
                return error_trace(r);
        *ret = TAKE_PTR(set);
        return 0;
}

/**
 * quiesce_backup_prepare() - tell the writers that a backup comes
 * @backup:         the session
 * @requirement:    which writers must not fail; NULL: none
 * @ret_failed:     writers that failed; quiesce_strv_free() it; may be NULL
 * @error:          gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::PrepareForBackup.
 *
 * Return: 0, also if writers failed; else a negative errno.
 */
_public_ int quiesce_backup_prepare(QuiesceBackup *backup, const QuiesceRequirement *requirement,
                                    char ***ret_failed, sd_bus_error *error) {
        _cleanup_(quiesce_snapshot_set_freep) QuiesceSnapshotSet *answer = NULL;
        int r;

        r = call_with_requirement(backup, "PrepareForBackup", requirement, &answer, error);
        if (r < 0)
                return error_trace(r);
        if (ret_failed)
                *ret_failed = TAKE_PTR(answer->failed_writers);
        return 0;
}

/**
 * quiesce_backup_do_snapshot_set() - freeze, snapshot all volumes at one instant, thaw
 * @backup:         the session
 * @requirement:    which writers must not fail; NULL: none
 * @ret:            what was made; quiesce_snapshot_set_free() it
 * @error:          gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::DoSnapshotSet.
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_backup_do_snapshot_set(QuiesceBackup *backup, const QuiesceRequirement *requirement,
                                            QuiesceSnapshotSet **ret, sd_bus_error *error) {
        return error_trace(call_with_requirement(backup, "DoSnapshotSet", requirement, ret, error));
}

/**
 * quiesce_snapshot_set_free() - free what quiesce_backup_do_snapshot_set() gave
 * @set:        it or NULL; the set itself stays
 *
 * Return: NULL.
 */
_public_ QuiesceSnapshotSet *quiesce_snapshot_set_free(QuiesceSnapshotSet *set) {
        if (!set)
                return NULL;
        free(set->id);
        free(set->consistency);
        quiesce_strv_free(set->failed_writers);
        free(set);
        return NULL;
}

/**
 * quiesce_backup_open_tree() - look into a snapshot
 * @backup:     the session
 * @snapshot:   the snapshot's UUID
 * @ret_fd:     a detached read-only mount of its file system, for one move_mount(2); the caller closes it
 * @error:      gets the error that was answered; may be NULL
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_backup_open_tree(QuiesceBackup *backup, const char *snapshot, int *ret_fd,
                                      sd_bus_error *error) {
        _cleanup_(message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        char path[sizeof(SNAPSHOT_PREFIX) + 64];
        int fd, r;

        if (snprintf(path, sizeof(path), SNAPSHOT_PREFIX "%s", snapshot) >= (int) sizeof(path))
                return error_origin(-EINVAL);
        for (char *c = path + strlen(SNAPSHOT_PREFIX); *c; c++)
                if (*c == '-')
                        *c = '_';
        r = sd_bus_message_new_method_call(backup->bus, &call, QUIESCE_BUS_NAME, path, QUIESCE_BUS_SNAPSHOT,
                                           "OpenTree");
        if (r >= 0)
                r = sd_bus_message_append(call, "a{sv}", 0);
        if (r >= 0)
                r = requester_call(backup, call, &reply, error);
        if (r >= 0)
                r = sd_bus_message_read(reply, "h", &fd);
        if (r < 0)
                return error_trace(r);
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
                return error_origin(-errno);
        *ret_fd = fd;
        return 0;
}
