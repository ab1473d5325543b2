/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl show: all that quiesced tells of a snapshot, a set or a session, one value a line.
 */

#include <inttypes.h>

#include "ctl/format.h"
#include "ctl/table.h"
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

static const Column status_columns[] = {
        {"WRITER", "name", COLUMN_STRING},
        {"STATE", "state", COLUMN_STRING},
        {"TAKES-PART", "takes-part", COLUMN_BOOLEAN},
        {"EVENT", "event", COLUMN_STRING},
        {"FAILURE", "failure", COLUMN_STRING},
        {"RETRY", "retry", COLUMN_STRING},
        {"TEXT", "text", COLUMN_STRING},
};

static bool ends_with(const char *text, const char *end) {
        size_t length = strlen(text), end_length = strlen(end);

        return length >= end_length && streq(text + length - end_length, end);
}

/* What a number means is told by its name: …USec and …-usec are times or durations, sizes are bytes. */
static ColumnType number_type(const char *key) {
        if (streq(key, "CreatedUSec") || streq(key, "SinceUSec") || streq(key, "created-usec"))
                return COLUMN_TIME;
        if (ends_with(key, "USec") || ends_with(key, "-usec"))
                return COLUMN_DURATION;
        return streq(key, "Size") || streq(key, "size") ? COLUMN_SIZE : COLUMN_NUMBER;
}

static ColumnType item_type(const DictItem *item) {
        switch (item->type) {
        case DICT_NUMBER:
                return number_type(item->key);
        case DICT_BOOLEAN:
                return COLUMN_BOOLEAN;
        case DICT_LIST:
                return COLUMN_LIST;
        default:
                return COLUMN_STRING;
        }
}

static void print_number(const DictItem *item) {
        char text[FORMAT_MAX];

        switch (item_type(item)) {
        case COLUMN_TIME:
                (void) puts(format_time(text, item->number));
                break;
        case COLUMN_DURATION:
                (void) puts(format_duration(text, item->number));
                break;
        case COLUMN_SIZE:
                (void) puts(format_size(text, item->number));
                break;
        case COLUMN_BOOLEAN:
                (void) puts(item->number ? "yes" : "no");
                break;
        default:
                printf("%" PRIu64 "\n", item->number);
        }
}

static void print_item(const DictItem *item) {
        printf("%16s: ", item->key);
        if (item->type == DICT_STRING)
                (void) puts(item->string);
        else if (item->type != DICT_LIST)
                print_number(item);
        else if (!item->list || !item->list[0])
                (void) puts("");
        for (size_t i = 0; item->type == DICT_LIST && item->list && item->list[i]; i++)
                printf("%s%s\n", i > 0 ? "                  " : "", item->list[i]);
}

/* As a table of one row, whose columns are whatever the object has. */
static int print_json(const char *name, Dict *dict, const Options *options) {
        DictArray rows = {.dicts = dict, .n_dicts = 1};
        _cleanup_free_ Column *columns = NULL;

        columns = calloc(dict->n_items + 1, sizeof(*columns));
        if (!columns)
                return error_origin(-ENOMEM);
        for (size_t i = 0; i < dict->n_items; i++)
                columns[i] = (Column){dict->items[i].key, dict->items[i].key, item_type(&dict->items[i])};
        return error_trace(table_print(name, columns, dict->n_items, &rows, options));
}

/* The writers of a session are told to its owner and to administrators. */
static int show_writers(sd_bus *bus, const char *path, const Options *options) {
        _cleanup_(dict_array_done) DictArray writers = {};
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_call_method(bus, QUIESCE_BUS_NAME, path, QUIESCE_BUS_SESSION, "GatherWriterStatus", NULL,
                               &reply, "a{sv}", 0);
        if (r < 0)
                return 0;
        r = dict_array_read(&writers, reply);
        if (r < 0 || writers.n_dicts == 0)
                return error_trace(r);
        return error_trace(
                table_print("writers", status_columns, ELEMENTSOF(status_columns), &writers, options));
}

static int show(sd_bus *bus, const char *id, const Options *options) {
        _cleanup_free_ char *path = NULL;
        _cleanup_(dict_done) Dict dict = {};
        const char *interface;
        int r;

        r = object_find(bus, id, &path, &interface);
        if (r == 0)
                r = object_properties(&dict, bus, path, interface);
        if (r == 0 && streq(interface, QUIESCE_BUS_SNAPSHOT)) {
                Dict more = {};

                r = snapshot_properties(&more, bus, path);
                if (r == 0 && more.n_items > 0) {
                        dict_done(&dict);
                        dict = more;
                } else
                        dict_done(&more);
        }
        if (r != 0)
                return r;
        if (options->json)
                return error_trace(print_json(strrchr(interface, '.') + 1, &dict, options));
        for (size_t i = 0; i < dict.n_items; i++)
                print_item(&dict.items[i]);
        return streq(interface, QUIESCE_BUS_SESSION) ? error_trace(show_writers(bus, path, options)) : 0;
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
                        return r == OPTIONS_E_DONE ? EXIT_SUCCESS : usage_error("show", "wrong option");
        }
        if (optind >= argc)
                return usage_error("show", "no ID given");
        r = bus_open(&bus, options.host);
        for (int i = optind; r == 0 && i < argc; i++) {
                if (i > optind && !options.json)
                        (void) puts("");
                r = show(bus, argv[i], &options);
        }
        return r == CTL_E_SAID ? EXIT_FAILURE : r;
}
