/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One event as a writer sees it: what it tells, and what is answered to it.
 *
 * Strings that came in the message stay in it: the event holds a reference until it is answered. What is too
 * much (a list beyond WRITER_STRINGS_MAX) makes the message malformed; what is unknown is skipped, so that a
 * newer quiesced may tell more.
 */

#include <assert.h>
#include <stdarg.h>

#include "quiesce/writer-internal.h"
#include "util/error.h"
#include "util/utf8.h"

/**
 * writer_event_new() - an event not yet answered
 * @ret: the event, in its writer's list
 * @writer: the writer
 * @type: which
 *
 * Return: 0 or -ENOMEM.
 */
int writer_event_new(QuiesceWriterEvent **ret, QuiesceWriter *writer, QuiesceWriterEventType type) {
        QuiesceWriterEvent *event;

        event = calloc(1, sizeof(*event));
        if (!event)
                return error_origin(-ENOMEM);
        *event = (QuiesceWriterEvent){.writer = writer, .type = type, .limit_usec = UINT64_MAX};
        event->session = event->set = event->backup_type = event->outcome = event->cause = "";
        event->next = writer->events;
        writer->events = event;
        *ret = event;
        return 0;
}

/**
 * writer_event_free() - forget an event, without answering it
 * @event: the event, or NULL
 *
 * Return: NULL.
 */
QuiesceWriterEvent *writer_event_free(QuiesceWriterEvent *event) {
        if (!event)
                return NULL;
        for (QuiesceWriterEvent **e = &event->writer->events; *e; e = &(*e)->next)
                if (*e == event) {
                        *e = event->next;
                        break;
                }
        for (size_t i = 0; i < event->n_file_systems; i++)
                free((char *) event->file_systems[i].mount_point);
        for (size_t i = 0; i < event->n_paths; i++)
                free(event->paths[i]);
        free(event->file_systems);
        writer_trees_free(event);
        writer_notes_free(event);
        free(event->selection);
        writer_declaration_done(&event->declaration);
        free(event->paths);
        free(event->frozen);
        for (size_t i = 0; i < event->n_found; i++)
                free(event->found[i]);
        free(event->found);
        (void) writer_places_unref(event->places);
        free(event->volumes);
        free(event->snapshots);
        free(event->text);
        free(event->warning);
        free(event->description);
        free(event->own_session);
        free(event->own_set);
        sd_bus_message_unref(event->message);
        free(event);
        return NULL;
}

/* Adds to a NULL-terminated array of borrowed strings. */
static int add_string(const char ***array, size_t *n, const char *s) {
        const char **a;

        if (*n >= WRITER_STRINGS_MAX)
                return error_origin(-E2BIG);
        a = reallocarray(*array, *n + 2, sizeof(*a));
        if (!a)
                return error_origin(-ENOMEM);
        a[(*n)++] = s;
        a[*n] = NULL;
        *array = a;
        return 0;
}

static int read_strings(sd_bus_message *m, void *userdata) {
        const char ***ret = userdata, *s;
        size_t n = 0;
        int r;

        if (*ret)
                return error_origin(-EBADMSG); /* the key came twice */
        r = sd_bus_message_enter_container(m, 'a', "s");
        if (r < 0)
                return error_trace(r);
        while ((r = sd_bus_message_read_basic(m, 's', &s)) > 0) {
                r = add_string(ret, &n, s);
                if (r)
                        return error_trace(r);
        }
        return error_trace(r < 0 ? r : sd_bus_message_exit_container(m));
}

/* a{ss}, as pairs in one array. */
static int read_pairs(sd_bus_message *m, void *userdata) {
        const char ***ret = userdata, *key, *value;
        size_t n = 0;
        int r;

        if (*ret)
                return error_origin(-EBADMSG);
        r = sd_bus_message_enter_container(m, 'a', "{ss}");
        if (r < 0)
                return error_trace(r);
        while ((r = sd_bus_message_read(m, "{ss}", &key, &value)) > 0) {
                r = add_string(ret, &n, key);
                if (!r)
                        r = add_string(ret, &n, value);
                if (r)
                        return error_trace(r);
        }
        return error_trace(r < 0 ? r : sd_bus_message_exit_container(m));
}

static int read_device(sd_bus_message *m, void *device) {
        uint64_t value;
        int r;

        r = sd_bus_message_read_basic(m, 't', &value);
        if (r >= 0)
                *(dev_t *) device = (dev_t) value;
        return error_trace(r);
}

/* One a{sv} of file-systems. */
static int read_file_system(sd_bus_message *m, QuiesceFileSystem *file_system) {
        const DictionaryField fields[] = {
                {"index", "u", &file_system->index, NULL},
                {"mount-point", "ay", &file_system->mount_point, dictionary_read_path},
                {"type", "s", &file_system->type, NULL},
                {"device", "t", &file_system->device, read_device},
                {"descriptor", "h", &file_system->fd, NULL},
                {"direct", "b", &file_system->direct, NULL},
        };
        int r;

        r = dictionary_read(m, fields, ELEMENTSOF(fields));
        if (r < 0)
                return error_trace(r);
        return file_system->mount_point && file_system->type && file_system->fd >= 0
                       ? 0
                       : error_origin(-EBADMSG);
}

static int read_file_systems(sd_bus_message *m, void *userdata) {
        QuiesceWriterEvent *event = userdata;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "a{sv}");
        while (r >= 0 && (r = sd_bus_message_at_end(m, false)) == 0) {
                QuiesceFileSystem *grown;

                if (event->n_file_systems >= WRITER_STRINGS_MAX)
                        return error_origin(-E2BIG);
                grown = reallocarray(event->file_systems, event->n_file_systems + 1, sizeof(*grown));
                if (!grown)
                        return error_origin(-ENOMEM);
                event->file_systems = grown;
                grown[event->n_file_systems++] = (QuiesceFileSystem){.size = sizeof(*grown), .fd = -EBADF};
                r = read_file_system(m, &grown[event->n_file_systems - 1]);
        }
        return error_trace(r < 0 ? r : sd_bus_message_exit_container(m));
}

/**
 * writer_event_read_details() - read the a{sv} `details`
 * @event: the event
 * @m: the message, which stands at them
 *
 * Return: >= 0, or a negative errno: malformed.
 */
int writer_event_read_details(QuiesceWriterEvent *event, sd_bus_message *m) {
        _cleanup_(writer_places_done) WriterPlaces places = {};
        DictionaryField fields[12 + WRITER_PLACES_FIELDS] = {
                {"limit-usec", "t", &event->limit_usec, NULL},
                {"backup-type", "s", &event->backup_type, NULL},
                {"outcome", "s", &event->outcome, NULL},
                {"cause", "s", &event->cause, NULL},
                {"persistent", "b", &event->persistent, NULL},
                {"bootable", "b", &event->bootable, NULL},
                {"component-mode", "b", &event->component_mode, NULL},
                {"components", "aa{sv}", event, writer_selection_read},
                {"volumes", "as", &event->volumes, read_strings},
                {"snapshots", "a{ss}", &event->snapshots, read_pairs},
                {"file-systems", "aa{sv}", event, read_file_systems},
                {"trees", "aa{sv}", event, writer_trees_read},
        };
        int r;

        writer_places_fields(&places, fields + ELEMENTSOF(fields) - WRITER_PLACES_FIELDS);
        r = dictionary_read(m, fields, ELEMENTSOF(fields));
        return error_trace(r < 0 ? r : writer_places_take(event, &places));
}
