/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl release: an administrator ends sessions, whoever owns them.
 */

#include "ctl/ctl.h"
#include "quiesce/requester.h"

static const char usage[] = "\nUsage:\n"
                            " quiescectl release [options] ID...\n"
                            "\n"
                            "End sessions, whoever owns them: backups under way are aborted.\n"
                            "\n"
                            "Options:\n"
                            " -H, --host [USER@]HOST  release on another host\n"
                            " -q, --quiet             tell nothing but errors\n"
                            " -h, --help              display this help\n"
                            " -V, --version           display version\n"
                            "\n"
                            "For more details see quiescectl(1).\n";

static const struct option long_options[] = {OPTIONS_HOST, OPTIONS_QUIET, OPTIONS_ALWAYS, {}};

static int release(sd_bus *bus, const char *id, const Options *options) {
        _cleanup_message_ sd_bus_message *call = NULL;
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &call, QUIESCE_BUS_NAME, QUIESCE_BUS_PATH,
                                           QUIESCE_BUS_MANAGER, "ReleaseSession");
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(call, true);
        if (r >= 0)
                r = sd_bus_message_append(call, "sa{sv}", id, 0);
        if (r >= 0)
                r = sd_bus_call(bus, call, UINT64_MAX, &error, NULL);
        if (r < 0)
                return say_bus_error(id, &error, r);
        if (!options->quiet)
                say("%s: released", id);
        return 0;
}

/**
 * verb_release() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: the exit status, or a negative errno.
 */
int verb_release(int argc, char **argv) {
        _cleanup_bus_ sd_bus *bus = NULL;
        Options options = {};
        int c, r, failed = 0;

        while ((c = getopt_long(argc, argv, "H:qhV", long_options, NULL)) >= 0) {
                r = options_take(&options, c, usage);
                if (r != 0)
                        return r == OPTIONS_E_DONE ? EXIT_SUCCESS : usage_hint("release");
        }
        if (optind >= argc)
                return usage_error("release", "no ID given");
        r = bus_open(&bus, options.host);
        for (int i = optind; r >= 0 && bus && i < argc; i++) {
                r = release(bus, argv[i], &options);
                failed |= r == CTL_E_SAID;
        }
        return r < 0 ? r : failed || !bus ? EXIT_FAILURE : EXIT_SUCCESS;
}
