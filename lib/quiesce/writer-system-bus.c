/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A writer on the system bus: finds quiesced, registers, and registers again when quiesced has been started
 * anew.
 *
 * quiesced is its unique name here, which the bus tells: so a Register never starts it, and events are taken
 * from nobody else (writer-bus.c). When that name leaves the bus nobody will send a Thaw: what is frozen is
 * let go at once, as by the end of a private connection, but the service goes on and waits for the next
 * quiesced.
 */

#include "quiesce/writer-internal.h"
#include "util/error.h"

#define BUS_NAME         "org.freedesktop.DBus"
#define BUS_PATH         "/org/freedesktop/DBus"
#define HOST_NAME        "org.quiesce1"
#define HOST_PATH        "/org/quiesce1"
#define HOST_INTERFACE   "org.quiesce1.Manager"
#define NAME_OWNED       1u /* DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER */
#define NAME_OWNED_TWICE 4u /* DBUS_REQUEST_NAME_REPLY_ALREADY_OWNER */

static bool has_left_bus(sd_bus_message *m) {
        return sd_bus_message_is_method_error(m, SD_BUS_ERROR_NO_REPLY) ||
               sd_bus_message_is_method_error(m, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
               sd_bus_message_is_method_error(m, SD_BUS_ERROR_SERVICE_UNKNOWN);
}

static int on_registered(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        QuiesceWriter *writer = userdata;

        writer->registered_slot = sd_bus_slot_unref(writer->registered_slot);
        /* Died meanwhile: the next one is told of. */
        if (sd_bus_message_is_method_error(m, NULL) && !has_left_bus(m))
                writer_bus_refused(writer, m);
        return 0;
}

/* quiesced is there, another one is, or none ("") is. */
static void set_host(QuiesceWriter *writer, const char *host) {
        int r = 0;

        if (writer->ending || streq(writer->host ? writer->host : "", host))
                return;
        writer->registered_slot = sd_bus_slot_unref(writer->registered_slot);
        free(writer->host);
        writer->host = NULL;
        writer_let_go(writer);
        if (!*host)
                return;
        writer->host = strdup(host);
        if (!writer->host)
                r = error_origin(-ENOMEM);
        if (r >= 0)
                r = writer_bus_register(writer, writer->host, HOST_PATH, HOST_INTERFACE, on_registered);
        if (r < 0)
                writer_end(writer, r);
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *owner;

        /* Anybody may send us such a signal; sd-bus does not compare a sender that is no unique name. */
        if (streq_ptr(sd_bus_message_get_sender(m), BUS_NAME) &&
            sd_bus_message_read(m, "sss", NULL, NULL, &owner) >= 0)
                set_host(userdata, owner);
        return 0;
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        QuiesceWriter *writer = userdata;
        const char *owner;

        writer->query_slot = sd_bus_slot_unref(writer->query_slot);
        if (!sd_bus_message_is_method_error(m, NULL) && sd_bus_message_read(m, "s", &owner) >= 0)
                set_host(writer, owner);
        return 0;
}

/* The match first: between the two nothing is missed. */
static int find_host(QuiesceWriter *writer) {
        int r;

        r = sd_bus_add_match_async(writer->bus, &writer->owner_slot,
                                   "type='signal',sender='" BUS_NAME "',path='" BUS_PATH
                                   "',interface='" BUS_NAME "',member='NameOwnerChanged',arg0='" HOST_NAME
                                   "'",
                                   on_owner_changed, NULL, writer);
        if (r >= 0)
                r = sd_bus_call_method_async(writer->bus, &writer->query_slot, BUS_NAME, BUS_PATH, BUS_NAME,
                                             "GetNameOwner", on_owner, writer, "s", HOST_NAME);
        return error_trace(r < 0 ? r : 0);
}

static int on_name(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        QuiesceWriter *writer = userdata;
        uint32_t answer = 0;
        int r;

        writer->name_slot = sd_bus_slot_unref(writer->name_slot);
        if (sd_bus_message_is_method_error(m, NULL)) {
                writer_bus_refused(writer, m);
                return 0;
        }
        r = sd_bus_message_read(m, "u", &answer);
        if (r >= 0 && answer != NAME_OWNED && answer != NAME_OWNED_TWICE)
                r = -EEXIST;
        if (r >= 0)
                r = find_host(writer);
        if (r < 0)
                writer_end(writer, r);
        return 0;
}

static int connect_own(QuiesceWriter *writer) {
        int r;

        r = sd_bus_open_system(&writer->bus);
        if (r >= 0)
                r = sd_bus_set_exit_on_disconnect(writer->bus, false);
        if (r >= 0)
                r = sd_bus_attach_event(writer->bus, writer->event, (int) writer->priority);
        if (r >= 0)
                r = writer_bus_start(writer);
        if (r >= 0)
                r = sd_bus_request_name_async(writer->bus, &writer->name_slot, writer->bus_name, 0, on_name,
                                              writer);
        return error_trace(r < 0 ? r : 0);
}

static int use_given(QuiesceWriter *writer) {
        sd_event *event = sd_bus_get_event(writer->given_bus);
        int r = 0;

        if (event && event != writer->event)
                return error_origin(-EINVAL);
        writer->bus = sd_bus_ref(writer->given_bus);
        if (!event) {
                r = sd_bus_attach_event(writer->bus, writer->event, (int) writer->priority);
                writer->attached = r >= 0;
        }
        if (r >= 0)
                r = writer_bus_start(writer);
        return error_trace(r < 0 ? r : find_host(writer));
}

/**
 * writer_system_bus_connect() - go to the system bus; the rest comes through the event loop
 * @writer: the writer
 *
 * Return: 0 or a negative errno.
 */
int writer_system_bus_connect(QuiesceWriter *writer) {
        return error_trace(writer->given_bus ? use_given(writer) : connect_own(writer));
}

/**
 * writer_system_bus_close() - leave it; a connection of the caller's stays, with what is written sent
 * @writer: the writer; one that is not on the system bus is fine
 */
void writer_system_bus_close(QuiesceWriter *writer) {
        writer->name_slot = sd_bus_slot_unref(writer->name_slot);
        writer->owner_slot = sd_bus_slot_unref(writer->owner_slot);
        writer->query_slot = sd_bus_slot_unref(writer->query_slot);
        free(writer->host);
        writer->host = NULL;
        if (!writer->bus || !writer->given_bus)
                return;
        (void) sd_bus_flush(writer->bus);
        if (writer->attached)
                (void) sd_bus_detach_event(writer->bus);
        writer->attached = false;
        writer->bus = sd_bus_unref(writer->bus);
}
