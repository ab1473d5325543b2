/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl describe: what people say of a snapshot set: its name, a note, labels, and that it is locked.
 */

#include "ctl/table.h"
#include "quiesce/requester.h"

static const char usage[] = "\nUsage:\n"
                            " quiescectl describe [options] ID\n"
                            "\n"
                            "Name a snapshot set, note something, label it, or keep it from being deleted.\n"
                            "Its name does for its ID.\n"
                            "\n"
                            "Options:\n"
                            " -N, --name NAME           what to call the set; \"\": nothing any more\n"
                            "     --note TEXT           what to know of it; likewise\n"
                            " -l, --label LABEL         a label more; may be repeated\n"
                            "     --remove-label LABEL  a label less; may be repeated\n"
                            "     --lock                it is deleted only by force\n"
                            "     --unlock              not any more\n"
                            " -H, --host [USER@]HOST    of another host\n"
                            " -q, --quiet               tell nothing but errors\n"
                            " -h, --help                display this help\n"
                            " -V, --version             display version\n"
                            "\n"
                            "For more details see quiescectl(1).\n";

enum {
        OPTION_NOTE = OPTION_VERB,
        OPTION_REMOVE_LABEL,
        OPTION_LOCK,
        OPTION_UNLOCK,
};

static const struct option long_options[] = {
        {"name", required_argument, NULL, 'N'},
        {"note", required_argument, NULL, OPTION_NOTE},
        {"label", required_argument, NULL, 'l'},
        {"remove-label", required_argument, NULL, OPTION_REMOVE_LABEL},
        {"lock", no_argument, NULL, OPTION_LOCK},
        {"unlock", no_argument, NULL, OPTION_UNLOCK},
        OPTIONS_HOST,
        OPTIONS_QUIET,
        OPTIONS_ALWAYS,
        {},
};

typedef struct Change {
        Options common;
        const char *name, *note;        /* NULL: stays */
        char **labels, **remove_labels; /* NULL-terminated */
        size_t n_labels, n_remove_labels;
        int locked; /* negative: stays */
} Change;

static int append_labels(sd_bus_message *call, const char *key, char **labels) {
        int r;

        if (!labels[0])
                return 0;
        r = sd_bus_message_open_container(call, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(call, "s", key);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_append_strv(call, labels);
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        return r < 0 ? error_trace(r) : sd_bus_message_close_container(call);
}

static int append_change(sd_bus_message *call, const Change *change) {
        int r;

        r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0 && change->name)
                r = sd_bus_message_append(call, "{sv}", "name", "s", change->name);
        if (r >= 0 && change->note)
                r = sd_bus_message_append(call, "{sv}", "note", "s", change->note);
        if (r >= 0)
                r = append_labels(call, "add-labels", change->labels);
        if (r >= 0)
                r = append_labels(call, "remove-labels", change->remove_labels);
        if (r >= 0 && change->locked >= 0)
                r = sd_bus_message_append(call, "{sv}", "locked", "b", change->locked);
        return r < 0 ? error_trace(r) : sd_bus_message_close_container(call);
}

static int describe(sd_bus *bus, const char *id, const Change *change) {
        _cleanup_message_ sd_bus_message *call = NULL;
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *path = NULL;
        int r;

        r = object_find_set(bus, id, &path);
        if (r != 0)
                return r;
        r = sd_bus_message_new_method_call(bus, &call, QUIESCE_BUS_NAME, path, QUIESCE_BUS_SET, "Describe");
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(call, true);
        if (r >= 0)
                r = append_change(call, change);
        if (r < 0)
                return error_trace(r);
        r = sd_bus_call(bus, call, UINT64_MAX, &error, NULL);
        if (r < 0)
                return say_bus_error(id, &error, r);
        if (!change->common.quiet)
                say("%s: described", id);
        return 0;
}

static int take_option(Change *change, int c) {
        switch (c) {
        case 'N':
                change->name = optarg;
                return 0;
        case OPTION_NOTE:
                change->note = optarg;
                return 0;
        case 'l':
                change->labels[change->n_labels++] = optarg;
                return 0;
        case OPTION_REMOVE_LABEL:
                change->remove_labels[change->n_remove_labels++] = optarg;
                return 0;
        case OPTION_LOCK:
        case OPTION_UNLOCK:
                if (change->locked >= 0 && change->locked != (c == OPTION_LOCK))
                        return usage_error("describe", "--lock and --unlock cannot both be done");
                change->locked = c == OPTION_LOCK;
                return 0;
        default:
                return usage_hint("describe");
        }
}

static int parse(Change *change, int argc, char **argv) {
        int c, r;

        while ((c = getopt_long(argc, argv, "N:l:H:qhV", long_options, NULL)) >= 0) {
                r = options_take(&change->common, c, usage);
                if (r == OPTIONS_E_DONE)
                        return r;
                if (r == OPTIONS_E_UNKNOWN && take_option(change, c) != 0)
                        return OPTIONS_E_UNKNOWN;
        }
        if (optind + 1 != argc)
                (void) usage_error("describe", optind >= argc ? "no ID given" : "one ID at a time");
        else if (!change->name && !change->note && change->locked < 0 && change->n_labels == 0 &&
                 change->n_remove_labels == 0)
                (void) usage_error("describe", "nothing to change was given");
        else
                return 0;
        return OPTIONS_E_UNKNOWN;
}

/**
 * verb_describe() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: the exit status, or a negative errno.
 */
int verb_describe(int argc, char **argv) {
        _cleanup_free_ char **labels = calloc((size_t) argc + 1, sizeof(*labels));
        _cleanup_free_ char **remove_labels = calloc((size_t) argc + 1, sizeof(*remove_labels));
        Change change = {.labels = labels, .remove_labels = remove_labels, .locked = -1};
        _cleanup_bus_ sd_bus *bus = NULL;
        int r;

        if (!labels || !remove_labels)
                return error_origin(-ENOMEM);
        r = parse(&change, argc, argv);
        if (r != 0)
                return r == OPTIONS_E_DONE ? EXIT_SUCCESS : EXIT_FAILURE;
        r = bus_open(&bus, change.common.host);
        if (r == 0)
                r = describe(bus, argv[optind], &change);
        return r == CTL_E_SAID ? EXIT_FAILURE : r;
}
