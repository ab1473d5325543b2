/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl storage: what space snapshots take up, of which volume, in which pool, against which limit; how
 * fast it grows and when it will be full. VSS: vssadmin list shadowstorage.
 */

#include "ctl/kinds.h"

static const char usage[] = "\nUsage:\n"
                            " quiescectl storage [options]\n"
                            "\n"
                            "Show what space the snapshots of each volume take up, its limits, how fast it\n"
                            "fills, and when it will be full.\n"
                            "\n"
                            "Options:\n"
                            " -H, --host [USER@]HOST  ask the quiesced of another host\n"
                            " -J, --json              use JSON output format\n"
                            "     --no-legend         don't print headings\n"
                            "     --no-pager          don't pipe output into a pager\n"
                            " -h, --help              display this help\n"
                            " -V, --version           display version\n"
                            "\n"
                            "For more details see quiescectl(1).\n";

static const struct option long_options[] = {OPTIONS_HOST, OPTIONS_TABLE, OPTIONS_PAGER, OPTIONS_ALWAYS, {}};

static const Column columns[] = {
        {"NAME", "name", COLUMN_STRING, 0},
        {"KIND", "kind", COLUMN_STRING, 0},
        {"SNAPSHOTS", "snapshots", COLUMN_NUMBER, 0},
        {"SETS", "sets", COLUMN_NUMBER, 0},
        {"USED", "used", COLUMN_SIZE, 0},
        {"ALLOCATED", "allocated", COLUMN_SIZE, 0},
        {"LIMIT", "limit", COLUMN_SIZE, 0},
        {"GROWTH-PER-HOUR", "growth-per-hour", COLUMN_SIZE, 0},
        {"FULL-AT", "full-at", COLUMN_TIME, 0},
        {"LIMIT-SETS", "limit-count", COLUMN_NUMBER, 0},
        {"LIMIT-AGE", "limit-age", COLUMN_DURATION, 0},
};

static const Kind storage = {
        .name = "storage",
        .method = "GetStorage",
        .failure = "cannot tell what space snapshots take up",
        .columns = columns,
        .n_columns = ELEMENTSOF(columns),
        .recovered = true,
};

/**
 * verb_storage() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: the exit status, or a negative errno.
 */
int verb_storage(int argc, char **argv) {
        Options options = {};
        int c, r;

        while ((c = getopt_long(argc, argv, "H:JhV", long_options, NULL)) >= 0) {
                r = options_take(&options, c, usage);
                if (r != 0)
                        return r == OPTIONS_E_DONE ? EXIT_SUCCESS : usage_hint("storage");
        }
        if (optind < argc)
                return usage_error("storage", "%s: storage takes no argument", argv[optind]);
        r = kind_list(&storage, "no volume has snapshots, and no limit is set", &options);
        return r == CTL_E_SAID ? EXIT_FAILURE : r;
}
