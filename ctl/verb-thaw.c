/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl thaw: one call to the resident requester that "freeze --detach" has left; see
 * resident-freeze.c.
 *
 * Without an id it is the one that is frozen: there is one at a time on a machine.
 */

#include "ctl/resident.h"

static const char usage[] = "\nUsage:\n"
                            " quiescectl thaw [options] [ID]\n"
                            "\n"
                            "Thaw what \"freeze --detach\" left frozen, and end its session.\n"
                            "\n"
                            "Options:\n"
                            " -F, --failed     no snapshot was taken: the backup is given up\n"
                            " -I, --id TEXT    what the snapshot is called elsewhere\n"
                            " -c, --complete   the data is safe: tell the writers\n"
                            " -h, --help       display this help\n"
                            " -V, --version    display version\n"
                            "\n"
                            "For more details see quiescectl(1).\n";

static const struct option long_options[] = {
        {"failed", no_argument, NULL, 'F'},
        {"id", required_argument, NULL, 'I'},
        {"complete", no_argument, NULL, 'c'},
        OPTIONS_ALWAYS,
        {},
};

static const char gone[] =
        "its time (--limit) was over, or it was stopped; nothing is frozen by it any more, and "
        "what was taken since is not consistent";

typedef struct Thaw {
        int failed, complete;
        const char *id; /* of the snapshot */
} Thaw;

static int thaw_one(const Thaw *thaw, const char *session, sd_bus_error *error) {
        _cleanup_message_ sd_bus_message *call = NULL;
        _cleanup_bus_ sd_bus *bus = NULL;
        int r;

        r = resident_connect(&bus, session);
        if (r != 0)
                return r;
        r = sd_bus_message_new_method_call(bus, &call, NULL, RESIDENT_PATH, RESIDENT_INTERFACE, "Thaw");
        if (r >= 0)
                r = sd_bus_message_append(call, "bsb", thaw->failed, thaw->id, thaw->complete);
        if (r < 0)
                return error_origin(r);
        r = sd_bus_call(bus, call, UINT64_MAX, error, NULL);
        return r < 0 ? r : 0;
}

/* Return: 0, CTL_E_SAID or a negative errno. */
static int thaw_any(const Thaw *thaw) {
        char **ids = NULL;
        int r;

        r = resident_socket_list(&ids);
        for (size_t i = 0; r == 0 && ids && ids[i]; i++) {
                _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
                int q = thaw_one(thaw, ids[i], &error);

                if (q == CTL_E_SAID || sd_bus_error_has_name(&error, RESIDENT_NOT_FROZEN))
                        continue;
                r = q < 0 ? resident_say_failure("thaw", ids[i], gone, &error, q) : 0;
                quiesce_strv_free(ids);
                return r;
        }
        quiesce_strv_free(ids);
        if (r != 0)
                return r;
        say("nothing is frozen by a 'quiescectl freeze --detach' of yours: it was thawed, or lost because its "
            "time (--limit) was over; then what was taken since is not consistent");
        return CTL_E_SAID;
}

/**
 * verb_thaw() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: the exit status, or a negative errno.
 */
int verb_thaw(int argc, char **argv) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        Thaw thaw = {.id = ""};
        Options options = {};
        int c, r;

        while ((c = getopt_long(argc, argv, "FI:chV", long_options, NULL)) >= 0) {
                if (c == 'F')
                        thaw.failed = true;
                else if (c == 'I')
                        thaw.id = optarg;
                else if (c == 'c')
                        thaw.complete = true;
                else
                        return options_take(&options, c, usage) == OPTIONS_E_DONE ? EXIT_SUCCESS
                                                                                  : usage_hint("thaw");
        }
        if (argc - optind > 1)
                return usage_error("thaw", "one ID at most");
        if (thaw.failed && thaw.complete)
                return usage_error("thaw", "what failed is not complete");
        if (argc == optind)
                r = thaw_any(&thaw);
        else {
                r = thaw_one(&thaw, argv[optind], &error);
                if (r < 0)
                        r = resident_say_failure("thaw", argv[optind], gone, &error, r);
        }
        return r == CTL_E_SAID ? EXIT_FAILURE : r;
}
