/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl complete, abort and end: one call each to the resident requester that holds the session.
 */

#include <stdio.h>

#include "ctl/resident.h"

typedef struct EndVerb {
        const char *name;
        const char *method;
        const char *does; /* for the help */
} EndVerb;

static const EndVerb verbs[] = {
        {"complete", "Complete", "Tell the writers that the backup begun as ID is complete."},
        {"abort", "Abort", "Give the backup begun as ID up; its snapshots stay until 'quiescectl end'."},
        {"end", "End", "Release the session begun as ID; its snapshots and their mounts go."},
};

static const char usage_format[] = "\nUsage:\n"
                                   " quiescectl %s [options] ID\n"
                                   "\n"
                                   "%s\n"
                                   "\n"
                                   "Options:\n"
                                   " -h, --help     display this help\n"
                                   " -V, --version  display version\n"
                                   "\n"
                                   "For more details see quiescectl(1).\n";

static const char gone[] =
        "quiesced releases the session, and its snapshots go; 'journalctl' with what 'quiescectl "
        "begin' logged tells more";

static const struct option long_options[] = {OPTIONS_ALWAYS, {}};

/* argv0: "quiescectl VERB", as main() leaves it. */
static const EndVerb *find_verb(const char *argv0) {
        const char *name = strrchr(argv0, ' ');

        for (size_t i = 0; name && i < ELEMENTSOF(verbs); i++)
                if (streq(name + 1, verbs[i].name))
                        return &verbs[i];
        return &verbs[ELEMENTSOF(verbs) - 1];
}

static int call_resident(const EndVerb *verb, const char *id) {
        _cleanup_message_ sd_bus_message *call = NULL;
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_bus_ sd_bus *bus = NULL;
        int r;

        r = resident_connect(&bus, id);
        if (r == 0)
                r = sd_bus_message_new_method_call(bus, &call, NULL, RESIDENT_PATH, RESIDENT_INTERFACE,
                                                   verb->method);
        if (r == CTL_E_SAID)
                return r;
        if (r >= 0)
                r = sd_bus_call(bus, call, UINT64_MAX, &error, NULL);
        return r < 0 ? resident_say_failure(verb->name, id, gone, &error, r) : 0;
}

/**
 * verb_end() - the verbs complete, abort and end
 * @argc:       of the verb
 * @argv:       likewise; argv[0] tells which
 *
 * Return: the exit status, or a negative errno.
 */
int verb_end(int argc, char **argv) {
        const EndVerb *verb = find_verb(argv[0]);
        char usage[sizeof(usage_format) + 128];
        Options options = {};
        int c, r;

        (void) snprintf(usage, sizeof(usage), usage_format, verb->name, verb->does);
        while ((c = getopt_long(argc, argv, "hV", long_options, NULL)) >= 0) {
                r = options_take(&options, c, usage);
                if (r != 0)
                        return r == OPTIONS_E_DONE ? EXIT_SUCCESS : usage_hint(verb->name);
        }
        if (argc - optind != 1)
                return usage_error(verb->name, "one ID is needed");
        r = call_resident(verb, argv[optind]);
        return r == CTL_E_SAID ? EXIT_FAILURE : r;
}
