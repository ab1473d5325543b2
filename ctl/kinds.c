/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The kinds of things and how each is read; see kinds.h.
 */

#include "ctl/kinds.h"

#include "quiesce/requester.h"

static const Column snapshot_columns[] = {
        {"ID", "Id", COLUMN_STRING, 0},
        {"VOLUME", "volume", COLUMN_STRING, 0},
        {"SIZE", "Size", COLUMN_SIZE, 0},
        {"PROVIDER", "Provider", COLUMN_STRING, 0},
        {"STATE", "State", COLUMN_STRING, 0},
        {"FULL%", "FullPercent", COLUMN_NUMBER, 0},
        {"CREATED", "CreatedUSec", COLUMN_TIME, 0},
        {"SET", "Set", COLUMN_STRING, COLUMN_TRUNCATE},
        {"PERSISTENT", "Persistent", COLUMN_BOOLEAN, COLUMN_HIDDEN},
        {"SESSION", "Session", COLUMN_STRING, COLUMN_HIDDEN},
        {"INVALID-REASON", "InvalidReason", COLUMN_STRING, COLUMN_HIDDEN},
        {"INVALID-SINCE", "InvalidUSec", COLUMN_TIME, COLUMN_HIDDEN},
        {"CONSISTENCY", "consistency", COLUMN_STRING, COLUMN_HIDDEN},
        {"DEVICE", "device", COLUMN_STRING, COLUMN_HIDDEN},
        {"MOUNTED-ON", "mounts", COLUMN_LIST, COLUMN_HIDDEN},
        {"SHOWN-ON", "mounts-giving-way", COLUMN_LIST, COLUMN_HIDDEN},
        {"WRITABLE-ON", "mounts-writable", COLUMN_LIST, COLUMN_HIDDEN},
        {"WRITABLE-COPY", "copy-device", COLUMN_STRING, COLUMN_HIDDEN},
        {"FSTYPE", "file-system", COLUMN_STRING, COLUMN_HIDDEN},
        {"ORIGIN-MOUNTPOINTS", "mount-points", COLUMN_LIST, COLUMN_HIDDEN},
        {"UNREADABLE", "open-tree", COLUMN_STRING, COLUMN_HIDDEN},
};

static const Column set_columns[] = {
        {"ID", "Id", COLUMN_STRING, 0},
        {"NAME", "name", COLUMN_STRING, COLUMN_TRUNCATE},
        {"STATE", "State", COLUMN_STRING, 0},
        {"CONSISTENCY", "Consistency", COLUMN_STRING, 0},
        {"SNAPSHOTS", "Snapshots", COLUMN_LIST, COLUMN_COUNTED},
        {"SNAPSHOTS-COUNT", "SnapshotsCount", COLUMN_NUMBER, COLUMN_HIDDEN},
        {"PERSISTENT", "Persistent", COLUMN_BOOLEAN, 0},
        {"CREATED", "CreatedUSec", COLUMN_TIME, 0},
        {"FREEZE", "FreezeUSec", COLUMN_DURATION, 0},
        {"HOLD", "HoldUSec", COLUMN_DURATION, 0},
        {"OWNER", "OwnerUID", COLUMN_USER, 0},
        {"LABELS", "labels", COLUMN_LIST, 0},
        {"LOCKED", "locked", COLUMN_BOOLEAN, COLUMN_HIDDEN},
        {"NOTE", "note", COLUMN_STRING, COLUMN_HIDDEN},
        {"SESSION", "Session", COLUMN_STRING, COLUMN_HIDDEN},
};

static const Column writer_columns[] = {
        {"NAME", "name", COLUMN_STRING, 0},
        {"LEVEL", "level", COLUMN_STRING, 0},
        {"KIND", "kind", COLUMN_STRING, 0},
        {"AVAILABLE", "available", COLUMN_BOOLEAN, 0},
        {"REGISTERED", "registered", COLUMN_BOOLEAN, COLUMN_HIDDEN},
        {"UNIT", "unit", COLUMN_STRING, COLUMN_TRUNCATE},
        {"BLOCKS-REVERT", "blocks-revert", COLUMN_LIST, COLUMN_HIDDEN},
        {"DESCRIPTION", "description", COLUMN_STRING, COLUMN_TRUNCATE},
        {"ERROR", "error", COLUMN_STRING, COLUMN_TRUNCATE},
};

static const Column provider_columns[] = {
        {"NAME", "Name", COLUMN_STRING, 0},
        {"KIND", "Kind", COLUMN_STRING, 0},
        {"VERSION", "Version", COLUMN_STRING, 0},
};

static const Column session_columns[] = {
        {"ID", "Id", COLUMN_STRING, 0},         {"KIND", "Kind", COLUMN_STRING, 0},
        {"STATE", "State", COLUMN_STRING, 0},   {"CALL", "RunningCall", COLUMN_STRING, 0},
        {"PHASE", "Phase", COLUMN_STRING, 0},   {"OWNER", "OwnerUID", COLUMN_USER, 0},
        {"SINCE", "SinceUSec", COLUMN_TIME, 0}, {"SET", "SnapshotSet", COLUMN_STRING, COLUMN_TRUNCATE},
};

static const Column volume_columns[] = {
        {"NAME", "name", COLUMN_STRING, 0},
        {"SIZE", "size", COLUMN_SIZE, 0},
        {"PROVIDER", "provider", COLUMN_STRING, 0},
        {"FSTYPE", "file-system", COLUMN_STRING, 0},
        {"MOUNTPOINTS", "mount-points", COLUMN_LIST, 0},
        {"DEVICE", "device", COLUMN_STRING, COLUMN_TRUNCATE},
        {"REASON", "reason", COLUMN_STRING, COLUMN_TRUNCATE},
};

static const Kind kinds[] = {
        {"snapshots", QUIESCE_BUS_SNAPSHOT, NULL, NULL, snapshot_columns, ELEMENTSOF(snapshot_columns),
         true},
        {"sets", QUIESCE_BUS_SET, NULL, NULL, set_columns, ELEMENTSOF(set_columns), true},
        {"sessions", QUIESCE_BUS_SESSION, NULL, NULL, session_columns, ELEMENTSOF(session_columns), true},
        {"providers", QUIESCE_BUS_PROVIDER, NULL, NULL, provider_columns, ELEMENTSOF(provider_columns),
         false},
        {"writers", NULL, "GetWriters", "cannot list the writers", writer_columns,
         ELEMENTSOF(writer_columns), false},
        {"volumes", NULL, "GetVolumes", "cannot list the volumes", volume_columns,
         ELEMENTSOF(volume_columns), false},
};

/**
 * kind_find() - the kind of a name
 * @name:       "snapshots", ...
 *
 * Return: the kind; NULL if there is none.
 */
const Kind *kind_find(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (streq(name, kinds[i].name))
                        return &kinds[i];
        return NULL;
}

/**
 * kind_of_interface() - the kind of the objects that have an interface
 * @interface:  D-Bus interface
 *
 * Return: the kind; NULL if there is none.
 */
const Kind *kind_of_interface(const char *interface) {
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (kinds[i].interface && streq(interface, kinds[i].interface))
                        return &kinds[i];
        return NULL;
}

static int read_by_method(DictArray *rows, sd_bus *bus, const Kind *kind) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &call, QUIESCE_BUS_NAME, QUIESCE_BUS_PATH,
                                           QUIESCE_BUS_MANAGER, kind->method);
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(call, true);
        if (r >= 0)
                r = sd_bus_message_append(call, "a{sv}", 0);
        if (r >= 0)
                r = sd_bus_call(bus, call, UINT64_MAX, &error, &reply);
        if (r < 0)
                return say_bus_error(kind->failure, &error, r);
        return error_trace(dict_array_read(rows, reply));
}

/* What quiesced does not know is 0 there. A set that it found again, as after a reboot, has its times in its
 * timeline alone. */
static void forget_unknown(Dict *row) {
        if (dict_get_number(row, "SnapshotsCount") == 0)
                dict_remove(row, "SnapshotsCount");
        if (dict_get_number(row, "HoldUSec") != 0 || dict_get_number(row, "FreezeUSec") != 0)
                return;
        dict_remove(row, "HoldUSec");
        dict_remove(row, "FreezeUSec");
}

/**
 * kind_read_all() - everything of a kind
 * @rows:       filled, one dictionary a thing; dict_array_done() it in any case
 * @bus:        the bus
 * @kind:       the kind
 *
 * Return: 0, CTL_E_SAID or a negative errno.
 */
int kind_read_all(DictArray *rows, sd_bus *bus, const Kind *kind) {
        int r;

        if (kind->method)
                return error_trace(read_by_method(rows, bus, kind));
        r = objects_read(rows, bus, kind->interface);
        for (size_t i = 0; r == 0 && i < rows->n_dicts; i++) {
                forget_unknown(&rows->dicts[i]);
                r = checked_properties(&rows->dicts[i], bus, rows->dicts[i].name, kind->interface);
        }
        return error_trace(r);
}

/* What a snapshot is good for is its set's property. */
static int read_consistency(Dict *row, sd_bus *bus) {
        const char *set_id = dict_get_string(row, "Set"), *interface;
        _cleanup_free_ char *path = NULL;
        _cleanup_(dict_done) Dict set = {};
        int r;

        r = object_find(bus, set_id, &path, &interface);
        if (r == 0)
                r = object_properties(&set, bus, path, interface);
        return r != 0 ? r : dict_add_string(row, "consistency", dict_get_string(&set, "Consistency"));
}

/**
 * kind_read_one() - the snapshot, set or session of an id, or the set of a name
 * @row:        filled, named with its path; dict_done() it in any case
 * @bus:        the bus
 * @id:         UUID or name
 * @ret_kind:   what it is
 *
 * Return: 0, CTL_E_SAID or a negative errno.
 */
int kind_read_one(Dict *row, sd_bus *bus, const char *id, const Kind **ret_kind) {
        _cleanup_free_ char *path = NULL;
        const char *interface;
        int r;

        r = object_find(bus, id, &path, &interface);
        if (r == 0)
                r = object_properties(row, bus, path, interface);
        if (r == 0)
                r = checked_properties(row, bus, path, interface);
        if (r == 0 && streq(interface, QUIESCE_BUS_SNAPSHOT))
                r = read_consistency(row, bus);
        if (r != 0)
                return error_trace(r);
        forget_unknown(row);
        row->name = TAKE_PTR(path);
        *ret_kind = kind_of_interface(interface);
        return 0;
}
