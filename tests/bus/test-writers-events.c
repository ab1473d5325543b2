/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Events to real writer processes, and how each way of answering them is understood. */

#include "writers-harness.h"

#include <signal.h>
#include <sys/stat.h>

#include "util/macro.h"

static void answers(void **state) {
        static const struct {
                const char *arguments;
                ContractEvent event;
                ContractFailure failure;
                const char *text;
        } cases[] = {
                {"", CONTRACT_EVENT_PREPARE_FOR_BACKUP, CONTRACT_FAILURE_NONE, ""},
                {"freeze=warn:slow", CONTRACT_EVENT_FREEZE, CONTRACT_FAILURE_NONE, "slow"},
                {"freeze=fail:InconsistentSnapshot:a", CONTRACT_EVENT_FREEZE,
                 CONTRACT_FAILURE_INCONSISTENT_SNAPSHOT, "a"},
                {"freeze=fail:OutOfResources:b", CONTRACT_EVENT_FREEZE, CONTRACT_FAILURE_OUT_OF_RESOURCES,
                 "b"},
                {"thaw=fail:Timeout:c", CONTRACT_EVENT_THAW, CONTRACT_FAILURE_TIMEOUT, NULL},
                {"post-snapshot=fail:Retryable:d", CONTRACT_EVENT_POST_SNAPSHOT, CONTRACT_FAILURE_RETRYABLE,
                 "d"},
                {"backup-complete=fail:NonRetryable:e", CONTRACT_EVENT_BACKUP_COMPLETE,
                 CONTRACT_FAILURE_NON_RETRYABLE, "e"},
                {"backup-shutdown=fail:Retryable:f", CONTRACT_EVENT_BACKUP_SHUTDOWN,
                 CONTRACT_FAILURE_RETRYABLE, "f"},
                {"prepare-for-backup=nonsense", CONTRACT_EVENT_PREPARE_FOR_BACKUP,
                 CONTRACT_FAILURE_NOT_RESPONDING, "wrong type"},
                {"prepare-for-backup=strange", CONTRACT_EVENT_PREPARE_FOR_BACKUP,
                 CONTRACT_FAILURE_NOT_RESPONDING, "org.example.Strange"},
                {"identify=huge", CONTRACT_EVENT_IDENTIFY, CONTRACT_FAILURE_NOT_RESPONDING, "more paths"},
                {"abort=default thaw=fail:Retryable:g", CONTRACT_EVENT_ABORT, CONTRACT_FAILURE_RETRYABLE,
                 "g"},
                {"session-closed=ok", CONTRACT_EVENT_SESSION_CLOSED, CONTRACT_FAILURE_NONE, ""},
                {"", CONTRACT_EVENT_PRE_RESTORE, CONTRACT_FAILURE_NONE, ""},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const Told *told;
                Room *room;

                (void) room_setup((void **) &room);
                room_add_writer(room, "w", cases[i].arguments);
                room_open(room);
                assert_true(room_launch(room, 7)->writers[0].available);
                told = room_ask(room, 7, 0, cases[i].event);
                assert_int_equal(told->event, cases[i].event);
                if (told->failure != cases[i].failure)
                        fail_msg("%s: failure %d: \"%s\"", cases[i].arguments, told->failure, told->text);
                if (cases[i].text && !strstr(told->text, cases[i].text))
                        fail_msg("%s: \"%s\"", cases[i].arguments, told->text);
                if (cases[i].text && !*cases[i].text)
                        assert_string_equal(told->text, "");
                (void) room_teardown((void **) &room);
        }
}

static void whole_backup(void **state) {
        static const ContractEvent events[] = {
                CONTRACT_EVENT_IDENTIFY,
                CONTRACT_EVENT_PREPARE_FOR_BACKUP,
                CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT,
                CONTRACT_EVENT_FREEZE,
                CONTRACT_EVENT_THAW,
                CONTRACT_EVENT_POST_SNAPSHOT,
                CONTRACT_EVENT_BACKUP_COMPLETE,
        };
        Room *room = *state;
        const Launched *l;

        room_add_descriptor(
                room, "db",
                "[Writer]\nUser=root\nPaths=/srv/db \"/srv/more of it\"\nExec=%s log=%s level=back-end window=9\n",
                room->program, room->log);
        room_add_writer(room, "app", "level=front-end path=/srv/app");
        room_open(room);
        l = room_launch(room, 1);
        assert_int_equal(l->n, 2);
        assert_string_equal(l->writers[0].name, "app");
        assert_int_equal(l->writers[0].level, CONTRACT_LEVEL_FRONT_END);
        assert_string_equal(l->writers[1].name, "db");
        assert_int_equal(l->writers[1].level, CONTRACT_LEVEL_BACK_END);
        assert_int_equal(l->writers[1].window, 9 * USEC_PER_SEC);
        assert_string_equal(room_ask(room, 1, 0, CONTRACT_EVENT_IDENTIFY)->paths, "/srv/app");
        for (size_t i = 0; i < ELEMENTSOF(events); i++) {
                const Told *told = room_ask(room, 1, 1, events[i]);

                assert_int_equal(told->event, events[i]);
                assert_int_equal(told->failure, CONTRACT_FAILURE_NONE);
                if (i == 0)
                        assert_string_equal(told->paths, "/srv/db:/srv/more of it");
        }
        room_send_by_name(room, 1, 1, CONTRACT_EVENT_BACKUP_SHUTDOWN);
        assert_int_equal(room_wait_told(room, 9)->event, CONTRACT_EVENT_BACKUP_SHUTDOWN);
        (void) room_wait_log(room,
                             "db backup-shutdown 11111111-1111-1111-1111-111111111111 "
                             "22222222-2222-2222-2222-222222222222 aborted administrator -",
                             1);
        writers_release(room->writers, 1);
        room_wait_idle(room);
        assert_int_equal(room->n_told, 9);
        assert_int_equal(room_count_log(room, " abort "), 0);
}

static void C19_default_abort_thaws_and_cleans_up(void **state) {
        Room *room = *state;

        room_add_writer(room, "w", "abort=default post-snapshot=fail:Retryable:p");
        room_open(room);
        (void) room_launch(room, 1);
        (void) room_ask(room, 1, 0, CONTRACT_EVENT_FREEZE);
        assert_string_equal(room_ask(room, 1, 0, CONTRACT_EVENT_ABORT)->text, "p");
        assert_int_equal(room_count_log(room, "w abort"), 2); /* by the handlers of Thaw and PostSnapshot */
}

static void C19_own_abort_takes_their_place(void **state) {
        Room *room = *state;

        room_add_writer(room, "w", "thaw=fail:Retryable:t post-snapshot=fail:Retryable:p");
        room_open(room);
        (void) room_launch(room, 1);
        (void) room_ask(room, 1, 0, CONTRACT_EVENT_FREEZE);
        assert_int_equal(room_ask(room, 1, 0, CONTRACT_EVENT_ABORT)->failure, CONTRACT_FAILURE_NONE);
        assert_int_equal(room_count_log(room, "w abort"), 1);
}

static void twice(void **state) {
        Room *room = *state;

        room_add_writer(room, "w", "freeze=twice");
        room_open(room);
        (void) room_launch(room, 1);
        assert_int_equal(room_ask(room, 1, 0, CONTRACT_EVENT_FREEZE)->failure, CONTRACT_FAILURE_NONE);
        assert_int_equal(room_ask(room, 1, 0, CONTRACT_EVENT_THAW)->event, CONTRACT_EVENT_THAW);
        assert_int_equal(room->n_told, 2);
}

static void two_sessions_one_process(void **state) {
        char fifo[256], arguments[300];
        Room *room = *state;
        pid_t pid;
        FILE *f;

        (void) snprintf(fifo, sizeof(fifo), "%s/fifo", room->directory);
        (void) snprintf(arguments, sizeof(arguments), "prepare-for-backup=wait:%s", fifo);
        assert_int_equal(mkfifo(fifo, 0600), 0);
        room_add_writer(room, "w", arguments);
        room_open(room);
        (void) room_launch(room, 1);
        (void) room_ask(room, 1, 0, CONTRACT_EVENT_IDENTIFY);
        pid = room_pid_of(room, "w");
        (void) room_launch(room, 2);
        room_send(room, 1, 0, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        /* The one that is slow with session 1 answers session 2 meanwhile. */
        assert_int_equal(room_ask(room, 2, 0, CONTRACT_EVENT_IDENTIFY)->session, 2);
        assert_int_equal(room_pid_of(room, "w"), pid);
        (void) room_wait_log(room, "prepare-for-backup", 1);
        f = fopen(fifo, "we");
        assert_non_null(f);
        assert_true(fputs("go\n", f) >= 0);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(room_wait_told(room, 3)->session, 1);
        /* It stays for session 2 and goes with it. */
        writers_release(room->writers, 1);
        assert_int_equal(room_ask(room, 2, 0, CONTRACT_EVENT_BACKUP_COMPLETE)->failure,
                         CONTRACT_FAILURE_NONE);
        writers_release(room->writers, 2);
        room_wait_idle(room);
        assert_int_equal(kill(pid, 0), -1);
}

static void abort_overtakes(void **state) {
        Room *room = *state;

        room_add_writer(room, "w", "freeze=hang");
        room_open(room);
        (void) room_launch(room, 1);
        room_send(room, 1, 0, CONTRACT_EVENT_FREEZE);
        assert_int_equal(room_ask(room, 1, 0, CONTRACT_EVENT_ABORT)->event, CONTRACT_EVENT_ABORT);
        assert_int_equal(room_count_log(room, "w abort"), 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(answers),
                cmocka_unit_test_setup_teardown(whole_backup, room_setup, room_teardown),
                cmocka_unit_test_setup_teardown(C19_default_abort_thaws_and_cleans_up, room_setup,
                                                room_teardown),
                cmocka_unit_test_setup_teardown(C19_own_abort_takes_their_place, room_setup, room_teardown),
                cmocka_unit_test_setup_teardown(twice, room_setup, room_teardown),
                cmocka_unit_test_setup_teardown(two_sessions_one_process, room_setup, room_teardown),
                cmocka_unit_test_setup_teardown(abort_overtakes, room_setup, room_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
