/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The connection to the system bus: made once, never waited for. Losing it means that every requester is
 * gone and that quiesced starts anew.
 */

#include "daemon/bus/bus.h"
#include "daemon/bus/owner.h"

#include "util/error.h"
#include "util/log.h"

static int connection_lost(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        manager_bus_lost(userdata);
        return 0;
}

static int name_granted(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        Manager *manager = userdata;
        const sd_bus_error *error = sd_bus_message_get_error(m);
        uint32_t answer;
        int r;

        if (error) {
                log_error("the bus does not give us the name " BUS_NAME ": %s", error->message);
                manager_fail(manager, -EPERM, "no bus name");
                return 0;
        }
        r = sd_bus_message_read(m, "u", &answer);
        if (r < 0 || answer != 1) { /* DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER */
                log_error("another process owns the name " BUS_NAME " on the bus");
                manager_fail(manager, -EEXIST, "no bus name");
                return 0;
        }
        manager_name_granted(manager);
        return 0;
}

/* Waits for the bus to say hello: the only time, before anybody can call us. */
static void note_guid(Manager *manager) {
        sd_id128_t id;
        char text[SD_ID128_STRING_MAX];

        if (sd_bus_get_bus_id(manager->bus, &id) >= 0)
                manager->bus_guid = strdup(sd_id128_to_string(id, text));
}

/**
 * bus_connect() - connect to the system bus
 * @manager:    the manager
 *
 * Return: 0, or a negative errno.
 */
int bus_connect(Manager *manager) {
        int r;

        r = sd_bus_open_system(&manager->bus);
        if (r < 0) {
                log_error("the system bus cannot be reached: %s", strerror(-r));
                return error_origin(r);
        }
        note_guid(manager);
        r = sd_bus_attach_event(manager->bus, manager->event, BUS_PRIORITY);
        if (r >= 0)
                r = sd_bus_match_signal_async(manager->bus, NULL, NULL, "/org/freedesktop/DBus/Local",
                                              "org.freedesktop.DBus.Local", "Disconnected", connection_lost,
                                              NULL, manager);
        if (r < 0)
                return error_origin(r);
        r = owners_new(&manager->owners, manager->bus);
        if (r == 0)
                r = bus_register(manager);
        return error_trace(r);
}

/**
 * bus_request_name() - ask for our name: from now on there may be calls
 * @manager:    the manager; manager_name_granted() is called when the name is ours
 *
 * What is sent after this is sent under the name, and a call by the name may come before it is said to be
 * ours: the bus hands over what has waited for us first.
 *
 * Return: 0, or a negative errno.
 */
int bus_request_name(Manager *manager) {
        int r;

        r = sd_bus_request_name_async(manager->bus, NULL, BUS_NAME, 0, name_granted, manager);
        return r < 0 ? error_origin(r) : 0;
}

/**
 * bus_disconnect() - leave the bus
 * @manager:    the manager
 *
 * What was still to be sent has been sent when the event loop ended: sd-bus sees to that itself.
 */
void bus_disconnect(Manager *manager) {
        manager->owners = owners_free(manager->owners);
        manager->bus = sd_bus_close_unref(manager->bus);
        free(manager->bus_guid);
        manager->bus_guid = NULL;
}
