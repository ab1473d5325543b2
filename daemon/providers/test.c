/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The provider for tests: a "volume" is a file or directory DIR/volumes/NAME, its snapshot a copy of it, so
 * that the whole path from the bus to the commit can be tried on machines without device-mapper.
 *
 * It does at each step what DIR/script says (test-script.h), and appends what it was asked to do to DIR/log:
 * "PHASE NAME SNAPSHOT-ID". What a set is good for is appended to DIR/tags, as LVM's tags tell it: "NAME
 * SNAPSHOT-ID CONSISTENCY"; the last line counts. Copies are DIR/snapshots/unfinished.KIND.SET.SNAPSHOT
 * until the set counts, then KIND.SET.SNAPSHOT, KIND being "persistent" or "auto-release". It holds nothing,
 * and it does touch files in the dark: it is not for use.
 */

#include "daemon/providers/test.h"

#include <assert.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "contract/names.h"
#include "daemon/providers/test-files.h"
#include "daemon/providers/test-script.h"
#include "util/error.h"

#define TEST_NAME_MAX 64u

struct Provider {
        sd_event *event;
        char *directory;
        int directory_fd;
        TestScriptFile script;
};

#define STORE_SIZE (100u << 20) /* bytes */

typedef struct TestVolume {
        TestScript *script;
        ProviderPhase phase;
        ProviderDone done;
        void *userdata;
} TestVolume;

static const char *const phase_names[] = {
        [PROVIDER_BEGIN_PREPARE] = "begin-prepare",
        [PROVIDER_END_PREPARE] = "end-prepare",
        [PROVIDER_LOCK] = "lock",
        [PROVIDER_PRE_COMMIT] = "pre-commit",
        [PROVIDER_COMMIT] = "commit",
        [PROVIDER_POST_COMMIT] = "post-commit",
        [PROVIDER_PRE_FINAL_COMMIT] = "pre-final-commit",
        [PROVIDER_POST_FINAL_COMMIT] = "post-final-commit",
        [PROVIDER_SEAL] = "seal",
        [PROVIDER_ABORT] = "abort",
        [PROVIDER_DELETE] = "delete",
};

static const char *test_name(const ProviderVolume *v) {
        return v->name + strlen(PROVIDER_TEST_PREFIX);
}

static int origin_path(const ProviderVolume *v, char **ret) {
        if (asprintf(ret, "volumes/%s", test_name(v)) < 0)
                return error_origin(-ENOMEM);
        return 0;
}

static int snapshot_path(const ProviderVolume *v, bool finished, char **ret) {
        if (asprintf(ret, "snapshots/%s%s.%s.%s", finished ? "" : "unfinished.",
                     v->set->persistent ? "persistent" : "auto-release", v->set->id, v->snapshot_id) < 0)
                return error_origin(-ENOMEM);
        return 0;
}

static void log_phase(const ProviderVolume *v, ProviderPhase phase) {
        _cleanup_close_ int fd = -EBADF;

        fd = openat(v->provider->directory_fd, "log", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (fd >= 0)
                (void) dprintf(fd, "%s %s %s\n", phase_names[phase], test_name(v), v->snapshot_id);
}

static void note_consistency(const ProviderVolume *v) {
        _cleanup_close_ int fd = -EBADF;

        fd = openat(v->provider->directory_fd, "tags", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (fd >= 0)
                (void) dprintf(fd, "%s %s %s\n", test_name(v), v->snapshot_id,
                               contract_consistency_to_string(v->set->consistency));
}

static int test_probe(ProviderVolume *v) {
        _cleanup_free_ char *path = NULL;
        struct stat st;
        int r;

        r = origin_path(v, &path);
        if (r < 0)
                return r;
        if (fstatat(v->provider->directory_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        v->size = S_ISREG(st.st_mode) ? (uint64_t) st.st_size : 0;
        free(v->no_tree);
        v->no_tree = S_ISDIR(st.st_mode) ? NULL : strdup("a test volume that is a file has no tree");
        return 0;
}

static int test_commit(ProviderVolume *v) {
        _cleanup_free_ char *from = NULL, *to = NULL;
        int r;

        r = origin_path(v, &from);
        if (r < 0)
                return r;
        r = snapshot_path(v, false, &to);
        if (r < 0)
                return r;
        return error_trace(test_files_copy(v->provider->directory_fd, from, to));
}

static int test_name_device(ProviderVolume *v, bool finished) {
        _cleanup_free_ char *path = NULL;
        int r;

        r = snapshot_path(v, finished, &path);
        if (r < 0)
                return r;
        free(v->device);
        if (asprintf(&v->device, "%s/%s", v->provider->directory, path) < 0) {
                v->device = NULL;
                return error_origin(-ENOMEM);
        }
        return 0;
}

static int test_finish(ProviderVolume *v) {
        _cleanup_free_ char *from = NULL, *to = NULL;
        int r;

        r = snapshot_path(v, false, &from);
        if (r < 0)
                return r;
        r = snapshot_path(v, true, &to);
        if (r < 0)
                return r;
        if (renameat(v->provider->directory_fd, from, v->provider->directory_fd, to) < 0)
                return error_origin(-errno);
        note_consistency(v);
        return error_trace(test_name_device(v, true));
}

static int test_remove(ProviderVolume *v) {
        int r;

        for (int finished = 0; finished < 2; finished++) {
                _cleanup_free_ char *path = NULL;

                r = snapshot_path(v, finished, &path);
                if (r < 0)
                        return r;
                r = test_files_remove(v->provider->directory_fd, path);
                if (r < 0)
                        return error_trace(r);
        }
        return 0;
}

static int test_act(ProviderVolume *v, ProviderPhase phase) {
        switch (phase) {
        case PROVIDER_BEGIN_PREPARE:
                return test_probe(v);
        case PROVIDER_COMMIT:
                return test_commit(v);
        case PROVIDER_POST_FINAL_COMMIT:
                return v->set->writable ? test_name_device(v, false) : test_finish(v);
        case PROVIDER_SEAL:
                return test_finish(v);
        case PROVIDER_ABORT:
        case PROVIDER_DELETE:
                return test_remove(v);
        default:
                return 0;
        }
}

/* The script is through: what it said happens, or the step itself. */
static void on_script(ContractError error, const char *text, void *userdata) {
        ProviderVolume *v = userdata;
        TestVolume *t = v->data;
        char said[CONTRACT_TEXT_MAX] = "";
        int r;

        (void) snprintf(said, sizeof(said), "%s", text ?: "");
        t->script = test_script_free(t->script);
        if (error == CONTRACT_OK) {
                r = test_act(v, t->phase);
                if (r == -ENOENT && t->phase == PROVIDER_BEGIN_PREPARE) {
                        error = CONTRACT_ERROR_VOLUME_NOT_SUPPORTED;
                        (void) snprintf(said, sizeof(said), "There is no test volume %s in %s/volumes.",
                                        test_name(v), v->provider->directory);
                } else if (r < 0) {
                        error = CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR;
                        (void) snprintf(said, sizeof(said), "The test provider failed at %s of %s: %s.",
                                        phase_names[t->phase], v->name, strerror(-r));
                }
        }
        t->done(v, error, error == CONTRACT_OK ? NULL : said, t->userdata);
}

static int test_step(ProviderVolume *v, ProviderPhase phase, ProviderDone done, void *userdata) {
        TestVolume *t = v->data;

        if (!t) {
                v->data = t = calloc(1, sizeof(*t));
                if (!t)
                        return error_origin(-ENOMEM);
        }
        assert(!t->script);
        t->phase = phase;
        t->done = done;
        t->userdata = userdata;
        log_phase(v, phase);
        return error_trace(test_script_run(&t->script, v->provider->event, &v->provider->script,
                                           v->provider->directory, phase_names[phase], test_name(v),
                                           on_script, v));
}

static bool test_name_is_good(const char *name) {
        return name[0] != '\0' && strlen(name) <= TEST_NAME_MAX && !strchr(name, '/') && name[0] != '.' &&
               !strpbrk(name, " \t\n");
}

static int test_begin_prepare(ProviderVolume *v, ProviderDone done, void *userdata) {
        char text[CONTRACT_TEXT_MAX];

        if (!test_name_is_good(test_name(v))) {
                (void) snprintf(text, sizeof(text), "%.80s is no name of a test volume.", v->name);
                done(v, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED, text, userdata);
                return 0;
        }
        return test_step(v, PROVIDER_BEGIN_PREPARE, done, userdata);
}

#define TEST_OP(function, phase)                                                    \
        static int function(ProviderVolume *v, ProviderDone done, void *userdata) { \
                return test_step(v, phase, done, userdata);                         \
        }

TEST_OP(test_end_prepare, PROVIDER_END_PREPARE)
TEST_OP(test_lock, PROVIDER_LOCK)
TEST_OP(test_pre_commit, PROVIDER_PRE_COMMIT)
TEST_OP(test_commit_step, PROVIDER_COMMIT)
TEST_OP(test_post_commit, PROVIDER_POST_COMMIT)
TEST_OP(test_pre_final_commit, PROVIDER_PRE_FINAL_COMMIT)
TEST_OP(test_post_final_commit, PROVIDER_POST_FINAL_COMMIT)
TEST_OP(test_seal, PROVIDER_SEAL)
TEST_OP(test_abort, PROVIDER_ABORT)
TEST_OP(test_delete, PROVIDER_DELETE)

static void test_cancel(ProviderVolume *v) {
        TestVolume *t = v->data;

        if (t && t->script)
                test_script_cancel(t->script);
}

/* A file "full" says how full all stores are, in percent. No store is really there: each passes for one of
 * STORE_SIZE. */
static double test_full(const Provider *provider) {
        _cleanup_close_ int fd = openat(provider->directory_fd, "full", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        char text[16] = "";

        return fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 ? strtod(text, NULL) : 0;
}

static bool test_get_space(const ProviderVolume *v, ProviderSpace *ret) {
        _cleanup_free_ char *path = NULL;

        if (snapshot_path(v, true, &path) < 0)
                return false;
        *ret = (ProviderSpace){.full = test_full(v->provider), .allocated = STORE_SIZE};
        ret->used = (uint64_t) (ret->full * STORE_SIZE / 100);
        if (faccessat(v->provider->directory_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                ret->reason = "store-lost";
        return true;
}

static int test_open(const ProviderVolume *v, bool finished, uint64_t attributes) {
        struct mount_attr attr = {.attr_set = attributes};
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = snapshot_path(v, finished, &path);
        if (r < 0)
                return r;
        fd = open_tree(v->provider->directory_fd, path,
                       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
        if (fd < 0)
                return error_origin(-errno);
        if (mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
                return error_origin(-errno);
        return TAKE_FD(fd);
}

static int test_open_tree(const ProviderVolume *v) {
        return error_trace(test_open(v, true, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
}

static int test_open_writable(const ProviderVolume *v) {
        return error_trace(test_open(v, false, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
}

static int test_find_origin_path(const ProviderVolume *v, char **ret) {
        if (asprintf(ret, "%s/volumes/%s", v->provider->directory, test_name(v)) < 0)
                return error_origin(-ENOMEM);
        return 0;
}

/**
 * provider_test_key_of_path() - the test volume that a path lies in
 * @provider:   the provider
 * @path:       absolute; compared, never opened
 * @ret_key:    to be freed
 *
 * Return: 0; -ENODEV: in none; -ENOMEM.
 */
int provider_test_key_of_path(const Provider *provider, const char *path, char **ret_key) {
        size_t n = strlen(provider->directory);
        const char *name;

        if (strncmp(path, provider->directory, n) != 0 || strncmp(path + n, "/volumes/", 9) != 0)
                return -ENODEV;
        name = path + n + 9;
        n = strcspn(name, "/");
        if (n == 0)
                return -ENODEV;
        if (asprintf(ret_key, PROVIDER_TEST_PREFIX "%.*s", (int) n, name) < 0)
                return error_origin(-ENOMEM);
        return 0;
}

static void test_note_consistency(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes,
                                  ContractConsistency was) {
        for (size_t i = 0; i < n_volumes; i++)
                note_consistency(volumes[i]);
}

static void test_volume_done(ProviderVolume *v) {
        TestVolume *t = v->data;

        if (t)
                test_script_free(t->script);
        free(t);
        v->data = NULL;
}

const ProviderOps provider_test_ops = {
        .name = "test",
        .op =
                {
                        [PROVIDER_BEGIN_PREPARE] = test_begin_prepare,
                        [PROVIDER_END_PREPARE] = test_end_prepare,
                        [PROVIDER_LOCK] = test_lock,
                        [PROVIDER_PRE_COMMIT] = test_pre_commit,
                        [PROVIDER_COMMIT] = test_commit_step,
                        [PROVIDER_POST_COMMIT] = test_post_commit,
                        [PROVIDER_PRE_FINAL_COMMIT] = test_pre_final_commit,
                        [PROVIDER_POST_FINAL_COMMIT] = test_post_final_commit,
                        [PROVIDER_SEAL] = test_seal,
                        [PROVIDER_ABORT] = test_abort,
                        [PROVIDER_DELETE] = test_delete,
                },
        .cancel = test_cancel,
        .get_space = test_get_space,
        .open_tree_child = test_open_tree,
        .open_writable_child = test_open_writable,
        .find_origin_path = test_find_origin_path,
        .note_consistency = test_note_consistency,
        .volume_done = test_volume_done,
};

/**
 * provider_test_new() - a test provider
 * @ret:        the provider
 * @event:      loop
 * @directory:  where its volumes, snapshots, script and log are
 *
 * Return: 0, or a negative errno.
 */
int provider_test_new(Provider **ret, sd_event *event, const char *directory) {
        Provider *provider = calloc(1, sizeof(*provider));
        int r;

        if (!provider)
                return error_origin(-ENOMEM);
        provider->event = sd_event_ref(event);
        provider->directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (provider->directory_fd < 0) {
                r = -errno;
                (void) provider_test_free(provider);
                return error_origin(r);
        }
        provider->directory = strdup(directory);
        if (!provider->directory) {
                (void) provider_test_free(provider);
                return error_origin(-ENOMEM);
        }
        if (mkdirat(provider->directory_fd, "volumes", 0700) < 0 && errno != EEXIST)
                r = -errno;
        else if (mkdirat(provider->directory_fd, "snapshots", 0700) < 0 && errno != EEXIST)
                r = -errno;
        else
                r = 0;
        if (r < 0) {
                (void) provider_test_free(provider);
                return error_origin(r);
        }
        *ret = provider;
        return 0;
}

/**
 * provider_test_free() - end it; its volumes must be gone
 * @provider:   it or NULL
 *
 * Return: NULL.
 */
Provider *provider_test_free(Provider *provider) {
        if (!provider)
                return NULL;
        sd_event_unref(provider->event);
        (void) fd_close(provider->directory_fd);
        test_script_file_clear(&provider->script);
        free(provider->directory);
        free(provider);
        return NULL;
}

/**
 * provider_test_recover() - remove what a dead daemon left over
 * @provider:   the provider
 * @keep:       whether a set of auto-release snapshots is still wanted, or NULL: none is
 * @userdata:   for @keep
 *
 * Finished persistent snapshots stay as well.
 *
 * Return: 0, or a negative errno.
 */
int provider_test_recover(Provider *provider, bool (*keep)(const char *set_id, void *userdata),
                          void *userdata) {
        return error_trace(test_files_recover(provider->directory_fd, keep, userdata));
}
