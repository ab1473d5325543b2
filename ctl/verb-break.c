/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl break: the snapshots of a set become volumes like any other.
 */

#include "ctl/json.h"
#include "quiesce/requester.h"

static const char usage[] = "\nUsage:\n"
                            " quiescectl break [options] ID\n"
                            "\n"
                            "Make the snapshots of a set ordinary volumes, forget them, print their names.\n"
                            "The set's name does for its ID.\n"
                            "\n"
                            "Options:\n"
                            " -s, --suffix TEXT       of their names, after the volume's and \"_\"\n"
                            "                         (default: the instant, as in 20261130T064512Z)\n"
                            " -w, --rw                let them be written to\n"
                            " -H, --host [USER@]HOST  of another host\n"
                            " -J, --json              use JSON output format\n"
                            " -h, --help              display this help\n"
                            " -V, --version           display version\n"
                            "\n"
                            "For more details see quiescectl(1).\n";

static const struct option long_options[] = {
        {"suffix", required_argument, NULL, 's'},
        {"rw", no_argument, NULL, 'w'},
        {"json", no_argument, NULL, OPTION_JSON},
        OPTIONS_HOST,
        OPTIONS_ALWAYS,
        {},
};

static const Column columns[] = {
        {"SNAPSHOT", "snapshot", COLUMN_STRING, 0},
        {"VOLUME", "volume", COLUMN_STRING, 0},
};

typedef struct Break {
        Options common;
        const char *suffix; /* or NULL */
        bool writable;
} Break;

static int read_volumes(DictArray *rows, sd_bus_message *reply) {
        const char *snapshot, *volume;
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "{ss}");
        while (r >= 0 && (r = sd_bus_message_read(reply, "{ss}", &snapshot, &volume)) > 0) {
                _cleanup_(dict_done) Dict row = {};

                r = dict_add_string(&row, "snapshot", snapshot);
                if (r >= 0)
                        r = dict_add_string(&row, "volume", volume);
                if (r >= 0)
                        r = dict_array_add(rows, &row);
        }
        return r < 0 ? error_trace(r) : 0;
}

static int print(const DictArray *rows, const Options *options) {
        json_t *document;

        if (!options->json)
                return error_trace(table_print(columns, ELEMENTSOF(columns), rows, options));
        document = json_object();
        (void) json_object_set_new(document, "volumes", json_from_rows(columns, ELEMENTSOF(columns), rows));
        return error_trace(json_print(document));
}

/**
 * set_break() - make a set's snapshots volumes like any other
 * @broken:     filled, a dictionary with "snapshot" and "volume" each; dict_array_done() it in any case
 * @bus:        the bus
 * @id:         of the set or of one of its snapshots, or the set's name
 * @suffix:     of the volumes' names; "": quiesced's
 * @writable:   let them be written to
 *
 * Return: 0, CTL_E_SAID or a negative errno.
 */
int set_break(DictArray *broken, sd_bus *bus, const char *id, const char *suffix, bool writable) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *path = NULL;
        int r;

        r = object_find_set(bus, id, &path);
        if (r != 0)
                return r;
        r = sd_bus_message_new_method_call(bus, &call, QUIESCE_BUS_NAME, path, QUIESCE_BUS_SET, "Break");
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(call, true);
        if (r >= 0)
                r = sd_bus_message_append(call, "a{sv}", 2, "suffix", "s", suffix, "writable", "b",
                                          (int) writable);
        if (r < 0)
                return error_trace(r);
        r = sd_bus_call(bus, call, UINT64_MAX, &error, &reply);
        return r < 0 ? say_bus_error(id, &error, r) : error_trace(read_volumes(broken, reply));
}

static int break_set(const char *id, const Break *how) {
        _cleanup_(dict_array_done) DictArray rows = {};
        _cleanup_bus_ sd_bus *bus = NULL;
        int r;

        r = bus_open(&bus, how->common.host);
        if (r == 0)
                r = set_break(&rows, bus, id, how->suffix ?: "", how->writable);
        return r != 0 ? r : error_trace(print(&rows, &how->common));
}

/**
 * verb_break() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: the exit status, or a negative errno.
 */
int verb_break(int argc, char **argv) {
        Break how = {};
        int c, r;

        while ((c = getopt_long(argc, argv, "s:wH:JhV", long_options, NULL)) >= 0) {
                r = options_take(&how.common, c, usage);
                if (r == OPTIONS_E_DONE)
                        return EXIT_SUCCESS;
                if (r == OPTIONS_E_UNKNOWN && c != 's' && c != 'w')
                        return usage_hint("break");
                if (c == 's')
                        how.suffix = optarg;
                else if (c == 'w')
                        how.writable = true;
        }
        if (optind + 1 != argc)
                return usage_error("break", optind >= argc ? "no ID given" : "one ID at a time");
        r = break_set(argv[optind], &how);
        return r == CTL_E_SAID ? EXIT_FAILURE : r;
}
