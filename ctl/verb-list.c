/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl list: one table for each kind of thing quiesced knows.
 */

#include "ctl/table.h"
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
        " -h, --help              display this help\n"
        " -V, --version           display version\n"
        "\n"
        "For more details see quiescectl(1).\n";

static const struct option long_options[] = {OPTIONS_HOST, OPTIONS_TABLE, OPTIONS_ALWAYS, {}};

const Column snapshot_columns[] = {
        {"ID", "Id", COLUMN_STRING},
        {"VOLUME", "volume", COLUMN_STRING},
        {"SIZE", "Size", COLUMN_SIZE},
        {"PROVIDER", "Provider", COLUMN_STRING},
        {"STATE", "State", COLUMN_STRING},
        {"PERSISTENT", "Persistent", COLUMN_BOOLEAN},
        {"CREATED", "CreatedUSec", COLUMN_TIME},
        {"SET", "Set", COLUMN_STRING},
};
const size_t n_snapshot_columns = ELEMENTSOF(snapshot_columns);

static const Column set_columns[] = {
        {"ID", "Id", COLUMN_STRING},
        {"STATE", "State", COLUMN_STRING},
        {"CONSISTENCY", "Consistency", COLUMN_STRING},
        {"SNAPSHOTS", "Snapshots", COLUMN_COUNT},
        {"PERSISTENT", "Persistent", COLUMN_BOOLEAN},
        {"CREATED", "CreatedUSec", COLUMN_TIME},
        {"FREEZE", "FreezeUSec", COLUMN_DURATION},
        {"HOLD", "HoldUSec", COLUMN_DURATION},
        {"OWNER", "OwnerUID", COLUMN_USER},
};

static const Column writer_columns[] = {
        {"NAME", "name", COLUMN_STRING}, {"LEVEL", "level", COLUMN_STRING},
        {"KIND", "kind", COLUMN_STRING}, {"AVAILABLE", "available", COLUMN_BOOLEAN},
        {"UNIT", "unit", COLUMN_STRING}, {"DESCRIPTION", "description", COLUMN_STRING},
};

static const Column provider_columns[] = {
        {"NAME", "Name", COLUMN_STRING},
        {"KIND", "Kind", COLUMN_STRING},
        {"VERSION", "Version", COLUMN_STRING},
};

static const Column session_columns[] = {
        {"ID", "Id", COLUMN_STRING},         {"KIND", "Kind", COLUMN_STRING},
        {"STATE", "State", COLUMN_STRING},   {"CALL", "RunningCall", COLUMN_STRING},
        {"PHASE", "Phase", COLUMN_STRING},   {"OWNER", "OwnerUID", COLUMN_USER},
        {"SINCE", "SinceUSec", COLUMN_TIME}, {"SET", "SnapshotSet", COLUMN_STRING},
};

static const Column volume_columns[] = {
        {"NAME", "name", COLUMN_STRING},
        {"SIZE", "size", COLUMN_SIZE},
        {"PROVIDER", "provider", COLUMN_STRING},
        {"FSTYPE", "file-system", COLUMN_STRING},
        {"MOUNTPOINTS", "mount-points", COLUMN_LIST},
        {"DEVICE", "device", COLUMN_STRING},
        {"REASON", "reason", COLUMN_STRING},
};

typedef struct ListKind {
        const char *name;
        const char *interface; /* of objects; NULL: ask the method */
        const char *method;
        const Column *columns;
        size_t n_columns;
} ListKind;

static const ListKind kinds[] = {
        {"snapshots", QUIESCE_BUS_SNAPSHOT, NULL, snapshot_columns, ELEMENTSOF(snapshot_columns)},
        {"sets", QUIESCE_BUS_SET, NULL, set_columns, ELEMENTSOF(set_columns)},
        {"writers", NULL, "GetWriters", writer_columns, ELEMENTSOF(writer_columns)},
        {"providers", QUIESCE_BUS_PROVIDER, NULL, provider_columns, ELEMENTSOF(provider_columns)},
        {"sessions", QUIESCE_BUS_SESSION, NULL, session_columns, ELEMENTSOF(session_columns)},
        {"volumes", NULL, "GetVolumes", volume_columns, ELEMENTSOF(volume_columns)},
};

static int read_by_method(DictArray *rows, sd_bus *bus, const char *method) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &call, QUIESCE_BUS_NAME, QUIESCE_BUS_PATH,
                                           QUIESCE_BUS_MANAGER, method);
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(call, true);
        if (r >= 0)
                r = sd_bus_message_append(call, "a{sv}", 0);
        if (r >= 0)
                r = sd_bus_call(bus, call, UINT64_MAX, &error, &reply);
        if (r < 0)
                return say_bus_error(method, &error, r);
        return error_trace(dict_array_read(rows, reply));
}

static int list(const ListKind *kind, const Options *options) {
        _cleanup_(dict_array_done) DictArray rows = {};
        _cleanup_bus_ sd_bus *bus = NULL;
        int r;

        r = bus_open(&bus, options->host);
        if (r != 0)
                return r;
        r = kind->method ? read_by_method(&rows, bus, kind->method)
                         : objects_read(&rows, bus, kind->interface);
        for (size_t i = 0; r == 0 && kind->columns == snapshot_columns && i < rows.n_dicts; i++)
                r = snapshot_properties(&rows.dicts[i], bus, rows.dicts[i].name);
        if (r != 0)
                return r;
        return error_trace(table_print(kind->name, kind->columns, kind->n_columns, &rows, options));
}

static const ListKind *kind_find(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (streq(name, kinds[i].name))
                        return &kinds[i];
        return NULL;
}

/**
 * verb_list() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: the exit status, or a negative errno.
 */
int verb_list(int argc, char **argv) {
        const ListKind *kind;
        Options options = {};
        int c, r;

        while ((c = getopt_long(argc, argv, "H:JhV", long_options, NULL)) >= 0) {
                r = options_take(&options, c, usage);
                if (r != 0)
                        return r == OPTIONS_E_DONE ? EXIT_SUCCESS : usage_error("list", "wrong option");
        }
        if (argc - optind > 1)
                return usage_error("list", "one kind at a time");
        kind = kind_find(optind < argc ? argv[optind] : "snapshots");
        if (!kind)
                return usage_error("list", "%s: no such kind", argv[optind]);
        r = list(kind, &options);
        return r == CTL_E_SAID ? EXIT_FAILURE : r;
}
