/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the configuration of a writer of database servers may say, and where a container's folders lie. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "writers.d/server/config.h"

static const char *const modes[] = {"atomic", "other", NULL};

static const char *refuse(const Instance *instance) {
        return instance->mode && streq(instance->mode, "future") ? "is not supported yet" : NULL;
}

static const Engine engine = {
        .name = "test", .product = "Test", .modes = modes, .port = 1, .refuse = refuse};

static int parse(ServerConfig *config, const char *text, char **ret_said) {
        size_t size;
        FILE *f = fmemopen((void *) (uintptr_t) text, strlen(text), "r");
        FILE *said = open_memstream(ret_said, &size);
        int r;

        assert_non_null(f);
        assert_non_null(said);
        r = server_config_parse(config, &engine, f, "test.conf", said);
        (void) fclose(f);
        (void) fclose(said);
        return r;
}

static void test_defaults(void **state) {
        ServerConfig config;

        assert_int_equal(server_config_load(&config, &engine, "/not/there"), 0);
        assert_true(config.discover);
        assert_null(config.sockets);
        assert_int_equal(config.instances.n_items, 0);
        server_config_done(&config);
}

static void test_all_keys(void **state) {
        _cleanup_free_ char *said = NULL;
        const Instance *instance;
        ServerConfig config;

        assert_int_equal(parse(&config,
                               "# a comment\n[Discovery]\nDiscover=no\nSocket=/run/a/*\nSocket=/run/b\n"
                               "[Instance one]\nSocket=/run/x\nPort=7\nUser=u\nPasswordFile=/etc/p\n"
                               "Mode=other\nMap=/a:/b\nMap=/c:/d/e\nLockSec=3s\n"
                               "[Instance two words]\nHost=db.example\nPasswordFile=credential\n",
                               &said),
                         0);
        assert_string_equal(said, "");
        assert_false(config.discover);
        assert_string_equal(config.sockets[1], "/run/b");
        assert_null(config.sockets[2]);
        assert_int_equal(config.instances.n_items, 2);
        instance = instances_find(&config.instances, "one");
        assert_string_equal(instance->socket, "/run/x");
        assert_int_equal(instance->port, 7);
        assert_string_equal(instance->user, "u");
        assert_string_equal(instance->password_file, "/etc/p");
        assert_string_equal(instance->mode, "other");
        assert_string_equal(instance->maps[1], "/c:/d/e");
        assert_int_equal(instance->limit_usec, 3 * USEC_PER_SEC);
        assert_false(instance->discovered);
        instance = instances_find(&config.instances, "two words");
        assert_string_equal(instance->host, "db.example");
        assert_int_equal(instance->limit_usec, INSTANCE_LIMIT_USEC);
        server_config_done(&config);
}

static void test_what_is_not_understood(void **state) {
        static const struct {
                const char *text, *said;
        } bad[] = {
                {"Socket=/x\n", "[] Socket=/x is not understood"},
                {"[Instance]\nSocket=/x\n", "[Instance] Socket=/x is not understood"},
                {"[Instance a/b]\nSocket=/x\n", "[Instance a/b] Socket=/x is not understood"},
                {"[Instance a]\nSocket=x\n", "Socket=x is not understood"},
                {"[Instance a]\nSocket=/x\nSocket=/y\n", "Socket=/y is not understood"},
                {"[Instance a]\nHost=x\nPort=0\n", "Port=0 is not understood"},
                {"[Instance a]\nHost=x\nPort=65536\n", "Port=65536 is not understood"},
                {"[Instance a]\nHost=x\nPasswordFile=a/b\n", "PasswordFile=a/b is not understood"},
                {"[Instance a]\nHost=x\nPassword=secret\n", "Password=secret is not understood"},
                {"[Instance a]\nHost=x\nMap=/a\n", "Map=/a is not understood"},
                {"[Instance a]\nHost=x\nMap=/a:b\n", "Map=/a:b is not understood"},
                {"[Instance a]\nHost=x\nLockSec=0\n", "LockSec=0 is not understood"},
                {"[Instance a]\nPort=5\n", "[Instance a] needs either Socket= or Host="},
                {"[Instance a]\nSocket=/x\nHost=x\n", "[Instance a] needs either Socket= or Host="},
                {"[Instance a]\nHost=x\nMode=none\n", "[Instance a] has a Mode= that is not known"},
                {"[Instance a]\nHost=x\nMode=future\n", "[Instance a] is not supported yet"},
                {"[Discovery]\nDiscover=maybe\n", "Discover=maybe is not understood"},
                {"[Discovery]\nSocket=run/*\n", "Socket=run/* is not understood"},
                {"[Discovery]\nnonsense\n", "line 2 is not understood"},
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_free_ char *said = NULL;
                ServerConfig config;

                assert_int_equal(parse(&config, bad[i].text, &said), -EINVAL);
                if (!strstr(said, bad[i].said))
                        fail_msg("\"%s\" is not in: %s", bad[i].said, said);
        }
}

static void assert_mapped(const Instance *instance, const char *path, const char *expected) {
        _cleanup_free_ char *mapped = NULL;

        assert_int_equal(instance_map_path(instance, path, &mapped), 0);
        assert_string_equal(mapped, expected);
}

static void test_maps(void **state) {
        char folder[] = "/tmp/quiesced-test.XXXXXX", text[128], other[128];
        Instance *instance;

        assert_non_null(mkdtemp(folder));
        assert_int_equal(instance_new(&instance, "a"), 0);
        assert_mapped(instance, "/var/lib", "/var/lib");
        assert_int_equal(instance_add_map(instance, "/var/lib:/srv"), 0);
        assert_int_equal(instance_add_map(instance, "/var/lib/deep/:/fast"), 0);
        (void) snprintf(text, sizeof(text), "/data:%s", folder);
        assert_int_equal(instance_add_map(instance, text), 0);
        assert_mapped(instance, "/var/lib", "/srv");
        assert_mapped(instance, "/var/lib/db/x", "/srv/db/x");
        assert_mapped(instance, "/var/library", "/var/library");
        assert_mapped(instance, "/var/lib/deep/x", "/fast/x");
        /* A link is the server's own: absolute in its eyes. */
        (void) snprintf(text, sizeof(text), "%s/wal", folder);
        assert_int_equal(symlink("/var/lib/deep/wal", text), 0);
        assert_mapped(instance, "/data/wal", "/fast/wal");
        assert_int_equal(unlink(text), 0);
        assert_int_equal(symlink("other", text), 0);
        (void) snprintf(other, sizeof(other), "%s/other", folder);
        assert_mapped(instance, "/data/wal", other);
        assert_int_equal(unlink(text), 0);
        assert_int_equal(rmdir(folder), 0);
        (void) instance_free(instance);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_all_keys),
                cmocka_unit_test(test_what_is_not_understood),
                cmocka_unit_test(test_maps),
        };

        return cmocka_run_group_tests_name("server-config", tests, NULL, NULL);
}
