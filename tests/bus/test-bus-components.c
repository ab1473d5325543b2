/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Components over the bus and with real writer processes: what writers declare and how it is shown, what a
 * requester chooses, who takes part then (C9), and what events tell of it; through libquiesce on both sides.
 */

#include <sys/stat.h>

#include "bus-harness.h"
#include "quiesce/requester.h"

#define TREE "tree=yes" /* what that is says kit/writer/declare.c */

static void assert_has(const char *text, const char *part) {
        if (!strstr(text, part))
                fail_msg("\"%s\" is not in: %s", part, text);
}

static void assert_log(Bench *bench, const char *part) {
        _cleanup_free_ char *log = bench_read(bench, "writers.log");

        assert_has(log, part);
}

/* What follows "NAME EVENT " in the log's line of that event. */
static char *log_line(Bench *bench, const char *name, const char *event) {
        _cleanup_free_ char *log = bench_read(bench, "writers.log"), *start = NULL;
        char *at;

        assert_true(asprintf(&start, "%s %s ", name, event) >= 0);
        at = strstr(log, start);
        if (!at)
                fail_msg("\"%s\" is not in: %s", start, log);
        return strndup(at, strcspn(at, "\n"));
}

static sd_bus_message *ask_writer(Client *client, const char *member, const char *writer) {
        return call_ask(client, client->session, SESSION_INTERFACE, member, "sa{sv}", writer, 0);
}

static sd_bus_message *add(Client *client, const char *writer, const char *path, const char *name) {
        return call_ask(client, client->session, BACKUP_INTERFACE, "AddComponent", "sssa{sv}", writer, path,
                        name, 0);
}

static void component_mode(Client *client) {
        assert_ok(call_ask(client, client->session, BACKUP_INTERFACE, "SetBackupState", "a{sv}", 2,
                           "component-mode", "b", 1, "bootable", "b", 1));
}

static void test_metadata_is_what_the_writer_declared(void **state) {
        _cleanup_free_ char *metadata = NULL, *all = NULL, *late = NULL;
        sd_bus_message *m;
        Client *client;

        bench_add_writer(*state, "db",
                         "level=back-end path=/srv exclude=/tmp restore=stop-restore-start " TREE);
        bench_add_writer(*state, "plain", "restore=custom:never");
        bench_start(*state);
        client = client_new(*state);
        client_open(client);
        assert_refused(ask_writer(client, "GetWriterMetadata", "db"), "ObjectNotFound",
                       "GatherWriterMetadata");
        all = backup_answer(client, "GatherWriterMetadata");
        m = ask_writer(client, "GetWriterMetadata", "db");
        metadata = reply_to_text(m);
        sd_bus_message_unref(m);
        assert_has(all, metadata); /* the same words */
        assert_has(metadata, "'name'='db', 'level'='back-end', 'state'='stable'");
        assert_has(metadata, "'paths'=['/srv']");
        assert_has(metadata, "{'type'='database', 'logical-path'='', 'name'='instance', "
                             "'caption'='declared by a test', 'selectable'=true, "
                             "'selectable-for-restore'=false, 'files'=[('/srv/db', '*', false)]}");
        assert_has(metadata, "'logical-path'='instance', 'name'='wiki', 'caption'='declared by a test', "
                             "'selectable'=true, 'selectable-for-restore'=true, "
                             "'files'=[('/srv/db/wiki', '*', true)]}");
        assert_has(metadata, "'exclude-files'=[('/tmp', '*.tmp', true)], "
                             "'restore-method'='stop-restore-start', 'writer-restore'='always'");
        assert_has(all, "'components'=[], 'exclude-files'=[], 'restore-method'='custom', "
                        "'writer-restore'='never'");
        assert_refused(ask_writer(client, "GetWriterMetadata", "nobody"), "ObjectNotFound", "nobody");
        backup_ok(client, "PrepareForBackup");
        backup_ok(client, "BackupComplete");
        m = ask_writer(client, "GetWriterMetadata", "db"); /* C4: in every state */
        late = reply_to_text(m);
        sd_bus_message_unref(m);
        assert_has(late, "'name'='wiki'");
        session_ok(client, "Release");
        (void) client_free(client);
}

/* C9: who has no component selected gets nothing after Identify; events name what was selected. */
static void test_T22_component_mode(void **state) {
        _cleanup_free_ char *prepare = NULL, *freeze = NULL, *post = NULL, *complete = NULL, *chosen = NULL;
        sd_bus_message *m;
        Client *client;

        bench_add_volume(*state, "one");
        bench_add_writer(*state, "db", TREE);
        bench_add_writer(*state, "other", "component=filegroup::files:s:/srv");
        bench_add_writer(*state, "plain", "");
        bench_start(*state);
        client = client_new(*state);
        client_open(client);
        component_mode(client);
        backup_ok(client, "GatherWriterMetadata");
        assert_ok(add(client, "db", "instance", "wiki"));
        backup_ok(client, "StartSnapshotSet");
        free(client_add(client, "test:one"));
        assert_refused(backup_ask(client, "PrepareForBackup"), "InvalidArgument", "component config");
        assert_ok(add(client, "db", "", "config"));
        m = ask_writer(client, "GetWriterComponents", "db");
        chosen = reply_to_text(m);
        sd_bus_message_unref(m);
        assert_string_equal(chosen, "[{'type'='filegroup', 'logical-path'='instance', 'name'='wiki'}, "
                                    "{'type'='filegroup', 'logical-path'='', 'name'='config'}]");
        backup_ok(client, "PrepareForBackup");
        client_back_up(client);

        prepare = log_line(*state, "db", "prepare-for-backup");
        assert_has(
                prepare,
                "type=copy bootable component-mode component=instance/wiki[|||-1] component=/config[|||-1]");
        freeze = log_line(*state, "db", "freeze");
        assert_has(freeze, "component-mode");
        assert_null(strstr(freeze, "component="));
        post = log_line(*state, "db", "post-snapshot");
        assert_has(post, "component=instance/wiki[|||-1] component=/config[|||-1]");
        complete = log_line(*state, "db", "backup-complete");
        assert_has(complete, "component=instance/wiki[|||-1] component=/config[|||-1]");
        assert_log(*state, "db backup-shutdown");
        assert_int_equal(bench_count(*state, "writers.log", "other "), 1); /* identify */
        assert_int_equal(bench_count(*state, "writers.log", "plain "), 1);
        (void) client_free(client);
}

static void test_what_cannot_be_added(void **state) {
        Client *client;

        bench_add_writer(*state, "db", TREE);
        bench_start(*state);
        client = client_new(*state);
        client_open(client);
        assert_refused(add(client, "db", "", "instance"), "BadState", "initialised");
        backup_ok(client, "GatherWriterMetadata");
        assert_refused(add(client, "nobody", "", "instance"), "ObjectNotFound", "nobody");
        assert_refused(add(client, "db", "instance", "shop"), "ObjectNotFound", "instance/shop");
        assert_refused(add(client, "db", "instance/wiki", "log"), "InvalidArgument", "included with");
        assert_ok(add(client, "db", "", "instance"));
        assert_refused(add(client, "db", "", "instance"), "ObjectAlreadyExists", "added before");
        assert_refused(add(client, "db", "instance", "wiki"), "ObjectAlreadyExists", "beside instance");
        assert_refused(call_ask(client, client->session, BACKUP_INTERFACE, "AddComponent", "sssa{sv}", "db",
                                "", "config", 1, "colour", "s", "red"),
                       "InvalidArgument", "colour");
        backup_ok(client, "PrepareForBackup"); /* volume mode asks for nothing */
        assert_refused(add(client, "db", "", "config"), "BadState", "prepared");
        (void) client_free(client);
}

static sd_bus_message *set_text(Client *client, const char *member, const char *path, const char *name,
                                const char *text) {
        return call_ask(client, client->session, BACKUP_INTERFACE, member, "ssssa{sv}", "db", path, name,
                        text, 0);
}

static sd_bus_message *set_succeeded(Client *client, const char *path, const char *name, bool succeeded) {
        return call_ask(client, client->session, BACKUP_INTERFACE, "SetBackupSucceeded", "sssba{sv}", "db",
                        path, name, (int) succeeded, 0);
}

/* Options, stamps, results: from the requester to the writer, and the writer's stamp to the requester. */
static void test_what_goes_with_a_component(void **state) {
        _cleanup_free_ char *prepare = NULL, *post = NULL, *complete = NULL, *chosen = NULL, *freeze = NULL;
        char many[4200] = {};
        sd_bus_message *m;
        Client *client;

        bench_add_writer(*state, "db", TREE " stamp=post-snapshot:lsn-17");
        bench_start(*state);
        client = client_new(*state);
        client_open(client);
        assert_ok(call_ask(client, client->session, BACKUP_INTERFACE, "SetBackupState", "a{sv}", 2,
                           "component-mode", "b", 1, "type", "s", "incremental"));
        backup_ok(client, "GatherWriterMetadata");
        assert_ok(add(client, "db", "", "config"));
        assert_ok(add(client, "db", "instance", "wiki"));
        assert_ok(set_text(client, "SetBackupOptions", "instance", "wiki", "first"));
        assert_ok(set_text(client, "SetBackupOptions", "instance", "wiki", "fast")); /* the last counts */
        assert_ok(set_text(client, "SetPreviousBackupStamp", "instance", "wiki", "lsn-3"));
        assert_refused(set_text(client, "SetBackupOptions", "", "instance", "x"), "ObjectNotFound",
                       "was not added");
        assert_refused(set_text(client, "SetPreviousBackupStamp", "", "nothing", "x"), "ObjectNotFound",
                       "nothing");
        memset(many, 'x', sizeof(many) - 1);
        assert_refused(set_text(client, "SetBackupOptions", "instance", "wiki", many), "InvalidArgument",
                       "4096");
        assert_refused(set_succeeded(client, "instance", "wiki", true), "BadState", "gathered");
        backup_ok(client, "StartSnapshotSet");
        backup_ok(client, "PrepareForBackup");
        assert_refused(set_text(client, "SetBackupOptions", "instance", "wiki", "x"), "BadState",
                       "prepared");
        backup_ok(client, "DoSnapshotSet");
        assert_ok(set_succeeded(client, "instance", "wiki", true));
        assert_ok(set_succeeded(client, "", "config", false));
        m = ask_writer(client, "GetWriterComponents", "db");
        chosen = reply_to_text(m);
        sd_bus_message_unref(m);
        assert_string_equal(chosen, "[{'type'='filegroup', 'logical-path'='instance', 'name'='wiki', "
                                    "'options'='fast', 'previous-stamp'='lsn-3', 'backup-stamp'='lsn-17', "
                                    "'succeeded'=true}, "
                                    "{'type'='filegroup', 'logical-path'='', 'name'='config', "
                                    "'backup-stamp'='lsn-17', 'succeeded'=false}]");
        backup_ok(client, "BackupComplete");
        assert_refused(set_succeeded(client, "instance", "wiki", true), "BadState", "completed");
        session_ok(client, "Release");
        prepare = log_line(*state, "db", "prepare-for-backup");
        assert_has(prepare, "type=incremental component-mode component=instance/wiki[fast|lsn-3||-1] "
                            "component=/config[|||-1]");
        post = log_line(*state, "db", "post-snapshot");
        assert_has(post, "component=instance/wiki[fast|lsn-3||-1]");
        complete = log_line(*state, "db", "backup-complete");
        assert_has(complete, "component=instance/wiki[fast|lsn-3|lsn-17|1] component=/config[||lsn-17|0]");
        freeze = log_line(*state, "db", "freeze");
        assert_has(freeze, "type=incremental");
        (void) client_free(client);
}

/* Each backup type reaches the writers; another is refused by name. */
static void test_backup_types(void **state) {
        static const char *const types[] = {"full", "copy", "incremental", "differential", "log"};
        char text[64];
        Client *client;

        bench_add_writer(*state, "db", "");
        bench_start(*state);
        for (size_t i = 0; i < ELEMENTSOF(types); i++) {
                client = client_new(*state);
                client_open(client);
                assert_ok(call_ask(client, client->session, BACKUP_INTERFACE, "SetBackupState", "a{sv}", 1,
                                   "type", "s", types[i]));
                backup_ok(client, "GatherWriterMetadata");
                backup_ok(client, "PrepareForBackup");
                (void) snprintf(text, sizeof(text), "type=%s\n", types[i]);
                assert_log(*state, text);
                session_ok(client, "Release");
                (void) client_free(client);
        }
}

/* T30: what goes with a component is the writer's to say in PrepareForBackup and PostSnapshot only. */
static void test_T30_when_a_writer_may_set_stamp_and_metadata(void **state) {
        static const struct {
                const char *event;
                bool may;
        } cases[] = {{"prepare-for-backup", true},
                     {"prepare-for-snapshot", false},
                     {"post-snapshot", true},
                     {"backup-complete", false}};

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char name[8], arguments[128];

                (void) snprintf(name, sizeof(name), "w%zu", i);
                (void) snprintf(arguments, sizeof(arguments),
                                "component=filegroup::a:s stamp=%s:mine metadata=%s:yours", cases[i].event,
                                cases[i].event);
                bench_add_writer(*state, name, arguments);
        }
        bench_start(*state);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *chosen = NULL, *refused = NULL;
                Client *client = client_new(*state);
                char name[8];
                sd_bus_message *m;

                (void) snprintf(name, sizeof(name), "w%zu", i);
                client_open(client);
                component_mode(client);
                backup_ok(client, "GatherWriterMetadata");
                assert_ok(add(client, name, "", "a"));
                backup_ok(client, "StartSnapshotSet");
                backup_ok(client, "PrepareForBackup");
                backup_ok(client, "DoSnapshotSet");
                backup_ok(client, "BackupComplete");
                m = ask_writer(client, "GetWriterComponents", name);
                chosen = reply_to_text(m);
                sd_bus_message_unref(m);
                assert_true(!strstr(chosen, "'backup-stamp'='mine'") == !cases[i].may);
                assert_true(!strstr(chosen, "'backup-metadata'='yours'") == !cases[i].may);
                assert_true(asprintf(&refused, "%s %s stamp-refused", name, cases[i].event) >= 0);
                assert_int_equal(bench_count(*state, "writers.log", refused), cases[i].may ? 0 : 1);
                free(refused);
                assert_true(asprintf(&refused, "%s %s metadata-refused", name, cases[i].event) >= 0);
                assert_int_equal(bench_count(*state, "writers.log", refused), cases[i].may ? 0 : 1);
                session_ok(client, "Release");
                (void) client_free(client);
        }
}

static void gather_once(Bench *bench) {
        Client *client = client_new(bench);

        client_open(client);
        backup_ok(client, "GatherWriterMetadata");
        session_ok(client, "Release");
        (void) client_free(client);
}

/* C30: a stamp in an answer that came after the limit does not count. */
static void test_stamp_of_a_late_answer(void **state) {
        char fifo[128], arguments[256];
        _cleanup_free_ char *chosen = NULL;
        sd_bus_message *m;
        Client *client;

        (void) snprintf(fifo, sizeof(fifo), "%s/f", ((Bench *) *state)->directory);
        (void) snprintf(arguments, sizeof(arguments),
                        "component=filegroup::a:s stamp=prepare-for-backup:S prepare-for-backup=wait:%s",
                        fifo);
        assert_int_equal(mkfifo(fifo, 0600), 0);
        bench_write(*state, "quiesced.conf", "[Events]\nPrepareForBackupSec=1s\n");
        bench_add_writer(*state, "w", arguments);
        bench_start(*state);
        client = client_new(*state);
        client_open(client);
        backup_ok(client, "GatherWriterMetadata");
        assert_ok(add(client, "w", "", "a"));
        backup_ok(client, "PrepareForBackup"); /* answers at the limit */
        bench_write(*state, "f", "now\n");
        /* The writer answers in order: after the second of these the late answer has come. */
        gather_once(*state);
        gather_once(*state);
        m = ask_writer(client, "GetWriterComponents", "w");
        chosen = reply_to_text(m);
        sd_bus_message_unref(m);
        assert_string_equal(chosen, "[{'type'='filegroup', 'logical-path'='', 'name'='a'}]");
        session_ok(client, "Release");
        (void) client_free(client);
}

/* What a writer declares against the rules makes it fail at Identify, with the reason; others are not
 * harmed. */
static void test_bad_declarations(void **state) {
        static const struct {
                const char *name, *arguments, *text;
        } cases[] = {
                {"twice", "component=filegroup:a:b:s component=database:a:b:s", "same logical path"},
                {"type", "component=folder::b:s", "neither database nor filegroup"},
                {"slash", "component=filegroup::b/c:s", "slash"},
                {"path", "component=filegroup:/a:b:s", "logical path"},
                {"method", "restore=someday", "restore method"},
        };
        _cleanup_free_ char *all = NULL;
        Client *client;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                bench_add_writer(*state, cases[i].name, cases[i].arguments);
        bench_add_writer(*state, "good", "component=filegroup::b:s");
        bench_start(*state);
        client = client_new(*state);
        client_open(client);
        all = backup_answer(client, "GatherWriterMetadata");
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *start = NULL;
                const char *at;

                assert_true(asprintf(&start,
                                     "'name'='%s', 'level'='front-end', "
                                     "'state'='failed-at-identify', 'text'='",
                                     cases[i].name) >= 0);
                at = strstr(all, start);
                if (!at)
                        fail_msg("%s did not fail: %s", cases[i].name, all);
                assert_has(at, cases[i].text);
        }
        assert_has(all, "'name'='good', 'level'='front-end', 'state'='stable'");
        assert_refused(add(client, "type", "", "b"), "ObjectNotFound", "neither database nor filegroup");
        (void) client_free(client);
}

/* The same through the library's requester side. */
static void test_through_the_library(void **state) {
        _cleanup_free_ char *text = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        QuiesceBackup *backup;
        sd_bus_message *m = NULL;
        Client *client;

        bench_add_writer(*state, "db", "component=database::instance:s:/srv/db");
        bench_start(*state);
        client = client_new(*state);
        assert_int_equal(quiesce_backup_new(&backup, client->bus), 0);
        assert_int_equal(quiesce_backup_open(backup, NULL), 0);
        assert_int_equal(quiesce_backup_set_component_state(backup, "full", false, NULL), 0);
        assert_int_equal(quiesce_backup_gather_writer_metadata(backup, NULL, NULL), 0);
        assert_int_equal(quiesce_backup_get_writer_metadata(backup, "db", &m, NULL), 0);
        text = reply_to_text(m);
        sd_bus_message_unref(m);
        assert_has(text, "'name'='instance'");
        assert_true(quiesce_backup_add_component(backup, "db", NULL, "nothing", &error) < 0);
        assert_string_equal(error.name, QUIESCE_ERROR_OBJECT_NOT_FOUND);
        sd_bus_error_free(&error);
        assert_int_equal(quiesce_backup_add_component(backup, "db", NULL, "instance", NULL), 0);
        free(text);
        assert_int_equal(quiesce_backup_get_writer_components(backup, "db", &m, NULL), 0);
        text = reply_to_text(m);
        sd_bus_message_unref(m);
        assert_string_equal(text, "[{'type'='database', 'logical-path'='', 'name'='instance'}]");
        assert_int_equal(quiesce_backup_set_backup_options(backup, "db", NULL, "instance", "o", NULL), 0);
        assert_int_equal(quiesce_backup_set_previous_stamp(backup, "db", NULL, "instance", "p", NULL), 0);
        assert_int_equal(quiesce_backup_prepare(backup, NULL, NULL, NULL), 0);
        assert_int_equal(quiesce_backup_set_succeeded(backup, "db", NULL, "instance", true, NULL), 0);
        assert_int_equal(quiesce_backup_complete(backup, NULL), 0);
        free(text);
        assert_int_equal(quiesce_backup_save_document(backup, &text, NULL), 0);
        assert_has(text, "\"previous-stamp\": \"p\"");
        assert_log(*state, "component=/instance[o|p||1]");
        assert_log(*state, "type=full component-mode component=/instance[o|p||-1]");
        assert_int_equal(quiesce_backup_release(backup, NULL), 0);
        (void) quiesce_backup_free(backup);
        (void) client_free(client);
}

int main(void) {
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, bench_setup, bench_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_metadata_is_what_the_writer_declared),
                TEST(test_T22_component_mode),
                TEST(test_what_cannot_be_added),
                TEST(test_what_goes_with_a_component),
                TEST(test_backup_types),
                TEST(test_T30_when_a_writer_may_set_stamp_and_metadata),
                TEST(test_stamp_of_a_late_answer),
                TEST(test_bad_declarations),
                TEST(test_through_the_library),
        };

        return cmocka_run_group_tests_name("bus-components", tests, NULL, NULL);
}
