/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl list: one table for each kind of thing quiesced knows.
 */

#include "ctl/json.h"
#include "ctl/screen.h"
#include "quiesce/requester.h"

static const char usage[] =
        "\nUsage:\n"
        " quiescectl list [options] [snapshots|sets|writers|providers|sessions|volumes]\n"
        "\n"
        "List what quiesced knows (default: snapshots).\n"
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

/* An older quiesced does not say. */
static void say_if_incomplete(sd_bus *bus, const Kind *kind) {
        int known = true;

        if (!kind->recovered)
                return;
        (void) sd_bus_get_property_trivial(bus, QUIESCE_BUS_NAME, QUIESCE_BUS_PATH, QUIESCE_BUS_MANAGER,
                                           "SetsKnown", NULL, 'b', &known);
        if (!known)
                say("there may be more %s: LVM has not told quiesced which there are since quiesced was "
                    "started; 'journalctl -u quiesced' may tell why",
                    kind->name);
}

/**
 * kind_list() - print everything of a kind, as a table or JSON
 * @kind:       the kind
 * @nothing:    what is said if there is nothing
 * @options:    host, json, no_legend, no_pager
 *
 * Return: 0, CTL_E_SAID or a negative errno.
 */
int kind_list(const Kind *kind, const char *nothing, const Options *options) {
        _cleanup_(dict_array_done) DictArray rows = {};
        _cleanup_bus_ sd_bus *bus = NULL;
        json_t *document;
        int r;

        r = bus_open(&bus, options->host);
        if (r == 0)
                r = kind_read_all(&rows, bus, kind);
        if (r != 0)
                return r;
        say_if_incomplete(bus, kind);
        if (options->json) {
                document = json_object();
                (void) json_object_set_new(document, kind->name,
                                           json_from_rows(kind->columns, kind->n_columns, &rows));
                return error_trace(json_print(document));
        }
        if (rows.n_dicts == 0 && !options->no_legend)
                say("%s", nothing);
        screen_open(options);
        return error_trace(table_print(kind->columns, kind->n_columns, &rows, options));
}

/**
 * verb_list() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: the exit status, or a negative errno.
 */
int verb_list(int argc, char **argv) {
        Options options = {};
        const Kind *kind;
        char nothing[64];
        int c, r;

        while ((c = getopt_long(argc, argv, "H:JhV", long_options, NULL)) >= 0) {
                r = options_take(&options, c, usage);
                if (r != 0)
                        return r == OPTIONS_E_DONE ? EXIT_SUCCESS : usage_hint("list");
        }
        if (argc - optind > 1)
                return usage_error("list", "one kind at a time");
        kind = kind_find(optind < argc ? argv[optind] : "snapshots");
        if (!kind)
                return usage_error("list", "%s: no such kind", argv[optind]);
        (void) snprintf(nothing, sizeof(nothing), "no %s", kind->name);
        r = kind_list(kind, nothing, &options);
        return r == CTL_E_SAID ? EXIT_FAILURE : r;
}
