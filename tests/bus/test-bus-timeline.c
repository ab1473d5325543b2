/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Timelines: what a session's tells while it runs, what is kept beside its set, who is told, and what
 * becomes of a record when quiesced starts anew, when it is damaged, and when its set is gone. With the test
 * provider nothing is held; that is seen in the guest (tests/vm/test-timeline.sh).
 */

#include <fcntl.h>
#include <sys/stat.h>

#include "bus-harness.h"
#include "timeline/timeline.h"

#define SET_INTERFACE "org.quiesce1.SnapshotSet"
#define BOB           65534u
#define STRAY_ID      "00000000-0000-4000-8000-0000000000ff"
#define LONG_GONE_ID  "00000000-0000-4000-8000-0000000000fe"

/* An LVM that has one finished persistent snapshot, of the set that the test names. */
static const char lvm[] = "#!/bin/sh\n[ \"$1\" = lvs ] || exit 0\ncat \"${0%/*}/report\"\n";
static const char report[] =
        "{\"report\": [{\"lv\": [{\"lv_uuid\": \"aFiZUT-X0Af-vRZx-1YWH-SYfX-76C0-USt2EG\","
        " \"lv_name\": \"quiesced_0000000000004000800000000000000b\", \"vg_name\": \"vg\","
        " \"vg_uuid\": \"RDdqZr-cU8k-3ZVx-ru6A-6pRW-h5lu-iTjlx6\", \"lv_attr\": \"Vri---tz-k\","
        " \"lv_size\": \"104857600\", \"origin\": \"\", \"origin_uuid\": \"\", \"pool_lv\": \"pool\","
        " \"thin_id\": \"6\", \"lv_tags\": \"quiesced.final,quiesced.set=%s,"
        "quiesced.session=0000000000004000800000000000000c,quiesced.uid=0,quiesced.persistent,"
        "quiesced.origin=Ab1X6a99PjtS6dC1dkj2WGCt4uOuIMfm,quiesced.instant=1,quiesced.volumes=1,"
        "quiesced.consistency=application\","
        " \"lv_path\": \"/dev/vg/quiesced_0000000000004000800000000000000b\", \"segtype\": \"thin\","
        " \"data_percent\": \"\", \"metadata_percent\": \"\", \"lv_health_status\": \"\", \"lv_merging\": \"\","
        " \"lv_allocation_locked\": \"\", \"chunk_size\": \"0\", \"vg_attr\": \"wz--n-\","
        " \"vg_free\": \"0\", \"vg_extent_size\": \"4194304\", \"devices\": \"\", \"lv_active\": \"\"}]}]}\n";

/* From the next start on. */
static void lvm_has(Bench *bench, const char *set_id) {
        char bare[37], text[sizeof(report) + 64], path[192];
        size_t n = 0;

        for (const char *p = set_id; *p; p++)
                if (*p != '-')
                        bare[n++] = *p;
        bare[n] = '\0';
        (void) snprintf(text, sizeof(text), report, bare);
        bench_write(bench, "provider/report", text);
        bench_write(bench, "provider/lvm", lvm);
        (void) snprintf(path, sizeof(path), "%s/lvm", bench->provider);
        assert_int_equal(chmod(path, 0755), 0);
}

/* Where a set's record is, below the bench's directory. */
static const char *record_of(const char *set_id) {
        static char path[96];

        (void) snprintf(path, sizeof(path), "run/sets/%s.json", set_id);
        return path;
}

/* Since longer than a record waits for its set to come again. */
static void note_long_gone(Bench *bench) {
        const struct timespec times[2] = {}; /* 1970 */
        char path[256];

        bench_write(bench, "run/sets/" LONG_GONE_ID ".missing", "");
        (void) snprintf(path, sizeof(path), "%s/run/sets/" LONG_GONE_ID ".missing", bench->directory);
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* Its folder, which quiesced makes else when it has something to write; so that a test can wait for that. */
static void make_folder(Bench *bench) {
        char path[160];

        (void) snprintf(path, sizeof(path), "%s/sets", bench->runtime);
        assert_true(mkdir(bench->runtime, 0755) == 0 && mkdir(path, 0700) == 0);
}

static bool has_record(Bench *bench, const char *set_id) {
        _cleanup_free_ char *text = bench_read(bench, record_of(set_id));

        return text[0] != '\0';
}

static void get_timeline(Client *client, const char *path, const char *interface, Timeline *timeline) {
        sd_bus_message *m = call_ask(client, path, interface, "GetTimeline", "a{sv}", 0);

        if (sd_bus_message_is_method_error(m, NULL))
                fail_msg("GetTimeline: %s", sd_bus_message_get_error(m)->message);
        assert_int_equal(timeline_read(m, timeline), 0);
        sd_bus_message_unref(m);
}

static void timeline_of(Client *client, const char *set_id, Timeline *timeline) {
        _cleanup_free_ char *path = client_path_of(client, "GetSnapshotSet", set_id);

        get_timeline(client, path, SET_INTERFACE, timeline);
        assert_string_equal(timeline->set, set_id);
}

static void assert_refused_timeline(Client *client, const char *set_id, const char *error,
                                    const char *text) {
        _cleanup_free_ char *path = client_path_of(client, "GetSnapshotSet", set_id);

        assert_refused(call_ask(client, path, SET_INTERFACE, "GetTimeline", "a{sv}", 0), error, text);
}

static const TimelineSpan *find_span(const TimelineSpans *spans, const char *name) {
        for (size_t i = 0; i < spans->n_items; i++)
                if (streq(spans->items[i].name, name))
                        return &spans->items[i];
        return NULL;
}

/* One after the other, each with its limit and done. */
static void assert_events(const TimelineWriter *writer, const char *const *names, size_t n) {
        assert_int_equal(writer->events.n_items, n);
        for (size_t i = 0; i < n; i++) {
                const TimelineSpan *span = &writer->events.items[i];

                assert_string_equal(span->name, names[i]);
                assert_string_equal(span->outcome, "done");
                assert_true(span->limit_usec >= 30 * USEC_PER_SEC);
                assert_true(span->duration_usec > 0 && span->duration_usec < span->limit_usec);
                if (i > 0)
                        assert_true(timeline_span_end(span - 1) <= span->begin_usec);
        }
}

static const char *const events[] = {"Identify", "PrepareForBackup", "PrepareForSnapshot", "Freeze",
                                     "Thaw",     "PostSnapshot",     "BackupComplete",     "BackupShutdown"};

/* A persistent set of "one", created. */
static Client *persistent_set(Bench *bench, const char *arguments, char set_id[static 37]) {
        Client *client;

        bench_add_one(bench, arguments);
        bench_start(bench);
        client = client_new(bench);
        client_open(client);
        assert_ok(call_ask(client, client->session, BACKUP_INTERFACE, "SetContext", "sa{sv}", "app-rollback",
                           0));
        backup_ok(client, "GatherWriterMetadata");
        client_start_set(client);
        free(client_add(client, "test:one"));
        backup_ok(client, "PrepareForBackup");
        backup_ok(client, "DoSnapshotSet");
        (void) snprintf(set_id, 37, "%s", client->set);
        return client;
}

static void assert_made(const Timeline *timeline, const Client *client) {
        const TimelineSpan *freeze = find_span(&timeline->windows, "freeze"), *commit, *span;

        assert_string_equal(timeline->session, client->id);
        assert_string_equal(timeline->context, "app-rollback");
        assert_string_equal(timeline->backup_type, "copy");
        assert_string_equal(timeline->consistency, "application");
        assert_int_equal(timeline->uid, getuid());
        assert_true(timeline->begin_usec > 1600000000 * USEC_PER_SEC);
        assert_int_equal(timeline->n_writers, 1);
        assert_string_equal(timeline->writers[0].name, "alpha");
        assert_true(timeline->writers[0].takes_part);
        assert_string_equal(timeline->writers[0].failure, "");
        assert_int_equal(timeline->n_volumes, 1);
        assert_string_equal(timeline->volumes[0].name, "test:one");
        assert_string_equal(timeline->volumes[0].provider, "test");
        assert_int_equal(timeline->volumes[0].times.n_items, 0);
        commit = find_span(&timeline->steps, "commit");
        assert_non_null(freeze);
        assert_non_null(commit);
        assert_non_null(find_span(&timeline->steps, "end-prepare"));
        assert_true(freeze->begin_usec <= commit->begin_usec);
        assert_true(timeline_span_end(commit) <= timeline_span_end(freeze));
        span = find_span(&timeline->writers[0].events, "Freeze");
        assert_int_equal(freeze->begin_usec, span->begin_usec);
        span = find_span(&timeline->writers[0].events, "Thaw");
        assert_true(timeline_span_end(span) <= timeline_span_end(freeze));
}

/* What the requester hears while it has the set, and what is kept when it has gone. */
static void test_along_a_backup(void **state) {
        Bench *bench = *state;
        Client *client, *later;
        char set_id[37];

        make_folder(bench);
        client = persistent_set(bench, "", set_id);
        {
                _cleanup_(timeline_done) Timeline timeline = {};

                timeline_of(client, set_id, &timeline);
                assert_made(&timeline, client);
                assert_events(&timeline.writers[0], events, 6);
                assert_string_equal(timeline.writers[0].state, "waiting-for-backup-complete");
                assert_string_equal(timeline.outcome, "");
        }
        bench_wait_file(bench, record_of(set_id), "PostSnapshot");
        backup_ok(client, "BackupComplete");
        bench_wait_file(bench, record_of(set_id), "BackupComplete");
        {
                _cleanup_(timeline_done) Timeline timeline = {};

                get_timeline(client, client->session, SESSION_INTERFACE, &timeline);
                assert_string_equal(timeline.set, set_id);
                assert_made(&timeline, client);
                assert_events(&timeline.writers[0], events, 7);
        }
        session_ok(client, "Release");
        later = client_new(bench);
        {
                _cleanup_(timeline_done) Timeline timeline = {};

                timeline_of(later, set_id, &timeline);
                assert_made(&timeline, client);
                assert_events(&timeline.writers[0], events, 8);
                assert_string_equal(timeline.outcome, "completed");
        }
        assert_ok(call_ask(later, QUIESCE_PATH, MANAGER_INTERFACE, "DeleteSnapshots", "sa{sv}", set_id, 0));
        assert_int_equal(bench_stop(bench), 0); /* not before its record is gone */
        assert_false(has_record(bench, set_id));
        (void) client_free(later);
        (void) client_free(client);
}

/* The set is what LVM tells; its record adds to it, by its id. */
static void test_after_a_restart(void **state) {
        _cleanup_(timeline_done) Timeline timeline = {};
        Bench *bench = *state;
        Client *client;
        char set_id[37];

        client = persistent_set(bench, "", set_id);
        backup_ok(client, "BackupComplete");
        session_ok(client, "Release");
        assert_int_equal(bench_stop(bench), 0);
        assert_true(has_record(bench, set_id));
        bench_write(bench, record_of(STRAY_ID), "{}");
        bench_write(bench, record_of(LONG_GONE_ID), "{}");
        note_long_gone(bench);
        bench_write(bench, "run/sets/note", "nobody's business\n");
        lvm_has(bench, set_id);
        bench_start(bench);
        (void) client_free(client);
        client = client_new(bench);
        timeline_of(client, set_id, &timeline);
        assert_string_equal(timeline.outcome, "completed");
        assert_events(&timeline.writers[0], events, 8);
        /* Asked for after what the start does: the set of one may come again, that of the other is long
         * gone.
         */
        assert_true(has_record(bench, STRAY_ID));
        assert_false(has_record(bench, LONG_GONE_ID));
        {
                _cleanup_free_ char *note = bench_read(bench, "run/sets/note");

                assert_string_equal(note, "nobody's business\n");
        }
        (void) client_free(client);
        /* It goes with its disk, and comes again. */
        assert_int_equal(bench_stop(bench), 0);
        bench_write(bench, "provider/report", "{\"report\": [{\"lv\": []}]}\n");
        bench_start(bench);
        assert_int_equal(bench_stop(bench), 0);
        assert_true(has_record(bench, set_id));
        lvm_has(bench, set_id);
        bench_start(bench);
        client = client_new(bench);
        {
                _cleanup_(timeline_done) Timeline again = {};

                timeline_of(client, set_id, &again);
                assert_string_equal(again.outcome, "completed");
        }
        (void) client_free(client);
        assert_int_equal(bench_stop(bench), 0);
}

/* A killed quiesced: what was written when the set counted is there; what the next one does is added to it.
 */
static void test_quiesced_killed(void **state) {
        _cleanup_(timeline_done) Timeline timeline = {};
        Bench *bench = *state;
        const TimelineSpan *shutdown;
        Client *client;
        char set_id[37];

        make_folder(bench);
        client = persistent_set(bench, "", set_id);
        bench_wait_file(bench, record_of(set_id), "PostSnapshot");
        bench_kill(bench);
        lvm_has(bench, set_id);
        bench_start(bench);
        (void) client_free(client);
        bench_wait_file(bench, record_of(set_id), "BackupShutdown");
        client = client_new(bench);
        timeline_of(client, set_id, &timeline);
        assert_int_equal(timeline.writers[0].events.n_items, 7);
        shutdown = &timeline.writers[0].events.items[6];
        assert_string_equal(shutdown->name, "BackupShutdown");
        assert_string_equal(shutdown->outcome, "done");
        assert_true(shutdown->begin_usec >= timeline_span_end(shutdown - 1));
        timeline.writers[0].events.n_items = 6;
        assert_events(&timeline.writers[0], events, 6);
        assert_string_equal(timeline.writers[0].state, "stable");
        assert_string_equal(timeline.outcome, "not-completed");
        (void) client_free(client);
}

/* A record that cannot be used is told of, stays, and keeps nobody from the set. */
static void test_damaged_and_newer(void **state) {
        Bench *bench = *state;
        Client *client;
        char set_id[37], path[160];

        client = persistent_set(bench, "", set_id);
        session_ok(client, "Release");
        {
                _cleanup_(timeline_done) Timeline timeline = {};

                timeline_of(client, set_id, &timeline); /* it is written */
                assert_string_equal(timeline.outcome, "not-completed");
        }
        bench_write(bench, record_of(set_id), "{\"version\": 1, \"writers\": [");
        assert_refused_timeline(client, set_id, "InvalidDocument", "cannot be used");
        bench_wait_file(bench, "quiesced.log", "it stays as it is");
        assert_true(has_record(bench, set_id));
        bench_write(bench, record_of(set_id), "{\"version\": 2, \"all\": \"new\"}");
        assert_refused_timeline(client, set_id, "InvalidDocument", "newer quiesced");
        assert_true(has_record(bench, set_id));
        (void) snprintf(path, sizeof(path), "%s/%s", bench->directory, record_of(set_id));
        assert_int_equal(unlink(path), 0);
        assert_refused_timeline(client, set_id, "ObjectNotFound", "has no record");
        assert_int_equal(mkdir(path, 0700), 0);
        assert_refused_timeline(client, set_id, "Unexpected", "cannot be read");
        assert_int_equal(rmdir(path), 0);
        assert_ok(call_ask(client, QUIESCE_PATH, MANAGER_INTERFACE, "DeleteSnapshots", "sa{sv}", set_id, 0));
        (void) client_free(client);
}

/* Where it cannot be written that is told, and the backup is as good as ever. */
static void test_not_written(void **state) {
        Bench *bench = *state;
        Client *client;
        char set_id[37];

        assert_int_equal(mkdir(bench->runtime, 0755), 0);
        bench_write(bench, "run/sets", "no folder\n");
        client = persistent_set(bench, "", set_id);
        bench_wait_file(bench, "quiesced.log", "could not be written, ignoring");
        backup_ok(client, "BackupComplete");
        session_ok(client, "Release");
        assert_refused_timeline(client, set_id, "Unexpected", "cannot be read");
        (void) client_free(client);
}

/* What fails, and what is still waited for; outside of the freeze window the requester is told at any time.
 */
static void test_failed_and_pending(void **state) {
        _cleanup_(timeline_done) Timeline timeline = {};
        Bench *bench = *state;
        char fifo[128], arguments[192];
        const TimelineSpan *span;
        Client *client;
        Call *call;

        (void) snprintf(arguments, sizeof(arguments), "prepare-for-backup=wait:%s",
                        bench_make_fifo(bench, "fifo", fifo));
        bench_add_one(bench, arguments);
        bench_add_writer(bench, "beta", "prepare-for-backup=fail:OutOfResources:no&room<here>");
        bench_start(bench);
        client = client_new(bench);
        client_open_set(client);
        free(client_add(client, "test:one"));
        call = backup_begin(client, "PrepareForBackup");
        bench_wait_file(bench, "writers.log", "alpha prepare-for-backup");
        do {
                timeline_done(&timeline);
                get_timeline(client, client->session, SESSION_INTERFACE, &timeline);
        } while (timeline.writers[1].failure[0] == '\0'); /* each is an answer of quiesced's loop */
        assert_string_equal(timeline.consistency, "");
        span = find_span(&timeline.writers[0].events, "PrepareForBackup");
        assert_string_equal(span->outcome, "pending");
        span = find_span(&timeline.writers[1].events, "PrepareForBackup");
        assert_string_equal(span->outcome, "failed");
        assert_string_equal(timeline.writers[1].failure, "OutOfResources");
        assert_string_equal(timeline.writers[1].text, "no&room<here>");
        assert_string_equal(timeline.writers[1].state, "failed-at-prepare-backup");
        bench_let_go(bench, "fifo");
        assert_ok(call_wait(call));
        session_ok(client, "Release");
        (void) client_free(client);
}

/* An auto-release set takes its record with it. */
static void test_auto_release(void **state) {
        Bench *bench = *state;
        Client *client;
        char set_id[37];

        make_folder(bench);
        bench_add_one(bench, "");
        client = bench_start_prepared(bench, "test:one");
        backup_ok(client, "DoSnapshotSet");
        (void) snprintf(set_id, sizeof(set_id), "%s", client->set);
        bench_wait_file(bench, record_of(set_id), "PostSnapshot");
        backup_ok(client, "BackupComplete");
        session_ok(client, "Release");
        assert_int_equal(bench_stop(bench), 0);
        assert_false(has_record(bench, set_id));
        (void) client_free(client);
}

/* Another user's is not told, nor is that of his session. There is no polkit on this bus. */
static void test_others(void **state) {
        _cleanup_free_ char *path = NULL;
        Bench *bench = *state;
        Client *client, *other;
        char set_id[37];

        client = persistent_set(bench, "", set_id);
        if (getuid() == 0) {
                path = client_path_of(client, "GetSnapshotSet", set_id);
                other = client_new_as(bench, BOB);
                assert_refused(call_ask(other, path, SET_INTERFACE, "GetTimeline", "a{sv}", 0),
                               "AccessDenied", "org.quiesce1.administer");
                assert_refused(
                        call_ask(other, client->session, SESSION_INTERFACE, "GetTimeline", "a{sv}", 0),
                        "AccessDenied", "org.quiesce1.administer");
                (void) client_free(other);
        }
        assert_refused(call_ask(client, client->session, SESSION_INTERFACE, "GetTimeline", "a{sv}", 1, "all",
                                "b", 1),
                       "InvalidArgument", "all");
        session_ok(client, "Release");
        (void) client_free(client);
}

int main(void) {
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, bench_setup, bench_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_along_a_backup),    TEST(test_after_a_restart), TEST(test_quiesced_killed),
                TEST(test_damaged_and_newer), TEST(test_not_written),     TEST(test_failed_and_pending),
                TEST(test_auto_release),      TEST(test_others),
        };

        return cmocka_run_group_tests_name("bus-timeline", tests, NULL, NULL);
}
