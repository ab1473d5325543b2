/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl show: all that quiesced tells of a snapshot, a set or a session, one value a line.
 */

#include "ctl/json.h"
#include "quiesce/requester.h"

static const char usage[] = "\nUsage:\n"
                            " quiescectl show [options] ID...\n"
                            "\n"
                            "Show snapshots, sets or sessions.\n"
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

/* The writers of a session are told to its owner and to administrators; to others there are none. */
static int read_writers(DictArray *writers, sd_bus *bus, const char *path) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_call_method(bus, QUIESCE_BUS_NAME, path, QUIESCE_BUS_SESSION, "GatherWriterStatus", NULL,
                               &reply, "a{sv}", 0);
        return r < 0 ? 0 : error_trace(dict_array_read(writers, reply));
}

static int show_as_text(const Kind *kind, const Dict *row, const DictArray *writers,
                        const Options *options) {
        int r;

        r = details_print(kind->columns, kind->n_columns, row, options);
        if (r < 0 || writers->n_dicts == 0)
                return error_trace(r);
        (void) puts("");
        return error_trace(table_print(status_columns, n_status_columns, writers, options));
}

static int show_as_json(json_t *document, const Kind *kind, const Dict *row, const DictArray *writers) {
        json_t *object = json_from_row(kind->columns, kind->n_columns, row);

        if (streq(kind->name, "sessions"))
                (void) json_object_set_new(object, "writers",
                                           json_from_rows(status_columns, n_status_columns, writers));
        return error_trace(json_add_row(document, kind, object));
}

/* document: NULL: as text, after an empty line unless it is the first. */
static int show(sd_bus *bus, const char *id, json_t *document, bool *first, const Options *options) {
        _cleanup_(dict_array_done) DictArray writers = {};
        _cleanup_(dict_done) Dict row = {};
        const Kind *kind;
        int r;

        r = kind_read_one(&row, bus, id, &kind);
        if (r == 0 && streq(kind->name, "sessions"))
                r = read_writers(&writers, bus, row.name);
        if (r != 0)
                return r;
        if (document)
                return error_trace(show_as_json(document, kind, &row, &writers));
        if (!*first)
                (void) puts("");
        *first = false;
        return error_trace(show_as_text(kind, &row, &writers, options));
}

static int show_all(sd_bus *bus, char **ids, size_t n_ids, const Options *options) {
        json_t *document = options->json ? json_object() : NULL;
        bool said = false, first = true;
        int r = 0;

        if (options->json && !document)
                return error_origin(-ENOMEM);
        for (size_t i = 0; r >= 0 && i < n_ids; i++) {
                r = show(bus, ids[i], document, &first, options);
                said |= r == CTL_E_SAID;
        }
        if (document && r >= 0)
                r = json_print(document);
        else
                json_decref(document);
        return r < 0 ? error_trace(r) : said ? CTL_E_SAID : 0;
}

/**
 * verb_show() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: the exit status, or a negative errno.
 */
int verb_show(int argc, char **argv) {
        _cleanup_bus_ sd_bus *bus = NULL;
        Options options = {};
        int c, r;

        while ((c = getopt_long(argc, argv, "H:JhV", long_options, NULL)) >= 0) {
                r = options_take(&options, c, usage);
                if (r != 0)
                        return r == OPTIONS_E_DONE ? EXIT_SUCCESS : usage_hint("show");
        }
        if (optind >= argc)
                return usage_error("show", "no ID given");
        r = bus_open(&bus, options.host);
        if (r == 0)
                r = show_all(bus, argv + optind, (size_t) (argc - optind), &options);
        return r == CTL_E_SAID ? EXIT_FAILURE : r;
}
