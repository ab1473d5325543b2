/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Scripts of other tools as writers (Flavor=), in the forms their own documentation shows. Each appends its
 * name and argument to the room's log.
 */

#include "writers-harness.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#include "util/macro.h"

static const char *in_room(Room *room, const char *name) {
        static char path[256];

        (void) snprintf(path, sizeof(path), "%s/%s", room->directory, name);
        return path;
}

/* "$LOG" is the log. */
static void add_script(Room *room, const char *name, mode_t mode, const char *script) {
        const char *path = in_room(room, name);
        FILE *f;

        f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fprintf(f,
                            "#!/bin/sh\nLOG='%s'\necho $PPID > \"$LOG.parent\"\n"
                            "echo \"${0##*/} $*\" >> \"$LOG\"\n%s\n",
                            room->log, script) > 0);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(chmod(path, mode), 0);
}

static void add_directory(Room *room, const char *name) {
        assert_int_equal(mkdir(in_room(room, name), 0755), 0);
}

static void open_hook(Room *room, const char *flavor, const char *hook) {
        room_add_descriptor(room, "h", "[Writer]\nUser=root\nFlavor=%s\nHook=%s\n", flavor,
                            in_room(room, hook));
        room_open(room);
        assert_true(room_launch(room, 1)->writers[0].available);
}

static void ask_good(Room *room, ContractEvent event) {
        const Told *told = room_ask(room, 1, 0, event);

        if (told->failure != CONTRACT_FAILURE_NONE)
                fail_msg("event %d: %s", event, told->text);
}

static void ask_bad(Room *room, ContractEvent event, ContractFailure failure, const char *text) {
        const Told *told = room_ask(room, 1, 0, event);

        if (told->failure != failure || !strstr(told->text, text))
                fail_msg("event %d: %d %s", event, told->failure, told->text);
}

static const Told *ask_in(Room *room, ContractEvent event, uint64_t limit_usec) {
        WriterEvent e = {.event = event,
                         .session_id = "11111111-1111-1111-1111-111111111111",
                         .limit_usec = limit_usec};
        size_t n = room->n_told;

        assert_int_equal(writers_send(room->writers, 1, 0, &e), 0);
        return room_wait_told(room, n + 1);
}

static void assert_log(Room *room, const char *text) {
        assert_string_equal(room_wait_log(room, "\n", 0), text);
}

static void to_freeze(Room *room) {
        for (ContractEvent e = CONTRACT_EVENT_IDENTIFY; e < CONTRACT_EVENT_FREEZE; e++)
                ask_good(room, e);
        assert_log(room, "");
        ask_good(room, CONTRACT_EVENT_FREEZE);
}

static void assert_gone(int pid) {
        _cleanup_close_ int fd = pidfd_open(pid, 0);
        struct pollfd p = {.fd = fd, .events = POLLIN};

        /* Gone, or soon: a process that was killed takes its time to die. */
        if (fd < 0)
                assert_int_equal(errno, ESRCH);
        else
                assert_int_equal(poll(&p, 1, 30 * 1000), 1);
}

static void qemu_ga_directory(void **state) {
        Room *room = *state;

        add_directory(room, "d");
        add_directory(room, "d/30-folder");
        add_script(room, "d/20-b", 0755, "");
        add_script(room, "d/10 a.sh", 0755, "");
        add_script(room, "d/15-no-program", 0644, "");
        add_script(room, "d/.hidden", 0755, "");
        add_script(room, "d/10-a~", 0755, "");
        add_script(room, "d/20-b.rpmsave", 0755, "");
        add_script(room, "d/20-b.dpkg-new", 0755, "");
        open_hook(room, "qemu-ga", "d");
        to_freeze(room);
        assert_log(room, "10 a.sh freeze\n20-b freeze\n");
        ask_good(room, CONTRACT_EVENT_THAW);
        ask_good(room, CONTRACT_EVENT_POST_SNAPSHOT);
        ask_good(room, CONTRACT_EVENT_BACKUP_COMPLETE);
        ask_good(room, CONTRACT_EVENT_BACKUP_SHUTDOWN);
        assert_log(room, "10 a.sh freeze\n20-b freeze\n20-b thaw\n10 a.sh thaw\n");
}

/* One file that runs those of a folder and tells no failure; one of them holds a lock by a FIFO. */
static void qemu_ga_dispatcher(void **state) {
        Room *room = *state;

        add_directory(room, "hook.d");
        add_script(room, "fsfreeze-hook", 0755,
                   "for f in \"$(dirname -- \"$(realpath \"$0\")\")\"/hook.d/*; do\n"
                   "        case $f in *~|*.sample) continue;; esac\n"
                   "        [ -x \"$f\" ] || continue\n"
                   "        \"$f\" \"$@\" >> \"$LOG\" 2>&1\n"
                   "done\n"
                   "exit 0");
        add_script(room, "hook.d/database", 0755,
                   "FIFO=$(dirname \"$0\")/../fifo\n"
                   "case $1 in\n"
                   "freeze)\n"
                   "        mkfifo \"$FIFO\"\n"
                   "        { read -r line < \"$FIFO\"; echo \"lock $line\" >> \"$LOG\"; } &\n"
                   "        ;;\n"
                   "thaw)\n"
                   "        [ -p \"$FIFO\" ] || exit 0\n"
                   "        echo released > \"$FIFO\"\n"
                   "        rm \"$FIFO\"\n"
                   "        ;;\n"
                   "*) exit 1;;\n"
                   "esac");
        add_script(room, "hook.d/x.sample", 0755, "");
        open_hook(room, "qemu-ga", "fsfreeze-hook");
        to_freeze(room);
        assert_log(room, "fsfreeze-hook freeze\ndatabase freeze\n");
        ask_good(room, CONTRACT_EVENT_THAW);
        (void) room_wait_log(room, "lock released", 1);
}

/* Exit 2 is a failure of theirs. What froze, or may have, is undone once; the rest never began. */
static void a_freeze_fails(void **state) {
        Room *room = *state;

        add_directory(room, "d");
        add_script(room, "d/1", 0755, "");
        add_script(room, "d/2", 0755,
                   "[ $1 = thaw ] || { echo no >&2; echo 'lock held by 7' >&2; exit 2; }");
        add_script(room, "d/3", 0755, "");
        open_hook(room, "qemu-ga", "d");
        ask_bad(room, CONTRACT_EVENT_FREEZE, CONTRACT_FAILURE_NON_RETRYABLE,
                "d/2 freeze exited with status 2: no lock held by 7");
        ask_good(room, CONTRACT_EVENT_ABORT);
        ask_good(room, CONTRACT_EVENT_ABORT);
        assert_log(room, "1 freeze\n2 freeze\n2 thaw\n1 thaw\n");
}

static void abort_before_freeze(void **state) {
        Room *room = *state;

        add_directory(room, "d");
        add_script(room, "d/1", 0755, "");
        open_hook(room, "run-parts", "d");
        ask_good(room, CONTRACT_EVENT_IDENTIFY);
        ask_good(room, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT);
        ask_good(room, CONTRACT_EVENT_ABORT);
        ask_good(room, CONTRACT_EVENT_BACKUP_SHUTDOWN);
        assert_log(room, "");
}

static void open_vm_tools_thaw(void **state) {
        Room *room = *state;

        add_directory(room, "d");
        add_script(room, "d/50-late.sh", 0755, "");
        add_script(room, "d/10-early.sh", 0755, "");
        open_hook(room, "open-vm-tools", "d");
        to_freeze(room);
        ask_good(room, CONTRACT_EVENT_THAW);
        assert_log(room, "10-early.sh freeze\n50-late.sh freeze\n50-late.sh thaw\n10-early.sh thaw\n");
}

/* freezeFail in the reverse order: without the one that failed, with all if the snapshot failed. */
static void open_vm_tools_fail(void **state) {
        Room *room = *state;

        add_directory(room, "d");
        add_script(room, "d/1", 0755, "");
        add_script(room, "d/2", 0755, "");
        add_script(room, "d/3", 0755, "[ $1 != freeze ] || [ ! -e \"$0.bad\" ] || exit 1");
        open_hook(room, "open-vm-tools", "d");
        ask_good(room, CONTRACT_EVENT_FREEZE);
        ask_good(room, CONTRACT_EVENT_ABORT);
        assert_log(room, "1 freeze\n2 freeze\n3 freeze\n3 freezeFail\n2 freezeFail\n1 freezeFail\n");
        assert_int_equal(truncate(room->log, 0), 0);
        add_script(room, "d/3.bad", 0755, "");
        ask_bad(room, CONTRACT_EVENT_FREEZE, CONTRACT_FAILURE_NON_RETRYABLE,
                "/3 freeze exited with status 1");
        ask_good(room, CONTRACT_EVENT_ABORT);
        assert_log(room, "1 freeze\n2 freeze\n3 freeze\n2 freezeFail\n1 freezeFail\n");
}

static void open_vm_tools_not_executable(void **state) {
        Room *room = *state;

        add_directory(room, "d");
        add_script(room, "d/1", 0644, "");
        open_hook(room, "open-vm-tools", "d");
        ask_bad(room, CONTRACT_EVENT_IDENTIFY, CONTRACT_FAILURE_NON_RETRYABLE,
                "d/1 cannot be executed: Permission denied; open-vm-tools runs every file of");
}

static void open_vm_tools_pair(void **state) {
        Room *room = *state;
        char thaw[256];

        add_script(room, "pre-freeze-script", 0755, "");
        add_script(room, "post-thaw-script", 0755, "");
        (void) snprintf(thaw, sizeof(thaw), "%s", in_room(room, "post-thaw-script"));
        room_add_descriptor(room, "h", "[Writer]\nUser=root\nFlavor=open-vm-tools\nHook=%s\nThawHook=%s\n",
                            in_room(room, "pre-freeze-script"), thaw);
        room_open(room);
        (void) room_launch(room, 1);
        to_freeze(room);
        ask_good(room, CONTRACT_EVENT_THAW);
        assert_log(room, "pre-freeze-script freeze\npost-thaw-script thaw\n");
        ask_good(room, CONTRACT_EVENT_FREEZE);
        ask_good(room, CONTRACT_EVENT_ABORT);
        assert_string_equal(room_wait_log(room, "post-thaw-script freezeFail", 1),
                            "pre-freeze-script freeze\npost-thaw-script thaw\n"
                            "pre-freeze-script freeze\npost-thaw-script freezeFail\n");
}

static void run_parts(void **state) {
        Room *room = *state;

        add_directory(room, "d");
        add_script(room, "d/B_2", 0755, "");
        add_script(room, "d/a-1", 0755, "");
        add_script(room, "d/10", 0755, "");
        add_script(room, "d/with.dot", 0755, "");
        add_script(room, "d/no-program", 0644, "");
        open_hook(room, "run-parts", "d");
        to_freeze(room);
        ask_good(room, CONTRACT_EVENT_THAW);
        assert_log(room, "10 freeze\nB_2 freeze\na-1 freeze\na-1 thaw\nB_2 thaw\n10 thaw\n");
}

static void refused(Room *room, const char *text) {
        ask_bad(room, CONTRACT_EVENT_IDENTIFY, CONTRACT_FAILURE_NON_RETRYABLE, text);
        ask_bad(room, CONTRACT_EVENT_FREEZE, CONTRACT_FAILURE_NON_RETRYABLE, text);
}

/* What others than root can change runs no more, also if it was good a moment ago. */
static void not_roots_alone(void **state) {
        Room *room = *state;

        add_directory(room, "d");
        add_directory(room, "e");
        add_script(room, "e/1", 0755, "");
        assert_int_equal(symlink("../e/1", in_room(room, "d/1")), 0);
        open_hook(room, "qemu-ga", "d");
        ask_good(room, CONTRACT_EVENT_IDENTIFY);
        assert_int_equal(chmod(in_room(room, "e/1"), 0775), 0);
        refused(room, "others than root may write");
        assert_int_equal(chmod(in_room(room, "e/1"), 0755), 0);
        assert_int_equal(chown(in_room(room, "e/1"), 4711, 0), 0);
        refused(room, "e/1 belongs to user 4711, not to root");
        assert_int_equal(chown(in_room(room, "e/1"), 0, 0), 0);
        assert_int_equal(chmod(in_room(room, "e"), 0777), 0);
        refused(room, "/e; chmod go-w it if you trust it");
        assert_int_equal(chmod(in_room(room, "e"), 0755), 0);
        assert_int_equal(lchown(in_room(room, "d/1"), 4711, 0), 0);
        refused(room, "d/1 belongs to user 4711");
        assert_int_equal(lchown(in_room(room, "d/1"), 0, 0), 0);
        ask_good(room, CONTRACT_EVENT_FREEZE);
        /* What is frozen is thawed whatever has become of it. */
        assert_int_equal(chmod(in_room(room, "e/1"), 0777), 0);
        ask_good(room, CONTRACT_EVENT_THAW);
        assert_log(room, "1 freeze\n1 thaw\n");
}

/* The time is the whole freeze's. What hangs goes with what it has started, however that hides. */
static void a_freeze_hangs(void **state) {
        Room *room = *state;
        const Told *told;
        const char *line;
        int pids[3];

        add_directory(room, "d");
        add_script(room, "d/1", 0755, "");
        add_script(
                room, "d/2", 0755,
                "[ $1 = freeze ] || exit 0\n"
                "echo 'waiting for the lock' >&2\n"
                "env -i setsid sh -c 'echo pid $$ >> \"$0\"; exec sleep 1000' \"$LOG\" &\n"
                "(setsid env -i sh -c 'sh -c \"echo pid \\$\\$ >> $0; exec sleep 1000\" & :' \"$LOG\" &)\n"
                "sh -c 'echo pid $$ >> \"$0\"; sleep 1000' \"$LOG\"\n");
        open_hook(room, "open-vm-tools", "d");
        ask_good(room, CONTRACT_EVENT_IDENTIFY);
        told = ask_in(room, CONTRACT_EVENT_FREEZE, 2 * USEC_PER_SEC);
        assert_int_equal(told->failure, CONTRACT_FAILURE_TIMEOUT);
        assert_non_null(strstr(told->text, "d/2 freeze took too long and was killed: waiting for the lock"));
        line = room_wait_log(room, "pid ", 3);
        assert_int_equal(sscanf(strstr(line, "pid"), "pid %d\npid %d\npid %d", &pids[0], &pids[1], &pids[2]),
                         3);
        for (int i = 0; i < 3; i++)
                assert_gone(pids[i]);
        ask_good(room, CONTRACT_EVENT_ABORT);
        /* It could not give up by itself. */
        assert_string_equal(strstr(room_wait_log(room, "1 freezeFail", 1), "2 freezeFail"),
                            "2 freezeFail\n1 freezeFail\n");
}

/* One that hangs, one that fails: the others thaw all the same. */
static void a_thaw_hangs(void **state) {
        Room *room = *state;
        const Told *told;

        add_directory(room, "d");
        add_script(room, "d/1", 0755, "");
        add_script(room, "d/2", 0755, "[ $1 = freeze ] || exit 1");
        add_script(room, "d/3", 0755, "[ $1 = freeze ] || exec sleep 1000");
        open_hook(room, "run-parts", "d");
        to_freeze(room);
        told = ask_in(room, CONTRACT_EVENT_THAW, 4 * USEC_PER_SEC);
        assert_int_equal(told->failure, CONTRACT_FAILURE_TIMEOUT);
        assert_non_null(strstr(told->text, "d/3 thaw took too long"));
        assert_log(room, "1 freeze\n2 freeze\n3 freeze\n3 thaw\n2 thaw\n1 thaw\n");
}

/* quiesced dies while a freeze still runs: it is stopped, what had begun is undone, the rest never begins.
 */
static void quiesced_dies(void **state) {
        Room *room = *state;

        add_directory(room, "d");
        add_script(room, "d/1", 0755, "");
        add_script(room, "d/2", 0755, "[ $1 = thaw ] || exec sleep 1000");
        add_script(room, "d/3", 0755, "");
        open_hook(room, "qemu-ga", "d");
        room_send(room, 1, 0, CONTRACT_EVENT_FREEZE);
        (void) room_wait_log(room, "2 freeze", 1);
        room->writers = writers_free(room->writers);
        assert_string_equal(room_wait_log(room, "1 thaw", 1), "1 freeze\n2 freeze\n2 thaw\n1 thaw\n");
}

/* The parent of the script that was started last. */
static void kill_adaptor(Room *room) {
        _cleanup_fclose_ FILE *f = fopen(in_room(room, "log.parent"), "re");
        int pid;

        assert_non_null(f);
        assert_int_equal(fscanf(f, "%d", &pid), 1);
        assert_int_equal(kill(pid, SIGKILL), 0);
}

/* The adaptor dies in the freeze: the command at its unit's end undoes what had begun. */
static void adaptor_dies_freezing(void **state) {
        Room *room = *state;
        int pid;

        add_directory(room, "d");
        add_script(room, "d/1", 0755, "");
        add_script(room, "d/2", 0755, "[ $1 != freeze ] || { echo pid $$ >> \"$LOG\"; exec sleep 1000; }");
        add_script(room, "d/3", 0755, "");
        open_hook(room, "open-vm-tools", "d");
        room_send(room, 1, 0, CONTRACT_EVENT_FREEZE);
        assert_int_equal(sscanf(strstr(room_wait_log(room, "pid ", 1), "pid"), "pid %d", &pid), 1);
        kill_adaptor(room);
        assert_gone(pid);
        assert_string_equal(strstr(room_wait_log(room, "1 freezeFail", 1), "2 freezeFail"),
                            "2 freezeFail\n1 freezeFail\n");
        assert_int_equal(room_count_log(room, "3 "), 0);
}

/* It dies while all is frozen: thawed once, and not again by the process that comes next. */
static void adaptor_dies_frozen(void **state) {
        Room *room = *state;
        static const char all[] = "1 freeze thaw=\n2 freeze thaw=\n2 thaw thaw=died\n1 thaw thaw=died\n";

        add_directory(room, "d");
        for (const char *name = "12"; *name; name++) {
                char path[16];

                (void) snprintf(path, sizeof(path), "d/%c", *name);
                add_script(room, path, 0755, "sed -i \"\\$s/\\$/ thaw=$QUIESCE_GUARD/\" \"$LOG\"");
        }
        open_hook(room, "qemu-ga", "d");
        ask_good(room, CONTRACT_EVENT_FREEZE);
        assert_log(room, "1 freeze thaw=\n2 freeze thaw=\n");
        kill_adaptor(room);
        assert_string_equal(room_wait_log(room, "1 thaw thaw=died", 1), all);
        (void) room_wait_told(room, 2);
        writers_release(room->writers, 1);
        room_wait_idle(room);
        (void) room_launch(room, 2);
        room_send(room, 2, 0, CONTRACT_EVENT_ABORT);
        (void) room_wait_told(room, 3);
        assert_log(room, all);
}

/* A script of ours likewise. */
static void adaptor_dies_plain(void **state) {
        Room *room = *state;

        add_script(room, "script", 0755, "exit 0");
        room_add_descriptor(room, "h", "[Writer]\nUser=root\nHook=%s\n", in_room(room, "script"));
        room_open(room);
        (void) room_launch(room, 1);
        ask_good(room, CONTRACT_EVENT_IDENTIFY);
        ask_good(room, CONTRACT_EVENT_FREEZE);
        kill_adaptor(room);
        assert_string_equal(room_wait_log(room, "script thaw", 1),
                            "script identify\nscript freeze\nscript thaw\n");
}

#define TEST(_f) cmocka_unit_test_setup_teardown(_f, room_setup, room_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(qemu_ga_directory),
                TEST(qemu_ga_dispatcher),
                TEST(a_freeze_fails),
                TEST(abort_before_freeze),
                TEST(open_vm_tools_thaw),
                TEST(open_vm_tools_fail),
                TEST(open_vm_tools_not_executable),
                TEST(open_vm_tools_pair),
                TEST(run_parts),
                TEST(not_roots_alone),
                TEST(a_freeze_hangs),
                TEST(a_thaw_hangs),
                TEST(quiesced_dies),
                TEST(adaptor_dies_freezing),
                TEST(adaptor_dies_frozen),
                TEST(adaptor_dies_plain),
        };

        (void) setenv("QUIESCED_HOOK_PROGRAM", HOOK_PROGRAM, 1);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
