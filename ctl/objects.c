/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiesced's objects: all of a kind, or the one with a certain id.
 */

#include "ctl/table.h"
#include "quiesce/requester.h"

/* Right before an object's interfaces, a{sa{sv}}. Return: 1: it has the interface; 0: it has not. */
static int interfaces_read(Dict *dict, sd_bus_message *m, const char *interface) {
        const char *name;
        int r, found = 0;

        r = sd_bus_message_enter_container(m, 'a', "{sa{sv}}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sa{sv}")) > 0) {
                r = sd_bus_message_read(m, "s", &name);
                if (r < 0)
                        break;
                if (streq(name, interface)) {
                        found = 1;
                        r = dict_read(dict, m);
                } else
                        r = sd_bus_message_skip(m, "a{sv}");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? error_trace(r) : found;
}

static int object_read(DictArray *array, sd_bus_message *m, const char *interface) {
        _cleanup_(dict_done) Dict dict = {};
        const char *path;
        int r;

        r = sd_bus_message_read(m, "o", &path);
        if (r < 0)
                return error_trace(r);
        r = interfaces_read(&dict, m, interface);
        if (r <= 0)
                return error_trace(r);
        dict.name = strdup(path);
        if (!dict.name)
                return error_origin(-ENOMEM);
        return error_trace(dict_array_add(array, &dict));
}

/**
 * objects_take() - all objects that have an interface, from an answer
 * @array:      filled, one dictionary an object, named with its path; dict_array_done() it in any case
 * @reply:      of GetManagedObjects
 * @interface:  whose properties to read
 *
 * Return: 0 or a negative errno.
 */
int objects_take(DictArray *array, sd_bus_message *reply, const char *interface) {
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}");
        while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}")) > 0) {
                r = object_read(array, reply, interface);
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
        }
        return error_trace(r < 0 ? r : 0);
}

/**
 * objects_read() - all objects that have an interface
 * @array:      filled, one dictionary an object, named with its path; dict_array_done() it in any case
 * @bus:        the bus
 * @interface:  whose properties to read
 *
 * Return: 0, CTL_E_SAID or a negative errno.
 */
int objects_read(DictArray *array, sd_bus *bus, const char *interface) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_call_method(bus, QUIESCE_BUS_NAME, QUIESCE_BUS_PATH, "org.freedesktop.DBus.ObjectManager",
                               "GetManagedObjects", &error, &reply, "");
        if (r < 0)
                return say_bus_error("cannot list quiesced's objects", &error, r);
        return error_trace(objects_take(array, reply, interface));
}

/**
 * object_find() - the object with an id
 * @bus:            the bus
 * @word:           UUID of a set, snapshot or session, or the name of a set
 * @ret_path:       its path; free() it
 * @ret_interface:  what it is
 *
 * Return: 0, CTL_E_SAID or a negative errno.
 */
int object_find(sd_bus *bus, const char *word, char **ret_path, const char **ret_interface) {
        static const struct {
                const char *method, *interface;
        } kinds[] = {
                {"GetSnapshot", QUIESCE_BUS_SNAPSHOT},
                {"GetSnapshotSet", QUIESCE_BUS_SET},
                {"GetSession", QUIESCE_BUS_SESSION},
        };
        _cleanup_free_ char *id = NULL;
        int r;

        r = name_resolve(bus, word, &id);
        if (r != 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
                _cleanup_message_ sd_bus_message *reply = NULL;
                const char *path;

                r = sd_bus_call_method(bus, QUIESCE_BUS_NAME, QUIESCE_BUS_PATH, QUIESCE_BUS_MANAGER,
                                       kinds[i].method, &error, &reply, "s", id);
                if (r >= 0 && sd_bus_message_read(reply, "o", &path) >= 0 && (*ret_path = strdup(path))) {
                        *ret_interface = kinds[i].interface;
                        return 0;
                }
                if (r < 0 && !sd_bus_error_has_name(&error, QUIESCE_ERROR_OBJECT_NOT_FOUND))
                        return say_bus_error(id, &error, r);
        }
        say("%s: there is no snapshot, set or session of this id; 'quiescectl list' shows those there are",
            id);
        return CTL_E_SAID;
}

/**
 * object_properties() - the properties of one object
 * @dict:       filled; dict_done() it in any case
 * @bus:        the bus
 * @path:       the object
 * @interface:  whose properties to read
 *
 * Return: 0, CTL_E_SAID or a negative errno.
 */
int object_properties(Dict *dict, sd_bus *bus, const char *path, const char *interface) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_call_method(bus, QUIESCE_BUS_NAME, path, "org.freedesktop.DBus.Properties", "GetAll",
                               &error, &reply, "s", interface);
        if (r < 0)
                return say_bus_error(path, &error, r);
        return error_trace(dict_read(dict, reply));
}

/**
 * checked_properties() - what quiesced tells of an object to those who may know
 * @dict:       the properties are added to it
 * @bus:        the bus
 * @path:       the object
 * @interface:  of a snapshot or set; others tell everybody all they tell
 *
 * Paths, devices and what people call a set are not for everybody: to others nothing is added.
 *
 * Return: 0 or a negative errno.
 */
int checked_properties(Dict *dict, sd_bus *bus, const char *path, const char *interface) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r;

        if (!streq(interface, QUIESCE_BUS_SNAPSHOT) && !streq(interface, QUIESCE_BUS_SET))
                return 0;
        r = sd_bus_call_method(bus, QUIESCE_BUS_NAME, path, interface, "GetProperties", NULL, &reply,
                               "a{sv}", 0);
        return r < 0 ? 0 : error_trace(dict_read(dict, reply));
}

/**
 * object_find_set() - the set of an id or a name, or that of the snapshot of an id
 * @bus:            the bus
 * @id:             UUID or name
 * @ret_path:       the set's path; free() it
 *
 * Return: 0, CTL_E_SAID or a negative errno.
 */
int object_find_set(sd_bus *bus, const char *id, char **ret_path) {
        _cleanup_(dict_done) Dict snapshot = {};
        _cleanup_free_ char *path = NULL;
        const char *interface, *set_interface;
        int r;

        r = object_find(bus, id, &path, &interface);
        if (r != 0)
                return r;
        if (streq(interface, QUIESCE_BUS_SNAPSHOT)) {
                r = object_properties(&snapshot, bus, path, interface);
                return r != 0 ? r
                              : object_find(bus, dict_get_string(&snapshot, "Set"), ret_path,
                                            &set_interface);
        }
        if (!streq(interface, QUIESCE_BUS_SET)) {
                say("%s is neither a set nor a snapshot; 'quiescectl list sets' shows the sets", id);
                return CTL_E_SAID;
        }
        *ret_path = TAKE_PTR(path);
        return 0;
}

/**
 * set_check_whole() - whether a set has all the snapshots that it was made with
 * @set:        its properties
 * @remedy:     what to do if it has not
 *
 * What is of one instant belongs together: who takes a set for all of it is told when it is not.
 *
 * Return: 0 or CTL_E_SAID.
 */
int set_check_whole(const Dict *set, const char *remedy) {
        const DictItem *left = dict_get(set, "Snapshots");
        uint64_t n_made = dict_get_number(set, "SnapshotsCount");
        size_t n = 0;

        while (left && left->list && left->list[n])
                n++;
        if (n >= n_made)
                return 0;
        say("set %s is not whole: of its %" PRIu64 " snapshots %zu %s left; %s", dict_get_string(set, "Id"),
            n_made, n, n == 1 ? "is" : "are", remedy);
        return CTL_E_SAID;
}

/**
 * snapshot_new_call() - a call of a snapshot's method, without arguments yet
 * @bus:            the bus
 * @ret:            the message
 * @id:             UUID of the snapshot
 * @method:         the method
 *
 * Return: 0, CTL_E_SAID or a negative errno.
 */
int snapshot_new_call(sd_bus *bus, sd_bus_message **ret, const char *id, const char *method) {
        _cleanup_free_ char *path = NULL;
        const char *interface;
        int r;

        r = object_find(bus, id, &path, &interface);
        if (r != 0)
                return r;
        if (!streq(interface, QUIESCE_BUS_SNAPSHOT)) {
                say("%s is no snapshot; 'quiescectl list snapshots' shows them", id);
                return CTL_E_SAID;
        }
        r = sd_bus_message_new_method_call(bus, ret, QUIESCE_BUS_NAME, path, QUIESCE_BUS_SNAPSHOT, method);
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(*ret, true);
        return r < 0 ? error_trace(r) : 0;
}

/**
 * snapshot_mount() - call Mount, without options
 * @bus:            the bus
 * @id:             UUID of the snapshot
 * @directory_fd:   where
 *
 * Return: 0, CTL_E_SAID or a negative errno.
 */
int snapshot_mount(sd_bus *bus, const char *id, int directory_fd) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *call = NULL;
        int r;

        r = snapshot_new_call(bus, &call, id, "Mount");
        if (r != 0)
                return r;
        r = sd_bus_message_append(call, "ha{sv}", directory_fd, 0);
        if (r >= 0)
                r = sd_bus_call(bus, call, UINT64_MAX, &error, NULL);
        return r < 0 ? say_bus_error(id, &error, r) : 0;
}
