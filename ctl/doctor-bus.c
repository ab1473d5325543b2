/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The doctor's questions on the system bus: each has a deadline, and none starts who is asked. Whether
 * quiesced runs would else always be answered with yes.
 */

#include "ctl/doctor.h"

#include <stdarg.h>

#define CALL_LIMIT_USEC (10 * USEC_PER_SEC)

/**
 * doctor_call() - ask somebody
 * @doctor:         its bus is asked; -ENOTCONN without
 * @destination:    bus name
 * @path:           object
 * @interface:      of the method
 * @member:         the method
 * @error:          filled in on failure, may be NULL
 * @ret:            the answer
 * @types:          of the arguments, that follow
 *
 * Return: 0, or a negative errno.
 */
int doctor_call(Doctor *doctor, const char *destination, const char *path, const char *interface,
                const char *member, sd_bus_error *error, sd_bus_message **ret, const char *types, ...) {
        _cleanup_message_ sd_bus_message *call = NULL;
        va_list arguments;
        int r;

        if (!doctor->bus)
                return -ENOTCONN;
        r = sd_bus_message_new_method_call(doctor->bus, &call, destination, path, interface, member);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(call, false);
        va_start(arguments, types);
        if (r >= 0)
                r = sd_bus_message_appendv(call, types, arguments);
        va_end(arguments);
        if (r >= 0)
                r = sd_bus_call(doctor->bus, call, CALL_LIMIT_USEC, error, ret);
        return r < 0 ? r : 0;
}

/**
 * doctor_bus_has_owner() - whether somebody has a name
 * @doctor:     its bus is asked
 * @name:       bus name
 *
 * Return: true if so.
 */
bool doctor_bus_has_owner(Doctor *doctor, const char *name) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        int has = 0;

        return doctor_call(doctor, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                           "NameHasOwner", NULL, &reply, "s", name) == 0 &&
               sd_bus_message_read(reply, "b", &has) >= 0 && has;
}

/**
 * doctor_get_string() - a property
 * @doctor:         its bus is asked
 * @destination:    bus name
 * @path:           object
 * @interface:      of the property
 * @property:       of type s
 *
 * Return: the string, the caller's; NULL: it could not be had.
 */
char *doctor_get_string(Doctor *doctor, const char *destination, const char *path, const char *interface,
                        const char *property) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        const char *string;

        if (doctor_call(doctor, destination, path, "org.freedesktop.DBus.Properties", "Get", NULL, &reply,
                        "ss", interface, property) < 0 ||
            sd_bus_message_read(reply, "v", "s", &string) < 0)
                return NULL;
        return strdup(string);
}
