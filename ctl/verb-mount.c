/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl mount and umount: a snapshot in the host's own mounts, where everybody may see it. quiesced
 * mounts it, remembers that, and undoes it when the snapshot is deleted.
 */

#include <fcntl.h>

#include "ctl/table.h"

static const char mount_usage[] = "\nUsage:\n"
                                  " quiescectl mount [options] ID DIR\n"
                                  "\n"
                                  "Mount a snapshot read-only on a directory.\n"
                                  "\n"
                                  "Options:\n"
                                  " -h, --help     display this help\n"
                                  " -V, --version  display version\n"
                                  "\n"
                                  "For more details see quiescectl(1).\n";

static const char umount_usage[] = "\nUsage:\n"
                                   " quiescectl umount [options] ID...\n"
                                   "\n"
                                   "Unmount snapshots mounted by quiescectl mount.\n"
                                   "\n"
                                   "Options:\n"
                                   " -h, --help     display this help\n"
                                   " -V, --version  display version\n"
                                   "\n"
                                   "For more details see quiescectl(1).\n";

static const struct option long_options[] = {OPTIONS_HOST, OPTIONS_ALWAYS, {}};

/* Return: 0: go on; -1: *ret_status is the exit status. */
static int take_options(int argc, char **argv, const char *verb, const char *usage, int *ret_status) {
        Options options = {};
        int c, r;

        while ((c = getopt_long(argc, argv, "H:hV", long_options, NULL)) >= 0) {
                r = options_take(&options, c, usage);
                if (r != 0) {
                        *ret_status = r == OPTIONS_E_DONE ? EXIT_SUCCESS : usage_hint(verb);
                        return -1;
                }
        }
        *ret_status = EXIT_FAILURE;
        return options_refuse_host(&options, verb, streq(verb, "mount") ? "ID DIR" : "ID") == 0 ? 0 : -1;
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
        int r;

        if (take_options(argc, argv, "mount", mount_usage, &r) < 0)
                return r;
        if (argc - optind != 2)
                return usage_error("mount", "an ID and a DIR are needed");
        directory = open(argv[optind + 1], O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0) {
                say("%s: %s", argv[optind + 1], strerror(errno));
                return EXIT_FAILURE;
        }
        r = bus_open(&bus, NULL);
        if (r == 0)
                r = snapshot_call(bus, argv[optind], "Mount", directory);
        return r == CTL_E_SAID ? EXIT_FAILURE : r;
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
        int r;

        if (take_options(argc, argv, "umount", umount_usage, &r) < 0)
                return r;
        if (optind >= argc)
                return usage_error("umount", "no ID given");
        r = bus_open(&bus, NULL);
        said = r == CTL_E_SAID;
        for (int i = optind; r >= 0 && bus && i < argc; i++) {
                r = snapshot_call(bus, argv[i], "Unmount", -1);
                said |= r == CTL_E_SAID;
        }
        return r < 0 ? r : said ? EXIT_FAILURE : EXIT_SUCCESS;
}
