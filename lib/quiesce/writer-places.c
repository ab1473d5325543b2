/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Where the set's volumes are, as events tell it: numbers of devices, names, and paths that need not be
 * UTF-8.
 *
 * They are told before Freeze, since nothing is to be made or read while a writer is frozen that could have
 * been before. So they are kept here until the session ends, and an event of it that does not tell them has
 * what was told last. Kept and lent they are counted: an event may be answered when its session is over.
 */

#include <assert.h>

#include "quiesce/writer-internal.h"
#include "util/error.h"
#include "util/texts.h"

static int read_devices(sd_bus_message *m, void *userdata) {
        WriterPlaces *places = userdata;
        const void *devices;
        size_t size;
        int r;

        if (places->devices)
                return error_origin(-EBADMSG); /* the key came twice */
        r = sd_bus_message_read_array(m, 't', &devices, &size);
        if (r < 0)
                return error_trace(r);
        places->devices = malloc(size + 1);
        if (!places->devices)
                return error_origin(-ENOMEM);
        if (size > 0)
                memcpy(places->devices, devices, size);
        places->n_devices = size / sizeof(*places->devices);
        return 0;
}

static int text_add(char ***texts, size_t *n, const char *bytes, size_t size) {
        char **grown;

        if (*n >= WRITER_STRINGS_MAX)
                return error_origin(-E2BIG);
        grown = reallocarray(*texts, *n + 2, sizeof(*grown));
        if (!grown)
                return error_origin(-ENOMEM);
        *texts = grown;
        grown[*n + 1] = NULL;
        grown[*n] = strndup(bytes, size);
        return grown[(*n)++] ? 0 : error_origin(-ENOMEM);
}

static int read_paths(sd_bus_message *m, void *userdata) {
        char ***paths = userdata;
        const void *bytes;
        size_t n = 0, size;
        int r;

        if (*paths)
                return error_origin(-EBADMSG);
        r = sd_bus_message_enter_container(m, 'a', "ay");
        while (r >= 0 && (r = sd_bus_message_at_end(m, false)) == 0) {
                r = sd_bus_message_read_array(m, 'y', &bytes, &size);
                if (r >= 0)
                        r = text_add(paths, &n, size > 0 ? bytes : "", size);
        }
        return error_trace(r < 0 ? r : sd_bus_message_exit_container(m));
}

static int read_names(sd_bus_message *m, void *userdata) {
        char ***names = userdata;
        const char *name;
        size_t n = 0;
        int r;

        if (*names)
                return error_origin(-EBADMSG);
        r = sd_bus_message_enter_container(m, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read_basic(m, 's', &name)) > 0)
                r = text_add(names, &n, name, strlen(name));
        return error_trace(r < 0 ? r : sd_bus_message_exit_container(m));
}

/**
 * writer_places_fields() - the details that tell of places
 * @places: where they go, zeroed; writer_places_take() or writer_places_done() it
 * @fields: WRITER_PLACES_FIELDS of them
 */
void writer_places_fields(WriterPlaces *places, DictionaryField *fields) {
        fields[0] = (DictionaryField){"volume-names", "as", &places->volume_names, read_names};
        fields[1] = (DictionaryField){"devices", "at", places, read_devices};
        fields[2] = (DictionaryField){"mount-points", "aay", &places->mount_points, read_paths};
        fields[3] = (DictionaryField){"directories", "aay", &places->directories, read_paths};
}

/**
 * writer_places_done() - free what was read
 * @places: emptied
 */
void writer_places_done(WriterPlaces *places) {
        texts_free(places->volume_names);
        texts_free(places->mount_points);
        texts_free(places->directories);
        free(places->devices);
        free(places->session);
        *places = (WriterPlaces){};
}

/**
 * writer_places_unref() - give back what was lent or kept
 * @places: the places, or NULL
 *
 * Return: NULL.
 */
WriterPlaces *writer_places_unref(WriterPlaces *places) {
        if (!places || --places->n_references > 0)
                return NULL;
        writer_places_done(places);
        free(places);
        return NULL;
}

/**
 * writer_places_forget() - a session is over
 * @writer: the writer
 * @session: its id; NULL: all are
 */
void writer_places_forget(QuiesceWriter *writer, const char *session) {
        for (WriterPlaces **place = &writer->places; *place;) {
                WriterPlaces *places = *place;

                if (session && !streq(places->session, session)) {
                        place = &places->next;
                        continue;
                }
                *place = places->next;
                (void) writer_places_unref(places);
        }
}

static int keep(QuiesceWriter *writer, const char *session, WriterPlaces *told) {
        WriterPlaces *kept = malloc(sizeof(*kept));

        told->session = strdup(session);
        if (!kept || !told->session) {
                free(kept);
                return error_origin(-ENOMEM);
        }
        writer_places_forget(writer, session);
        *kept = *told;
        *told = (WriterPlaces){};
        kept->n_references = 1;
        kept->next = writer->places;
        writer->places = kept;
        return 0;
}

/**
 * writer_places_take() - give an event the places of its session
 * @event: the event, read
 * @told: what it told itself: kept for the session and emptied; or nothing: then what was kept counts
 *
 * Return: 0; -ENOMEM, but never if nothing was told, as in Thaw.
 */
int writer_places_take(QuiesceWriterEvent *event, WriterPlaces *told) {
        int r;

        if (event->type < QUIESCE_EVENT_PREPARE_FOR_BACKUP || event->type > QUIESCE_EVENT_POST_SNAPSHOT)
                return 0;
        if (told->devices || told->volume_names || told->mount_points || told->directories) {
                r = keep(event->writer, event->session, told);
                if (r < 0)
                        return error_trace(r);
        }
        for (WriterPlaces *kept = event->writer->places; kept; kept = kept->next)
                if (streq(kept->session, event->session)) {
                        kept->n_references++;
                        event->places = kept;
                        break;
                }
        return 0;
}

/**
 * quiesce_writer_event_get_mount_points() - where something of the set's volumes is mounted
 * @event: PrepareForBackup to PostSnapshot
 *
 * In the mount namespace of quiesced, which is the host's.
 *
 * Return: NULL-terminated array, the event's.
 */
_public_ const char *const *quiesce_writer_event_get_mount_points(const QuiesceWriterEvent *event) {
        static const char *const none[] = {NULL};

        assert(event);
        return event->places && event->places->mount_points
                       ? (const char *const *) event->places->mount_points
                       : none;
}
