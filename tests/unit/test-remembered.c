/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the writers of database servers remember of servers from one process to the next. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "writers.d/server/remembered.h"

static char directory[] = "/tmp/quiesced-remembered.XXXXXX";
static char file[64];

static int setup(void **state) {
        if (!mkdtemp(directory))
                return -1;
        (void) snprintf(file, sizeof(file), "%s/known.json", directory);
        return 0;
}

static int teardown(void **state) {
        (void) unlink(file);
        return rmdir(directory);
}

static Instance *make(const char *name, const char *socket, unsigned port) {
        Instance *instance;

        assert_int_equal(instance_new(&instance, name), 0);
        instance->socket = socket ? strdup(socket) : NULL;
        instance->host = socket ? NULL : strdup("db.example");
        instance->port = port;
        return instance;
}

static void learn(Known *known, const Instance *instance, const char *path) {
        Facts facts = {.instance = instance};

        assert_int_equal(facts_set_version(&facts, "15"), 0);
        assert_int_equal(facts_add_path(&facts, path, NULL, true, "the data directory"), 0);
        assert_int_equal(facts_add_path(&facts, "/srv/log", "log*", false, "the log"), 0);
        known_learn(known, instance, &facts);
        facts_done(&facts);
}

static void test_what_is_kept(void **state) {
        Instance *one = make("one", "/run/one", 0), *two = make("two", NULL, 5433);
        Instance *found = make("found", "/run/found", 0), *bytes = make("bytes", "/run/bytes", 0);
        Known known = {}, later = {};
        const Facts *facts;
        struct stat st;

        found->discovered = true;
        learn(&known, one, "/srv/a \"b\"/\xc3\xb6");
        learn(&known, two, "/srv/two");
        learn(&known, found, "/srv/found");
        learn(&known, bytes, "/srv/\xff");
        assert_int_equal(remembered_save(&known, file), 0);
        assert_int_equal(stat(file, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        known_done(&known);

        assert_int_equal(remembered_load(&later, file), 0);
        facts = known_find(&later, one);
        assert_non_null(facts);
        assert_int_equal(facts->n_paths, 2);
        assert_string_equal(facts->paths[0].path, "/srv/a \"b\"/\xc3\xb6");
        assert_string_equal(facts->paths[0].pattern, "*");
        assert_string_equal(facts->paths[0].what, "the data directory");
        assert_true(facts->paths[0].recursive);
        assert_string_equal(facts->paths[1].pattern, "log*");
        assert_false(facts->paths[1].recursive);
        assert_non_null(known_find(&later, two));
        assert_null(known_find(&later, found));
        assert_null(known_find(&later, bytes));
        /* The section names another server now. */
        two->port = 5434;
        assert_null(known_find(&later, two));
        known_done(&later);
        (void) instance_free(one);
        (void) instance_free(two);
        (void) instance_free(found);
        (void) instance_free(bytes);
}

static void test_none(void **state) {
        Known known = {};

        (void) unlink(file);
        assert_int_equal(remembered_load(&known, file), -ENOENT);
        assert_int_equal(remembered_save(&known, "/nowhere/known.json"), -ENOENT);
}

static void test_what_is_no_good(void **state) {
        static const char *const texts[] = {
                "",
                "{",
                "[]",
                "{\"version\": 2, \"instances\": []}",
                "{\"version\": 1}",
                "{\"version\": 1, \"instances\": {}}",
                "{\"version\": 1, \"instances\": [1]}",
                "{\"version\": 1, \"instances\": [{\"name\": \"a/b\", \"port\": 1, \"paths\": []}]}",
                "{\"version\": 1, \"instances\": [{\"name\": \"a\", \"port\": 65536, \"paths\": []}]}",
                "{\"version\": 1, \"instances\": [{\"name\": \"a\", \"port\": 1, \"paths\": 3}]}",
                /* the first alone would be good */
                "{\"version\": 1, \"instances\": [{\"name\": \"a\", \"port\": 1, \"paths\": []},"
                "{\"name\": \"b\", \"port\": 1, \"paths\": [{\"path\": \"srv\", \"pattern\": \"*\","
                "\"recursive\": true, \"what\": \"x\"}]}]}",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                Known known = {};

                if (remembered_parse(&known, texts[i], strlen(texts[i])) != -EBADMSG)
                        fail_msg("taken: %s", texts[i]);
                assert_int_equal(known.instances.n_items, 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_kept),
                cmocka_unit_test(test_none),
                cmocka_unit_test(test_what_is_no_good),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
