/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Restores over the bus with real writer processes (C2, C27, T29): who is told what, SessionClosed at the
 * end whatever its cause, and a requester and a quiesced that die.
 */

#include "bus-harness.h"
#include "quiesce/requester.h"

static void assert_has(const char *text, const char *part) {
        if (!strstr(text, part))
                fail_msg("\"%s\" is not in: %s", part, text);
}

static void assert_log(Bench *bench, const char *part) {
        _cleanup_free_ char *log = bench_read(bench, "writers.log");

        assert_has(log, part);
}

static sd_bus_message *restore_ask(Client *client, const char *member) {
        return call_ask(client, client->session, RESTORE_INTERFACE, member, "a{sv}", 0);
}

static sd_bus_message *select_one(Client *client, const char *writer, const char *path, const char *name,
                                  bool selected) {
        return call_ask(client, client->session, RESTORE_INTERFACE, "SetSelectedForRestore", "sssba{sv}",
                        writer, path, name, (int) selected, 0);
}

static sd_bus_message *set_text(Client *client, const char *member, const char *name, const char *text) {
        return call_ask(client, client->session, RESTORE_INTERFACE, member, "ssssa{sv}", "db", "", name,
                        text, 0);
}

/* Three writers: "db" with two components, "other" with one, "never" takes part in no restore. */
static Client *begin(Bench *bench, const char *arguments_of_db) {
        char arguments[256];
        Client *client;

        (void) snprintf(arguments, sizeof(arguments), "component=filegroup::a:s component=filegroup::b:s %s",
                        arguments_of_db);
        bench_add_writer(bench, "db", arguments);
        bench_add_writer(bench, "other", "component=filegroup::a:s");
        bench_add_writer(bench, "never", "component=filegroup::a:s restore=custom:never");
        bench_start(bench);
        client = client_new(bench);
        client_open_restore(client, "");
        assert_ok(restore_ask(client, "GatherWriterMetadata"));
        return client;
}

/* PreRestore and PostRestore only; a writer that is never restored is left alone. */
static void test_T29_whole_restore(void **state) {
        _cleanup_free_ char *kind = NULL, *failed = NULL, *chosen = NULL;
        Client *client = begin(*state, "");
        char text[128];
        sd_bus_message *m;

        kind = client_get_string(client, client->session, SESSION_INTERFACE, "Kind");
        assert_string_equal(kind, "restore");
        assert_ok(select_one(client, "db", "", "a", true));
        assert_ok(select_one(client, "db", "", "b", true));
        assert_ok(select_one(client, "db", "", "b", false));
        assert_ok(select_one(client, "never", "", "a", true));
        assert_ok(set_text(client, "SetRestoreOptions", "a", "authoritative"));
        assert_refused(set_text(client, "SetRestoreOptions", "b", "x"), "ObjectNotFound",
                       "SetSelectedForRestore");
        assert_refused(set_text(client, "SetFileRestoreStatus", "a", "all"), "BadState", "gathered");
        m = restore_ask(client, "PreRestore");
        failed = reply_to_text(m);
        sd_bus_message_unref(m);
        assert_string_equal(failed, "{'failed-writers'=[]}");
        assert_refused(set_text(client, "SetFileRestoreStatus", "a", "most"), "InvalidArgument", "most");
        assert_ok(set_text(client, "SetFileRestoreStatus", "a", "failed"));
        m = call_ask(client, client->session, SESSION_INTERFACE, "GetWriterComponents", "sa{sv}", "db", 0);
        chosen = reply_to_text(m);
        sd_bus_message_unref(m);
        assert_string_equal(chosen, "[{'type'='filegroup', 'logical-path'='', 'name'='a', "
                                    "'restore-options'='authoritative', 'file-restore-status'='failed'}]");
        assert_ok(restore_ask(client, "PostRestore"));
        assert_refused(set_text(client, "SetFileRestoreStatus", "a", "all"), "BadState", "post-restored");
        session_ok(client, "Release");
        bench_assert_story(*state, "db", "identify pre-restore post-restore session-closed");
        bench_assert_story(*state, "other", "identify");
        bench_assert_story(*state, "never", "identify");
        assert_log(*state, "type= component=/a[authoritative||]");
        assert_log(*state, "type= component=/a[authoritative|failed|]");
        (void) snprintf(text, sizeof(text), "db session-closed %s - completed released", client->id);
        assert_log(*state, text);
        assert_false(client_has_seen(client, "BackupShutdown"));
        (void) client_free(client);
}

/* C2: no abort and nothing else of a backup. */
static void test_no_call_of_a_backup(void **state) {
        Client *client = begin(*state, "");
        sd_bus_message *m;

        m = backup_ask(client, "AbortBackup");
        assert_string_equal(sd_bus_message_get_error(m)->name, "org.freedesktop.DBus.Error.UnknownMethod");
        sd_bus_message_unref(m);
        assert_refused(select_one(client, "nobody", "", "a", true), "ObjectNotFound", "nobody");
        assert_refused(select_one(client, "db", "", "c", true), "ObjectNotFound", "no component c");
        assert_refused(call_ask(client, QUIESCE_PATH, MANAGER_INTERFACE, "OpenRestore", "sa{sv}", "", 1,
                                "colour", "s", "red"),
                       "InvalidArgument", "colour");
        session_ok(client, "Release");
        bench_assert_story(*state, "db", "identify");
        (void) client_free(client);
}

static void test_a_writer_that_fails(void **state) {
        _cleanup_free_ char *failed = NULL, *status = NULL;
        Client *client = begin(*state, "pre-restore=fail:Retryable:still.in.use");
        sd_bus_message *m;

        assert_ok(select_one(client, "db", "", "a", true));
        assert_ok(select_one(client, "other", "", "a", true));
        m = restore_ask(client, "PreRestore");
        failed = reply_to_text(m);
        sd_bus_message_unref(m);
        assert_string_equal(failed, "{'failed-writers'=['db']}");
        m = call_ask(client, client->session, SESSION_INTERFACE, "GatherWriterStatus", "a{sv}", 0);
        status = reply_to_text(m);
        sd_bus_message_unref(m);
        assert_has(status, "'state'='failed-at-pre-restore', 'failure'='Retryable', 'text'='still.in.use'");
        assert_ok(restore_ask(client, "PostRestore"));
        session_ok(client, "Release");
        bench_assert_story(*state, "db", "identify pre-restore session-closed");
        bench_assert_story(*state, "other", "identify pre-restore post-restore session-closed");
        (void) client_free(client);
}

/* C26: the requester dies between PreRestore and PostRestore. */
static void test_requester_dies(void **state) {
        Client *client = begin(*state, "");
        char text[128];

        assert_ok(select_one(client, "db", "", "a", true));
        assert_ok(restore_ask(client, "PreRestore"));
        (void) snprintf(text, sizeof(text), "db session-closed %s - not-completed requester-vanished",
                        client->id);
        (void) client_free(client);
        bench_wait_file(*state, "writers.log", text);
}

/* C27: a writer whose process has died since hears of the end in a new one. */
static void test_writer_dies(void **state) {
        Client *client = begin(*state, "post-restore=die");
        char text[128];

        assert_ok(select_one(client, "db", "", "a", true));
        assert_ok(restore_ask(client, "PreRestore"));
        assert_ok(restore_ask(client, "PostRestore"));
        session_ok(client, "Release");
        (void) snprintf(text, sizeof(text), "db session-closed %s - completed released", client->id);
        assert_log(*state, text);
        (void) client_free(client);
}

/* C32: quiesced dies; the next one tells the writers, and the session is lost. */
static void test_quiesced_dies(void **state) {
        _cleanup_free_ char *now = NULL;
        Client *client = begin(*state, "");
        char text[128];

        assert_ok(select_one(client, "db", "", "a", true));
        assert_ok(restore_ask(client, "PreRestore"));
        bench_kill(*state);
        bench_start(*state);
        (void) snprintf(text, sizeof(text), "db session-closed %s - not-completed daemon-restarted",
                        client->id);
        bench_wait_file(*state, "writers.log", text);
        now = client_get_string(client, client->session, SESSION_INTERFACE, "State");
        assert_string_equal(now, "lost");
        assert_refused(restore_ask(client, "PostRestore"), "SessionLost", "PostRestore");
        session_ok(client, "Release");
        assert_int_equal(bench_count(*state, "writers.log", "session-closed"), 1);
        (void) client_free(client);
}

static char *save(Client *client, const char *interface) {
        sd_bus_message *m = call_ask(client, client->session, interface, "SaveDocument", "a{sv}", 0);
        const char *document;
        char *copy;

        if (sd_bus_message_get_error(m))
                fail_msg("SaveDocument: %s", sd_bus_message_get_error(m)->message);
        assert_true(sd_bus_message_read(m, "s", &document) > 0);
        copy = strdup(document);
        sd_bus_message_unref(m);
        return copy;
}

/* A backup of db's component a, not of b; its document. */
static char *back_up(Bench *bench) {
        Client *client = client_new(bench);
        char *document;

        client_open(client);
        assert_ok(call_ask(client, client->session, BACKUP_INTERFACE, "SetBackupState", "a{sv}", 2,
                           "component-mode", "b", 1, "type", "s", "full"));
        backup_ok(client, "GatherWriterMetadata");
        assert_ok(call_ask(client, client->session, BACKUP_INTERFACE, "AddComponent", "sssa{sv}", "db", "",
                           "a", 0));
        assert_refused(backup_ask(client, "SaveDocument"), "BadState", "gathered");
        backup_ok(client, "StartSnapshotSet");
        free(client_add(client, "test:one"));
        backup_ok(client, "PrepareForBackup");
        free(save(client, BACKUP_INTERFACE));
        backup_ok(client, "DoSnapshotSet");
        assert_ok(call_ask(client, client->session, BACKUP_INTERFACE, "SetBackupSucceeded", "sssba{sv}",
                           "db", "", "a", 1, 0));
        backup_ok(client, "BackupComplete");
        document = save(client, BACKUP_INTERFACE);
        session_ok(client, "Release");
        (void) client_free(client);
        return document;
}

/* The document of a backup, and a restore by it: by what the writer had then, not by what it has now. */
static void test_with_a_document(void **state) {
        _cleanup_free_ char *document = NULL, *after = NULL, *chosen = NULL, *with_more = NULL;
        Client *client;
        sd_bus_message *m;

        bench_add_volume(*state, "one");
        bench_add_writer(*state, "db",
                         "component=filegroup::a:s component=filegroup::b:s stamp=post-snapshot:lsn-9\n "
                         "metadata=prepare-for-backup:early metadata=post-snapshot:label");
        bench_start(*state);
        document = back_up(*state);
        assert_has(document, "\"document\": \"org.quiesce1.backup\"");
        assert_has(document, "\"type\": \"full\"");
        assert_has(document, "\"consistency\": \"application\"");
        assert_has(document, "\"volume\": \"");
        assert_has(document, "\"backup-stamp\": \"lsn-9\"");
        assert_has(document, "\"backup-metadata\": \"label\"");
        assert_log(*state, "component=/a[|||-1]{early}"); /* PostSnapshot */
        assert_log(*state, "component=/a[||lsn-9|1]{label}");
        assert_has(document, "\"succeeded\": true");

        /* The writer lost its component a since, and there is another writer. */
        bench_add_writer(*state, "db", "component=filegroup::c:s");
        bench_add_writer(*state, "young", "component=filegroup::a:s");
        assert_true(asprintf(&with_more, "{\"colour\": \"red\",%s", document + 1) >= 0);
        client = client_new(*state);
        client_open_restore(client, with_more);
        assert_ok(restore_ask(client, "GatherWriterMetadata"));
        assert_refused(select_one(client, "db", "", "b", true), "ObjectNotFound", "document");
        assert_refused(select_one(client, "db", "", "c", true), "ObjectNotFound", "no component c");
        assert_refused(select_one(client, "young", "", "a", true), "ObjectNotFound", "no component a");
        assert_ok(select_one(client, "db", "", "a", true));
        m = call_ask(client, client->session, SESSION_INTERFACE, "GetWriterComponents", "sa{sv}", "db", 0);
        chosen = reply_to_text(m);
        sd_bus_message_unref(m);
        assert_string_equal(chosen, "[{'type'='filegroup', 'logical-path'='', 'name'='a', "
                                    "'backup-stamp'='lsn-9', 'backup-metadata'='label', 'succeeded'=true}]");
        assert_refused(restore_ask(client, "SaveDocument"), "BadState", "gathered");
        assert_ok(restore_ask(client, "PreRestore"));
        assert_ok(set_text(client, "SetFileRestoreStatus", "a", "all"));
        assert_ok(restore_ask(client, "PostRestore"));
        assert_log(*state, "component=/a[||lsn-9]{label}");    /* PreRestore */
        assert_log(*state, "component=/a[|all|lsn-9]{label}"); /* PostRestore */
        after = save(client, RESTORE_INTERFACE);
        assert_has(after, "\"file-restore-status\": \"all\"");
        assert_has(after, "\"backup-metadata\": \"label\"");
        assert_has(after, "\"colour\": \"red\"");
        session_ok(client, "Release");
        (void) client_free(client);
}

static void test_documents_that_cannot_be_used(void **state) {
        Client *client = client_new(*state);

        assert_refused(
                call_ask(client, QUIESCE_PATH, MANAGER_INTERFACE, "OpenRestore", "sa{sv}", "<xml/>", 0),
                "InvalidDocument", "not JSON: line 1");
        assert_refused(call_ask(client, QUIESCE_PATH, MANAGER_INTERFACE, "OpenRestore", "sa{sv}",
                                "{\"document\": \"org.quiesce1.backup\", "
                                "\"version\": {\"major\": 9, \"minor\": 0}}",
                                0),
                       "InvalidDocument", "version is 9");
        (void) client_free(client);
}

static void test_through_the_library(void **state) {
        _cleanup_free_ char *text = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *m = NULL;
        QuiesceRestore *restore;
        char **failed = NULL;
        Client *client;

        bench_add_writer(*state, "db", "component=filegroup::a:s post-restore=fail:NonRetryable:broken");
        bench_start(*state);
        client = client_new(*state);
        assert_int_equal(quiesce_restore_new(&restore, client->bus), 0);
        assert_int_equal(quiesce_restore_open(restore, NULL, NULL), 0);
        assert_int_equal(quiesce_restore_gather_writer_metadata(restore, NULL, NULL), 0);
        assert_int_equal(quiesce_restore_get_writer_metadata(restore, "db", &m, NULL), 0);
        sd_bus_message_unref(m);
        assert_true(quiesce_restore_select(restore, "db", NULL, "b", true, &error) < 0);
        assert_string_equal(error.name, QUIESCE_ERROR_OBJECT_NOT_FOUND);
        sd_bus_error_free(&error);
        assert_int_equal(quiesce_restore_select(restore, "db", NULL, "a", true, NULL), 0);
        assert_int_equal(quiesce_restore_set_options(restore, "db", NULL, "a", "o", NULL), 0);
        assert_int_equal(quiesce_restore_pre_restore(restore, NULL, NULL), 0);
        assert_int_equal(quiesce_restore_set_file_status(restore, "db", NULL, "a", "all", NULL), 0);
        assert_int_equal(quiesce_restore_get_writer_components(restore, "db", &m, NULL), 0);
        text = reply_to_text(m);
        sd_bus_message_unref(m);
        assert_has(text, "'restore-options'='o', 'file-restore-status'='all'");
        assert_int_equal(quiesce_restore_post_restore(restore, &failed, NULL), 0);
        assert_string_equal(failed[0], "db");
        assert_null(failed[1]);
        (void) quiesce_strv_free(failed);
        free(text);
        assert_int_equal(quiesce_restore_save_document(restore, &text, NULL), 0);
        assert_has(text, "\"restore-options\": \"o\"");
        assert_int_equal(quiesce_restore_gather_writer_status(restore, &m, NULL), 0);
        sd_bus_message_unref(m);
        assert_int_equal(quiesce_restore_release(restore, NULL), 0);
        bench_assert_story(*state, "db", "identify pre-restore post-restore session-closed");
        (void) quiesce_restore_free(restore);
        (void) client_free(client);
}

int main(void) {
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, bench_setup, bench_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_T29_whole_restore),
                TEST(test_no_call_of_a_backup),
                TEST(test_a_writer_that_fails),
                TEST(test_requester_dies),
                TEST(test_writer_dies),
                TEST(test_quiesced_dies),
                TEST(test_with_a_document),
                cmocka_unit_test_setup_teardown(test_documents_that_cannot_be_used, bench_setup_started,
                                                bench_teardown),
                TEST(test_through_the_library),
        };

        return cmocka_run_group_tests_name("bus-restore", tests, NULL, NULL);
}
