/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Documents: what is written is read again in full; what cannot be used is refused with its place; what is
 * not known is kept.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/documents/document.h"

static void set(char **field, const char *value) {
        assert_int_equal(writer_metadata_set(field, value), 0);
}

static void declare(WriterMetadata *metadata, const char *path, const char *name, bool selectable) {
        WriterComponent *component;

        assert_int_equal(writer_metadata_add_component(metadata, &component), 0);
        set(&component->type, "filegroup");
        set(&component->logical_path, path);
        set(&component->name, name);
        set(&component->caption, "a \"caption\"");
        component->selectable = selectable;
        component->selectable_for_restore = !selectable;
        assert_int_equal(writer_files_add(&component->files, &component->n_files, "/srv", "*.db", true), 0);
}

static Document *make(void) {
        DocumentComponent *component;
        DocumentSnapshot *snapshot;
        DocumentWriter *writer;
        Document *document;

        assert_int_equal(document_new(&document), 0);
        set(&document->session, "11111111-2222-3333-4444-555555555555");
        set(&document->set, "66666666-7777-8888-9999-000000000000");
        set(&document->context, "app-rollback");
        set(&document->type, "incremental");
        set(&document->consistency, "application");
        document->saved_usec = 1700000000000000;
        document->component_mode = document->bootable = true;
        assert_int_equal(document_add_snapshot(document, &snapshot), 0);
        set(&snapshot->id, "s");
        set(&snapshot->volume, "vg0/data");
        set(&snapshot->key, "LVM-x");
        assert_int_equal(document_add_writer(document, &writer), 0);
        set(&writer->name, "db");
        writer->level = CONTRACT_LEVEL_BACK_END;
        writer->takes_part = true;
        assert_int_equal(writer_metadata_new(&writer->metadata), 0);
        set(&writer->metadata->description, "The database");
        assert_int_equal(writer_metadata_add_path(writer->metadata, "/srv"), 0);
        assert_int_equal(writer_files_add(&writer->metadata->exclude_files,
                                          &writer->metadata->n_exclude_files, "/tmp", "*", false),
                         0);
        set(&writer->metadata->restore_method, "custom");
        declare(writer->metadata, "", "instance", true);
        declare(writer->metadata, "instance", "wiki", false);
        declare(writer->metadata, "", "config", false);
        assert_int_equal(document_writer_add_component(writer, &component), 0);
        set(&component->logical_path, "");
        set(&component->name, "instance");
        set(&component->options, "fast");
        set(&component->backup_stamp, "lsn 17");
        set(&component->backup_metadata, "label\nof the backup");
        component->succeeded = true;
        assert_int_equal(document_add_writer(document, &writer), 0);
        set(&writer->name, "other");
        set(&writer->failure, "Timeout");
        assert_int_equal(writer_metadata_new(&writer->metadata), 0);
        writer->metadata->never_restored = true;
        return document;
}

static char *make_text(void) {
        Document *document = make();
        char *text;

        assert_int_equal(document_write(document, &text), 0);
        (void) document_free(document);
        return text;
}

static void test_round_trip(void **state) {
        _cleanup_free_ char *text = make_text(), *again = NULL;
        char error[DOCUMENT_ERROR_SIZE];
        const DocumentComponent *component;
        const DocumentWriter *writer;
        Document *document;

        (void) state;
        assert_int_equal(document_read(&document, text, error), 0);
        assert_string_equal(document->set, "66666666-7777-8888-9999-000000000000");
        assert_string_equal(document->type, "incremental");
        assert_int_equal(document->saved_usec, 1700000000000000);
        assert_true(document->component_mode && document->bootable);
        assert_string_equal(document->snapshots[0].volume, "vg0/data");
        writer = document_find_writer(document, "db");
        assert_non_null(writer);
        assert_int_equal(writer->level, CONTRACT_LEVEL_BACK_END);
        assert_true(writer->takes_part);
        assert_string_equal(writer->metadata->description, "The database");
        assert_string_equal(writer->metadata->paths[0], "/srv");
        assert_int_equal(writer->metadata->n_components, 3);
        assert_string_equal(writer->metadata->components[1].files[0].pattern, "*.db");
        assert_true(writer->metadata->components[1].files[0].recursive);
        assert_true(writer->metadata->components[1].selectable_for_restore);
        assert_string_equal(writer->metadata->exclude_files[0].path, "/tmp");
        component = document_find_component(writer, "", "instance");
        assert_non_null(component);
        assert_string_equal(component->options, "fast");
        assert_null(component->previous_stamp);
        assert_string_equal(component->backup_stamp, "lsn 17");
        assert_string_equal(component->backup_metadata, "label\nof the backup");
        assert_int_equal(component->succeeded, 1);
        assert_string_equal(document_find_writer(document, "other")->failure, "Timeout");
        assert_true(document_find_writer(document, "other")->metadata->never_restored);
        assert_null(document_find_writer(document, "nobody"));

        assert_int_equal(document_backed_up(writer, "", "instance"), CONTRACT_BACKED_UP_BY_ITSELF);
        assert_int_equal(document_backed_up(writer, "instance", "wiki"), CONTRACT_BACKED_UP_WITH_ANOTHER);
        assert_int_equal(document_backed_up(writer, "", "config"), CONTRACT_NOT_BACKED_UP);
        assert_int_equal(document_write(document, &again), 0);
        assert_string_equal(again, text);
        (void) document_free(document);
}

/* The text with one part changed; fails if it is not there. */
static char *change(const char *text, const char *part, const char *by) {
        const char *at = strstr(text, part);
        char *changed;

        if (!at)
                fail_msg("%s is not in %s", part, text);
        assert_true(asprintf(&changed, "%.*s%s%s", (int) (at - text), text, by, at + strlen(part)) >= 0);
        return changed;
}

static void test_what_is_unknown_is_kept(void **state) {
        static const struct {
                const char *part, *by, *kept;
        } cases[] = {
                {"\"session\":", "\"colour\": {\"deep\": [1, 2]}, \"session\":", "\"colour\": {"},
                {"\"level\":", "\"colour\": \"of a writer\", \"level\":", "of a writer"},
                {"\"caption\":", "\"colour\": \"declared\", \"caption\":", "declared"},
                {"\"options\":", "\"colour\": \"selected\", \"options\":", "selected"},
                {"\"minor\": 1", "\"minor\": 7", "\"minor\": 7"},
        };
        _cleanup_free_ char *text = make_text();
        char error[DOCUMENT_ERROR_SIZE];

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *changed = change(text, cases[i].part, cases[i].by), *again = NULL,
                                    *third = NULL;
                Document *document;

                assert_int_equal(document_read(&document, changed, error), 0);
                assert_int_equal(document_write(document, &again), 0);
                (void) document_free(document);
                assert_non_null(strstr(again, cases[i].kept));
                assert_int_equal(document_read(&document, again, error), 0); /* and once more */
                assert_int_equal(document_write(document, &third), 0);
                (void) document_free(document);
                assert_string_equal(third, again);
        }
}

static void refused(const char *text, const char *place) {
        char error[DOCUMENT_ERROR_SIZE];
        Document *document = NULL;

        assert_int_equal(document_read(&document, text, error), -EBADMSG);
        assert_null(document);
        if (!strstr(error, place))
                fail_msg("\"%s\" is not in \"%s\"", place, error);
}

static void test_what_is_no_document(void **state) {
        (void) state;
        refused("", "it is not JSON: line 1");
        refused("<xml/>", "it is not JSON");
        refused("[]", "is not an object");
        refused("{}", "document is missing");
        refused("{\"document\": 7}", "document is not a string");
        refused("{\"document\": \"org.example.backup\"}", "document is \"org.example.backup\", not");
        refused("{\"document\": \"org.quiesce1.backup\"}", "version is missing");
        refused("{\"document\": \"org.quiesce1.backup\", \"version\": 1}", "version is not an object");
        refused("{\"document\": \"org.quiesce1.backup\", \"version\": {\"major\": 2, \"minor\": 0}}",
                "version is 2, and this quiesced reads");
        refused("{\"document\": \"org.quiesce1.backup\", \"version\": {\"major\": 0, \"minor\": 0}}",
                "version is 0");
        refused("{\"a\": 1, \"a\": 2}", "duplicate");
}

static void test_what_is_damaged(void **state) {
        static const struct {
                const char *part, *by, *place;
        } cases[] = {
                {"\"session\"", "\"sessions\"", "session is missing"},
                {"\"saved-usec\": 1", "\"saved-usec\": -1", "saved-usec is not a number"},
                {"\"component-mode\": true", "\"component-mode\": 1", "component-mode is neither true nor"},
                {"\"volume\": \"vg0/data\"", "\"volume\": null", "snapshots[0].volume is not a string"},
                {"\"name\": \"other\"", "\"name\": \"db\"", "writers[1] has a name that another writer has"},
                {"\"name\": \"other\"", "\"name\": \"\"", "writers[1] has an empty name"},
                {"\"level\": \"back-end\"", "\"level\": \"deep\"", "writers[0] has a level"},
                {"\"paths\": [", "\"paths\": [\"relative\",",
                 "writers[0].metadata is not what a writer may"},
                {"\"paths\": [", "\"paths\": [[],", "writers[0].metadata.paths[0] is not a string"},
                {"\"type\": \"filegroup\"", "\"type\": 1",
                 "writers[0].metadata.components[0].type is not a"},
                {"\"type\": \"filegroup\"", "\"type\": \"x\"", "component 1 (instance) has a type"},
                {"\"pattern\": \"*.db\"", "\"patterns\": \"*.db\"",
                 "writers[0].metadata.components[0].files[0].pattern is missing"},
                {"\"writer-restore\": \"always\"", "\"writer-restore\": \"often\"", "writer-restore"},
                {"\"restore-method\": \"custom\"", "\"restore-method\": \"x\"", "restore method"},
                {"\"options\": \"fast\"", "\"options\": {}", "writers[0].components[0].options is not a"},
                {"\"succeeded\": true", "\"succeeded\": \"yes\"", "writers[0].components[0].succeeded is"},
                {"\"name\": \"instance\",\n          \"options\"", "\"name\": \"gone\", \"options\"",
                 "writers[0].components[0] is not among"},
        };
        _cleanup_free_ char *text = make_text();

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *changed = change(text, cases[i].part, cases[i].by);

                refused(changed, cases[i].place);
        }
        /* Cut off anywhere it is no document, and nothing worse. */
        for (size_t n = 0; n < strlen(text) - 1; n += 7) {
                _cleanup_free_ char *cut = strndup(text, n);

                refused(cut, "it is not JSON");
        }
}

static void test_what_is_too_large(void **state) {
        char *text = malloc(DOCUMENT_SIZE_MAX + 2);

        (void) state;
        assert_non_null(text);
        memset(text, ' ', DOCUMENT_SIZE_MAX + 1);
        text[DOCUMENT_SIZE_MAX + 1] = '\0';
        refused(text, "it has 8388609 bytes");
        text[DOCUMENT_SIZE_MAX] = '\0';
        refused(text, "it is not JSON"); /* that many may be read */
        free(text);
}

/* Few bytes, but each one a value to be made. */
static void test_what_has_too_many_values(void **state) {
        static const char *const parts[] = {"[],", "7,", "{\"a\":[]},"};

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(parts); i++) {
                size_t n = strlen(parts[i]), size = DOCUMENT_VALUES_MAX * n + 2 * n + 3;
                char *text = malloc(size);

                assert_non_null(text);
                text[0] = '[';
                for (size_t at = 1; at + n < size; at += n)
                        memcpy(text + at, parts[i], n + 1);
                refused(text, "more values and keys than the 393216");
                free(text);
        }
        assert_true(document_has_too_many_values("") == false);
        assert_true(document_has_too_many_values("\"[,\\\"[\" \\") ==
                    false); /* in a string they do not count */
}

/* A session's most: 256 writers, 8192 components, all of them chosen, with options and stamps. */
static void test_the_largest_backup(void **state) {
        char error[DOCUMENT_ERROR_SIZE], name[64], words[65] = "";
        _cleanup_free_ char *text = NULL;
        Document *document, *again;

        (void) state;
        memset(words, 'w', sizeof(words) - 1);
        assert_int_equal(document_new(&document), 0);
        set(&document->session, "11111111-2222-3333-4444-555555555555");
        set(&document->context, "backup");
        set(&document->type, "full");
        for (unsigned i = 0; i < CONTRACT_WRITERS_MAX; i++) {
                DocumentWriter *writer;

                assert_int_equal(document_add_writer(document, &writer), 0);
                (void) snprintf(name, sizeof(name), "writer-%u", i);
                set(&writer->name, name);
                assert_int_equal(writer_metadata_new(&writer->metadata), 0);
                for (unsigned k = 0; k < 32; k++) {
                        DocumentComponent *component;

                        (void) snprintf(name, sizeof(name), "component-%u", k);
                        declare(writer->metadata, "instance/databases", name, true);
                        assert_int_equal(document_writer_add_component(writer, &component), 0);
                        set(&component->logical_path, "instance/databases");
                        set(&component->name, name);
                        set(&component->options, words);
                        set(&component->previous_stamp, words);
                        set(&component->backup_stamp, words);
                        component->succeeded = true;
                }
        }
        assert_int_equal(document_write(document, &text), 0);
        assert_int_equal(document_read(&again, text, error), 0);
        assert_int_equal(again->n_writers, CONTRACT_WRITERS_MAX);
        assert_int_equal(again->writers[255].n_components, 32);
        (void) document_free(again);
        (void) document_free(document);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trip),
                cmocka_unit_test(test_what_is_unknown_is_kept),
                cmocka_unit_test(test_what_is_no_document),
                cmocka_unit_test(test_what_is_damaged),
                cmocka_unit_test(test_what_is_too_large),
                cmocka_unit_test(test_the_largest_backup),
                cmocka_unit_test(test_what_has_too_many_values),
        };

        return cmocka_run_group_tests_name("document", tests, NULL, NULL);
}
