/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the monitor tells: each signal of quiesced's becomes one object whose members are "time", "event" and
 * what belongs to that event. It is printed as JSON, or as text with the same members in the same order.
 */

#include <jansson.h>
#include <systemd/sd-bus.h>

typedef struct Monitor {
        char *owner;     /* quiesced's unique name, "" while it does not run */
        json_t *writers; /* name by object, as changes do not tell it */
} Monitor;

int monitor_init(Monitor *monitor);
void monitor_done(Monitor *monitor);
int monitor_note_owner(Monitor *monitor, const char *owner);
int monitor_note_writers(Monitor *monitor, sd_bus_message *objects);
/* Return: 0, or a negative errno; *ret: an object for each event in it, the caller's. */
int monitor_translate(Monitor *monitor, sd_bus_message *m, json_t **ret);
int monitor_print(json_t *event, int as_json);
