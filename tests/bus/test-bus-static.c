/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Writers without a process (Type=static; VSS: express writers): their metadata comes from the descriptor,
 * they are chosen and placed as all writers are, stand in the document, and every event finds them good.
 */

#include "bus-harness.h"

static const char wiki[] =
        "[Writer]\nType=static\nDescription=The wiki\n"
        "ExcludeFiles=/srv/wiki/cache * recursive\nRestoreMethod=restore-if-not-there\n"
        "[Component]\nName=pages\nCaption=All pages\nFiles=/srv/wiki/pages *\n  recursive\n"
        "[Component]\nType=database\nName=index\nSelectableForRestore=yes\n"
        "Files=/srv/wiki/index *.db\n";

static void assert_has(const char *text, const char *part) {
        if (!strstr(text, part))
                fail_msg("\"%s\" is not in: %s", part, text);
}

static char *ask_text(Client *client, const char *path, const char *interface, const char *member) {
        sd_bus_message *m = call_ask(client, path, interface, member, "a{sv}", 0);
        char *text = reply_to_text(m);

        sd_bus_message_unref(m);
        return text;
}

static Client *begin(Bench *bench) {
        Client *client;

        bench_write(bench, "writers.d/wiki.writer", wiki);
        bench_add_writer(bench, "alpha", "");
        bench_add_volume(bench, "one");
        bench_start(bench);
        client = client_new(bench);
        return client;
}

/* A whole backup with one component of it, beside a writer that has a process. */
static void test_backup(void **state) {
        _cleanup_free_ char *writers = NULL, *metadata = NULL, *set = NULL, *status = NULL, *document = NULL;
        Client *client = begin(*state);

        client_open(client);
        writers = ask_text(client, QUIESCE_PATH, MANAGER_INTERFACE, "GetWriters");
        assert_has(writers,
                   "{'name'='wiki', 'level'='front-end', 'kind'='static', 'description'='The wiki', "
                   "'unit'='', 'available'=true}");
        assert_ok(call_ask(client, client->session, BACKUP_INTERFACE, "SetBackupState", "a{sv}", 1,
                           "component-mode", "b", 1));
        metadata = ask_text(client, client->session, BACKUP_INTERFACE, "GatherWriterMetadata");
        assert_has(metadata, "'name'='wiki', 'level'='front-end', 'state'='stable'");
        assert_has(metadata, "'exclude-files'=[('/srv/wiki/cache', '*', true)], "
                             "'restore-method'='restore-if-not-there', 'writer-restore'='always'");
        assert_has(metadata,
                   "{'type'='filegroup', 'logical-path'='', 'name'='pages', 'caption'='All pages', "
                   "'selectable'=true, 'selectable-for-restore'=false, "
                   "'files'=[('/srv/wiki/pages', '*', true)]}");
        assert_has(metadata, "{'type'='database', 'logical-path'='', 'name'='index', 'caption'='', "
                             "'selectable'=true, 'selectable-for-restore'=true, "
                             "'files'=[('/srv/wiki/index', '*.db', false)]}");
        assert_ok(call_ask(client, client->session, BACKUP_INTERFACE, "AddComponent", "sssa{sv}", "wiki", "",
                           "pages", 0));
        backup_ok(client, "StartSnapshotSet");
        free(client_add(client, "test:one"));
        backup_ok(client, "PrepareForBackup");
        set = ask_text(client, client->session, BACKUP_INTERFACE, "DoSnapshotSet");
        assert_has(set, "'failed-writers'=[]");
        backup_ok(client, "BackupComplete");
        status = ask_text(client, client->session, SESSION_INTERFACE, "GatherWriterStatus");
        assert_has(status, "{'name'='wiki', 'level'='front-end', 'state'='stable', 'failure'='', 'text'='', "
                           "'retry'='none', 'event'='BackupComplete', 'takes-part'=true, 'unit'=''");
        document = ask_text(client, client->session, BACKUP_INTERFACE, "SaveDocument");
        assert_has(document, "/srv/wiki/pages");
        session_ok(client, "Release");
        assert_int_equal(bench_count(*state, "writers.log", "wiki"), 0);
        (void) client_free(client);
}

/* C9: by its files it is on no volume of the set. */
static void test_placed(void **state) {
        Client *client = begin(*state);
        _cleanup_free_ char *status = NULL;

        client_prepare(client, "test:one");
        status = ask_text(client, client->session, SESSION_INTERFACE, "GatherWriterStatus");
        assert_has(status, "'event'='Identify', 'takes-part'=false, 'unit'=''");
        assert_has(status, "'event'='PrepareForBackup', 'takes-part'=true");
        session_ok(client, "Release");
        (void) client_free(client);
}

/* The next backup has it again, also while the first is not over; an abort is fine for it. */
static void test_again_and_abort(void **state) {
        Client *first = begin(*state), *second = client_new(*state);

        for (unsigned i = 0; i < 2; i++) {
                Client *client = i == 0 ? first : second;

                client_open(client);
                backup_ok(client, "GatherWriterMetadata");
                backup_ok(client, "PrepareForBackup");
        }
        backup_ok(first, "AbortBackup");
        session_ok(first, "Release");
        backup_ok(second, "BackupComplete");
        session_ok(second, "Release");
        client_open(first);
        backup_ok(first, "GatherWriterMetadata");
        session_ok(first, "Release");
        (void) client_free(first);
        (void) client_free(second);
}

static void test_restore(void **state) {
        _cleanup_free_ char *failed = NULL;
        Client *client = begin(*state);
        sd_bus_message *m;

        client_open_restore(client, "");
        assert_ok(call_ask(client, client->session, RESTORE_INTERFACE, "GatherWriterMetadata", "a{sv}", 0));
        assert_ok(call_ask(client, client->session, RESTORE_INTERFACE, "SetSelectedForRestore", "sssba{sv}",
                           "wiki", "", "index", 1, 0));
        m = call_ask(client, client->session, RESTORE_INTERFACE, "PreRestore", "a{sv}", 0);
        failed = reply_to_text(m);
        sd_bus_message_unref(m);
        assert_string_equal(failed, "{'failed-writers'=[]}");
        assert_ok(call_ask(client, client->session, RESTORE_INTERFACE, "PostRestore", "a{sv}", 0));
        session_ok(client, "Release");
        (void) client_free(client);
}

/* quiesced dies between two events: what it owes at its next start it does not owe to a process. */
static void test_daemon_dies(void **state) {
        Client *client = begin(*state), *later;

        bench_write(*state, "writers.d/wiki.writer", "[Writer]\nType=static\n[Component]\nName=pages\n");
        client_open(client);
        backup_ok(client, "GatherWriterMetadata");
        backup_ok(client, "PrepareForBackup");
        bench_kill(*state);
        (void) client_free(client);
        bench_start(*state);
        bench_wait_file(*state, "writers.log", "alpha backup-shutdown");
        later = client_new(*state);
        client_open(later);
        backup_ok(later, "GatherWriterMetadata");
        session_ok(later, "Release");
        assert_int_equal(bench_count(*state, "quiesced.log", "writer wiki"), 0);
        (void) client_free(later);
}

/* One with a defect is listed with it, and is a writer that failed. */
static void test_defect(void **state) {
        _cleanup_free_ char *writers = NULL, *metadata = NULL;
        Client *client;

        bench_write(*state, "writers.d/wiki.writer", "[Writer]\nType=static\n");
        bench_start(*state);
        client = client_new(*state);
        client_open(client);
        writers = ask_text(client, QUIESCE_PATH, MANAGER_INTERFACE, "GetWriters");
        assert_has(writers, "'available'=false, 'error'=");
        assert_has(writers, "needs Paths= or a [Component]");
        metadata = ask_text(client, client->session, BACKUP_INTERFACE, "GatherWriterMetadata");
        assert_has(metadata, "'name'='wiki'");
        assert_has(metadata, "needs Paths= or a [Component]");
        session_ok(client, "Release");
        (void) client_free(client);
}

int main(void) {
#define STATIC(_test) cmocka_unit_test_setup_teardown(_test, bench_setup, bench_teardown)
        const struct CMUnitTest tests[] = {
                STATIC(test_backup),  STATIC(test_placed),      STATIC(test_again_and_abort),
                STATIC(test_restore), STATIC(test_daemon_dies), STATIC(test_defect),
        };

        return cmocka_run_group_tests_name("bus-static", tests, NULL, NULL);
}
