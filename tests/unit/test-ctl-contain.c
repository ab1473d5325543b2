/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A contained command takes all its descendants along, whoever is killed.
 *
 * Every process of a case holds the write end of one pipe: its end of file means that the last has gone.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/contain.h"

#define PATIENCE_SEC 60

/* Descendants of every kind: in sessions of their own, of parents that are gone, deaf to SIGTERM and SIGHUP,
 * stopped. */
#define FAMILY                                                                       \
        "setsid sleep 4000 & "                                                       \
        "(setsid sh -c 'sleep 4000; :' &); "                                         \
        "(setsid sh -c 'trap \"\" TERM HUP INT; sleep 4000 & wait; sleep 4000' &); " \
        "(setsid sh -c 'kill -STOP $$; :' &); "

static Containment *running;

static void ended(const ContainOutcome *outcome, void *userdata) {
        ContainOutcome *copy = userdata;

        *copy = *outcome;
        copy->failure.text[sizeof(copy->failure.text) - 1] = '\0';
}

/* Runs a command to its end in this process. Return: what became of it. */
static ContainOutcome run(char **argv, int (*setup)(void *, Failure *), int number) {
        ContainOutcome outcome = {.result = (ContainResult) -1};
        sd_event *event = NULL;
        sigset_t mask;
        ContainOptions options = {.argv = argv, .setup = setup, .signal_mask = &mask};

        assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &mask), 0);
        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(contain_start(&running, event, &options, ended, &outcome), 0);
        if (number)
                contain_signal(running, number);
        while ((int) outcome.result == -1)
                assert_true(sd_event_run(event, UINT64_MAX) >= 0);
        running = contain_free(running);
        sd_event_unref(event);
        return outcome;
}

static ContainOutcome run_shell(const char *script) {
        char *argv[] = {(char *) "sh", (char *) "-c", (char *) script, NULL};

        return run(argv, NULL, 0);
}

/* A process like quiescectl, with its standard output in a pipe that is read here. */
static pid_t start_family(int *ret_fd) {
        int fds[2];
        pid_t pid;

        assert_int_equal(pipe(fds), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                (void) dup2(fds[1], STDOUT_FILENO);
                (void) close(fds[0]);
                (void) close(fds[1]);
                (void) run_shell(FAMILY "echo ready; sleep 4000");
                _exit(EXIT_SUCCESS);
        }
        (void) close(fds[1]);
        *ret_fd = fds[0];
        return pid;
}

static void read_until(int fd, const char *text) {
        char c = 0;

        for (const char *p = text; *p; p++)
                assert_true(read(fd, &c, 1) == 1 && c == *p);
}

static void assert_all_gone(int fd) {
        char c;

        assert_int_equal(read(fd, &c, 1), 0);
        (void) close(fd);
}

static pid_t only_child(pid_t pid) {
        char path[64], text[64] = "";
        FILE *file;

        (void) snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
        file = fopen(path, "re");
        assert_non_null(file);
        assert_non_null(fgets(text, sizeof(text), file));
        (void) fclose(file);
        return atoi(text);
}

enum { US = 1, GUARD = 2, REAPER = 4 };

/* Whoever is killed at one moment: stopped first, so that none sees the death of another. */
static void kill_at_once(int whom) {
        pid_t pids[3];
        int fd;

        pids[0] = start_family(&fd);
        read_until(fd, "ready\n");
        pids[1] = only_child(pids[0]);
        pids[2] = only_child(pids[1]);
        for (int i = 0; i < 3; i++)
                if (whom & 1 << i)
                        assert_int_equal(kill(pids[i], SIGSTOP), 0);
        for (int i = 0; i < 3; i++)
                if (whom & 1 << i)
                        assert_int_equal(kill(pids[i], SIGKILL), 0);
        if (whom == GUARD)
                assert_int_equal(kill(pids[2], SIGKILL), 0);
        assert_all_gone(fd);
        assert_int_equal(waitpid(pids[0], NULL, 0), pids[0]);
}

static void test_we_are_killed(void **state) {
        kill_at_once(US);
}

static void test_reaper_is_killed(void **state) {
        kill_at_once(REAPER);
}

static void test_guard_is_killed(void **state) {
        kill_at_once(GUARD);
}

static void test_we_and_reaper_are_killed(void **state) {
        kill_at_once(US | REAPER);
}

static void test_we_and_guard_are_killed(void **state) {
        kill_at_once(US | GUARD);
}

static void test_guard_and_reaper_are_killed(void **state) {
        kill_at_once(GUARD | REAPER);
}

/* What is aimed at quiescectl by its command line must not hit those who clean up behind it. */
static void test_names(void **state) {
        pid_t pid, watcher;
        int fd;

        pid = watcher = start_family(&fd);
        read_until(fd, "ready\n");
        for (int i = 0; i < 2; i++) {
                char path[64], text[256] = "";
                FILE *file;

                watcher = only_child(watcher);
                (void) snprintf(path, sizeof(path), "/proc/%d/cmdline", watcher);
                file = fopen(path, "re");
                assert_non_null(file);
                assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
                (void) fclose(file);
                assert_null(strstr(text, "test-ctl-contain"));
        }
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_all_gone(fd);
}

static void test_leftovers(void **state) {
        ContainOutcome outcome = run_shell(FAMILY "exit 7");

        assert_int_equal(outcome.result, CONTAIN_EXITED);
        assert_int_equal(WEXITSTATUS(outcome.status), 7);
        /* None became ours: this process is a subreaper now. */
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void test_signal(void **state) {
        char *argv[] = {(char *) "sleep", (char *) "4000", NULL};
        ContainOutcome outcome = run(argv, NULL, SIGTERM);

        assert_int_equal(outcome.result, CONTAIN_EXITED);
        assert_true(WIFSIGNALED(outcome.status));
        assert_int_equal(WTERMSIG(outcome.status), SIGTERM);
}

static void test_not_found(void **state) {
        char *argv[] = {(char *) "/nonexistent", NULL};
        ContainOutcome outcome = run(argv, NULL, 0);

        assert_int_equal(outcome.result, CONTAIN_EXEC_FAILED);
        assert_int_equal(outcome.failure.error, ENOENT);
}

static int setup_fails(void *userdata, Failure *ret_failure) {
        return failure_set(ret_failure, EPERM, "%s", "no place");
}

static void test_setup_fails(void **state) {
        char *argv[] = {(char *) "true", NULL};
        ContainOutcome outcome = run(argv, setup_fails, 0);

        assert_int_equal(outcome.result, CONTAIN_SETUP_FAILED);
        assert_int_equal(outcome.failure.error, EPERM);
        assert_string_equal(outcome.failure.text, "no place");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_we_are_killed),
                cmocka_unit_test(test_reaper_is_killed),
                cmocka_unit_test(test_guard_is_killed),
                cmocka_unit_test(test_we_and_reaper_are_killed),
                cmocka_unit_test(test_we_and_guard_are_killed),
                cmocka_unit_test(test_guard_and_reaper_are_killed),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_leftovers),
                cmocka_unit_test(test_signal),
                cmocka_unit_test(test_not_found),
                cmocka_unit_test(test_setup_fails),
        };

        (void) alarm(PATIENCE_SEC);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
