/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the writer has, and the stamps and metadata it sets; see test-writer.h. */

#include "test-writer.h"

/* TYPE:LOGICAL-PATH:NAME:FLAGS:FOLDER */
static int declare_component(QuiesceWriterEvent *event, const char *text) {
        _cleanup_free_ char *copy = strdup(text);
        char *rest = copy, *fields[5];
        QuiesceComponent component = {.size = sizeof(component)};
        int r;

        for (size_t i = 0; i < ELEMENTSOF(fields); i++)
                fields[i] = rest ? strsep(&rest, ":") : (char *) "";
        component.type = fields[0];
        component.logical_path = fields[1];
        component.name = fields[2];
        component.caption = "declared by a test";
        component.selectable = strchr(fields[3], 's') != NULL;
        component.selectable_for_restore = strchr(fields[3], 'r') != NULL;
        r = quiesce_writer_event_add_component(event, &component);
        if (r < 0 || !*fields[4])
                return r;
        return quiesce_writer_event_add_files(event, fields[1], fields[2], fields[4], "*",
                                              streq(fields[0], "filegroup"));
}

/**
 * declare() - say in Identify what the command line says
 * @test:       the writer
 * @event:      Identify
 *
 * Return: 0, or what the library refused with.
 */
int declare(TestWriter *test, QuiesceWriterEvent *event) {
        const char *restore = setting(test, "restore"), *never = restore ? strstr(restore, ":never") : NULL;
        /* A line of a descriptor is too short for them. */
        static const char *const tree[] = {
                "database::instance:s:/srv/db", "filegroup:instance:wiki:sr:/srv/db/wiki",
                "filegroup:instance/wiki:log::/srv/log", "filegroup::config::/etc/db"};
        _cleanup_free_ char *method = NULL;
        const char *text;
        size_t at = 0;
        int r = 0;

        for (size_t i = 0; setting(test, "tree") && i < ELEMENTSOF(tree) && r >= 0; i++)
                r = declare_component(event, tree[i]);
        while (r >= 0 && (text = setting_next(test, &at, "component")))
                r = declare_component(event, text);
        if (r >= 0 && setting(test, "path"))
                r = quiesce_writer_event_add_path(event, setting(test, "path"));
        if (r >= 0 && setting(test, "exclude"))
                r = quiesce_writer_event_add_exclude_files(event, setting(test, "exclude"), "*.tmp", 1);
        if (r >= 0 && restore) {
                method = strndup(restore, never ? (size_t) (never - restore) : strlen(restore));
                r = quiesce_writer_event_set_restore_method(event, method, never != NULL);
        }
        return r;
}

/* What to set in this event by that setting, EVENT:TEXT; NULL: nothing. */
static const char *text_of_event(const TestWriter *test, const QuiesceWriterEvent *event, const char *name) {
        const char *type = quiesce_writer_event_get_type_name(event), *text;
        size_t at = 0, n = strlen(type);

        while ((text = setting_next(test, &at, name)))
                if (strncmp(text, type, n) == 0 && text[n] == ':')
                        return text + n + 1;
        return NULL;
}

/**
 * set_notes() - set the stamp and metadata of all components that were chosen, if it is this event's
 * @test:       the writer
 * @event:      the event
 */
void set_notes(TestWriter *test, QuiesceWriterEvent *event) {
        const char *stamp = text_of_event(test, event, "stamp");
        const char *metadata = text_of_event(test, event, "metadata");
        QuiesceSelection selected = {.size = sizeof(selected)};

        for (size_t i = 0; quiesce_writer_event_get_component(event, i, &selected) == 0; i++) {
                if (stamp && quiesce_writer_event_set_backup_stamp(event, selected.logical_path,
                                                                   selected.name, stamp) < 0)
                        record_refused(test, event, "stamp");
                if (metadata && quiesce_writer_event_set_backup_metadata(event, selected.logical_path,
                                                                         selected.name, metadata) < 0)
                        record_refused(test, event, "metadata");
        }
}
