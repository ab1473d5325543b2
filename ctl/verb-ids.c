/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What delete and release share: a call for each id, one after the other, and what becomes of the rest when
 * one fails.
 */

#include "ctl/table.h"
#include "quiesce/requester.h"

static const struct option long_options[] = {OPTIONS_HOST, OPTIONS_QUIET, OPTIONS_ALWAYS, {}};
static const struct option long_options_force[] = {
        OPTIONS_FORCE, OPTIONS_HOST, OPTIONS_QUIET, OPTIONS_ALWAYS, {}};

static int call_for(sd_bus *bus, const IdVerb *verb, const char *word, const Options *options) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *named = NULL;
        const char *id = word;
        int r;

        if (verb->is_of_sets) {
                r = name_resolve(bus, word, &named);
                if (r != 0)
                        return r;
                id = named;
        }
        r = sd_bus_message_new_method_call(bus, &call, QUIESCE_BUS_NAME, QUIESCE_BUS_PATH,
                                           QUIESCE_BUS_MANAGER, verb->method);
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(call, true);
        if (r >= 0)
                r = options->force ? sd_bus_message_append(call, "sa{sv}", id, 1, "force", "b", 1)
                                   : sd_bus_message_append(call, "sa{sv}", id, 0);
        if (r >= 0)
                r = sd_bus_call(bus, call, UINT64_MAX, &error, &reply);
        if (r < 0)
                return say_bus_error(word, &error, r);
        return error_trace(verb->say(word, reply, options));
}

/**
 * verb_of_ids() - one call for each id
 * @verb:       what is to be done
 * @argc:       of the verb
 * @argv:       likewise
 *
 * What fails is told; the ids after it are tried all the same.
 *
 * Return: the exit status, or a negative errno.
 */
int verb_of_ids(const IdVerb *verb, int argc, char **argv) {
        _cleanup_bus_ sd_bus *bus = NULL;
        const struct option *known = verb->has_force ? long_options_force : long_options;
        Options options = {};
        int c, r, failed = 0;

        while ((c = getopt_long(argc, argv, verb->has_force ? "fH:qhV" : "H:qhV", known, NULL)) >= 0) {
                if (c == OPTION_FORCE) { /* no common one: others' -f is something else */
                        options.force = true;
                        continue;
                }
                r = options_take(&options, c, verb->usage);
                if (r != 0)
                        return r == OPTIONS_E_DONE ? EXIT_SUCCESS : usage_hint(verb->name);
        }
        if (optind >= argc)
                return usage_error(verb->name, "no ID given");
        r = bus_open(&bus, options.host);
        for (int i = optind; r >= 0 && bus && i < argc; i++) {
                r = call_for(bus, verb, argv[i], &options);
                failed |= r == CTL_E_SAID;
        }
        return r < 0 ? r : failed || !bus ? EXIT_FAILURE : EXIT_SUCCESS;
}
