/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Letting go what the journal of a dead daemon names; see letting-go.h. Synchronous, because nothing else
 * matters until it is done; ioctls only, on devices named by uuid and mounts named by id.
 *
 * quiesced-hold does the same by itself if it lives. Both are idempotent: a staged table that is gone, a
 * device that is not suspended and a file system that is not frozen are left as they are. None of them waits
 * for another, whose disk does not answer (apart.h). But nothing is
 * thawed while a process of the hold lives, which may sit in a suspend that freezes the same file system
 * (HACKING.md), and freezes it later if it was killed there.
 */

#include "daemon/sets/letting-go.h"

#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/fs.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "daemon/message-ids.h"
#include "daemon/providers/lvm.h"
#include "daemon/sets/apart.h"
#include "daemon/sets/journal.h"
#include "daemon/volumes/dm.h"
#include "daemon/volumes/volumes.h"
#include "util/error.h"
#include "util/freeze-trial.h"
#include "util/log.h"

#define FREEZERS_REPEAT_MSEC 100
#define ENTRY(id)            (&(LogEntry){.message_id = (id)})
#define STUCK_MSEC           2000 /* a device that has not answered by then may never do */

/* A staged table must not become live when the device is resumed: it would show a wrong instant. */
static void snapshot_let_go(const char *uuid) {
        int r;

        if (!uuid || uuid[0] == '\0')
                return;
        r = dm_clear_uuid(uuid);
        if (r >= 0)
                r = dm_resume_uuid(uuid);
        if (r < 0 && r != -ENXIO)
                log_entry(LOG_ERR, ENTRY(MESSAGE_NOT_LET_GO),
                          "The snapshot device %s could not be let go: %s.", uuid, strerror(-r));
}

static void origin_let_go(const void *argument) {
        const char *uuid = argument;
        int r;

        r = dm_resume_uuid(uuid);
        if (r > 0)
                log_entry(LOG_WARNING, ENTRY(MESSAGE_LET_GO), "The volume %s was suspended and is resumed.",
                          uuid);
        else if (r < 0 && r != -ENXIO)
                log_entry(LOG_ERR, ENTRY(MESSAGE_NOT_LET_GO),
                          "The volume %s could not be resumed: %s. Run: dmsetup resume --uuid %s", uuid,
                          strerror(-r), uuid);
}

typedef struct NamedMount {
        const char *mount_point; /* or NULL */
        uint64_t mount_id;
} NamedMount;

/* The path is opened only if it is still that mount; what is mounted there now may be another's. */
static void mount_let_go(const void *argument) {
        const NamedMount *named = argument;
        const char *mount_point = named->mount_point;
        uint64_t mount_id = named->mount_id;
        _cleanup_(volume_world_freep) VolumeWorld *world = NULL;
        _cleanup_free_ char *found = NULL;
        _cleanup_close_ int fd = mount_point ? volume_mount_open(mount_point, mount_id) : -EBADF;

        /* It has been moved, or was known by a process of its namespace that has ended. */
        if (fd < 0 && volume_world_new(&world, NULL) >= 0 &&
            volume_world_find_mount(world, mount_id, &found) >= 0) {
                mount_point = found;
                fd = volume_mount_open(mount_point, mount_id);
        }
        if (fd < 0)
                return;
        if (ioctl(fd, FITHAW, 0) == 0)
                log_entry(LOG_WARNING, ENTRY(MESSAGE_LET_GO),
                          "The file system at %s was frozen and is thawed.", mount_point);
        else if (errno != EINVAL && errno != EOPNOTSUPP && errno != ENOTTY)
                log_entry(LOG_ERR, ENTRY(MESSAGE_NOT_LET_GO),
                          "The file system at %s could not be thawed: %s. Run: fsfreeze --unfreeze %s",
                          mount_point, strerror(errno), mount_point);
}

static bool journal_resume(json_t *root, int timeout_msec) {
        json_t *volumes = json_object_get(root, "volumes"), *entry;
        Apart apart;
        size_t i;

        json_array_foreach(volumes, i, entry)
                snapshot_let_go(json_string_value(json_object_get(entry, "snapshot")));
        /* Written deepest first: an upper one may have to write to a lower one, and then waits for it. */
        apart_begin(&apart);
        json_array_foreach(volumes, i, entry) {
                const char *uuid = json_string_value(json_object_get(entry, "origin"));

                if (uuid)
                        apart_do(&apart, origin_let_go, uuid);
        }
        return apart_end(&apart, timeout_msec);
}

static bool journal_thaw(json_t *root, int timeout_msec) {
        json_t *entry;
        Apart apart;
        size_t i;

        apart_begin(&apart);
        json_array_foreach(json_object_get(root, "mounts"), i, entry) {
                NamedMount mount = {json_string_value(json_object_get(entry, "mount-point")),
                                    (uint64_t) json_integer_value(json_object_get(entry, "mount-id"))};

                apart_do(&apart, mount_let_go, &mount);
        }
        return apart_end(&apart, timeout_msec);
}

static void journal_relax(json_t *root) {
        const char *value = json_string_value(json_object_get(root, "rcu-expedited"));
        _cleanup_close_ int fd = value ? open(JOURNAL_RCU_SWITCH, O_WRONLY | O_CLOEXEC) : -EBADF;

        if (fd >= 0 && write(fd, value, strlen(value)) < 0)
                log_warning("%s cannot be set back to %s: %s.", JOURNAL_RCU_SWITCH, value, strerror(errno));
}

/* The hold and its guard have LVM's locks until both are really gone, or have let everything go. */
static bool hold_is_gone(json_t *root, bool wait) {
        json_t *entry;
        size_t i;

        json_array_foreach(json_object_get(root, "locks"), i, entry) {
                const char *path = json_string_value(entry);
                _cleanup_close_ int fd = path ? open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC) : -EBADF;

                if (fd >= 0 && flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0)
                        return false;
        }
        return true;
}

/* What cannot be read stays for who wants to know what was held, out of the way of the next set. */
static void journal_put_aside(const char *path, const char *why) {
        _cleanup_free_ char *aside = NULL;

        if (asprintf(&aside, "%s.unread", path) < 0)
                aside = NULL;
        if (!aside || rename(path, aside) < 0) {
                log_entry(LOG_ERR, ENTRY(MESSAGE_JOURNAL_DAMAGED),
                          "The journal %s %s, and cannot be put aside.", path, why);
                return;
        }
        log_entry(
                LOG_ERR, ENTRY(MESSAGE_JOURNAL_DAMAGED),
                "The journal of what was held %s; it is kept as %s. If something hangs: dmsetup info, fsfreeze "
                "--unfreeze.",
                why, aside);
}

static json_t *journal_read(const char *path) {
        json_error_t error;
        json_t *root = json_load_file(path, 0, &error);
        char why[sizeof(error.text) + 32];

        if (json_is_object(root))
                return root;
        (void) snprintf(why, sizeof(why), "is damaged: %s", root ? "no object" : error.text);
        json_decref(root);
        journal_put_aside(path, why);
        return NULL;
}

/* A newer one may name more than we know; what we know of it is let go all the same. */
static void journal_remove(const char *path, json_t *root) {
        if (json_integer_value(json_object_get(root, "version")) > JOURNAL_VERSION)
                journal_put_aside(
                        path, "was written by a newer quiesced, and what this one knows of it is let go");
        else
                (void) unlink(path);
}

static bool is_journal(const char *name) {
        size_t n = strlen(name), suffix = strlen(JOURNAL_SUFFIX);

        return strncmp(name, JOURNAL_PREFIX, strlen(JOURNAL_PREFIX)) == 0 && n > suffix &&
               streq(name + n - suffix, JOURNAL_SUFFIX);
}

/* Calls for each file of the directory that is a journal. Return: 0, or the last error. */
static int journals_each(const char *directory, int (*call)(const char *directory, const char *path)) {
        DIR *d = opendir(directory);
        int r = 0;

        if (!d)
                return errno == ENOENT ? 0 : error_origin(-errno);
        for (struct dirent *e; (e = readdir(d));) {
                _cleanup_free_ char *path = NULL;
                int q = 0;

                if (!is_journal(e->d_name))
                        continue;
                if (asprintf(&path, "%s/%s", directory, e->d_name) < 0)
                        path = NULL;
                q = path ? call(directory, path) : -ENOMEM;
                r = q < 0 ? q : r;
        }
        (void) closedir(d);
        return r;
}

/* It stays as it is until those who hold are gone; the next set has a journal of its own. */
static int journal_keep(const char *directory, const char *path, json_t *root) {
        const char *id = json_string_value(json_object_get(root, "set"));
        _cleanup_free_ char *kept = NULL;

        if (asprintf(&kept, "%s/" JOURNAL_PREFIX "-%.36s" JOURNAL_SUFFIX, directory, id ?: "") < 0) {
                kept = NULL;
                return error_origin(-ENOMEM);
        }
        return rename(path, kept) < 0 ? error_origin(-errno) : 0;
}

static int journal_let_go(const char *directory, const char *path) {
        json_auto_t *root = journal_read(path);
        bool over;

        if (!root)
                return error_origin(-EBADMSG);
        over = journal_resume(root, STUCK_MSEC);
        if (!hold_is_gone(root, false))
                return error_trace(journal_keep(directory, path, root));
        over &= journal_thaw(root, STUCK_MSEC);
        journal_relax(root);
        if (!over) {
                log_warning("A volume does not answer and is not let go yet; all others are.");
                return error_trace(journal_keep(directory, path, root));
        }
        journal_remove(path, root);
        return 0;
}

static int journal_await(const char *directory, const char *path) {
        static const int timeouts[] = {STUCK_MSEC, -1};
        json_auto_t *root = journal_read(path);
        bool over = false;

        if (root && hold_is_gone(root, true)) {
                /* First what answers, then what does not. */
                for (size_t i = 0; i < ELEMENTSOF(timeouts) && !over; i++) {
                        over = journal_resume(root, timeouts[i]);
                        over &= journal_thaw(root, timeouts[i]);
                        journal_relax(root);
                }
                journal_remove(path, root);
        }
        return 0;
}

static int count_journal(const char *directory, const char *path) {
        return -EBUSY;
}

/* What was frozen by somebody who was killed meanwhile (freeze-trial.h). Return: whether somebody freezes
 * now.
 */
static bool freezers_let_go(void) {
        DIR *d = opendir(FREEZE_TRIAL_DIRECTORY);
        bool lives = false;
        uint64_t mount_id;

        if (!d)
                return false;
        for (struct dirent *e; (e = readdir(d));) {
                _cleanup_close_ int note = freeze_note_take_orphan(e->d_name, &mount_id);

                lives |= note == -EBUSY;
                if (note < 0)
                        continue;
                mount_let_go(&(NamedMount){.mount_id = mount_id});
                freeze_note_forget(mount_id);
        }
        (void) closedir(d);
        return lives;
}

/**
 * let_go_held() - let go what a daemon that died may have held
 * @runtime_dir:        where it noted that
 *
 * Return: 0; LET_GO_E_HELD; or a negative errno if there is a journal that cannot be read.
 */
int let_go_held(const char *runtime_dir) {
        int r;

        /* A journald whose disk is held reads nothing, and who logs to it then waits for it. */
        log_hold();
        /* A thaw blocks while its device is suspended: what can be resumed is, before anything is thawed. */
        lvm_origins_resume(runtime_dir);
        r = journals_each(runtime_dir, journal_let_go);
        (void) freezers_let_go();
        (void) lvm_rcu_recover(runtime_dir);
        log_release();
        return journals_each(runtime_dir, count_journal) != 0 ? LET_GO_E_HELD : error_trace(r);
}

/**
 * let_go_after_holds() - likewise, once no process of a hold lives; blocks until then
 * @runtime_dir:        where it is noted
 *
 * Return: 0, or a negative errno.
 */
int let_go_after_holds(const char *runtime_dir) {
        return error_trace(journals_each(runtime_dir, journal_await));
}

/**
 * let_go_has_freezers() - whether somebody is at freezing, or was killed in it
 *
 * Return: true if let_go_after_freezers() has something to do.
 */
bool let_go_has_freezers(void) {
        DIR *d = opendir(FREEZE_TRIAL_DIRECTORY);
        bool found = false;
        uint64_t mount_id;

        if (!d)
                return false;
        for (struct dirent *e; !found && (e = readdir(d));) {
                _cleanup_close_ int note = freeze_note_take_orphan(e->d_name, &mount_id);

                found = note != -ENOENT;
        }
        (void) closedir(d);
        return found;
}

/**
 * let_go_after_freezers() - lets go what was frozen by somebody who was killed in that; blocks until nobody
 * is at it
 *
 * Who was killed in the kernel ends when the disk answers, and has frozen by then.
 */
void let_go_after_freezers(void) {
        while (freezers_let_go())
                (void) poll(NULL, 0, FREEZERS_REPEAT_MSEC);
}
