/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Takes a snapshot set through all its steps without bus, contract and writers, for tests: what it prints is
 * one line a step, what it answers is its exit status.
 *
 *   sets-driver [OPTION]… VOLUME…
 *
 *   --runtime DIR      where the journal goes (default /run/quiesced)
 *   --hold SOCKET      quiesced-hold's socket (default its usual one)
 *   --test-dir DIR     with the provider "test"
 *   --persistent       a persistent set
 *   --cow-size BYTES   of each COW store
 *   --freeze           freeze and thaw all file systems as the fsfreeze writer does
 *   --abort-at STEP    give the set up as soon as STEP has begun
 *   --trees DIR        attach each snapshot's tree to DIR/<index>
 *   --then PROGRAM     run it once the set is created, with the snapshots' devices as arguments
 *   --keep             leave the set as it is
 *   --recover          only recover, and print what is found
 *   --delete           with --recover: delete what is found
 *   --die-at STEP      kill this process as soon as STEP is done
 */

#include <fcntl.h>
#include <getopt.h>
#include <linux/fs.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "contract/names.h"
#include "daemon/sets/sets.h"
#include "util/error.h"

typedef struct Driver {
        sd_event *event;
        Sets *sets;
        SnapshotSet *set;
        PrepareOptions options;
        const char *abort_at, *die_at, *then, *trees;
        bool freeze, keep, persistent, recover, delete, given_up;
        char **volumes;
        int n_volumes, next;
        int failed;
        ContractStep step;
        uint32_t tree;
} Driver;

static const ContractStep sequence[] = {CONTRACT_STEP_END_PREPARE, CONTRACT_STEP_LOCK,
                                        CONTRACT_STEP_PRE_COMMIT,  CONTRACT_STEP_COMMIT,
                                        CONTRACT_STEP_POST_COMMIT, CONTRACT_STEP_FINAL_COMMIT};

static void on_step(SnapshotSet *set, ContractStep step, uint32_t volume, const StepResult *result,
                    void *userdata);

static void finish(Driver *driver, int failed) {
        driver->failed = failed;
        (void) sd_event_exit(driver->event, 0);
}

static void begin(Driver *driver, ContractStep step) {
        int r;

        driver->step = step;
        if (step == CONTRACT_STEP_LOCK)
                snapshot_set_note_writers_freeze(driver->set, driver->freeze);
        r = snapshot_set_step(driver->set, step, NULL, on_step, driver);
        if (r < 0) {
                printf("%s cannot be begun: %s\n", contract_step_to_string(step), strerror(-r));
                finish(driver, 1);
                return;
        }
        if (driver->abort_at && streq(driver->abort_at, contract_step_to_string(step))) {
                driver->abort_at = NULL;
                driver->failed = 1;
                driver->given_up = true;
                (void) snapshot_set_step(driver->set, CONTRACT_STEP_ABORT, NULL, on_step, driver);
        }
}

static void begin_next_volume(Driver *driver) {
        VolumeReference reference = {.name = driver->volumes[driver->next], .fd = -1};
        char id[SD_ID128_UUID_STRING_MAX];
        sd_id128_t random;
        int r;

        (void) sd_id128_randomize(&random);
        (void) sd_id128_to_uuid_string(random, id);
        r = snapshot_set_begin_prepare(driver->set, (uint32_t) driver->next, id, &reference,
                                       &driver->options, on_step, driver);
        if (r < 0) {
                printf("begin-prepare cannot be begun: %s\n", strerror(-r));
                finish(driver, 1);
        }
}

static int change_frozen(Driver *driver, bool freeze) {
        uint32_t indices[256];
        size_t n = 0;
        SetFileSystem fs;

        for (size_t i = 0; snapshot_set_get_file_system(driver->set, i, &fs); i++) {
                if (ioctl(fs.fd, freeze ? FIFREEZE : FITHAW, 0) < 0) {
                        printf("%s of %s: %s\n", freeze ? "freeze" : "thaw", fs.mount_point,
                               strerror(errno));
                        return -1;
                }
                indices[n++] = fs.index;
        }
        if (freeze)
                snapshot_set_note_frozen(driver->set, indices, n);
        return 0;
}

static void print_set(const SnapshotSet *set) {
        SnapshotInfo info;
        SetInfo si;

        if (!snapshot_set_get_info(set, &si))
                return;
        printf("set %s snapshots=%zu persistent=%d hold=%llu suspend=%llu commit=%llu instant=%llu\n", si.id,
               si.n_snapshots, si.persistent, (unsigned long long) si.hold_usec,
               (unsigned long long) si.suspend_usec, (unsigned long long) si.commit_usec,
               (unsigned long long) si.instant_realtime_usec);
        for (size_t i = 0; i < si.n_snapshots; i++)
                if (snapshot_set_get_snapshot(set, i, &info))
                        printf("snapshot %s volume=%s device=%s provider=%s state=%s fs=%s size=%llu "
                               "no-tree=%s\n",
                               info.id, info.volume, info.device, info.provider, info.state,
                               info.file_system, (unsigned long long) info.size, info.no_tree ?: "-");
}

static int run_then(Driver *driver) {
        const char *argv[CONTRACT_VOLUMES_MAX + 2] = {driver->then};
        SnapshotInfo info;
        int status;
        pid_t pid;

        for (size_t i = 0; i < CONTRACT_VOLUMES_MAX && snapshot_set_get_snapshot(driver->set, i, &info); i++)
                argv[i + 1] = info.device;
        (void) fflush(stdout);
        if (posix_spawn(&pid, driver->then, NULL, NULL, (char **) argv, environ) != 0 ||
            waitpid(pid, &status, 0) < 0)
                return 1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static void created(Driver *driver) {
        if (driver->then && run_then(driver) != 0) {
                printf("%s failed\n", driver->then);
                driver->failed = 1;
        }
        if (driver->keep)
                finish(driver, driver->failed);
        else
                begin(driver, CONTRACT_STEP_DELETE);
}

static void next_tree(Driver *driver);

static void on_tree(int r, int fd, const char *text, void *userdata) {
        Driver *driver = userdata;

        printf("tree %u: %s\n", driver->tree, r < 0 ? text : "opened");
        (void) fd_close(fd);
        driver->tree++;
        next_tree(driver);
}

static void on_mounted(SnapshotSet *set, ContractStep step, uint32_t volume, const StepResult *result,
                       void *userdata) {
        Driver *driver = userdata;
        SnapshotInfo info;

        printf("mount %u: %s\n", driver->tree, result->error == CONTRACT_OK ? "mounted" : result->text);
        if (!snapshot_set_get_snapshot(set, driver->tree, &info) ||
            snapshot_set_open_tree(set, info.id, on_tree, driver) < 0)
                finish(driver, 1);
}

static void next_tree(Driver *driver) {
        SnapshotInfo info;

        for (; driver->trees && snapshot_set_get_snapshot(driver->set, driver->tree, &info);
             driver->tree++) {
                _cleanup_free_ char *path = NULL;
                _cleanup_close_ int fd = -EBADF;

                if (info.no_tree)
                        continue;
                if (asprintf(&path, "%s/%u", driver->trees, driver->tree) < 0)
                        return;
                (void) mkdir(path, 0700);
                fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
                const MountOptions options = {.directory_fd = fd};

                if (snapshot_set_mount(driver->set, info.id, &options, on_mounted, driver) >= 0)
                        return;
                printf("mount %u cannot be begun\n", driver->tree);
        }
        created(driver);
}

static void step_succeeded(Driver *driver, ContractStep step) {
        switch (step) {
        case CONTRACT_STEP_BEGIN_PREPARE:
                if (++driver->next < driver->n_volumes)
                        begin_next_volume(driver);
                else
                        begin(driver, sequence[0]);
                return;
        case CONTRACT_STEP_END_PREPARE:
        case CONTRACT_STEP_LOCK:
                break;
        case CONTRACT_STEP_PRE_COMMIT:
                if (driver->freeze && change_frozen(driver, true) < 0) {
                        driver->failed = 1;
                        (void) change_frozen(driver, false);
                        begin(driver, CONTRACT_STEP_ABORT);
                        return;
                }
                break;
        case CONTRACT_STEP_COMMIT:
                if (driver->freeze && change_frozen(driver, false) < 0)
                        driver->failed = 1;
                break;
        case CONTRACT_STEP_POST_COMMIT:
                sets_window_end(driver->sets);
                break;
        case CONTRACT_STEP_FINAL_COMMIT:
                print_set(driver->set);
                next_tree(driver);
                return;
        default:
                finish(driver, driver->failed);
                return;
        }
        for (size_t i = 0; i + 1 < ELEMENTSOF(sequence); i++)
                if (sequence[i] == step)
                        begin(driver, sequence[i + 1]);
}

static void on_step(SnapshotSet *set, ContractStep step, uint32_t volume, const StepResult *result,
                    void *userdata) {
        Driver *driver = userdata;
        bool gives_up = step == CONTRACT_STEP_ABORT || step == CONTRACT_STEP_DELETE;

        printf("%s %s%s%s\n", contract_step_to_string(step),
               result->error == CONTRACT_OK ? "OK" : contract_error_to_string(result->error),
               result->text ? ": " : "", result->text ?: "");
        (void) fflush(stdout);
        if (driver->die_at && streq(driver->die_at, contract_step_to_string(step)))
                (void) kill(getpid(), SIGKILL);
        if (driver->given_up && !gives_up) {
                sets_window_end(driver->sets); /* ABORT's own answer follows */
                return;
        }
        if (result->error == CONTRACT_OK) {
                step_succeeded(driver, step);
                return;
        }
        driver->failed = 1;
        if (gives_up || step == CONTRACT_STEP_BEGIN_PREPARE) {
                if (step == CONTRACT_STEP_BEGIN_PREPARE && driver->next > 0)
                        begin(driver, CONTRACT_STEP_ABORT);
                else
                        finish(driver, 1);
                return;
        }
        sets_window_end(driver->sets);
        begin(driver, CONTRACT_STEP_ABORT);
}

static void on_delete_found(SnapshotSet *set, ContractStep step, uint32_t volume, const StepResult *result,
                            void *userdata) {
        Driver *driver = userdata;

        printf("delete %u %s\n", result->n_deleted, result->text ?: "");
        if (result->error != CONTRACT_OK)
                driver->failed = 1;
        if (--driver->next == 0)
                finish(driver, driver->failed);
}

static void on_recovered(int r, void *userdata) {
        Driver *driver = userdata;

        printf("recovered: %s\n", r < 0 ? strerror(-r) : "OK");
        for (size_t i = 0; i < sets_count(driver->sets); i++)
                print_set(sets_get(driver->sets, i));
        if (r < 0 || !driver->delete || sets_count(driver->sets) == 0) {
                finish(driver, r < 0);
                return;
        }
        driver->next = (int) sets_count(driver->sets);
        for (size_t i = 0; i < sets_count(driver->sets); i++)
                (void) snapshot_set_step(sets_get(driver->sets, i), CONTRACT_STEP_DELETE, NULL,
                                         on_delete_found, driver);
}

static void on_found(int r, void *userdata) {
        Driver *driver = userdata;

        if (r < 0)
                on_recovered(r, driver);
        else
                sets_remove_left_over(driver->sets, on_recovered, driver);
}

static void on_removed(const char *set_id, const char *snapshot_id, const char *reason, void *userdata) {
        printf("removed %s: %s\n", snapshot_id, reason);
}

enum {
        RUNTIME,
        HOLD,
        TEST_DIR,
        PERSISTENT,
        COW,
        FREEZE,
        ABORT_AT,
        TREES,
        THEN,
        KEEP,
        RECOVER,
        DELETE,
        DIE_AT
};

static const struct option options[] = {
        {"runtime", required_argument, NULL, RUNTIME},   {"hold", required_argument, NULL, HOLD},
        {"test-dir", required_argument, NULL, TEST_DIR}, {"persistent", no_argument, NULL, PERSISTENT},
        {"cow-size", required_argument, NULL, COW},      {"freeze", no_argument, NULL, FREEZE},
        {"abort-at", required_argument, NULL, ABORT_AT}, {"trees", required_argument, NULL, TREES},
        {"then", required_argument, NULL, THEN},         {"keep", no_argument, NULL, KEEP},
        {"recover", no_argument, NULL, RECOVER},         {"delete", no_argument, NULL, DELETE},
        {"die-at", required_argument, NULL, DIE_AT},     {},
};

static int parse(Driver *driver, SetsConfig *config, int argc, char **argv) {
        const char *values[ELEMENTSOF(options)] = {};
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                if (c == '?')
                        return -1;
                values[c] = optarg ?: "";
        }
        config->runtime_dir = values[RUNTIME] ?: config->runtime_dir;
        config->hold_socket_path = values[HOLD];
        config->test_provider_dir = values[TEST_DIR];
        driver->options.cow_size = values[COW] ? strtoull(values[COW], NULL, 10) : 0;
        driver->persistent = values[PERSISTENT];
        driver->freeze = values[FREEZE];
        driver->abort_at = values[ABORT_AT];
        driver->trees = values[TREES];
        driver->then = values[THEN];
        driver->keep = values[KEEP];
        driver->recover = values[RECOVER];
        driver->delete = values[DELETE];
        driver->die_at = values[DIE_AT];
        driver->volumes = argv + optind;
        driver->n_volumes = argc - optind;
        return driver->recover || driver->n_volumes > 0 ? 0 : -1;
}

int main(int argc, char **argv) {
        static const char session_id[] = "11111111-2222-3333-4444-555555555555";
        SetsConfig config = {.runtime_dir = "/run/quiesced",
                             .hold_limit_usec = 10 * USEC_PER_SEC,
                             .expedite_rcu = true,
                             .removed = on_removed};
        char id[SD_ID128_UUID_STRING_MAX];
        Driver driver = {};
        sd_id128_t random;
        int r;

        if (parse(&driver, &config, argc, argv) < 0)
                return 2;
        (void) mkdir(config.runtime_dir, 0700);
        (void) sd_id128_randomize(&random);
        (void) sd_id128_to_uuid_string(random, id);
        if (sd_event_new(&driver.event) < 0 || sets_new(&driver.sets, driver.event, &config) < 0)
                return 3;
        if (driver.recover) {
                r = sets_recover_held(driver.sets);
                printf("recover-held: %s\n", r < 0 ? strerror(-r) : "OK");
                r = sets_recover(driver.sets, NULL, on_found, &driver);
        } else {
                r = sets_new_set(driver.sets, &driver.set, id, session_id, getuid(), driver.persistent);
                if (r >= 0)
                        begin_next_volume(&driver);
        }
        if (r < 0)
                return 3;
        r = sd_event_loop(driver.event);
        (void) sets_free(driver.sets);
        (void) sd_event_unref(driver.event);
        return r < 0 ? 3 : driver.failed;
}
