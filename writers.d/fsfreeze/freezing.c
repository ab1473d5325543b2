/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Freezing and thawing a set's file systems, see freezing.h.
 *
 * The trial in PrepareForSnapshot is what makes "busy" mean something: a file system that is frozen already
 * is found before any application is stopped, and whatever is frozen afterwards is ours. The mounts are held
 * open from then to the Thaw and no longer: an open descriptor keeps them from being unmounted.
 */

#include "writers.d/fsfreeze/freezing.h"

#include <assert.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>

#include "util/error.h"
#include "util/macro.h"
#include "writers.d/fsfreeze/nesting.h"
#include "writers.d/fsfreeze/pool.h"
#include "writers.d/fsfreeze/suspend.h"

#define NAMES_MAX              200u
#define DEVICES_DIRECTORY_SIZE 64u /* "fs/btrfs/UUID/devices" */

typedef struct Set Set;
typedef struct Round Round;

typedef struct FileSystem {
        uint32_t index;
        char *mount_point;
        char *type;
        int fd;
        bool direct;      /* on a volume's own device */
        bool unsupported; /* EOPNOTSUPP at the trial */
        bool by_suspend;  /* left to device-mapper, see suspend_freezes() */
        bool touched;     /* a FREEZE job has gone out: ours to thaw */
} FileSystem;

struct Set {
        Set *next;
        Freezing *freezing;
        unsigned n_ref; /* the list's, and one per round */
        char *session;
        FileSystem *file_systems;
        Nested *nested; /* of each its place */
        size_t n_file_systems;
        unsigned max_depth;
        atomic_bool given_up;
};

/* One event's work. */
struct Round {
        Set *set;
        QuiesceWriterEvent *event;
        void (*done)(Round *round);
        JobType type;
        unsigned depth;
        size_t n_running;
        Job *jobs; /* one per file system; userdata: the round */
        int *errors;
        int first_error;
        size_t first_failed;
};

struct Freezing {
        sd_event *event;
        bool suspend_is_certain; /* on this kernel */
        bool refuse;             /* what knows no freezing is no warning, but a veto */
        Pool *pool;
        Set *sets;
};

static Set *set_unref(Set *set) {
        if (!set || --set->n_ref > 0)
                return NULL;
        for (size_t i = 0; i < set->n_file_systems; i++) {
                fd_close(set->file_systems[i].fd);
                free(set->file_systems[i].mount_point);
                free(set->file_systems[i].type);
        }
        free(set->file_systems);
        free(set->nested);
        free(set->session);
        free(set);
        return NULL;
}
DEFINE_CLEANUP(Set *, set_unref)

static Set *find(Freezing *freezing, const char *session) {
        for (Set *s = freezing->sets; s; s = s->next)
                if (streq(s->session, session))
                        return s;
        return NULL;
}

/* Out of the list; rounds that still run keep it. */
static void forget(Set *set) {
        for (Set **s = &set->freezing->sets; *s; s = &(*s)->next)
                if (*s == set) {
                        *s = set->next;
                        set_unref(set);
                        return;
                }
}

static Round *round_free(Round *round) {
        if (!round)
                return NULL;
        set_unref(round->set);
        free(round->jobs);
        free(round->errors);
        free(round);
        return NULL;
}

static void round_done(Round *round) {
        round->done(round);
        round_free(round);
}

static bool is_ours(const FileSystem *fs) {
        return !fs->unsupported && !fs->by_suspend;
}

/* What the suspend of no volume holds still, and FIFREEZE cannot: what is written is put on the disk at
 * least, before what it lies in is frozen. */
static bool is_synced(const FileSystem *fs) {
        return fs->unsupported && !fs->direct;
}

static bool wanted(const Round *round, size_t i) {
        const FileSystem *fs = &round->set->file_systems[i];
        const Nested *nested = &round->set->nested[i];

        if (nested->same_as != i)
                return false;
        if (round->type == JOB_TRY)
                return true;
        if (nested->depth != round->depth)
                return false;
        return round->type == JOB_THAW ? is_ours(fs) && fs->touched : is_ours(fs) || is_synced(fs);
}

/* Hands out the jobs of one depth. */
static void hand_out(Round *round) {
        Set *set = round->set;

        for (size_t i = 0; i < set->n_file_systems; i++) {
                FileSystem *fs = &set->file_systems[i];
                JobType type = round->type;

                if (!wanted(round, i))
                        continue;
                if (type == JOB_FREEZE && is_synced(fs))
                        type = JOB_SYNC;
                if (type == JOB_FREEZE)
                        fs->touched = true;
                round->jobs[i] =
                        (Job){.type = type, .fd = fs->fd, .given_up = &set->given_up, .userdata = round};
                round->n_running++;
                pool_add(set->freezing->pool, &round->jobs[i]);
        }
}

/* The next depth with something to do: freezing goes outwards, thawing inwards. */
static void go_on(Round *round) {
        unsigned max = round->set->max_depth;
        bool over = round->type == JOB_TRY || (round->type == JOB_FREEZE &&
                                               (round->first_error || atomic_load(&round->set->given_up)));

        while (round->n_running == 0 && !over) {
                if (round->type == JOB_FREEZE && round->depth < max)
                        round->depth++;
                else if (round->type == JOB_THAW && round->depth > 0)
                        round->depth--;
                else
                        break;
                hand_out(round);
        }
        if (round->n_running == 0)
                round_done(round);
}

static void round_begin(Set *set, QuiesceWriterEvent *event, JobType type, void (*done)(Round *)) {
        Round *round;

        round = calloc(1, sizeof(*round));
        if (round) {
                round->jobs = calloc(set->n_file_systems + 1, sizeof(*round->jobs));
                round->errors = calloc(set->n_file_systems + 1, sizeof(*round->errors));
        }
        /* Without memory nothing can be thawed either; the hold and its guard then do it. */
        if (!round || !round->jobs || !round->errors)
                abort();
        set->n_ref++;
        round->set = set;
        round->event = event;
        round->type = type;
        round->done = done;
        round->depth = type == JOB_THAW ? set->max_depth : 0;
        hand_out(round);
        go_on(round);
}

static void on_finished(Job *job) {
        Round *round = job->userdata;
        size_t i = (size_t) (job - round->jobs);
        FileSystem *fs = &round->set->file_systems[i];

        round->errors[i] = job->error;
        /* What somebody else froze is not ours to thaw, whoever gives up now. */
        if (round->type == JOB_FREEZE && job->error)
                fs->touched = false;
        if (round->type == JOB_TRY && (job->error == EOPNOTSUPP || job->error == ENOTTY)) {
                fs->unsupported = true;
        } else if (job->error && !round->first_error) {
                round->first_error = job->error;
                round->first_failed = i;
        }
        if (--round->n_running == 0)
                go_on(round);
}

static int on_pool(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Freezing *freezing = userdata;
        Job *job;

        while ((job = pool_take_finished(freezing->pool)))
                on_finished(job);
        return 0;
}

static int add_file_system(const Freezing *freezing, FileSystem *fs, const QuiesceFileSystem *q) {
        *fs = (FileSystem){.index = q->index,
                           .direct = q->direct != 0,
                           .by_suspend = freezing->suspend_is_certain && suspend_freezes(q)};
        fs->fd = fcntl(q->fd, F_DUPFD_CLOEXEC, 3);
        if (fs->fd < 0)
                return error_origin(-errno);
        fs->mount_point = strdup(q->mount_point);
        fs->type = strdup(q->type);
        return fs->mount_point && fs->type ? 0 : error_origin(-ENOMEM);
}

/* A btrfs has a device number of its own; sysfs knows it by its UUID. */
static bool find_btrfs(int fd, char ret[static DEVICES_DIRECTORY_SIZE]) {
        struct btrfs_ioctl_fs_info_args info = {};
        char text[37];
        size_t at = 0;

        if (ioctl(fd, BTRFS_IOC_FS_INFO, &info) < 0)
                return false;
        for (size_t i = 0; i < sizeof(info.fsid); i++)
                at += (size_t) snprintf(text + at, sizeof(text) - at, "%s%02x",
                                        i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", info.fsid[i]);
        (void) snprintf(ret, DEVICES_DIRECTORY_SIZE, "fs/btrfs/%s/devices", text);
        return true;
}

static void add_place(Set *set, dev_t device) {
        Nested *nested = &set->nested[set->n_file_systems - 1];
        const FileSystem *fs = &set->file_systems[set->n_file_systems - 1];
        char directory[DEVICES_DIRECTORY_SIZE];
        bool apart = streq(fs->type, "btrfs") && find_btrfs(fs->fd, directory);

        nested->device = device;
        nesting_find_outer(nested, "/sys", apart ? directory : NULL);
}

static int set_new(Set **ret, Freezing *freezing, const QuiesceWriterEvent *event) {
        _cleanup_(set_unrefp) Set *set = NULL;
        size_t n = quiesce_writer_event_count_file_systems(event);
        int r;

        set = calloc(1, sizeof(*set));
        if (!set)
                return error_origin(-ENOMEM);
        set->n_ref = 1;
        set->freezing = freezing;
        set->session = strdup(quiesce_writer_event_get_session(event));
        set->file_systems = calloc(n + 1, sizeof(*set->file_systems));
        set->nested = calloc(n + 1, sizeof(*set->nested));
        if (!set->session || !set->file_systems || !set->nested)
                return error_origin(-ENOMEM);
        for (size_t i = 0; i < n; i++) {
                QuiesceFileSystem q = {.size = sizeof(q)};

                r = quiesce_writer_event_get_file_system(event, i, &q);
                if (!r)
                        r = add_file_system(freezing, &set->file_systems[set->n_file_systems++], &q);
                if (r)
                        return error_trace(r);
                add_place(set, q.device);
        }
        set->max_depth = nesting_order(set->nested, set->n_file_systems);
        *ret = TAKE_PTR(set);
        return 0;
}

/* Return: what the event is answered with. */
static int check_unsupported(const Round *round) {
        char names[NAMES_MAX] = "";
        size_t at = 0;

        for (size_t i = 0; i < round->set->n_file_systems && at < sizeof(names); i++)
                if (round->set->file_systems[round->set->nested[i].same_as].unsupported)
                        at += (size_t) snprintf(names + at, sizeof(names) - at, "%s%s (%s)", at ? ", " : "",
                                                round->set->file_systems[i].mount_point,
                                                round->set->file_systems[i].type);
        if (at == 0)
                return 0;
        if (round->set->freezing->refuse)
                return quiesce_writer_event_fail(
                        round->event, QUIESCE_FAILURE_INCONSISTENT_SNAPSHOT,
                        "cannot be frozen, because their file system knows no freezing, and fsfreeze.conf "
                        "refuses that: %s; unmount them, leave their volumes out, or say Unfreezable=skip",
                        names);
        return quiesce_writer_event_warn(
                round->event,
                "cannot be frozen, because their file system knows no freezing, and are skipped: %s", names);
}

static void prepared(Round *round) {
        const FileSystem *fs = &round->set->file_systems[round->first_failed];
        int r = 0;

        if (round->first_error == EBUSY)
                r = quiesce_writer_event_fail(
                        round->event, QUIESCE_FAILURE_INCONSISTENT_SNAPSHOT,
                        "%s is frozen by someone else already (fsfreeze -f, or a program that died while it "
                        "held it); if nobody needs that, thaw it with: fsfreeze -u %s",
                        fs->mount_point, fs->mount_point);
        else if (round->first_error)
                r = quiesce_writer_event_fail(round->event, QUIESCE_FAILURE_NON_RETRYABLE,
                                              "%s (%s) cannot be frozen: %s", fs->mount_point, fs->type,
                                              strerror(round->first_error));
        else
                r = check_unsupported(round);
        if (r < 0 || atomic_load(&round->set->given_up))
                forget(round->set);
        quiesce_writer_event_answer(round->event, r);
}

/**
 * freezing_prepare() - PrepareForSnapshot: each file system is frozen and thawed once
 * @freezing: the freezing
 * @event: answered later
 */
void freezing_prepare(Freezing *freezing, QuiesceWriterEvent *event) {
        Set *set = find(freezing, quiesce_writer_event_get_session(event));
        int r;

        if (set)
                forget(set);
        r = set_new(&set, freezing, event);
        /* Twice as many as file systems: those that thaw must not wait for those that hang. */
        if (!r)
                r = pool_grow(freezing->pool, 2 * set->n_file_systems);
        if (r) {
                quiesce_writer_event_answer(event, r);
                return;
        }
        set->next = freezing->sets;
        freezing->sets = set;
        round_begin(set, event, JOB_TRY, prepared);
}

static int answer_frozen(const Round *round) {
        const Set *set = round->set;
        _cleanup_free_ uint32_t *indices = NULL;
        size_t n = 0;

        indices = calloc(set->n_file_systems + 1, sizeof(*indices));
        if (!indices)
                return error_origin(-ENOMEM);
        for (size_t i = 0; i < set->n_file_systems; i++)
                if (is_ours(&set->file_systems[set->nested[i].same_as]))
                        indices[n++] = set->file_systems[i].index;
        return error_trace(quiesce_writer_event_set_frozen(round->event, indices, n));
}

static void freeze_undone(Round *round) {
        quiesce_writer_event_answer(round->event, -ECANCELED);
        forget(round->set);
}

static void frozen(Round *round) {
        const FileSystem *fs = &round->set->file_systems[round->first_failed];
        int r = 0;

        if (atomic_load(&round->set->given_up)) {
                quiesce_writer_event_answer(round->event, -ECANCELED);
                return;
        }
        if (round->first_error == EBUSY)
                (void) quiesce_writer_event_fail(
                        round->event, QUIESCE_FAILURE_INCONSISTENT_SNAPSHOT,
                        "%s was frozen by someone else between PrepareForSnapshot and "
                        "Freeze; if nobody needs that, thaw it with: fsfreeze -u %s",
                        fs->mount_point, fs->mount_point);
        else if (round->first_error)
                (void) quiesce_writer_event_fail(round->event, QUIESCE_FAILURE_RETRYABLE,
                                                 "%s (%s) could not be frozen: %s", fs->mount_point,
                                                 fs->type, strerror(round->first_error));
        else
                r = answer_frozen(round);
        if (!round->first_error && r == 0) {
                quiesce_writer_event_answer(round->event, 0);
                return;
        }
        /* One failed: none stays frozen. */
        atomic_store(&round->set->given_up, true);
        round_begin(round->set, round->event, JOB_THAW, freeze_undone);
}

/**
 * freezing_freeze() - Freeze: all of them, answered with their indices
 * @freezing: the freezing
 * @event: answered later
 */
void freezing_freeze(Freezing *freezing, QuiesceWriterEvent *event) {
        Set *set = find(freezing, quiesce_writer_event_get_session(event));

        if (set)
                round_begin(set, event, JOB_FREEZE, frozen);
        else
                quiesce_writer_event_answer(
                        event, quiesce_writer_event_fail(event, QUIESCE_FAILURE_NON_RETRYABLE,
                                                         "Freeze without a successful PrepareForSnapshot"));
}

static void thawed(Round *round) {
        const FileSystem *fs = &round->set->file_systems[round->first_failed];
        int r = 0;

        if (round->first_error == EINVAL)
                r = quiesce_writer_event_fail(
                        round->event, QUIESCE_FAILURE_INCONSISTENT_SNAPSHOT,
                        "%s was thawed by someone else (fsfreeze -u, SysRq-j, or the "
                        "hold's guard at its deadline) while the set was taken, which is "
                        "therefore not consistent; back up again",
                        fs->mount_point);
        else if (round->first_error)
                r = quiesce_writer_event_fail(round->event, QUIESCE_FAILURE_NON_RETRYABLE,
                                              "%s could not be thawed: %s; try: fsfreeze -u %s",
                                              fs->mount_point, strerror(round->first_error),
                                              fs->mount_point);
        forget(round->set);
        quiesce_writer_event_answer(round->event, r);
}

/**
 * freezing_thaw() - Thaw: all that was frozen
 * @freezing: the freezing
 * @event: answered later
 */
void freezing_thaw(Freezing *freezing, QuiesceWriterEvent *event) {
        Set *set = find(freezing, quiesce_writer_event_get_session(event));

        if (set)
                round_begin(set, event, JOB_THAW, thawed);
        else
                quiesce_writer_event_answer(event,
                                            quiesce_writer_event_fail(event, QUIESCE_FAILURE_NON_RETRYABLE,
                                                                      "Thaw without a successful Freeze"));
}

static void aborted(Round *round) {
        int r = 0;

        /* "Not frozen" is what was wanted. */
        for (size_t i = 0; i < round->set->n_file_systems; i++)
                if (round->errors[i] && round->errors[i] != EINVAL)
                        r = quiesce_writer_event_fail(round->event, QUIESCE_FAILURE_NON_RETRYABLE,
                                                      "%s could not be thawed: %s; try: fsfreeze -u %s",
                                                      round->set->file_systems[i].mount_point,
                                                      strerror(round->errors[i]),
                                                      round->set->file_systems[i].mount_point);
        forget(round->set);
        quiesce_writer_event_answer(round->event, r);
}

/**
 * freezing_abort() - Abort: whatever may be frozen is thawed
 * @freezing: the freezing
 * @event: answered later; good if nothing was frozen
 */
void freezing_abort(Freezing *freezing, QuiesceWriterEvent *event) {
        Set *set = find(freezing, quiesce_writer_event_get_session(event));

        if (!set) {
                quiesce_writer_event_answer(event, 0);
                return;
        }
        atomic_store(&set->given_up, true);
        round_begin(set, event, JOB_THAW, aborted);
}

/**
 * freezing_forget() - the session has ended
 * @freezing: the freezing
 * @session: its id
 */
void freezing_forget(Freezing *freezing, const char *session) {
        Set *set = find(freezing, session);

        if (set)
                forget(set);
}

/**
 * freezing_new() - nothing prepared yet
 * @ret: the freezing; it lives as long as the process
 * @event: the loop on which events are answered
 * @refuse: a set with a file system that knows no freezing is refused, else that one is named and skipped
 *
 * Return: 0 or a negative errno.
 */
int freezing_new(Freezing **ret, sd_event *event, bool refuse) {
        struct utsname system;
        Freezing *freezing;
        int r;

        freezing = calloc(1, sizeof(*freezing));
        if (!freezing)
                return error_origin(-ENOMEM);
        freezing->event = event;
        freezing->refuse = refuse;
        freezing->suspend_is_certain = uname(&system) == 0 && suspend_is_certain(system.release);
        r = pool_new(&freezing->pool);
        if (r >= 0)
                r = sd_event_add_io(event, NULL, pool_get_fd(freezing->pool), EPOLLIN, on_pool, freezing);
        if (r < 0) {
                free(freezing);
                return error_trace(r);
        }
        *ret = freezing;
        return 0;
}
