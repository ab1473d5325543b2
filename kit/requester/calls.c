/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A step's words as a call of org.quiesce1(5); see requester.h. Those that open a session are in run.c. */

#include "requester.h"

#include <fcntl.h>

#include "util/error.h"

/* Where it is found: on every session, on backups, on restores, on both under the same name. */
typedef enum Side {
        SESSION,
        BACKUP,
        RESTORE,
        EITHER,
} Side;

/* arguments: s: a word; S: all words that follow; b: yes or no; v: a volume. Then come options. */
typedef struct Call {
        const char *name, *arguments;
        Side side;
} Call;

static const Call calls[] = {
        {"SetContext", "s", BACKUP},
        {"EnableWriters", "S", EITHER},
        {"DisableWriters", "S", EITHER},
        {"SetBackupState", "", BACKUP},
        {"GatherWriterMetadata", "", EITHER},
        {"GetWriterMetadata", "s", SESSION},
        {"GetWriterComponents", "s", SESSION},
        {"AddComponent", "sss", BACKUP},
        {"SetBackupOptions", "ssss", BACKUP},
        {"SetPreviousBackupStamp", "ssss", BACKUP},
        {"StartSnapshotSet", "", BACKUP},
        {"IsVolumeSupported", "v", BACKUP},
        {"AddToSnapshotSet", "v", BACKUP},
        {"PrepareForBackup", "", BACKUP},
        {"DoSnapshotSet", "", BACKUP},
        {"GetSnapshotProperties", "s", BACKUP},
        {"SetBackupSucceeded", "sssb", BACKUP},
        {"BackupComplete", "", BACKUP},
        {"AbortBackup", "", BACKUP},
        {"DeleteSnapshots", "s", BACKUP},
        {"SaveDocument", "", EITHER},
        {"SetSelectedForRestore", "sssb", RESTORE},
        {"SetRestoreOptions", "ssss", RESTORE},
        {"PreRestore", "", RESTORE},
        {"SetFileRestoreStatus", "ssss", RESTORE},
        {"PostRestore", "", RESTORE},
        {"GatherWriterStatus", "", SESSION},
        {"Cancel", "", SESSION},
        {"Release", "", SESSION},
};

/* Options that are no text. */
static const struct {
        const char *name;
        char type; /* b, t, or a for several texts */
} options[] = {
        {"bootable", 'b'},       {"component-mode", 'b'}, {"wait", 'b'},     {"require-writers", 'b'},
        {"ignore-writers", 'a'}, {"cow-size", 't'},       {"store-on", 'a'},
};

/**
 * call_is_known() - whether a word is the name of a call
 * @name:       the word
 *
 * Return: true if so.
 */
bool call_is_known(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                if (streq(calls[i].name, name))
                        return true;
        return streq(name, "OpenBackup") || streq(name, "OpenRestore");
}

static int append_boolean(sd_bus_message *m, const char *word) {
        if (streq(word, "yes"))
                return sd_bus_message_append(m, "b", 1);
        if (streq(word, "no"))
                return sd_bus_message_append(m, "b", 0);
        return -EINVAL;
}

/* A path is opened here and sent as a descriptor, as libquiesce does; other words are names. */
static int append_volume(sd_bus_message *m, const char *word) {
        _cleanup_close_ int fd = -EBADF;

        if (word[0] != '/')
                return sd_bus_message_append(m, "v", "s", word);
        fd = open(word, O_PATH | O_CLOEXEC);
        return fd < 0 ? -errno : sd_bus_message_append(m, "v", "h", fd);
}

static int append_words(sd_bus_message *m, char *const *words) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "s");
        for (; *words && r >= 0; words++)
                r = sd_bus_message_append(m, "s", *words);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_list(sd_bus_message *m, char *names) {
        int r;

        r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        while (names && r >= 0)
                r = sd_bus_message_append(m, "s", strsep(&names, ","));
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* NAME=VALUE; NAME alone is NAME=yes. */
static int append_option(sd_bus_message *m, const char *word) {
        _cleanup_free_ char *copy = strdup(word);
        char *value = copy, *name;
        char type = 's';
        int r;

        if (!copy)
                return -ENOMEM;
        name = strsep(&value, "=");
        for (size_t i = 0; i < ELEMENTSOF(options); i++)
                if (streq(options[i].name, name))
                        type = options[i].type;
        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", name);
        if (r < 0)
                return r;
        if (type == 'b')
                r = sd_bus_message_append(m, "v", "b", !value || streq(value, "yes"));
        else if (type == 't')
                r = sd_bus_message_append(m, "v", "t", value ? strtoull(value, NULL, 10) : 0);
        else if (type == 'a')
                r = append_list(m, value);
        else
                r = sd_bus_message_append(m, "v", "s", value ? value : "yes");
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_arguments(sd_bus_message *m, const Call *call, char *const *words) {
        int r = 0;

        words++;
        for (const char *a = call->arguments; *a && r >= 0; a++) {
                if (*a == 'S') {
                        r = append_words(m, words);
                        while (*words)
                                words++;
                        break;
                }
                if (!*words)
                        return -EINVAL;
                r = *a == 'b'   ? append_boolean(m, *words)
                    : *a == 'v' ? append_volume(m, *words)
                                : sd_bus_message_append(m, "s", *words);
                words++;
        }
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{sv}");
        for (; r >= 0 && *words; words++)
                r = append_option(m, *words);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static const char *interface_of(const Requester *requester, const Call *call) {
        if (call->side == SESSION)
                return QUIESCE_BUS_SESSION;
        if (call->side == EITHER)
                return requester->restore ? QUIESCE_BUS_RESTORE : QUIESCE_BUS_BACKUP;
        return call->side == RESTORE ? QUIESCE_BUS_RESTORE : QUIESCE_BUS_BACKUP;
}

/**
 * call_build() - make a message of a step
 * @requester:  with a session
 * @words:      the call, its arguments, its options; NULL-terminated
 * @ret:        the message
 * @why:        what is wrong, with any error
 *
 * Calls of a backup can be made of a restore, and the other way round: what comes of that is quiesced's
 * answer.
 *
 * Return: 0; -EINVAL: there is no such call, or its arguments are wrong; another negative errno.
 */
int call_build(Requester *requester, char *const *words, sd_bus_message **ret,
               char why[static SCRIPT_ERROR_MAX]) {
        const Call *call = NULL;
        const char *path, *interface;
        int r;

        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                if (streq(calls[i].name, words[0]))
                        call = &calls[i];
        if (!call || (!requester->backup && !requester->restore)) {
                (void) snprintf(why, SCRIPT_ERROR_MAX, "%.60s %s", words[0],
                                call ? "needs a session: OpenBackup or OpenRestore first" : "is no call");
                return -EINVAL;
        }
        interface = interface_of(requester, call);
        if (requester->backup)
                r = quiesce_backup_new_call(requester->backup, ret, interface, call->name);
        else {
                path = quiesce_restore_get_path(requester->restore);
                r = sd_bus_message_new_method_call(requester->bus, ret, QUIESCE_BUS_NAME, path, interface,
                                                   call->name);
        }
        if (r >= 0)
                r = append_arguments(*ret, call, words);
        if (r < 0)
                (void) snprintf(why, SCRIPT_ERROR_MAX, "%.60s: %s", words[0],
                                r == -EINVAL ? "its arguments are wrong" : strerror(-r));
        return error_trace(r < 0 ? r : 0);
}
