/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Snapshot sets over the test provider: each step answers once and from the loop, failures name the volume,
 * ABORT overtakes, what was deleted or given up is gone, what a dead daemon left over is removed.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "daemon/providers/test.h"
#include "daemon/sets/mount-record.h"
#include "daemon/sets/sets-internal.h"

#define SET_ID  "00000000-0000-4000-8000-00000000000a"
#define SESSION "00000000-0000-4000-8000-00000000000b"

typedef struct Answer {
        ContractStep step;
        uint32_t volume;
        ContractError error;
        char text[512], key[256], first_left[64];
        uint32_t n_deleted;
} Answer;

typedef struct Fixture {
        char directory[64];
        sd_event *event;
        Sets *sets;
        SnapshotSet *set;
        Answer answers[8];
        size_t n_answers, n_wanted;
        bool recovered;
        int hold; /* the connection, or negative */
} Fixture;

static void put(const Fixture *f, const char *name, const char *text) {
        char path[256];
        _cleanup_close_ int fd = -EBADF;

        (void) snprintf(path, sizeof(path), "%s/%s", f->directory, name);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));
        char hold_path[96];
        SetsConfig config = {.runtime_dir = f->directory,
                             .test_provider_dir = f->directory,
                             .hold_limit_usec = 10 * USEC_PER_SEC,
                             .hold_socket_path = hold_path};

        f->hold = -EBADF;
        (void) snprintf(f->directory, sizeof(f->directory), "/tmp/test-sets.XXXXXX");
        assert_non_null(mkdtemp(f->directory));
        (void) snprintf(hold_path, sizeof(hold_path), "%s/hold", f->directory);
        assert_int_equal(sd_event_new(&f->event), 0);
        assert_int_equal(sets_new(&f->sets, f->event, &config), 0);
        put(f, "volumes/a", "content of a");
        put(f, "volumes/b", "content of b");
        assert_int_equal(sets_new_set(f->sets, &f->set, SET_ID, SESSION, 0, false), 0);
        *state = f;
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static int teardown(void **state) {
        Fixture *f = *state;

        (void) sets_free(f->sets);
        sd_event_unref(f->event);
        assert_int_equal(nftw(f->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
        free(f);
        return 0;
}

static size_t count_snapshots(const Fixture *f) {
        char path[256];
        size_t n = 0;
        DIR *d;

        (void) snprintf(path, sizeof(path), "%s/snapshots", f->directory);
        d = opendir(path);
        assert_non_null(d);
        for (struct dirent *e; (e = readdir(d));)
                n += e->d_name[0] != '.';
        (void) closedir(d);
        return n;
}

static void on_step(SnapshotSet *set, ContractStep step, uint32_t volume, const StepResult *result,
                    void *userdata) {
        Fixture *f = userdata;
        Answer *answer = &f->answers[f->n_answers++];

        assert_true(f->n_answers <= ELEMENTSOF(f->answers));
        *answer = (Answer){
                .step = step, .volume = volume, .error = result->error, .n_deleted = result->n_deleted};
        (void) snprintf(answer->text, sizeof(answer->text), "%s", result->text ?: "");
        (void) snprintf(answer->key, sizeof(answer->key), "%s", result->key ?: "");
        (void) snprintf(answer->first_left, sizeof(answer->first_left), "%s", result->first_left ?: "");
}

/* Runs the loop until so many answers have come. */
static void await(Fixture *f, size_t n) {
        while (f->n_answers < n)
                assert_true(sd_event_run(f->event, 20 * USEC_PER_SEC) > 0);
        /* and lets go what waits to be freed */
        while (sd_event_run(f->event, 0) > 0)
                ;
        assert_int_equal(f->n_answers, n);
}

static const Answer *begin_prepare(Fixture *f, uint32_t index, const char *name) {
        VolumeReference reference = {.name = name, .fd = -1};
        char id[64];

        (void) snprintf(id, sizeof(id), "00000000-0000-4000-8000-0000000001%02u", index);
        f->n_answers = 0;
        assert_int_equal(snapshot_set_begin_prepare(f->set, index, id, &reference, NULL, on_step, f), 0);
        assert_int_equal(f->n_answers, 0);
        await(f, 1);
        return &f->answers[0];
}

static const Answer *step(Fixture *f, ContractStep which) {
        f->n_answers = 0;
        assert_int_equal(snapshot_set_step(f->set, which, NULL, on_step, f), 0);
        assert_int_equal(f->n_answers, 0);
        await(f, 1);
        assert_int_equal(f->answers[0].step, which);
        return &f->answers[0];
}

static void make(Fixture *f, ContractStep last) {
        assert_int_equal(begin_prepare(f, 0, "test:a")->error, CONTRACT_OK);
        assert_int_equal(begin_prepare(f, 1, "test:b")->error, CONTRACT_OK);
        for (ContractStep s = CONTRACT_STEP_END_PREPARE; s <= last; s++)
                assert_int_equal(step(f, s)->error, CONTRACT_OK);
        sets_window_end(f->sets);
}

static void test_created(void **state) {
        Fixture *f = *state;
        SnapshotInfo snapshot;
        SetInfo set;

        make(f, CONTRACT_STEP_FINAL_COMMIT);
        assert_int_equal(count_snapshots(f), 2);
        assert_true(snapshot_set_get_info(f->set, &set));
        assert_int_equal(set.n_snapshots, 2);
        assert_true(set.instant_realtime_usec > 0);
        assert_true(snapshot_set_get_snapshot(f->set, 1, &snapshot));
        assert_string_equal(snapshot.volume, "test:b");
        assert_string_equal(snapshot.state, "created");
        assert_ptr_equal(sets_find(f->sets, snapshot.id), f->set);
        assert_ptr_equal(sets_find(f->sets, SET_ID), f->set);
}

static void test_deleted(void **state) {
        Fixture *f = *state;
        const Answer *answer;

        make(f, CONTRACT_STEP_FINAL_COMMIT);
        answer = step(f, CONTRACT_STEP_DELETE);
        assert_int_equal(answer->error, CONTRACT_OK);
        assert_int_equal(answer->n_deleted, 2);
        assert_int_equal(count_snapshots(f), 0);
        assert_int_equal(sets_count(f->sets), 0);
}

static void test_deleted_one(void **state) {
        Fixture *f = *state;
        SnapshotInfo snapshot;

        make(f, CONTRACT_STEP_FINAL_COMMIT);
        assert_true(snapshot_set_get_snapshot(f->set, 0, &snapshot));
        f->n_answers = 0;
        assert_int_equal(snapshot_set_step(f->set, CONTRACT_STEP_DELETE, "no such", on_step, f), -ENOENT);
        assert_int_equal(snapshot_set_step(f->set, CONTRACT_STEP_DELETE, snapshot.id, on_step, f), 0);
        await(f, 1);
        assert_int_equal(f->answers[0].n_deleted, 1);
        assert_int_equal(count_snapshots(f), 1);
        assert_false(snapshot_set_get_snapshot(f->set, 0, &snapshot));
        assert_true(snapshot_set_get_snapshot(f->set, 1, &snapshot));
}

static void test_twice(void **state) {
        Fixture *f = *state;
        const Answer *answer;

        assert_int_equal(begin_prepare(f, 0, "test:a")->error, CONTRACT_OK);
        answer = begin_prepare(f, 1, "test:a");
        assert_int_equal(answer->error, CONTRACT_OK);
        assert_string_equal(answer->key, "test:a");
        /* The index is free again, and takes another. */
        assert_int_equal(begin_prepare(f, 1, "test:b")->error, CONTRACT_OK);
        assert_int_equal(step(f, CONTRACT_STEP_END_PREPARE)->error, CONTRACT_OK);
        assert_int_equal(step(f, CONTRACT_STEP_ABORT)->error, CONTRACT_OK);
}

/* Whose call was cancelled. */
static void test_trimmed(void **state) {
        Fixture *f = *state;
        SetInfo set;

        assert_int_equal(begin_prepare(f, 0, "test:a")->error, CONTRACT_OK);
        assert_int_equal(begin_prepare(f, 1, "test:b")->error, CONTRACT_OK);
        snapshot_set_trim(f->set, 1);
        await(f, 1);
        assert_true(snapshot_set_get_info(f->set, &set));
        assert_int_equal(set.n_snapshots, 1);
        snapshot_set_trim(f->set, 0);
        await(f, 1);
        assert_int_equal(sets_count(f->sets), 0);
}

static void test_unknown(void **state) {
        Fixture *f = *state;
        const Answer *answer = begin_prepare(f, 0, "test:nowhere");

        assert_int_equal(answer->error, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED);
        assert_non_null(strstr(answer->text, "nowhere"));
        assert_int_equal(sets_count(f->sets), 0);
}

static void test_unsupported(void **state) {
        Fixture *f = *state;
        VolumeReference reference = {.name = "test:nowhere", .fd = -1}, good = {.name = "test:a", .fd = -1};

        assert_int_equal(sets_is_volume_supported(f->sets, &reference, NULL, on_step, f), 0);
        await(f, 1);
        assert_int_equal(f->answers[0].error, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED);
        assert_int_equal(sets_is_volume_supported(f->sets, &good, NULL, on_step, f), 0);
        await(f, 2);
        assert_int_equal(f->answers[1].error, CONTRACT_OK);
        assert_int_equal(sets_count(f->sets), 1);
}

/* What stands for mounts are descriptors of this machine's root and /proc. */
static void test_mount_records(void **state) {
        _cleanup_close_ int root = open("/", O_PATH | O_CLOEXEC), proc = open("/proc", O_PATH | O_CLOEXEC);
        const Fixture *f = *state;
        MountRecords records;
        char line[128], path[PATH_MAX];
        uint64_t id;

        assert_int_equal(mount_records_read(&records, f->directory, SET_ID), 0);
        assert_int_equal(records.n, 0);
        assert_int_equal(mount_records_add(f->directory, SET_ID, proc, false, true), 0);
        assert_int_equal(mount_records_add(f->directory, SET_ID, root, true, false), 0);
        assert_int_equal(mount_records_read(&records, f->directory, SESSION), 0);
        assert_int_equal(records.n, 0);
        assert_int_equal(mount_records_read(&records, f->directory, SET_ID), 0);
        assert_int_equal(records.n, 2);
        assert_string_equal(records.mounts[0].mount_point, "/proc");
        assert_true(records.mounts[0].gives_way && !records.mounts[0].writable);
        assert_string_equal(records.mounts[1].mount_point, "/");
        assert_true(!records.mounts[1].gives_way && records.mounts[1].writable);
        id = records.mounts[0].id;
        mount_records_done(&records);

        /* What is there stays; what is not, is of another device now, or is no line is forgotten. */
        mount_records_prune(f->directory, SET_ID);
        assert_int_equal(mount_records_read(&records, f->directory, SET_ID), 0);
        assert_int_equal(records.n, 2);
        mount_records_done(&records);
        (void) snprintf(line, sizeof(line), "nonsense\n%" PRIu64 " 4095:1\n4000000000 0:1 gives-way\n\n",
                        id);
        put(f, "mounts/" SET_ID, line);
        assert_int_equal(mount_records_read(&records, f->directory, SET_ID), 0);
        assert_int_equal(records.n, 0);
        mount_records_prune(f->directory, SET_ID);
        (void) snprintf(path, sizeof(path), "%s/mounts/" SET_ID, f->directory);
        assert_int_equal(access(path, F_OK), -1);
}

static void test_failure(void **state) {
        Fixture *f = *state;
        const Answer *answer;

        put(f, "script", "# comment\ncommit b fail InsufficientStorage b has no room\n");
        make(f, CONTRACT_STEP_PRE_COMMIT);
        answer = step(f, CONTRACT_STEP_COMMIT);
        assert_int_equal(answer->error, CONTRACT_ERROR_INSUFFICIENT_STORAGE);
        assert_string_equal(answer->text, "b has no room");
        assert_int_equal(answer->volume, 1);
        assert_int_equal(step(f, CONTRACT_STEP_ABORT)->error, CONTRACT_OK);
        assert_int_equal(count_snapshots(f), 0);
        assert_int_equal(sets_count(f->sets), 0);
}

static void test_wait(void **state) {
        Fixture *f = *state;

        put(f, "script", "end-prepare a mark reached\nend-prepare a wait go\n");
        assert_int_equal(begin_prepare(f, 0, "test:a")->error, CONTRACT_OK);
        f->n_answers = 0;
        assert_int_equal(snapshot_set_step(f->set, CONTRACT_STEP_END_PREPARE, NULL, on_step, f), 0);
        while (sd_event_run(f->event, 100 * USEC_PER_MSEC) > 0)
                ;
        assert_int_equal(f->n_answers, 0);
        put(f, "go", "");
        await(f, 1);
        assert_int_equal(f->answers[0].error, CONTRACT_OK);
}

static void test_abort_overtakes(void **state) {
        Fixture *f = *state;

        put(f, "script", "* b wait never\n");
        assert_int_equal(begin_prepare(f, 0, "test:a")->error, CONTRACT_OK);
        put(f, "script", "end-prepare a wait never\n");
        f->n_answers = 0;
        assert_int_equal(snapshot_set_step(f->set, CONTRACT_STEP_END_PREPARE, NULL, on_step, f), 0);
        assert_int_equal(snapshot_set_step(f->set, CONTRACT_STEP_LOCK, NULL, on_step, f), -EBUSY);
        assert_int_equal(snapshot_set_step(f->set, CONTRACT_STEP_ABORT, NULL, on_step, f), 0);
        await(f, 2);
        assert_int_equal(f->answers[0].step, CONTRACT_STEP_END_PREPARE);
        assert_int_equal(f->answers[0].error, CONTRACT_ERROR_ABORTED);
        assert_int_equal(f->answers[1].step, CONTRACT_STEP_ABORT);
        assert_int_equal(f->answers[1].error, CONTRACT_OK);
        assert_int_equal(sets_count(f->sets), 0);
}

static void on_recovered(int r, void *userdata) {
        Fixture *f = userdata;

        f->recovered = true;
}

/* Here without LVM: nothing is found. */
static void on_found(int r, void *userdata) {
        Fixture *f = userdata;

        sets_remove_left_over(f->sets, on_recovered, f);
}

static bool keep(const char *set_id, void *userdata) {
        return streq(set_id, "00000000-0000-4000-8000-00000000000c");
}

static void test_recover(void **state) {
        Fixture *f = *state;

        put(f, "snapshots/unfinished.persistent." SET_ID ".1", "");
        put(f, "snapshots/auto-release." SET_ID ".2", "");
        put(f, "snapshots/auto-release.00000000-0000-4000-8000-00000000000c.3", "");
        put(f, "snapshots/persistent." SET_ID ".4", "");
        assert_int_equal(sets_recover_held(f->sets), 0);
        assert_int_equal(sets_recover(f->sets, keep, on_found, f), 0);
        while (!f->recovered)
                assert_true(sd_event_run(f->event, 20 * USEC_PER_SEC) > 0);
        assert_int_equal(count_snapshots(f), 2);
}

/* Return: whether there was such a file, which is gone now. */
static bool take(const Fixture *f, const char *name) {
        char path[160];

        (void) snprintf(path, sizeof(path), "%s/%s", f->directory, name);
        return unlink(path) == 0;
}

static void test_damaged_journal(void **state) {
        Fixture *f = *state;

        put(f, "held.json", "{\"volumes\": [");
        assert_int_equal(sets_recover_held(f->sets), -EBADMSG);
        assert_true(take(f, "held.json.unread"));
        put(f, "held.json", "[]");
        assert_int_equal(sets_recover_held(f->sets), -EBADMSG);
        assert_true(take(f, "held.json.unread"));
        put(f, "held.json", "{\"volumes\": 7, \"mounts\": [3, {\"mount-point\": 1}]}");
        assert_int_equal(sets_recover_held(f->sets), 0);
}

/* What this one knows of it is let go, and the rest is not lost. */
static void test_journal_of_a_newer_one(void **state) {
        Fixture *f = *state;

        put(f, "held.json", "{\"version\": 1, \"volumes\": []}");
        assert_int_equal(sets_recover_held(f->sets), 0);
        assert_false(take(f, "held.json"));
        assert_false(take(f, "held.json.unread"));
        put(f, "held.json", "{\"version\": 2, \"volumes\": []}");
        assert_int_equal(sets_recover_held(f->sets), 0);
        assert_false(take(f, "held.json"));
        assert_true(take(f, "held.json.unread"));
}

/* A process that has a lock until it is killed. */
static pid_t lock_elsewhere(const char *path) {
        int ready[2];
        char byte = 0;
        pid_t pid;

        assert_int_equal(pipe(ready), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

                if (fd < 0 || flock(fd, LOCK_EX) < 0 || write(ready[1], &byte, 1) < 0)
                        _exit(1);
                for (;;)
                        (void) pause();
        }
        assert_int_equal(read(ready[0], &byte, 1), 1);
        (void) close(ready[0]);
        (void) close(ready[1]);
        return pid;
}

/* Nothing is thawed as long as a hold of before lives, which its locks tell. */
static void test_journal_of_a_living_hold(void **state) {
        Fixture *f = *state;
        char path[128], kept[160], text[512];
        pid_t holder;

        (void) snprintf(path, sizeof(path), "%s/V_vg", f->directory);
        (void) snprintf(kept, sizeof(kept), "%s/held-" SET_ID ".json", f->directory);
        holder = lock_elsewhere(path);
        (void) snprintf(text, sizeof(text),
                        "{\"set\": \"" SET_ID "\", \"volumes\": [], \"mounts\": [], \"locks\": [\"%s\"]}",
                        path);
        put(f, "held.json", text);
        assert_int_equal(sets_recover_held(f->sets), 0);
        /* Out of the way of the next set, and there still. */
        (void) snprintf(path, sizeof(path), "%s/held.json", f->directory);
        assert_int_equal(access(path, F_OK), -1);
        while (sd_event_run(f->event, 200 * USEC_PER_MSEC) > 0)
                ;
        assert_int_equal(access(kept, F_OK), 0);
        assert_int_equal(kill(holder, SIGKILL), 0);
        assert_int_equal(waitpid(holder, NULL, 0), holder);
        while (f->sets->held_child)
                assert_true(sd_event_run(f->event, UINT64_MAX) >= 0);
        assert_int_equal(access(kept, F_OK), -1);
}

/* The journal of its file system is on a volume that is not in the set; in it all is well. */
static void test_file_system_on_two_devices(void **state) {
        static const char *const told[] = {"253:9 vg/journal\n", "0:0 a journal device that is not there\n"};
        Fixture *f = *state;
        Volume *origin;
        const Answer *answer;

        for (size_t i = 0; i < ELEMENTSOF(told); i++) {
                make(f, CONTRACT_STEP_NONE);
                f->set->volumes[0]->given.origin = origin = calloc(1, sizeof(*origin));
                assert_non_null(origin);
                origin->name = strdup("vg/data");
                assert_int_equal(volume_note_beside(origin, told[i]), 0);
                answer = step(f, CONTRACT_STEP_END_PREPARE);
                assert_int_equal(answer->error, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED);
                assert_non_null(strstr(answer->text, "vg/data"));
                assert_non_null(strstr(answer->text, i == 0 ? "vg/journal" : "a journal device"));
                if (i == 0) {
                        origin->n_above = 1;
                        origin->above = calloc(1, sizeof(dev_t));
                        assert_non_null(origin->above);
                        origin->above[0] = origin->beside[0].device;
                        assert_int_equal(step(f, CONTRACT_STEP_END_PREPARE)->error, CONTRACT_OK);
                }
                assert_int_equal(step(f, CONTRACT_STEP_ABORT)->error, CONTRACT_OK);
                assert_int_equal(sets_new_set(f->sets, &f->set, SET_ID, SESSION, 0, false), 0);
        }
}

static Volume *origin_new(dev_t device, dev_t carried, const char *journal) {
        Volume *origin = calloc(1, sizeof(*origin));

        assert_non_null(origin);
        origin->device = device;
        origin->above = calloc(2, sizeof(dev_t));
        assert_non_null(origin->above);
        origin->above[origin->n_above++] = device;
        if (carried)
                origin->above[origin->n_above++] = carried;
        assert_int_equal(volume_note_beside(origin, journal), 0);
        return origin;
}

/* Who is frozen while it is suspended writes into its journal: that is suspended later, wherever it lies. */
static void test_order_of_suspends(void **state) {
        static const struct {
                unsigned carried[2];
                const char *journal[2];
                unsigned depths[2];
        } cases[] = {
                {{0, 0}, {"", ""}, {0, 0}},
                {{2, 0}, {"", ""}, {1, 0}},                             /* the second lies on the first */
                {{9, 0}, {"", "253:9 secret\n"}, {1, 0}},               /* so does its journal */
                {{0, 0}, {"", "253:7 elsewhere\n"}, {0, 0}},            /* not in the set */
                {{0, 0}, {"253:2 vg/two\n", "253:1 vg/one\n"}, {1, 1}}, /* one btrfs */
        };
        Fixture *f = *state;

        make(f, CONTRACT_STEP_NONE);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint32_t depths[CONTRACT_VOLUMES_MAX];

                for (unsigned k = 0; k < 2; k++) {
                        Volume **origin = &f->set->volumes[k]->given.origin;

                        volume_free(*origin);
                        *origin = origin_new(makedev(253, k + 1),
                                             cases[i].carried[k] ? makedev(253, cases[i].carried[k]) : 0,
                                             cases[i].journal[k]);
                }
                snapshot_set_get_depths(f->set, depths);
                assert_int_equal(depths[0], cases[i].depths[0]);
                assert_int_equal(depths[1], cases[i].depths[1]);
        }
        assert_int_equal(step(f, CONTRACT_STEP_ABORT)->error, CONTRACT_OK);
}

/* A provider that leaves its part to the hold, as LVM's do. */
static int describe_hold(const ProviderVolume *volume, HoldVolume *ret, const char **ret_lock_path) {
        *ret = (HoldVolume){};
        *ret_lock_path = "/run/lock/lvm/V_vg";
        return 0;
}

/* LOCK fails on the hold's first volume. */
static int on_hold_message(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        HoldMessage m;

        assert_int_equal(recv(fd, &m, sizeof(m), 0), sizeof(m));
        if (m.type != HOLD_LOCK)
                return 0;
        m = (HoldMessage){.version = HOLD_PROTOCOL_VERSION, .type = HOLD_REPORT};
        m.report = (HoldReport){.step = HOLD_LOCK, .error = -EBUSY, .volume = 0, .mount = HOLD_NONE};
        assert_int_equal(send(fd, &m, sizeof(m), MSG_NOSIGNAL), sizeof(m));
        return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

static int on_hold_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Fixture *f = userdata;

        f->hold = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        assert_true(f->hold >= 0);
        return sd_event_add_io(f->event, NULL, f->hold, EPOLLIN, on_hold_message, f);
}

/* The hold knows nothing of the volumes it does not hold, and counts without them. */
static void test_volume_at_fault_beside_one_without_hold(void **state) {
        ProviderOps held = provider_test_ops;
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        _cleanup_close_ int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        Fixture *f = *state;
        const Answer *answer;

        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s/hold", f->directory);
        assert_int_equal(bind(listener, (struct sockaddr *) &address, sizeof(address)), 0);
        assert_int_equal(listen(listener, 1), 0);
        assert_true(sd_event_add_io(f->event, NULL, listener, EPOLLIN, on_hold_connection, f) >= 0);
        held.describe_hold = describe_hold;
        held.is_suspended = true;
        make(f, CONTRACT_STEP_END_PREPARE);
        f->set->volumes[1]->given.ops = &held;
        answer = step(f, CONTRACT_STEP_LOCK);
        assert_int_equal(answer->error, CONTRACT_ERROR_VOLUME_BUSY);
        assert_int_equal(answer->volume, 1);
        (void) fd_close(f->hold);
        assert_int_equal(step(f, CONTRACT_STEP_ABORT)->error, CONTRACT_OK);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_created),
                TEST(test_deleted),
                TEST(test_deleted_one),
                TEST(test_twice),
                TEST(test_unknown),
                TEST(test_unsupported),
                TEST(test_mount_records),
                TEST(test_failure),
                TEST(test_file_system_on_two_devices),
                TEST(test_order_of_suspends),
                TEST(test_volume_at_fault_beside_one_without_hold),
                TEST(test_wait),
                TEST(test_abort_overtakes),
                TEST(test_recover),
                TEST(test_damaged_journal),
                TEST(test_journal_of_a_newer_one),
                TEST(test_trimmed),
                TEST(test_journal_of_a_living_hold),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
