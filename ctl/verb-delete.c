/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl delete: snapshots or whole sets go, whoever made them.
 */

#include "ctl/ctl.h"
#include "quiesce/requester.h"

static const char usage[] = "\nUsage:\n"
                            " quiescectl delete [options] ID...\n"
                            "\n"
                            "Delete snapshots, or sets with all their snapshots.\n"
                            "\n"
                            "Options:\n"
                            " -H, --host [USER@]HOST  delete on another host\n"
                            " -q, --quiet             tell nothing but errors\n"
                            " -h, --help              display this help\n"
                            " -V, --version           display version\n"
                            "\n"
                            "For more details see quiescectl(1).\n";

static const struct option long_options[] = {OPTIONS_HOST, OPTIONS_QUIET, OPTIONS_ALWAYS, {}};

static int delete (sd_bus *bus, const char *id, const Options *options) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *left;
        uint32_t deleted;
        int r;

        r = sd_bus_message_new_method_call(bus, &call, QUIESCE_BUS_NAME, QUIESCE_BUS_PATH,
                                           QUIESCE_BUS_MANAGER, "DeleteSnapshots");
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(call, true);
        if (r >= 0)
                r = sd_bus_message_append(call, "sa{sv}", id, 0);
        if (r >= 0)
                r = sd_bus_call(bus, call, UINT64_MAX, &error, &reply);
        if (r < 0)
                return say_bus_error(id, &error, r);
        r = sd_bus_message_read(reply, "us", &deleted, &left);
        if (r < 0)
                return error_trace(r);
        if (!options->quiet || *left)
                say("%s: %u snapshot%s deleted%s%s", id, deleted, deleted == 1 ? "" : "s",
                    *left ? "; the first that could not be is " : "", left);
        return *left ? CTL_E_SAID : 0;
}

/**
 * verb_delete() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: the exit status, or a negative errno.
 */
int verb_delete(int argc, char **argv) {
        _cleanup_bus_ sd_bus *bus = NULL;
        Options options = {};
        int c, r, failed = 0;

        while ((c = getopt_long(argc, argv, "H:qhV", long_options, NULL)) >= 0) {
                r = options_take(&options, c, usage);
                if (r != 0)
                        return r == OPTIONS_E_DONE ? EXIT_SUCCESS : usage_hint("delete");
        }
        if (optind >= argc)
                return usage_error("delete", "no ID given");
        r = bus_open(&bus, options.host);
        for (int i = optind; r >= 0 && bus && i < argc; i++) {
                r = delete (bus, argv[i], &options);
                failed |= r == CTL_E_SAID;
        }
        return r < 0 ? r : failed || !bus ? EXIT_FAILURE : EXIT_SUCCESS;
}
