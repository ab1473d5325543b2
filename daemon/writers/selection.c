/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The components of a writer that were selected, as events tell of them, and what writers note of them in
 * their answers (VSS: IVssComponent).
 */

#include "daemon/writers/internal.h"
#include "util/error.h"

static int append_text(sd_bus_message *m, const char *key, const char *text) {
        return text ? sd_bus_message_append(m, "{sv}", key, "s", text) : 0;
}

static int append_selected(sd_bus_message *m, const WriterSelection *selected) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = append_text(m, "type", selected->type);
        if (r >= 0)
                r = append_text(m, "logical-path", selected->logical_path);
        if (r >= 0)
                r = append_text(m, "name", selected->name);
        if (r >= 0)
                r = append_text(m, "options", selected->options);
        if (r >= 0)
                r = append_text(m, "previous-stamp", selected->previous_stamp);
        if (r >= 0)
                r = append_text(m, "backup-stamp", selected->backup_stamp);
        if (r >= 0)
                r = append_text(m, "backup-metadata", selected->backup_metadata);
        if (r >= 0)
                r = append_text(m, "restore-options", selected->restore_options);
        if (r >= 0)
                r = append_text(m, "file-restore-status", selected->file_restore_status);
        if (r >= 0 && selected->succeeded >= 0)
                r = sd_bus_message_append(m, "{sv}", "succeeded", "b", selected->succeeded);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/**
 * selection_append() - the detail `components` of an event
 * @m: the message, in its a{sv} of details
 * @event: the event
 *
 * Return: >= 0, or a negative errno.
 */
int selection_append(sd_bus_message *m, const WriterEvent *event) {
        int r;

        if (event->n_selection == 0)
                return 0;
        r = dictionary_open_array(m, "components", "aa{sv}");
        for (size_t i = 0; r >= 0 && i < event->n_selection; i++)
                r = append_selected(m, &event->selection[i]);
        return error_trace(r < 0 ? r : dictionary_close_array(m));
}

static size_t length_of(const char *text) {
        return text ? strlen(text) : 0;
}

static int note_add(WriterNote **notes, size_t *n_notes, const WriterNote *note) {
        WriterNote *grown;

        if (*n_notes >= METADATA_LIST_MAX || length_of(note->stamp) > METADATA_STAMP_MAX ||
            length_of(note->metadata) > METADATA_BACKUP_MAX)
                return error_origin(-E2BIG);
        grown = reallocarray(*notes, *n_notes + 1, sizeof(*grown));
        if (!grown)
                return error_origin(-ENOMEM);
        *notes = grown;
        grown[(*n_notes)++] = *note;
        return 0;
}

/**
 * notes_read() - what a writer noted of its components
 * @m: the answer, in the value of `components`
 * @notes: made longer; free() it; strings are the message's
 * @n_notes: its length
 *
 * Return: >= 0; -E2BIG: too many, one too long, or too much in all; another negative errno.
 */
int notes_read(sd_bus_message *m, WriterNote **notes, size_t *n_notes) {
        size_t n_bytes = 0, n_read = 0;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "a{sv}");
        while (r >= 0) {
                WriterNote note = {.logical_path = "", .name = ""};
                const DictionaryField fields[] = {
                        {.key = "logical-path", .type = "s", .value = &note.logical_path},
                        {.key = "name", .type = "s", .value = &note.name},
                        {.key = "backup-stamp", .type = "s", .value = &note.stamp},
                        {.key = "backup-metadata", .type = "s", .value = &note.metadata},
                };

                r = dictionary_read(m, fields, ELEMENTSOF(fields));
                if (r <= 0)
                        break;
                if (++n_read > METADATA_LIST_MAX) /* those that say nothing, too */
                        return error_origin(-E2BIG);
                if (!note.stamp && !note.metadata)
                        continue;
                n_bytes += length_of(note.stamp) + length_of(note.metadata);
                if (n_bytes > METADATA_NOTES_MAX)
                        return error_origin(-E2BIG);
                r = note_add(notes, n_notes, &note);
                if (r < 0)
                        return error_trace(r);
        }
        return error_trace(r < 0 ? r : sd_bus_message_exit_container(m));
}
