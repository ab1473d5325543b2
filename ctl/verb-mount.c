/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl mount and umount: a snapshot in the host's own mounts, where everybody may see it. quiesced
 * mounts it, remembers that, and undoes it when the snapshot is deleted.
 */

#include <fcntl.h>
#include <systemd/sd-id128.h>

#include "ctl/format.h"
#include "ctl/mounts.h"
#include "ctl/table.h"
#include "quiesce/requester.h"

static const char mount_usage[] = "\nUsage:\n"
                                  " quiescectl mount [options] ID DIR\n"
                                  "\n"
                                  "Mount a snapshot on a directory, read-only.\n"
                                  "\n"
                                  "Options:\n"
                                  " -w, --rw             mount a writable copy, thrown away with the mount\n"
                                  " -c, --cow-size SIZE  of a thick copy's store (default: quiesced's)\n"
                                  " -h, --help           display this help\n"
                                  " -V, --version        display version\n"
                                  "\n"
                                  "For more details see quiescectl(1).\n";

static const char umount_usage[] = "\nUsage:\n"
                                   " quiescectl umount [options] ID|DIR...\n"
                                   "\n"
                                   "Unmount snapshots mounted by quiescectl mount.\n"
                                   "\n"
                                   "Options:\n"
                                   " -h, --help     display this help\n"
                                   " -V, --version  display version\n"
                                   "\n"
                                   "For more details see quiescectl(1).\n";

static const struct option long_options[] = {OPTIONS_HOST, OPTIONS_ALWAYS, {}};
static const struct option mount_options[] = {
        {"rw", no_argument, NULL, 'w'},
        {"cow-size", required_argument, NULL, 'c'},
        OPTIONS_HOST,
        OPTIONS_ALWAYS,
        {},
};

typedef struct MountWish {
        bool writable;
        uint64_t cow_size;
} MountWish;

/* Return: 0: go on; -1: *ret_status is the exit status. */
static int take_options(int argc, char **argv, const char *verb, const char *usage, MountWish *wish,
                        int *ret_status) {
        Options options = {};
        int c, r;

        while ((c = getopt_long(argc, argv, wish ? "wc:H:hV" : "H:hV", wish ? mount_options : long_options,
                                NULL)) >= 0) {
                r = options_take(&options, c, usage);
                if (r == OPTIONS_E_UNKNOWN && c == 'w') {
                        wish->writable = true;
                        continue;
                }
                if (r == OPTIONS_E_UNKNOWN && c == 'c' && parse_size(optarg, &wish->cow_size) == 0)
                        continue;
                if (r == OPTIONS_E_UNKNOWN && c == 'c')
                        *ret_status = usage_error(verb, "--cow-size: %s is no size such as 512M", optarg);
                else
                        *ret_status = r == OPTIONS_E_DONE ? EXIT_SUCCESS
                                      : r == 0            ? EXIT_FAILURE
                                                          : usage_hint(verb);
                if (r != 0)
                        return -1;
        }
        *ret_status = EXIT_FAILURE;
        return options_refuse_host(&options, verb, streq(verb, "mount") ? "ID DIR" : "ID|DIR") == 0 ? 0 : -1;
}

static int append_wish(sd_bus_message *call, const MountWish *wish) {
        int r;

        r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0 && wish->writable)
                r = sd_bus_message_append(call, "{sv}", "writable", "b", 1);
        if (r >= 0 && wish->cow_size > 0)
                r = sd_bus_message_append(call, "{sv}", "cow-size", "t", wish->cow_size);
        return r >= 0 ? sd_bus_message_close_container(call) : r;
}

/* Return: 0, CTL_E_SAID or a negative errno. */
static int mount_call(sd_bus *bus, const char *id, int directory, const MountWish *wish) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *call = NULL;
        int r;

        r = snapshot_new_call(bus, &call, id, "Mount");
        if (r != 0)
                return r;
        r = sd_bus_message_append(call, "h", directory);
        if (r >= 0)
                r = append_wish(call, wish);
        if (r >= 0)
                r = sd_bus_call(bus, call, UINT64_MAX, &error, NULL);
        return r < 0 ? say_bus_error(id, &error, r) : 0;
}

/**
 * verb_mount() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: the exit status, or a negative errno.
 */
int verb_mount(int argc, char **argv) {
        _cleanup_close_ int directory = -EBADF;
        _cleanup_bus_ sd_bus *bus = NULL;
        MountWish wish = {};
        int r;

        if (take_options(argc, argv, "mount", mount_usage, &wish, &r) < 0)
                return r;
        if (wish.cow_size > 0 && !wish.writable)
                return usage_error("mount", "--cow-size is for --rw");
        if (argc - optind != 2)
                return usage_error("mount", "an ID and a DIR are needed");
        directory = open(argv[optind + 1], O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0) {
                say("%s: %s", argv[optind + 1], strerror(errno));
                return EXIT_FAILURE;
        }
        r = bus_open(&bus, NULL);
        if (r == 0)
                r = mount_call(bus, argv[optind], directory, &wish);
        return r == CTL_E_SAID ? EXIT_FAILURE : r;
}

/**
 * snapshot_is_mounted_as() - whether a mount is one that quiesced has made of a snapshot
 * @snapshot:   its properties, GetProperties' too
 * @mount_id:   as in /proc/PID/mountinfo
 *
 * Return: whether.
 */
bool snapshot_is_mounted_as(const Dict *snapshot, uint64_t mount_id) {
        static const char *const keys[] = {"mounts", "mounts-giving-way", "mounts-writable"};

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                const DictItem *mounts = dict_get(snapshot, keys[i]);

                for (size_t k = 0; mounts && mounts->type == DICT_TIMES && mounts->list && mounts->list[k];
                     k++)
                        if (mounts->times[k] == mount_id)
                                return true;
        }
        return false;
}

/**
 * snapshot_unmount() - call Unmount
 * @bus:        the bus
 * @id:         UUID of the snapshot
 * @mount_id:   which of its mounts; 0: quiesced decides
 *
 * Return: 0, CTL_E_SAID or a negative errno.
 */
int snapshot_unmount(sd_bus *bus, const char *id, uint64_t mount_id) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *call = NULL;
        int r;

        r = snapshot_new_call(bus, &call, id, "Unmount");
        if (r != 0)
                return r;
        r = mount_id != 0 ? sd_bus_message_append(call, "a{sv}", 1, "mount-id", "t", mount_id)
                          : sd_bus_message_append(call, "a{sv}", 0);
        if (r >= 0)
                r = sd_bus_call(bus, call, UINT64_MAX, &error, NULL);
        return r < 0 ? say_bus_error(id, &error, r) : 0;
}

/* Return: 0, CTL_E_SAID or a negative errno. */
static int find_snapshot_of(sd_bus *bus, const Mount *mount, const char *directory, char **ret_id) {
        DictArray snapshots = {};
        bool found = false;
        int r;

        r = objects_read(&snapshots, bus, QUIESCE_BUS_SNAPSHOT);
        for (size_t i = 0; r == 0 && !found && i < snapshots.n_dicts; i++) {
                Dict *snapshot = &snapshots.dicts[i];

                r = checked_properties(snapshot, bus, snapshot->name, QUIESCE_BUS_SNAPSHOT);
                found = r == 0 && snapshot_is_mounted_as(snapshot, (uint64_t) mount->id);
                if (found && !(*ret_id = strdup(dict_get_string(snapshot, "Id"))))
                        r = error_origin(-ENOMEM);
        }
        dict_array_done(&snapshots);
        if (r != 0 || found)
                return r;
        say("%s: what is mounted there was not mounted by 'quiescectl mount', or is not yours; "
            "umount(8) unmounts what others have mounted",
            directory);
        return CTL_E_SAID;
}

/**
 * unmount_directory() - unmount the snapshot that is mounted on a directory, there alone
 * @bus:        the bus
 * @directory:  as the user wrote it
 * @ret_id:     the snapshot's UUID; free() it; or NULL
 *
 * Return: 0, CTL_E_SAID or a negative errno.
 */
int unmount_directory(sd_bus *bus, const char *directory, char **ret_id) {
        _cleanup_(mount_table_freep) MountTable *table = NULL;
        _cleanup_free_ char *path = realpath(directory, NULL), *id = NULL;
        const Mount *mount;
        int r;

        if (!path) {
                say("%s: that is no snapshot's id, and no directory either: %s", directory, strerror(errno));
                return CTL_E_SAID;
        }
        r = mount_table_new(&table, NULL);
        if (r < 0)
                return error_trace(r);
        mount = mount_table_resolve(table, path);
        if (!mount || !streq(mount->point, path)) {
                say("%s: nothing is mounted there; 'quiescectl umount' takes a snapshot's id or the directory "
                    "it is mounted on",
                    directory);
                return CTL_E_SAID;
        }
        r = find_snapshot_of(bus, mount, directory, &id);
        if (r == 0)
                r = snapshot_unmount(bus, id, (uint64_t) mount->id);
        if (r == 0 && ret_id)
                *ret_id = TAKE_PTR(id);
        return r;
}

/**
 * verb_umount() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: the exit status, or a negative errno.
 */
int verb_umount(int argc, char **argv) {
        _cleanup_bus_ sd_bus *bus = NULL;
        bool said = false;
        sd_id128_t id;
        int r;

        if (take_options(argc, argv, "umount", umount_usage, NULL, &r) < 0)
                return r;
        if (optind >= argc)
                return usage_error("umount", "no ID or DIR given");
        r = bus_open(&bus, NULL);
        said = r == CTL_E_SAID;
        for (int i = optind; r >= 0 && bus && i < argc; i++) {
                r = sd_id128_from_string(argv[i], &id) >= 0 ? snapshot_unmount(bus, argv[i], 0)
                                                            : unmount_directory(bus, argv[i], NULL);
                said |= r == CTL_E_SAID;
        }
        return r < 0 ? r : said ? EXIT_FAILURE : EXIT_SUCCESS;
}
