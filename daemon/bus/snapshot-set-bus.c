/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * org.quiesce1.SnapshotSet: a set that is real.
 */

#include "daemon/bus/delete.h"
#include "daemon/bus/describe.h"
#include "daemon/bus/document-bus.h"
#include "daemon/bus/publish.h"
#include "daemon/bus/revert.h"
#include "daemon/bus/timeline-bus.h"

#include "contract/names.h"

static int method_delete(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        PublishedSet *set = userdata;

        return delete_snapshots(set->manager, m, set->id, true, reterr);
}

static int method_get_timeline(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return set_get_timeline(userdata, m, reterr);
}

/* A set is being deleted, or reverted, while one of its snapshots is. */
static const char *set_state(const PublishedSet *set) {
        static const char *const states[] = {"deleting", "reverting"};
        SnapshotInfo info;
        SnapshotSet *found;

        for (size_t i = 0; i < set->n_snapshots; i++)
                for (size_t k = 0; k < ELEMENTSOF(states); k++)
                        if (published_get_info(&set->snapshots[i], &found, &info) &&
                            streq(info.state, states[k]))
                                return states[k];
        return "created";
}

static int property_text(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        const PublishedSet *set = userdata;
        const char *value;

        if (streq(property, "Id"))
                value = set->id;
        else if (streq(property, "Session"))
                value = set->session_id;
        else if (streq(property, "State"))
                value = set_state(set);
        else
                value = contract_consistency_to_string(set->consistency);
        return sd_bus_message_append(reply, "s", value);
}

static int property_persistent(sd_bus *bus, const char *path, const char *interface, const char *property,
                               sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        const PublishedSet *set = userdata;

        return sd_bus_message_append(reply, "b", (int) set->persistent);
}

static int property_snapshots(sd_bus *bus, const char *path, const char *interface, const char *property,
                              sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        const PublishedSet *set = userdata;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "s");
        for (size_t i = 0; i < set->n_snapshots && r >= 0; i++)
                r = sd_bus_message_append(reply, "s", set->snapshots[i].id);
        return r >= 0 ? sd_bus_message_close_container(reply) : r;
}

/**
 * snapshot_set_bus_find() - the set behind a path, for sd-bus
 * @bus:        the bus
 * @path:       the path asked for
 * @interface:  likewise
 * @userdata:   the manager
 * @ret:        the set
 * @reterr:     unused
 *
 * Return: 1 if there is one, 0 if not.
 */
int snapshot_set_bus_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                          sd_bus_error *reterr) {
        char id[CONTRACT_ID_MAX];
        PublishedSet *set;
        const char *rest;

        if (!bus_path_parse(path, "set", id, &rest) || rest[0] != '\0')
                return 0;
        set = published_find(userdata, id);
        if (!set)
                return 0;
        *ret = set;
        return 1;
}

const sd_bus_vtable snapshot_set_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("Delete", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("u", deleted, "s", first_left), method_delete,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Break", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("a{ss}", volumes),
                                method_break, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Revert", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT, method_revert,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Describe", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT, method_describe,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetDocument", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("s", document),
                                method_get_document, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetProperties", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("a{sv}", properties), method_get_set_properties,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetTimeline", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("a{sv}", timeline), method_get_timeline,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("Id", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Session", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Consistency", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Persistent", "b", property_persistent, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("CreatedUSec", "t", NULL, offsetof(PublishedSet, created_usec),
                        SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("HoldUSec", "t", NULL, offsetof(PublishedSet, hold_usec),
                        SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("FreezeUSec", "t", NULL, offsetof(PublishedSet, freeze_usec),
                        SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Snapshots", "as", property_snapshots, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("SnapshotsCount", "u", NULL, offsetof(PublishedSet, n_made),
                        SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("OwnerUID", "u", NULL, offsetof(PublishedSet, owner_uid),
                        SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_VTABLE_END,
};
