/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Writers that die, hang, never come, or pretend; and quiesced's end while they are frozen. */

#include "writers-harness.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "util/macro.h"

static void death_is_told_once_per_session(void **state) {
        Room *room = *state;

        room_add_writer(room, "w", "freeze=die");
        room_open(room);
        (void) room_launch(room, 1);
        (void) room_launch(room, 2);
        room_send(room, 1, 0, CONTRACT_EVENT_FREEZE);
        (void) room_wait_told(room, 2);
        assert_int_equal(room->told[0].event, CONTRACT_EVENT_NONE);
        assert_int_equal(room->told[1].event, CONTRACT_EVENT_NONE);
        assert_int_equal(room->told[0].session + room->told[1].session, 3);
        /* Its events fail now ... */
        assert_int_equal(room_ask(room, 1, 0, CONTRACT_EVENT_ABORT)->failure,
                         CONTRACT_FAILURE_NOT_RESPONDING);
        assert_int_equal(room->n_told, 3);
        room_wait_idle(room);
        /* ... but not those by name: it is started again for them. */
        room_send_by_name(room, 1, 0, CONTRACT_EVENT_BACKUP_SHUTDOWN);
        assert_int_equal(room_wait_told(room, 4)->failure, CONTRACT_FAILURE_NONE);
        assert_int_equal(room_count_log(room, "w backup-shutdown"), 1);
        /* The new process takes no part in what the old one began. */
        assert_int_equal(room_ask(room, 2, 0, CONTRACT_EVENT_THAW)->failure,
                         CONTRACT_FAILURE_NOT_RESPONDING);
        /* A new session gets the new process. */
        assert_true(room_launch(room, 3)->writers[0].available);
        assert_int_equal(room_ask(room, 3, 0, CONTRACT_EVENT_IDENTIFY)->failure, CONTRACT_FAILURE_NONE);
}

static void dies_at_the_event_by_name(void **state) {
        Room *room = *state;

        room_add_writer(room, "w", "backup-shutdown=die");
        room_open(room);
        (void) room_launch(room, 1);
        assert_int_equal(writers_adopt(room->writers, 2, (const char *const[]){"w"}, 1), 0);
        room_send_by_name(room, 2, 0, CONTRACT_EVENT_BACKUP_SHUTDOWN);
        (void) room_wait_told(room, 2);
        /* Session 2 never had this process: its event is answered; session 1 had: it is gone. */
        for (size_t i = 0; i < 2; i++)
                if (room->told[i].session == 2) {
                        assert_int_equal(room->told[i].event, CONTRACT_EVENT_BACKUP_SHUTDOWN);
                        assert_int_equal(room->told[i].failure, CONTRACT_FAILURE_NOT_RESPONDING);
                        assert_non_null(strstr(room->told[i].text, "ended before"));
                } else
                        assert_int_equal(room->told[i].event, CONTRACT_EVENT_NONE);
}

static void adopted(void **state) {
        Room *room = *state;

        room_add_writer(room, "w", "");
        room_open(room);
        assert_int_equal(writers_adopt(room->writers, 1, (const char *const[]){"gone", "w"}, 2), 0);
        assert_false(writers_busy(room->writers));
        room_send_by_name(room, 1, 1, CONTRACT_EVENT_BACKUP_SHUTDOWN);
        assert_int_equal(room_wait_told(room, 1)->failure, CONTRACT_FAILURE_NONE);
        room_send_by_name(room, 1, 0, CONTRACT_EVENT_BACKUP_SHUTDOWN);
        assert_non_null(strstr(room_wait_told(room, 2)->text, "no descriptor"));
        writers_release(room->writers, 1);
        room_wait_idle(room);
}

static void not_available(void **state) {
        Room *room = *state;
        const Launched *l;

        room->launch_limit_usec = 5 * USEC_PER_SEC; /* the machine may be busy */
        room_add_descriptor(room, "a-missing", "[Writer]\nUser=root\nExec=/nowhere/program\n");
        room_add_writer(room, "b-ends", "register=exit");
        room_add_writer(room, "c-silent", "register=never");
        room_add_writer(room, "d-pretends", "register=e-good");
        room_add_descriptor(room, "e-defect", "[Writer]\nUser=root\nExecute=/bin/true\n");
        room_add_descriptor(room, "f-service", "[Writer]\nService=x.service\n");
        room_add_writer(room, "g-good", "");
        room_open(room);
        l = room_launch(room, 1);
        assert_int_equal(l->n, 7);
        for (size_t i = 0; i < 6; i++)
                assert_false(l->writers[i].available);
        assert_non_null(strstr(l->writers[0].text, "/nowhere/program"));
        assert_non_null(strstr(l->writers[0].text, "a-missing.writer"));
        assert_non_null(strstr(l->writers[0].text, "No such file"));
        assert_non_null(strstr(l->writers[1].text, "before it registered"));
        assert_non_null(strstr(l->writers[2].text, "did not register within 5 s"));
        assert_non_null(strstr(l->writers[4].text, "e-defect.writer:3: unknown key Execute="));
        assert_non_null(strstr(l->writers[5].text, "needs systemd"));
        assert_true(l->writers[6].available);
        assert_int_equal(room_ask(room, 1, 0, CONTRACT_EVENT_FREEZE)->failure,
                         CONTRACT_FAILURE_NOT_RESPONDING);
}

/* A process that quiesced did not start gets no word in. */
static void stranger(void **state) {
        Room *room = *state;
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        char byte;
        int fd;

        room_add_writer(room, "w", "");
        room_open(room);
        assert_true(strlen(room->socket) < sizeof(address.sun_path));
        strcpy(address.sun_path, room->socket);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fd, (struct sockaddr *) &address, sizeof(address)), 0);
        (void) room_launch(room, 1);
        assert_int_equal(read(fd, &byte, 1), 0);
        close(fd);
}

static void no_writers(void **state) {
        Room *room = *state;

        room_open(room);
        assert_int_equal(room_launch(room, 1)->n, 0);
}

static void stopped_when_it_does_not_answer(void **state) {
        Room *room = *state;
        pid_t pid;

        room_add_writer(room, "w", "abort=hang");
        room_open(room);
        (void) room_launch(room, 1);
        room_send(room, 1, 0, CONTRACT_EVENT_ABORT);
        (void) room_wait_log(room, "w abort", 1);
        pid = room_pid_of(room, "w");
        assert_int_equal(writers_stop(room->writers, 1, 0), 0);
        assert_int_equal(room_wait_told(room, 1)->event, CONTRACT_EVENT_NONE);
        room_wait_idle(room);
        assert_int_equal(kill(pid, 0), -1);
}

static void restarted_while_stopping(void **state) {
        Room *room = *state;
        pid_t pid;

        room_add_writer(room, "w", "");
        room_open(room);
        (void) room_launch(room, 1);
        (void) room_ask(room, 1, 0, CONTRACT_EVENT_IDENTIFY);
        pid = room_pid_of(room, "w");
        writers_release(room->writers, 1);
        /* What its descriptor says by now counts. */
        room_add_writer(room, "w", "level=back-end");
        assert_int_equal(writers_reload(room->writers), 0);
        assert_true(room_launch(room, 2)->writers[0].available);
        assert_int_equal(room->launched[1].writers[0].level, CONTRACT_LEVEL_BACK_END);
        (void) room_ask(room, 2, 0, CONTRACT_EVENT_IDENTIFY);
        assert_int_not_equal(room_pid_of(room, "w"), pid);
}

/* C18: the writer guards itself. */
static void C18_quiesced_dies_while_frozen(void **state) {
        Room *room = *state;

        room_add_writer(room, "frozen", "");
        room_add_writer(room, "thawed", "");
        room_open(room);
        (void) room_launch(room, 1);
        (void) room_ask(room, 1, 0, CONTRACT_EVENT_FREEZE);
        (void) room_ask(room, 1, 1, CONTRACT_EVENT_FREEZE);
        (void) room_ask(room, 1, 1, CONTRACT_EVENT_THAW);
        room->writers = writers_free(room->writers);
        (void) room_wait_log(room, "frozen abort 11111111-1111-1111-1111-111111111111", 1);
        assert_int_equal(room_count_log(room, "thawed abort"), 0);
}

static void C18_window_passes(void **state) {
        WriterEvent freeze = {.event = CONTRACT_EVENT_FREEZE,
                              .session_id = "s",
                              .set_id = "t",
                              .limit_usec = 300 * USEC_PER_MSEC};
        Room *room = *state;
        const Told *told;

        room_add_writer(room, "w", "");
        room_open(room);
        (void) room_launch(room, 1);
        assert_int_equal(writers_send(room->writers, 1, 0, &freeze), 0);
        (void) room_wait_log(room, "w abort s t - - window", 1);
        freeze.event = CONTRACT_EVENT_THAW;
        assert_int_equal(writers_send(room->writers, 1, 0, &freeze), 0);
        told = room_wait_told(room, 2);
        assert_int_equal(told->event, CONTRACT_EVENT_THAW);
        assert_int_equal(told->failure, CONTRACT_FAILURE_TIMEOUT);
        assert_int_equal(room_count_log(room, "w thaw"), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(death_is_told_once_per_session, room_setup, room_teardown),
                cmocka_unit_test_setup_teardown(dies_at_the_event_by_name, room_setup, room_teardown),
                cmocka_unit_test_setup_teardown(adopted, room_setup, room_teardown),
                cmocka_unit_test_setup_teardown(not_available, room_setup, room_teardown),
                cmocka_unit_test_setup_teardown(stranger, room_setup, room_teardown),
                cmocka_unit_test_setup_teardown(no_writers, room_setup, room_teardown),
                cmocka_unit_test_setup_teardown(stopped_when_it_does_not_answer, room_setup, room_teardown),
                cmocka_unit_test_setup_teardown(restarted_while_stopping, room_setup, room_teardown),
                cmocka_unit_test_setup_teardown(C18_quiesced_dies_while_frozen, room_setup, room_teardown),
                cmocka_unit_test_setup_teardown(C18_window_passes, room_setup, room_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
