/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Commands of transient units; see transient-exec.h.
 *
 * There are variants of these properties that have a flag against the expansion of "$": ExecStartEx and so
 * on. systemd 252 writes these names into the unit's file, knows them no more when it reads that at a
 * daemon-reload, and forgets the command, that of ExecStopPost= for one.
 */

#include "bus/transient-exec.h"

#include "util/error.h"
#include "util/macro.h"

/* PID 1 makes "$$" one "$". */
static int append_argument(sd_bus_message *m, const char *argument) {
        _cleanup_free_ char *doubled = malloc(2 * strlen(argument) + 1);
        char *end = doubled;

        if (!doubled)
                return error_origin(-ENOMEM);
        for (const char *p = argument; *p; p++) {
                if (*p == '$')
                        *end++ = '$';
                *end++ = *p;
        }
        *end = '\0';
        return error_trace(sd_bus_message_append(m, "s", doubled));
}

/**
 * transient_exec_append() - append a command to the properties of a unit
 * @m:          StartTransientUnit, in its properties
 * @property:   "ExecStart", "ExecStopPost" …; its type is a(sasb)
 * @program:    path
 * @arguments:  NULL-terminated, with argv[0]
 *
 * Return: 0, or a negative errno.
 */
int transient_exec_append(sd_bus_message *m, const char *property, const char *program,
                          const char *const *arguments) {
        int r;

        r = sd_bus_message_open_container(m, 'r', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", property);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "a(sasb)");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sasb)");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'r', "sasb");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", program);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        for (const char *const *argument = arguments; r >= 0 && *argument; argument++)
                r = append_argument(m, *argument);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        /* A status that is not 0 is a failure. */
        if (r >= 0)
                r = sd_bus_message_append(m, "b", 0);
        for (int i = 0; r >= 0 && i < 4; i++)
                r = sd_bus_message_close_container(m);
        return error_trace(r < 0 ? r : 0);
}
