/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl prune: the rules and limits for snapshot sets are applied now, or it is told what they say.
 */

#include "ctl/json.h"
#include "quiesce/requester.h"

static const char usage[] =
        "\nUsage:\n"
        " quiescectl prune [options]\n"
        "\n"
        "Delete the persistent sets that the rules and limits in quiesced.conf have go,\n"
        "or those that a rule given here has go.\n"
        "\n"
        "Options:\n"
        " -n, --dry-run           delete nothing, tell what would go\n"
        " -l, --label LABEL       only by the rule for this label, by no limit\n"
        "     --keep-last N       rule for LABEL, in place of its own: keep the newest N\n"
        "     --keep-hourly N     likewise, the newest of each of the last N hours\n"
        "     --keep-daily N      of N days that have any\n"
        "     --keep-weekly N     of weeks\n"
        "     --keep-monthly N    of months\n"
        " -H, --host [USER@]HOST  on another host\n"
        " -J, --json              use JSON output format\n"
        "     --no-legend         don't print headings\n"
        " -q, --quiet             tell nothing but errors\n"
        " -h, --help              display this help\n"
        " -V, --version           display version\n"
        "\n"
        "For more details see quiescectl(1).\n";

enum {
        OPTION_KEEP_LAST = OPTION_VERB,
        OPTION_KEEP_HOURLY,
        OPTION_KEEP_DAILY,
        OPTION_KEEP_WEEKLY,
        OPTION_KEEP_MONTHLY,
        _OPTION_KEEP_END,
};

#define N_KEEP (_OPTION_KEEP_END - OPTION_KEEP_LAST)

static const struct option long_options[] = {
        {"dry-run", no_argument, NULL, 'n'},
        {"label", required_argument, NULL, 'l'},
        {"keep-last", required_argument, NULL, OPTION_KEEP_LAST},
        {"keep-hourly", required_argument, NULL, OPTION_KEEP_HOURLY},
        {"keep-daily", required_argument, NULL, OPTION_KEEP_DAILY},
        {"keep-weekly", required_argument, NULL, OPTION_KEEP_WEEKLY},
        {"keep-monthly", required_argument, NULL, OPTION_KEEP_MONTHLY},
        OPTIONS_HOST,
        OPTIONS_TABLE,
        OPTIONS_QUIET,
        OPTIONS_ALWAYS,
        {},
};

/* As the method has them. */
static const char *const keep_keys[N_KEEP] = {"keep-last", "keep-hourly", "keep-daily", "keep-weekly",
                                              "keep-monthly"};

static const Column columns[] = {
        {"SET", "set", COLUMN_STRING, 0},          {"CREATED", "created", COLUMN_TIME, 0},
        {"REASON", "reason", COLUMN_STRING, 0},    {"BY", "by", COLUMN_STRING, 0},
        {"REMOVED", "removed", COLUMN_BOOLEAN, 0}, {"ERROR", "error", COLUMN_STRING, COLUMN_TRUNCATE},
};

typedef struct Prune {
        Options common;
        bool dry_run;
        const char *label;     /* NULL: of all, and limits */
        uint64_t keep[N_KEEP]; /* all 0: the configured rule */
} Prune;

static int append_options(sd_bus_message *call, const Prune *prune) {
        int r;

        r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0 && prune->dry_run)
                r = sd_bus_message_append(call, "{sv}", "dry-run", "b", true);
        if (r >= 0 && prune->label)
                r = sd_bus_message_append(call, "{sv}", "label", "s", prune->label);
        for (size_t i = 0; r >= 0 && i < N_KEEP; i++)
                if (prune->keep[i] > 0)
                        r = sd_bus_message_append(call, "{sv}", keep_keys[i], "t", prune->keep[i]);
        return r < 0 ? error_trace(r) : sd_bus_message_close_container(call);
}

static int call_prune(DictArray *rows, sd_bus *bus, const Prune *prune) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &call, QUIESCE_BUS_NAME, QUIESCE_BUS_PATH,
                                           QUIESCE_BUS_MANAGER, "Prune");
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(call, true);
        if (r >= 0)
                r = append_options(call, prune);
        if (r < 0)
                return error_trace(r);
        r = sd_bus_call(bus, call, UINT64_MAX, &error, &reply);
        if (r < 0)
                return say_bus_error("cannot prune", &error, r);
        return error_trace(dict_array_read(rows, reply));
}

static int print(const DictArray *rows, const Options *options) {
        json_t *document;

        if (!options->json)
                return error_trace(table_print(columns, ELEMENTSOF(columns), rows, options));
        document = json_object();
        (void) json_object_set_new(document, "removals", json_from_rows(columns, ELEMENTSOF(columns), rows));
        return error_trace(json_print(document));
}

/* What is still there though it was to be deleted is a failure; in a dry run nothing is. */
static int say_result(const DictArray *rows, const Prune *prune) {
        size_t n_removed = 0, n_left;

        for (size_t i = 0; i < rows->n_dicts; i++)
                n_removed += dict_get_number(&rows->dicts[i], "removed") != 0;
        n_left = rows->n_dicts - n_removed;
        if (prune->dry_run) {
                if (!prune->common.quiet)
                        say("%zu set%s would go; nothing was deleted", n_left, n_left == 1 ? "" : "s");
                return 0;
        }
        if (n_left > 0)
                say("%zu set%s deleted; %zu that %s to go could not be, and why stands at each", n_removed,
                    n_removed == 1 ? "" : "s", n_left, n_left == 1 ? "is" : "are");
        else if (!prune->common.quiet)
                say("%zu set%s deleted", n_removed, n_removed == 1 ? "" : "s");
        return n_left > 0 ? CTL_E_SAID : 0;
}

static int prune_sets(const Prune *prune) {
        _cleanup_(dict_array_done) DictArray rows = {};
        _cleanup_bus_ sd_bus *bus = NULL;
        int r;

        r = bus_open(&bus, prune->common.host);
        if (r == 0)
                r = call_prune(&rows, bus, prune);
        if (r == 0)
                r = print(&rows, &prune->common);
        return r == 0 ? say_result(&rows, prune) : r;
}

/* How many is quiesced's to judge, but for 0, which it takes for not given. */
static int take_keep(Prune *prune, size_t i) {
        char *end;

        errno = 0;
        prune->keep[i] = *optarg >= '0' && *optarg <= '9' ? strtoull(optarg, &end, 10) : 0;
        if (prune->keep[i] == 0 || errno != 0 || *end)
                return usage_error("prune", "--%s: %s is no number from 1 on", keep_keys[i], optarg);
        return 0;
}

static int take_option(Prune *prune, int c) {
        switch (c) {
        case 'n':
                prune->dry_run = true;
                return 0;
        case 'l':
                prune->label = optarg;
                return 0;
        case OPTION_KEEP_LAST ... _OPTION_KEEP_END - 1:
                return take_keep(prune, (size_t) (c - OPTION_KEEP_LAST));
        default:
                return usage_hint("prune");
        }
}

static int parse(Prune *prune, int argc, char **argv) {
        bool has_rule = false;
        int c, r;

        while ((c = getopt_long(argc, argv, "nl:H:JqhV", long_options, NULL)) >= 0) {
                r = options_take(&prune->common, c, usage);
                if (r == OPTIONS_E_DONE)
                        return r;
                if (r == OPTIONS_E_UNKNOWN && take_option(prune, c) != 0)
                        return OPTIONS_E_UNKNOWN;
        }
        for (size_t i = 0; i < N_KEEP; i++)
                has_rule = has_rule || prune->keep[i] > 0;
        if (optind < argc)
                (void) usage_error("prune", "%s: prune takes no argument; --label names a rule",
                                   argv[optind]);
        else if (has_rule && !prune->label)
                (void) usage_error("prune", "--keep-... say how many are kept, but not of which --label");
        else
                return 0;
        return OPTIONS_E_UNKNOWN;
}

/**
 * verb_prune() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: the exit status, or a negative errno.
 */
int verb_prune(int argc, char **argv) {
        Prune prune = {};
        int r;

        r = parse(&prune, argc, argv);
        if (r != 0)
                return r == OPTIONS_E_DONE ? EXIT_SUCCESS : EXIT_FAILURE;
        r = prune_sets(&prune);
        return r == CTL_E_SAID ? EXIT_FAILURE : r;
}
