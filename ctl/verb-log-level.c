/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl log-level: what quiesced logs, of each of its modules, until it is started again.
 */

#include "ctl/json.h"
#include "quiesce/requester.h"
#include "util/log.h"

static const char usage[] = "\nUsage:\n"
                            " quiescectl log-level [options] [MODULE] [LEVEL]\n"
                            "\n"
                            "Show or set up to which level quiesced logs, of a module or of all.\n"
                            "\n"
                            "Options:\n"
                            " -H, --host [USER@]HOST  ask the quiesced of another host\n"
                            " -J, --json              use JSON output format\n"
                            "     --no-legend         don't print headings\n"
                            " -h, --help              display this help\n"
                            " -V, --version           display version\n"
                            "\n"
                            "For more details see quiescectl(1).\n";

static const struct option long_options[] = {OPTIONS_HOST, OPTIONS_TABLE, OPTIONS_ALWAYS, {}};

static const Column columns[] = {
        {"MODULE", "module", COLUMN_STRING, 0},
        {"LEVEL", "level", COLUMN_STRING, 0},
};

static int level_read(DictArray *rows, sd_bus_message *m, const char *only) {
        _cleanup_(dict_done) Dict row = {};
        const char *module, *level;
        int r;

        r = sd_bus_message_read(m, "{ss}", &module, &level);
        if (r <= 0)
                return r;
        if (only && !streq(only, module))
                return 1;
        r = dict_add_string(&row, "module", module);
        if (r >= 0)
                r = dict_add_string(&row, "level", level);
        if (r >= 0)
                r = dict_array_add(rows, &row);
        return r < 0 ? error_trace(r) : 1;
}

static int levels_read(DictArray *rows, sd_bus *bus, const char *only) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_get_property(bus, QUIESCE_BUS_NAME, QUIESCE_BUS_PATH, QUIESCE_BUS_MANAGER, "LogLevels",
                                &error, &reply, "a{ss}");
        if (r < 0)
                return say_bus_error("cannot read the log levels", &error, r);
        r = sd_bus_message_enter_container(reply, 'a', "{ss}");
        while (r >= 0 && (r = level_read(rows, reply, only)) > 0)
                ;
        return error_trace(r < 0 ? r : 0);
}

static int show_levels(sd_bus *bus, const char *only, const Options *options) {
        _cleanup_(dict_array_done) DictArray rows = {};
        json_t *document;
        int r;

        r = levels_read(&rows, bus, only);
        if (r != 0)
                return r;
        if (rows.n_dicts == 0) {
                say("%s: quiesced has no such module; 'quiescectl log-level' lists them", only);
                return CTL_E_SAID;
        }
        if (!options->json)
                return error_trace(table_print(columns, ELEMENTSOF(columns), &rows, options));
        document = json_object();
        (void) json_object_set_new(document, "log-levels",
                                   json_from_rows(columns, ELEMENTSOF(columns), &rows));
        return error_trace(json_print(document));
}

static int set_level(sd_bus *bus, const char *module, const char *level) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *call = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &call, QUIESCE_BUS_NAME, QUIESCE_BUS_PATH,
                                           QUIESCE_BUS_MANAGER, "SetLogLevel");
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(call, true);
        if (r >= 0)
                r = sd_bus_message_append(call, "ssa{sv}", module, level, 0);
        if (r >= 0)
                r = sd_bus_call(bus, call, UINT64_MAX, &error, NULL);
        return r < 0 ? say_bus_error("cannot set the log level", &error, r) : 0;
}

/**
 * verb_log_level() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: the exit status, or a negative errno.
 */
int verb_log_level(int argc, char **argv) {
        _cleanup_bus_ sd_bus *bus = NULL;
        Options options = {};
        int c, r, n;

        while ((c = getopt_long(argc, argv, "H:JhV", long_options, NULL)) >= 0) {
                r = options_take(&options, c, usage);
                if (r != 0)
                        return r == OPTIONS_E_DONE ? EXIT_SUCCESS : usage_hint("log-level");
        }
        n = argc - optind;
        if (n > 2)
                return usage_error("log-level", "one module and one level at a time");
        r = bus_open(&bus, options.host);
        if (r != 0)
                return r == CTL_E_SAID ? EXIT_FAILURE : r;
        /* No module is called as a level is. */
        if (n == 2)
                r = set_level(bus, argv[optind], argv[optind + 1]);
        else if (n == 1 && log_level_from_string(argv[optind]) >= 0)
                r = set_level(bus, "", argv[optind]);
        else
                r = show_levels(bus, n == 1 ? argv[optind] : NULL, &options);
        return r == CTL_E_SAID ? EXIT_FAILURE : r;
}
