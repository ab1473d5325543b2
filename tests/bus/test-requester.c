/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The developer kit's test requester against the real quiesced: what it does and says, what its exit status
 * tells, and one backup in which requester, writer and provider follow scripts of the same language.
 */

#include "bus-harness.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define WHOLE                                                                         \
        "identify prepare-for-backup prepare-for-snapshot freeze thaw post-snapshot " \
        "backup-complete backup-shutdown"

static pid_t begin(Bench *bench, const char *const *arguments) {
        const char *argv[24] = {TEST_REQUESTER};
        pid_t pid;
        int fd;

        for (size_t i = 0; arguments[i]; i++) {
                assert_true(i + 2 < ELEMENTSOF(argv));
                argv[i + 1] = arguments[i];
        }
        pid = fork();
        assert_true(pid >= 0);
        if (pid > 0)
                return pid;
        if (chdir(bench->directory) < 0)
                _exit(126);
        fd = open("out", O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
                _exit(126);
        (void) execv(argv[0], (char *const *) argv);
        _exit(127);
}

static int end(pid_t pid) {
        int status;

        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

#define run(_bench, ...) end(begin(_bench, (const char *const[]){__VA_ARGS__, NULL}))

static void assert_said(Bench *bench, const char *text) {
        _cleanup_free_ char *out = bench_read(bench, "out");

        if (!strstr(out, text))
                fail_msg("it did not say \"%s\" but: %s", text, out);
}

static void assert_status(Bench *bench, int status, int expected) {
        _cleanup_free_ char *out = bench_read(bench, "out");

        if (status != expected)
                fail_msg("status %d, expected %d: %s", status, expected, out);
}

static int setup(void **state) {
        int r = bench_setup(state);

        if (r == 0) {
                bench_add_volume(*state, "one");
                bench_add_volume(*state, "two");
                bench_add_writer(*state, "alpha", "component=filegroup::a:s");
                bench_start(*state);
        }
        return r;
}

static void test_whole_backup(void **state) {
        assert_status(*state, run(*state, "test:one", "test:two"), 0);
        assert_said(*state, "GatherWriterMetadata ok");
        assert_said(*state, "\nDoSnapshotSet ok {'set'=");
        assert_said(*state, "signal PropertiesChanged/writer/");
        assert_said(*state, "\nsignal BackupShutdown ");
        assert_said(*state, "\nRelease ok\n");
        bench_assert_story(*state, "alpha", WHOLE);
}

/* BETest's /NBC: without BackupComplete. */
static void test_skip_and_repeat(void **state) {
        assert_status(*state,
                      run(*state, "BackupComplete=skip", "AddToSnapshotSet=first:1:repeat:2", "test:one"),
                      1);
        assert_said(*state, "AddToSnapshotSet ObjectAlreadyExists ");
        assert_said(*state, "expected ok");
        assert_status(
                *state,
                run(*state, "BackupComplete=skip", "GatherWriterMetadata=first:1:delay:1ms", "test:one"), 0);
        assert_said(*state, "BackupComplete skipped");
        assert_int_equal(bench_count(*state, "writers.log", "alpha backup-complete"), 0);
        assert_int_equal(bench_count(*state, "writers.log", " not-completed released "), 1);
}

static void test_expectations(void **state) {
        static const char script[] = "# calls in an order that is wrong\n"
                                     "OpenBackup\n"
                                     "DoSnapshotSet => BadState initialised\n"
                                     "SetContext weekly => UnsupportedContext\n"
                                     "SetBackupState component-mode type=full\n"
                                     "DisableWriters nobody => any\n"
                                     "GatherWriterMetadata => ok alpha\n"
                                     "GetWriterMetadata alpha => ok \"'name'='a'\"\n"
                                     "AddComponent alpha \"\" a\n"
                                     "StartSnapshotSet wait\n"
                                     "IsVolumeSupported test:three => ok false\n"
                                     "AddToSnapshotSet test:one\n"
                                     "PrepareForBackup\n"
                                     "DoSnapshotSet require-writers\n"
                                     "GetSnapshotProperties $snapshot => ok test:one\n"
                                     "SetBackupSucceeded alpha \"\" a yes\n"
                                     "BackupComplete\n"
                                     "SaveDocument document\n"
                                     "DeleteSnapshots $set => ok \"1, ''\"\n"
                                     "signal SnapshotRemoved\n"
                                     "AbortBackup\n"
                                     "GatherWriterStatus => ok stable\n"
                                     "Release\n"
                                     "Release => org.freedesktop.DBus.Error.UnknownObject\n"
                                     "OpenRestore document\n"
                                     "GatherWriterMetadata\n"
                                     "SetSelectedForRestore alpha \"\" a yes\n"
                                     "PreRestore\n"
                                     "SetFileRestoreStatus alpha \"\" a all\n"
                                     "PostRestore\n"
                                     "Release\n";

        bench_write(*state, "script", script);
        assert_status(*state, run(*state, "--script=script"), 0);
        assert_int_equal(bench_count(*state, "writers.log", "alpha post-restore"), 1);
        assert_int_equal(bench_count(*state, "writers.log", " completed released "), 2);
}

static void test_statuses(void **state) {
        assert_status(*state, run(*state, "-c", "OpenBackup => BadState"), 1);
        assert_status(*state, run(*state, "-k", "-c", "OpenBackup => BadState", "-c", "Release"), 1);
        assert_said(*state, "Release ok");
        assert_status(*state, run(*state, "-c", "OpenBackup => ok nonsense"), 1);
        assert_status(*state, run(*state, "-c", "Release"), 2);
        assert_said(*state, "needs a session");
        assert_status(*state, run(*state, "-c", "OpenBackup", "-c", "Explode"), 2);
        assert_status(*state, run(*state, "-c", "OpenBackup", "-c", "AddComponent alpha"), 2);
        assert_said(*state, "arguments are wrong");
        assert_status(*state, run(*state, "-c", "\"open"), 2);
        assert_status(*state, run(*state, "--script=nowhere"), 2);
        assert_status(*state, run(*state, "Explode=die"), 2);
        assert_status(*state, run(*state, "--nonsense"), 2);
        assert_status(*state, run(*state, "OpenBackup=repeat:2x"), 2);
        assert_said(*state, "repeat: its argument is no number of times");
        bench_write(*state, "script", "OpenBackup\n\nawait DoSnapshotSet\n");
        assert_status(*state, run(*state, "-s", "script"), 2);
        assert_said(*state, "ended at line 3 of the script");
        /* A word that stands for an id the step itself changes. */
        assert_status(*state,
                      run(*state, "AddToSnapshotSet=repeat:2", "-k", "-c", "OpenBackup", "-c",
                          "GatherWriterMetadata", "-c", "StartSnapshotSet", "-c",
                          "AddToSnapshotSet test:one => any", "-c",
                          "AddToSnapshotSet $snapshot => VolumeNotSupported", "-c",
                          "OpenRestore $session => any"),
                      2);
        assert_status(*state, run(*state, "--help"), 0);
        assert_status(*state, run(*state, "--version"), 0);
}

/* Killed between two calls, and in the middle of one. */
static void test_die(void **state) {
        assert_status(*state, run(*state, "DoSnapshotSet=die", "test:one"), -SIGKILL);
        bench_wait_file(*state, "writers.log", "not-completed requester-vanished");
        bench_write(*state, "writers.log", "");
        bench_stop_at(*state, "end-prepare", "*");
        bench_write(*state, "script",
                    "OpenBackup\nGatherWriterMetadata\nStartSnapshotSet\nAddToSnapshotSet test:one\n"
                    "PrepareForBackup\nDoSnapshotSet &\nwait provider/reached\ndie\n");
        assert_status(*state, run(*state, "--script=script"), -SIGKILL);
        bench_wait_file(*state, "writers.log", "not-completed requester-vanished");
        assert_int_equal(bench_count(*state, "writers.log", "alpha abort "), 1);
}

/* Another call while one runs, and a stop at a FIFO. */
static void test_calls_at_once(void **state) {
        char fifo[128];
        pid_t pid;

        (void) bench_make_fifo(*state, "fifo", fifo);
        bench_stop_at(*state, "end-prepare", "*");
        bench_write(*state, "script",
                    "OpenBackup\nGatherWriterMetadata\nStartSnapshotSet\nAddToSnapshotSet test:one\n"
                    "PrepareForBackup\nDoSnapshotSet &\nwait provider/reached\n"
                    "BackupComplete => BadState DoSnapshotSet\n"
                    "mark stopped\nwait fifo\nAbortBackup\nawait DoSnapshotSet => Aborted\nRelease\n");
        pid = begin(*state, (const char *const[]){"--script=script", NULL});
        bench_wait_file(*state, "stopped", "");
        bench_let_go(*state, "fifo");
        assert_status(*state, end(pid), 0);
}

/* One backup in which writer and provider fail the first time: the next succeeds, in the same session of the
 * machine. The first session keeps the writer's process, and with it its counts. */
static void test_scripts_of_all_three(void **state) {
        static const char keeper[] = "OpenBackup\nGatherWriterMetadata\n";
        static const char first[] =
                "OpenBackup\nGatherWriterMetadata\nStartSnapshotSet\nAddToSnapshotSet test:one\n"
                "PrepareForBackup require-writers\nDoSnapshotSet => WriterVeto \"try again\"\nRelease\n";
        char arguments[160], script[1024];
        Client *client;

        (void) snprintf(arguments, sizeof(arguments), "script=%s/writer.script",
                        ((Bench *) *state)->directory);
        (void) snprintf(script, sizeof(script),
                        "%s%sOpenBackup\nGatherWriterMetadata\nStartSnapshotSet\nAddToSnapshotSet test:one\n"
                        "PrepareForBackup\nDoSnapshotSet => UnexpectedProviderError no space left\nRelease\n"
                        "OpenBackup\nGatherWriterMetadata\nStartSnapshotSet\nAddToSnapshotSet test:one\n"
                        "PrepareForBackup\nDoSnapshotSet => ok 'application'\nRelease\n",
                        keeper, first);
        bench_write(*state, "script", script);
        bench_write(*state, "writer.script",
                    "# fails once\nfreeze beta first 1 fail Retryable \"try again\"\n"
                    "freeze other die\nthaw * mark thawed\nthaw * delay 1ms\n");
        bench_write(*state, "provider/script",
                    "commit one first 1 fail UnexpectedProviderError \"no space left\"\n");
        bench_add_writer(*state, "beta", arguments);
        assert_status(*state, run(*state, "DoSnapshotSet=first:9:delay:1ms", "--script=script"), 0);
        bench_wait_file(*state, "thawed", "");

        /* What is no script is found before it is a writer. */
        bench_write(*state, "writer.script", "freeze beta\n");
        client = client_new(*state);
        client_open(client);
        backup_ok(client, "GatherWriterMetadata");
        assert_int_equal(bench_count(*state, "quiesced.log", "needs WHO [first N] ACTION"), 1);
        (void) client_free(client);
}

/* The example's descriptor, with the paths of this build and this tree. */
static void bench_use_example(Bench *bench) {
        /* Names of one length wherever the build is: a descriptor's lines are short. */
        static const char *const paths[][2] = {
                {"/usr/bin/quiesce-test-writer", "writer"},
                {"/etc/quiesced/test.script", "example.script"},
        };
        char text[4096] = "", line[1024], *at;
        FILE *f = fopen(SOURCE_TREE "/kit/test.writer", "re");

        assert_non_null(f);
        while (fgets(line, sizeof(line), f)) {
                for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                        _cleanup_free_ char *rest = NULL;

                        at = strstr(line, paths[i][0]);
                        if (!at || line[0] == '#')
                                continue;
                        rest = strdup(at + strlen(paths[i][0]));
                        (void) snprintf(at, sizeof(line) - (size_t) (at - line), "%s/%s%s", bench->directory,
                                        paths[i][1], rest);
                }
                (void) strcat(text, line);
        }
        (void) fclose(f);
        (void) snprintf(line, sizeof(line), "%s/%s", bench->directory, paths[1][1]);
        assert_int_equal(symlink(SOURCE_TREE "/kit/test.script", line), 0);
        bench_write(bench, "writers.d/test.writer", text);
}

/* The installed example does what it says: it cannot be frozen two times, then it can. */
static void test_example(void **state) {
        static const char one[] = "OpenBackup\nGatherWriterMetadata\nStartSnapshotSet\nPrepareForBackup\n";
        Bench *bench = *state;
        char script[1024];

        bench_use_example(bench);
        (void) snprintf(script, sizeof(script),
                        "OpenBackup\nGatherWriterMetadata => ok 'name'='files'\n"
                        "%sDoSnapshotSet => ok 'failed-writers'=['test']\nRelease\n"
                        "%sDoSnapshotSet => ok 'failed-writers'=['test']\nRelease\n"
                        "%sGatherWriterStatus => ok this is a writer for tests\n"
                        "DoSnapshotSet => ok 'failed-writers'=[]\nRelease\n",
                        one, one, one);
        bench_write(bench, "script", script);
        assert_status(bench, run(bench, "--script=script"), 0);
}

int main(void) {
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, setup, bench_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_whole_backup),
                TEST(test_skip_and_repeat),
                TEST(test_expectations),
                TEST(test_statuses),
                TEST(test_die),
                TEST(test_calls_at_once),
                TEST(test_scripts_of_all_three),
                TEST(test_example),
        };

        return cmocka_run_group_tests_name("requester", tests, NULL, NULL);
}
