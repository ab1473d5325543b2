/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * From signals to events; see monitor.h. Only what quiesced itself has sent counts: a signal that is
 * addressed to us comes whoever sent it.
 */

#include "ctl/monitor.h"

#include <ctype.h>
#include <time.h>

#include "ctl/format.h"
#include "ctl/table.h"
#include "quiesce/requester.h"

#define ID_NIL "00000000-0000-0000-0000-000000000000"

typedef struct Member {
        const char *property, *name;
} Member;

/* What is told of an object: its id's member and its events. */
typedef struct Told {
        const char *interface, *id;
        const char *added, *changed, *removed; /* NULL: not told */
        Member members[10];
} Told;

static const Told objects[] = {
        {QUIESCE_BUS_SESSION,
         "session",
         "session-opened",
         "session-changed",
         "session-released",
         {{"Kind", "kind"},
          {"State", "state"},
          {"RunningCall", "call"},
          {"Phase", "phase"},
          {"SnapshotSet", "set"},
          {"OwnerUID", "owner"}}},
        {QUIESCE_BUS_SET,
         "set",
         "set-created",
         "set-changed",
         "set-removed",
         {{"Session", "session"},
          {"State", "state"},
          {"Consistency", "consistency"},
          {"Persistent", "persistent"},
          {"FreezeUSec", "freeze"},
          {"HoldUSec", "hold"},
          {"OwnerUID", "owner"}}},
        /* SnapshotInvalid and SnapshotRemoved tell the rest. */
        {QUIESCE_BUS_SNAPSHOT,
         "snapshot",
         "snapshot-created",
         NULL,
         NULL,
         {{"Set", "set"}, {"Provider", "provider"}, {"Size", "size"}}},
        {QUIESCE_BUS_NAME ".WriterState",
         "session",
         "writer-joined",
         "writer-changed",
         NULL,
         {{"Name", "writer"},
          {"State", "state"},
          {"LastEvent", "last-event"},
          {"Failure", "failure"},
          {"TakesPart", "takes-part"}}},
};

static const struct {
        const char *member, *event;
        const char *arguments[5];
} signals[] = {
        {"Abort", "abort", {"session", "set"}},
        {"BackupShutdown", "backup-shutdown", {"session", "set", "outcome", "cause"}},
        {"SpaceLow", "space-low", {"snapshot", "set", "percent"}},
        {"SnapshotInvalid", "snapshot-invalid", {"snapshot", "set", "reason"}},
        {"SnapshotRemoved", "snapshot-removed", {"snapshot", "set", "reason"}},
};

/**
 * monitor_init() - know nothing yet
 * @monitor:    filled in; monitor_done() it
 *
 * Return: 0, or -ENOMEM.
 */
int monitor_init(Monitor *monitor) {
        *monitor = (Monitor){.owner = strdup(""), .writers = json_object()};
        return monitor->owner && monitor->writers ? 0 : error_origin(-ENOMEM);
}

/**
 * monitor_done() - forget all
 * @monitor:    it
 */
void monitor_done(Monitor *monitor) {
        free(monitor->owner);
        json_decref(monitor->writers);
        *monitor = (Monitor){};
}

/**
 * monitor_note_owner() - who is quiesced from now on
 * @monitor:    it
 * @owner:      unique name, "": nobody
 *
 * Return: 0, or -ENOMEM.
 */
int monitor_note_owner(Monitor *monitor, const char *owner) {
        char *copy = strdup(owner);

        if (!copy)
                return error_origin(-ENOMEM);
        free(monitor->owner);
        monitor->owner = copy;
        (void) json_object_clear(monitor->writers);
        return 0;
}

/**
 * monitor_note_writers() - the names of writers that are there already
 * @monitor:    it
 * @reply:      of GetManagedObjects
 *
 * Return: 0 or a negative errno.
 */
int monitor_note_writers(Monitor *monitor, sd_bus_message *reply) {
        _cleanup_(dict_array_done) DictArray writers = {};
        int r;

        r = objects_take(&writers, reply, QUIESCE_BUS_NAME ".WriterState");
        for (size_t i = 0; r >= 0 && i < writers.n_dicts; i++)
                (void) json_object_set_new(monitor->writers, writers.dicts[i].name,
                                           json_string(dict_get_string(&writers.dicts[i], "Name")));
        return error_trace(r);
}

static const Told *told_find(const char *interface) {
        for (size_t i = 0; i < ELEMENTSOF(objects); i++)
                if (streq(objects[i].interface, interface))
                        return &objects[i];
        return NULL;
}

static json_t *event_new(const char *name) {
        char text[FORMAT_MAX];
        struct timespec now;

        (void) clock_gettime(CLOCK_REALTIME, &now);
        return json_pack("{ssss}", "time",
                         format_time(text, (uint64_t) now.tv_sec * USEC_PER_SEC +
                                                   (uint64_t) now.tv_nsec / NSEC_PER_USEC),
                         "event", name);
}

/* What is empty or nil is null: "call": null is that none runs any more. */
static json_t *text_to_json(const char *text) {
        return *text && !streq(text, ID_NIL) ? json_string(text) : json_null();
}

static json_t *item_to_json(const DictItem *item) {
        switch (item->type) {
        case DICT_STRING:
                return text_to_json(item->string);
        case DICT_BOOLEAN:
                return json_boolean(item->number != 0);
        case DICT_NUMBER:
                return json_integer((json_int_t) item->number);
        default:
                return json_null();
        }
}

/* The id in an object's path: of a writer, its session's. */
static void event_add_id(json_t *event, const Told *told, const char *path) {
        const char *word = strstr(path, told->id);
        char id[64];
        size_t n = 0;

        if (!word || word[strlen(told->id)] != '/')
                return;
        for (word += strlen(told->id) + 1; word[n] && word[n] != '/' && n + 1 < sizeof(id); n++)
                id[n] = (char) (word[n] == '_' ? '-' : word[n]);
        id[n] = '\0';
        (void) json_object_set_new(event, told->id, json_string(id));
}

/* Return: how many members it got. */
static size_t event_add_properties(json_t *event, const Told *told, const Dict *properties) {
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(told->members) && told->members[i].property; i++) {
                const DictItem *item = dict_get(properties, told->members[i].property);

                if (!item)
                        continue;
                (void) json_object_set_new(event, told->members[i].name, item_to_json(item));
                n++;
        }
        return n;
}

static bool is_writer(const Told *told) {
        return told->added && streq(told->added, "writer-joined");
}

/* "oa{sa{sv}}" */
static int translate_added(Monitor *monitor, sd_bus_message *m, json_t *events) {
        const char *path, *interface;
        int r;

        r = sd_bus_message_read(m, "o", &path);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "{sa{sv}}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sa{sv}")) > 0) {
                _cleanup_(dict_done) Dict properties = {};
                const Told *told;
                json_t *event;

                r = sd_bus_message_read(m, "s", &interface);
                if (r >= 0)
                        r = dict_read(&properties, m);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                told = r >= 0 ? told_find(interface) : NULL;
                if (!told)
                        continue;
                event = event_new(told->added);
                event_add_id(event, told, path);
                (void) event_add_properties(event, told, &properties);
                if (is_writer(told))
                        (void) json_object_set(monitor->writers, path, json_object_get(event, "writer"));
                (void) json_array_append_new(events, event);
        }
        return error_trace(r);
}

/* "oas" */
static int translate_removed(Monitor *monitor, sd_bus_message *m, json_t *events) {
        const char *path, *interface;
        int r;

        r = sd_bus_message_read(m, "o", &path);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read(m, "s", &interface)) > 0) {
                const Told *told = told_find(interface);
                json_t *event;

                if (told && is_writer(told))
                        (void) json_object_del(monitor->writers, path);
                if (!told || !told->removed)
                        continue;
                event = event_new(told->removed);
                event_add_id(event, told, path);
                (void) json_array_append_new(events, event);
        }
        return error_trace(r);
}

/* "sa{sv}as". A call's progress alone is no event. */
static int translate_changed(Monitor *monitor, sd_bus_message *m, json_t *events) {
        _cleanup_(dict_done) Dict properties = {};
        const char *interface, *path = sd_bus_message_get_path(m);
        const Told *told;
        json_t *event;
        int r;

        r = sd_bus_message_read(m, "s", &interface);
        told = r >= 0 ? told_find(interface) : NULL;
        if (!told || !told->changed)
                return error_trace(r);
        r = dict_read(&properties, m);
        if (r < 0)
                return error_trace(r);
        event = event_new(told->changed);
        event_add_id(event, told, path);
        if (is_writer(told) && json_object_get(monitor->writers, path))
                (void) json_object_set(event, "writer", json_object_get(monitor->writers, path));
        if (event_add_properties(event, told, &properties) > 0)
                return json_array_append_new(events, event) < 0 ? error_origin(-ENOMEM) : 0;
        json_decref(event);
        return 0;
}

static int translate_signal(sd_bus_message *m, json_t *events) {
        for (size_t i = 0; i < ELEMENTSOF(signals); i++) {
                json_t *event;
                int r = 0;

                if (!streq(signals[i].member, sd_bus_message_get_member(m)))
                        continue;
                event = event_new(signals[i].event);
                for (size_t k = 0; r >= 0 && signals[i].arguments[k]; k++) {
                        const char *text;
                        uint32_t number;

                        if (streq(signals[i].arguments[k], "percent")) {
                                r = sd_bus_message_read(m, "u", &number);
                                (void) json_object_set_new(event, "percent",
                                                           json_integer(r < 0 ? 0 : number));
                                continue;
                        }
                        r = sd_bus_message_read(m, "s", &text);
                        if (r >= 0)
                                (void) json_object_set_new(event, signals[i].arguments[k],
                                                           text_to_json(text));
                }
                (void) json_array_append_new(events, event);
                return error_trace(r);
        }
        return 0;
}

/* "sss"; the bus' own signal. */
static int translate_owner(Monitor *monitor, sd_bus_message *m, json_t *events) {
        const char *name, *before, *after;
        int r;

        r = sd_bus_message_read(m, "sss", &name, &before, &after);
        if (r < 0 || !streq(name, QUIESCE_BUS_NAME))
                return error_trace(r);
        if (*before)
                (void) json_array_append_new(events, event_new("quiesced-stopped"));
        if (*after)
                (void) json_array_append_new(events, event_new("quiesced-started"));
        return error_trace(monitor_note_owner(monitor, after));
}

/**
 * monitor_translate() - what a signal tells
 * @monitor:    it
 * @m:          the signal, of anybody
 * @ret:        an array of events, mostly of one or none; the caller's, also after an error
 *
 * Return: 0 or a negative errno.
 */
int monitor_translate(Monitor *monitor, sd_bus_message *m, json_t **ret) {
        const char *sender = sd_bus_message_get_sender(m);
        json_t *events = *ret = json_array();

        if (!events)
                return error_origin(-ENOMEM);
        if (sender && streq(sender, "org.freedesktop.DBus") &&
            sd_bus_message_is_signal(m, "org.freedesktop.DBus", "NameOwnerChanged"))
                return error_trace(translate_owner(monitor, m, events));
        if (!sender || !streq(sender, monitor->owner))
                return 0;
        if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.ObjectManager", "InterfacesAdded"))
                return error_trace(translate_added(monitor, m, events));
        if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved"))
                return error_trace(translate_removed(monitor, m, events));
        if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.Properties", "PropertiesChanged"))
                return error_trace(translate_changed(monitor, m, events));
        if (sd_bus_message_is_signal(m, QUIESCE_BUS_MANAGER, NULL))
                return error_trace(translate_signal(m, events));
        return 0;
}

static void print_value(const char *name, const json_t *value) {
        printf(" %s=", name);
        if (json_is_string(value))
                for (const char *c = json_string_value(value); *c; c++)
                        (void) putchar(iscntrl((unsigned char) *c) ? '?' : *c);
        else if (json_is_boolean(value))
                printf("%s", json_is_true(value) ? "yes" : "no");
        else if (json_is_integer(value))
                printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
        else
                (void) putchar('-');
}

/**
 * monitor_print() - print one event, at once
 * @event:      it
 * @as_json:    as JSON; else as text
 *
 * Return: 0; -EIO: nobody reads it any more, or it cannot be written.
 */
int monitor_print(json_t *event, int as_json) {
        const char *name;
        json_t *value;

        if (as_json)
                (void) json_dumpf(event, stdout, JSON_COMPACT);
        else {
                printf("%s %-16s", json_string_value(json_object_get(event, "time")) ?: "",
                       json_string_value(json_object_get(event, "event")) ?: "");
                json_object_foreach(event, name, value)
                        if (!streq(name, "time") && !streq(name, "event"))
                                print_value(name, value);
        }
        (void) putchar('\n');
        return fflush(stdout) == EOF || ferror(stdout) ? -EIO : 0;
}
