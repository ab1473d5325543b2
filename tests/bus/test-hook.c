/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Scripts as writers, through quiesced-hook. Each script appends its event to the room's log. */

#include "writers-harness.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#include "util/macro.h"

/* A script; $LOG stands for the log. */
static void add_hook(Room *room, const char *name, const char *script) {
        char path[256];
        FILE *f;

        (void) snprintf(path, sizeof(path), "%s/%s script", room->directory, name);
        f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fprintf(f, "#!/bin/sh\nLOG='%s'\nnote() { echo \"$*\" >> \"$LOG\"; }\n%s\n", room->log,
                            script) > 0);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(chmod(path, 0755), 0);
        room_add_descriptor(room, name, "[Writer]\nUser=root\nHook=%s\n", path);
}

static void events_and_facts(void **state) {
        Room *room = *state;
        const Told *told;

        add_hook(
                room, "h",
                "note \"$1 $QUIESCE_EVENT $QUIESCE_SESSION $QUIESCE_OUTCOME $QUIESCE_CAUSE $QUIESCE_LIMIT_USEC\"\n"
                "[ -z \"$LEAKED\" ] || exit 9\n"
                "case $1 in identify) echo path=/srv/a; echo 'path=/srv/b c'; echo path=relative; echo 'description=of h';;"
                " freeze) exit 0;; *) exit 2;; esac");
        (void) setenv("LEAKED", "yes", 1);
        room_open(room);
        assert_true(room_launch(room, 1)->writers[0].available);
        told = room_ask(room, 1, 0, CONTRACT_EVENT_IDENTIFY);
        assert_int_equal(told->failure, CONTRACT_FAILURE_NONE);
        assert_string_equal(told->paths, "/srv/a:/srv/b c");
        for (ContractEvent e = CONTRACT_EVENT_PREPARE_FOR_BACKUP; e <= CONTRACT_EVENT_BACKUP_COMPLETE; e++) {
                told = room_ask(room, 1, 0, e);
                assert_string_equal(told->text, "");
                assert_int_equal(told->failure, CONTRACT_FAILURE_NONE);
        }
        assert_int_equal(room_ask(room, 1, 0, CONTRACT_EVENT_BACKUP_SHUTDOWN)->failure,
                         CONTRACT_FAILURE_NONE);
        assert_int_equal(room_count_log(room, "prepare-for-backup prepare-for-backup 11111111"), 1);
        assert_int_equal(room_count_log(room, "post-snapshot post-snapshot"), 1);
        assert_int_equal(
                room_count_log(
                        room,
                        "backup-shutdown backup-shutdown 11111111-1111-1111-1111-111111111111 aborted administrator 10000000"),
                1);
}

static void failures(void **state) {
        static const struct {
                const char *script;
                ContractFailure failure;
                const char *text;
        } cases[] = {
                {"[ $1 = identify ] && exit 0; echo first >&2; echo 'the \377 last line' >&2; exit 1",
                 CONTRACT_FAILURE_NON_RETRYABLE, "exited with status 1: first the ? last line"},
                {"[ $1 = identify ] && exit 0; echo later >&2; exit 75", CONTRACT_FAILURE_RETRYABLE,
                 "later"},
                {"[ $1 = identify ] && exit 0; kill -9 $$", CONTRACT_FAILURE_NON_RETRYABLE,
                 "died of signal 9"},
                {"[ $1 = identify ] && exit 0; sleep 1000", CONTRACT_FAILURE_TIMEOUT, "took too long"},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                WriterEvent event = {.event = CONTRACT_EVENT_PREPARE_FOR_BACKUP,
                                     .session_id = "s",
                                     .limit_usec = i == 3 ? USEC_PER_SEC : 10 * USEC_PER_SEC};
                const Told *told;
                Room *room;

                (void) room_setup((void **) &room);
                add_hook(room, "h", cases[i].script);
                room_open(room);
                (void) room_launch(room, 1);
                (void) room_ask(room, 1, 0, CONTRACT_EVENT_IDENTIFY);
                assert_int_equal(writers_send(room->writers, 1, 0, &event), 0);
                told = room_wait_told(room, 2);
                if (told->failure != cases[i].failure || !strstr(told->text, cases[i].text))
                        fail_msg("%s: %d %s", cases[i].script, told->failure, told->text);
                (void) room_teardown((void **) &room);
        }
}

static void missing(void **state) {
        Room *room = *state;
        const Launched *l;

        room_add_descriptor(room, "h", "[Writer]\nUser=root\nHook=/nowhere/script\n");
        room_open(room);
        l = room_launch(room, 1);
        assert_false(l->writers[0].available);
        assert_non_null(strstr(l->writers[0].text, "/nowhere/script, the script of"));
        assert_non_null(strstr(l->writers[0].text, "h.writer, cannot be executed: No such file"));
}

/* The limit takes along what the script has started, whichever way it hides. */
static void limit_kills_all(void **state) {
        WriterEvent freeze = {
                .event = CONTRACT_EVENT_FREEZE, .session_id = "s", .limit_usec = 1500 * USEC_PER_MSEC};
        const char *line;
        Room *room = *state;
        int pids[2];

        add_hook(room, "h",
                 "[ $1 = freeze ] || exit 0\n"
                 "setsid sh -c 'echo pid $$ >> \"$0\"; sleep 1000' \"$LOG\" &\n"
                 "sh -c 'echo pid $$ >> \"$0\"; sleep 1000' \"$LOG\"\n");
        room_open(room);
        (void) room_launch(room, 1);
        (void) room_ask(room, 1, 0, CONTRACT_EVENT_IDENTIFY);
        assert_int_equal(writers_send(room->writers, 1, 0, &freeze), 0);
        (void) room_wait_log(room, "pid ", 2);
        assert_int_equal(room_wait_told(room, 2)->failure, CONTRACT_FAILURE_TIMEOUT);
        line = room_wait_log(room, "pid ", 2);
        assert_int_equal(sscanf(line, "pid %d\npid %d", &pids[0], &pids[1]), 2);
        for (int i = 0; i < 2; i++) {
                _cleanup_close_ int fd = pidfd_open(pids[i], 0);
                struct pollfd p = {.fd = fd, .events = POLLIN};

                /* Gone, or soon: a process that was killed takes its time to die. */
                if (fd < 0)
                        assert_int_equal(errno, ESRCH);
                else
                        assert_int_equal(poll(&p, 1, 30 * 1000), 1);
        }
}

/* What a freeze leaves in the background to hold a lock stays until thaw. */
static void background_stays(void **state) {
        Room *room = *state;
        int pid;

        add_hook(room, "h",
                 "case $1 in freeze) sleep 1000 & echo pid $! >> \"$LOG\";;"
                 " thaw) kill $(sed -n 's/^pid //p' \"$LOG\");; esac; exit 0");
        room_open(room);
        (void) room_launch(room, 1);
        (void) room_ask(room, 1, 0, CONTRACT_EVENT_IDENTIFY);
        assert_int_equal(room_ask(room, 1, 0, CONTRACT_EVENT_FREEZE)->failure, CONTRACT_FAILURE_NONE);
        assert_int_equal(sscanf(room_wait_log(room, "pid ", 1), "pid %d", &pid), 1);
        assert_int_equal(kill(pid, 0), 0);
        assert_int_equal(room_ask(room, 1, 0, CONTRACT_EVENT_THAW)->failure, CONTRACT_FAILURE_NONE);
}

/* One written for the QEMU guest agent: it knows freeze and thaw, and fails at all else. */
static void plain_script(void **state) {
        Room *room = *state;

        add_hook(room, "h", "note \"$1\"; case $1 in freeze|thaw) exit 0;; *) exit 1;; esac");
        room_open(room);
        (void) room_launch(room, 1);
        for (ContractEvent e = CONTRACT_EVENT_IDENTIFY; e <= CONTRACT_EVENT_FREEZE; e++)
                assert_int_equal(room_ask(room, 1, 0, e)->failure, CONTRACT_FAILURE_NONE);
        assert_int_equal(room_ask(room, 1, 0, CONTRACT_EVENT_ABORT)->failure, CONTRACT_FAILURE_NONE);
        assert_int_equal(room_ask(room, 1, 0, CONTRACT_EVENT_ABORT)->failure, CONTRACT_FAILURE_NONE);
        assert_string_equal(room_wait_log(room, "thaw", 1), "identify\nfreeze\nthaw\n");
        /* A new process finds out again. */
        writers_release(room->writers, 1);
        room_wait_idle(room);
        assert_int_equal(writers_adopt(room->writers, 2, (const char *const[]){"h"}, 1), 0);
        room_send_by_name(room, 2, 0, CONTRACT_EVENT_BACKUP_SHUTDOWN);
        assert_int_equal(room_wait_told(room, 7)->failure, CONTRACT_FAILURE_NONE);
        assert_int_equal(room_count_log(room, "backup-shutdown"), 0);
}

/* A script that says 0 to everything has not thawed at Abort. */
static void abort_thaws(void **state) {
        Room *room = *state;

        add_hook(room, "h", "note \"$1\"");
        room_open(room);
        (void) room_launch(room, 1);
        (void) room_ask(room, 1, 0, CONTRACT_EVENT_FREEZE);
        assert_int_equal(room_ask(room, 1, 0, CONTRACT_EVENT_ABORT)->failure, CONTRACT_FAILURE_NONE);
        assert_string_equal(room_wait_log(room, "thaw", 1), "freeze\nabort\nthaw\n");
}

static void abort_not_handled(void **state) {
        Room *room = *state;

        add_hook(room, "h", "note \"$1\"; [ $1 != abort ] || exit 2");
        room_open(room);
        (void) room_launch(room, 1);
        (void) room_ask(room, 1, 0, CONTRACT_EVENT_FREEZE);
        assert_int_equal(room_ask(room, 1, 0, CONTRACT_EVENT_ABORT)->failure, CONTRACT_FAILURE_NONE);
        assert_string_equal(room_wait_log(room, "post-snapshot", 1), "freeze\nabort\nthaw\npost-snapshot\n");
}

/* An Abort does not wait for a freeze that hangs, and that one freezes nothing later. */
static void abort_stops_the_freeze(void **state) {
        Room *room = *state;

        add_hook(room, "h", "note \"$1\"; [ $1 != freeze ] || { sleep 1000; note late; }");
        room_open(room);
        (void) room_launch(room, 1);
        room_send(room, 1, 0, CONTRACT_EVENT_FREEZE);
        (void) room_wait_log(room, "freeze", 1);
        room_send(room, 1, 0, CONTRACT_EVENT_ABORT);
        (void) room_wait_told(room, 2);
        assert_string_equal(room_wait_log(room, "thaw", 1), "freeze\nabort\nthaw\n");
}

/* C18, while the freeze script still runs: it is stopped and thawed. */
static void quiesced_dies(void **state) {
        Room *room = *state;

        add_hook(room, "h", "note \"$1 $QUIESCE_GUARD\"; [ $1 != freeze ] || sleep 1000");
        room_open(room);
        (void) room_launch(room, 1);
        room_send(room, 1, 0, CONTRACT_EVENT_FREEZE);
        (void) room_wait_log(room, "freeze", 1);
        room->writers = writers_free(room->writers);
        (void) room_wait_log(room, "thaw", 1);
        assert_int_equal(room_count_log(room, "abort "), 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(events_and_facts, room_setup, room_teardown),
                cmocka_unit_test(failures),
                cmocka_unit_test_setup_teardown(missing, room_setup, room_teardown),
                cmocka_unit_test_setup_teardown(limit_kills_all, room_setup, room_teardown),
                cmocka_unit_test_setup_teardown(background_stays, room_setup, room_teardown),
                cmocka_unit_test_setup_teardown(plain_script, room_setup, room_teardown),
                cmocka_unit_test_setup_teardown(abort_thaws, room_setup, room_teardown),
                cmocka_unit_test_setup_teardown(abort_not_handled, room_setup, room_teardown),
                cmocka_unit_test_setup_teardown(abort_stops_the_freeze, room_setup, room_teardown),
                cmocka_unit_test_setup_teardown(quiesced_dies, room_setup, room_teardown),
        };

        (void) setenv("QUIESCED_HOOK_PROGRAM", HOOK_PROGRAM, 1);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
