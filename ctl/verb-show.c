/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl show: all that quiesced tells of a snapshot, a set or a session, one value a line; of a set and
 * a session also what happened when.
 */

#include "ctl/json.h"
#include "ctl/screen.h"
#include "ctl/set-timeline.h"
#include "quiesce/requester.h"

static const char usage[] = "\nUsage:\n"
                            " quiescectl show [options] ID...\n"
                            "\n"
                            "Show snapshots, sets or sessions. The name of a set does for its ID.\n"
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

/* What only those are told who may. Others see what everybody may; nor does it matter if there is none. */
static int read_timeline(Timeline *timeline, sd_bus *bus, const Kind *kind, const char *path,
                         bool *ret_has) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        *ret_has = false;
        if (!streq(kind->name, "sessions") && !streq(kind->name, "sets"))
                return 0;
        r = set_timeline_read(timeline, bus, path, kind->interface, false, &error);
        *ret_has = r == 0;
        /* A record that cannot be used is there all the same: who looks at the set is the one to know. */
        if (r == SET_TIMELINE_E_NONE && sd_bus_error_has_name(&error, QUIESCE_ERROR_INVALID_DOCUMENT))
                say("%s", error.message);
        return r == SET_TIMELINE_E_NONE ? 0 : error_trace(r);
}

static int show_as_text(const Kind *kind, const Dict *row, const Timeline *timeline,
                        const Options *options) {
        int r;

        r = details_print(kind->columns, kind->n_columns, row, options);
        return error_trace(r < 0 || !timeline ? r : set_timeline_print(timeline, options));
}

static int show_as_json(json_t *document, const Kind *kind, const Dict *row, const Timeline *timeline) {
        json_t *object = json_from_row(kind->columns, kind->n_columns, row);

        if (timeline && json_object_set_new(object, "timeline", timeline_to_json(timeline)) < 0) {
                json_decref(object);
                return error_origin(-ENOMEM);
        }
        return error_trace(json_add_row(document, kind, object));
}

/* document: NULL: as text, after an empty line unless it is the first. */
static int show(sd_bus *bus, const char *id, json_t *document, bool *first, const Options *options) {
        _cleanup_(timeline_done) Timeline timeline = {};
        _cleanup_(dict_done) Dict row = {};
        bool has_timeline = false;
        const Kind *kind;
        int r;

        r = kind_read_one(&row, bus, id, &kind);
        if (r == 0)
                r = read_timeline(&timeline, bus, kind, row.name, &has_timeline);
        if (r != 0)
                return r;
        if (document)
                return error_trace(show_as_json(document, kind, &row, has_timeline ? &timeline : NULL));
        if (!*first)
                (void) puts("");
        *first = false;
        return error_trace(show_as_text(kind, &row, has_timeline ? &timeline : NULL, options));
}

static int show_all(sd_bus *bus, char **ids, size_t n_ids, const Options *options) {
        json_t *document = options->json ? json_object() : NULL;
        bool said = false, first = true;
        int r = 0;

        if (options->json && !document)
                return error_origin(-ENOMEM);
        screen_open(options);
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
