/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * BEGIN_PREPARE and the question IsVolumeSupported: from what the caller named to a volume of a provider,
 * and what only all volumes together can tell (END_PREPARE).
 */

#include <assert.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "daemon/providers/external.h"
#include "daemon/providers/lvm-dm.h"
#include "daemon/providers/mapped.h"
#include "daemon/providers/test.h"
#include "daemon/sets/sets-internal.h"
#include "util/error.h"

static const char *reference_name(const VolumeReference *reference) {
        return reference->name ?: "It"; /* the caller knows which descriptor it gave */
}

static bool reference_is_test(const Sets *sets, const VolumeReference *reference) {
        return sets->test_provider && reference->name &&
               strncmp(reference->name, PROVIDER_TEST_PREFIX, strlen(PROVIDER_TEST_PREFIX)) == 0;
}

static int volume_set_test(SetVolume *volume, Sets *sets, const char *name) {
        volume->given.ops = &provider_test_ops;
        volume->given.provider = sets->test_provider;
        volume->given.name = strdup(name);
        volume->given.key = strdup(name);
        if (!volume->given.name || !volume->given.key)
                return error_origin(-ENOMEM);
        return 0;
}

static int volume_set_device(SetVolume *volume, Sets *sets, VolumeWorld *world, dev_t device) {
        ProviderVolume *given = &volume->given;
        int r;

        r = volume_new(&given->origin, world, device);
        if (r < 0)
                return error_trace(r);
        given->ops = &lvm_cow_ops; /* BEGIN_PREPARE chooses between the two */
        given->provider = sets->lvm_provider;
        if (sets->dm_provider && given->origin->dm_name && !given->origin->vg) {
                given->ops = &provider_dm_ops;
                given->provider = sets->dm_provider;
        }
        given->size = given->origin->size;
        given->name = strdup(given->origin->name);
        given->key = strdup(given->origin->key);
        if (!given->name || !given->key)
                return error_origin(-ENOMEM);
        if (given->origin->file_system) {
                given->file_system = strdup(given->origin->file_system);
                if (!given->file_system)
                        return error_origin(-ENOMEM);
        }
        return 0;
}

/* Return: 0 found; 1 not, and the step has failed with a reason; or a negative errno. */
static int volume_resolve(SetVolume *volume, Sets *sets, const VolumeReference *reference) {
        _cleanup_(volume_world_freep) VolumeWorld *world = NULL;
        const char *name = reference_name(reference);
        dev_t device;
        int r;

        if (reference_is_test(sets, reference))
                return error_trace(volume_set_test(volume, sets, reference->name));
        r = volume_world_new(&world, NULL);
        if (r < 0)
                return error_trace(r);
        r = reference->name ? volume_world_find_name(world, reference->name, &device)
                            : volume_world_find_fd(world, reference->fd, &device);
        if (r == VOLUME_NOT_FOUND)
                step_fail(
                        volume->set, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED,
                        "%.200s is no volume: neither a mount point nor a block device has this name. Name "
                        "a mount point, /dev/VG/LV or VG/LV.",
                        name);
        else if (r == VOLUME_NOT_ON_DEVICE)
                step_fail(volume->set, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED,
                          "%.200s is on a file system without a block device (tmpfs, a network file system "
                          "…), of which no snapshot can be taken. Leave it out.",
                          name);
        if (r != 0)
                return error_trace(r);
        return error_trace(volume_set_device(volume, sets, world, volume_world_find_logical(world, device)));
}

static bool volume_is_external(const SetVolume *volume) {
        return volume->given.ops == &provider_external_ops;
}

/* In the requester's moment nothing else may wait, and LVM's volumes are held for seconds only. */
static void check_mixed(SetVolume *volume) {
        const SnapshotSet *set = volume->set;

        for (size_t i = 0; i < set->n_volumes; i++)
                if (volume_is_external(set->volumes[i]) != volume_is_external(volume))
                        step_fail(volume->set, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED_BY_PROVIDER,
                                  "%.200s would be of provider %s, but %.200s is of provider %s: either all "
                                  "volumes of a set are of provider external, or none is.",
                                  volume->given.name, volume->given.ops->name, set->volumes[i]->given.name,
                                  set->volumes[i]->given.ops->name);
}

static bool volume_is_lvm(const SetVolume *volume) {
        return volume->given.ops == &lvm_cow_ops || volume->given.ops == &lvm_thin_ops;
}

/* Whether the wished provider can be this volume's at all. */
static void check_wish(SetVolume *volume) {
        const char *wish = volume->given.wished_provider;

        if (wish && streq(wish, PROVIDER_EXTERNAL_NAME)) {
                volume->given.ops = &provider_external_ops;
                volume->given.provider = volume->set->sets->external_provider;
                return;
        }
        if (!wish || streq(wish, volume->given.ops->name) ||
            (volume_is_lvm(volume) && (streq(wish, "lvm-cow") || streq(wish, "lvm-thin"))))
                return;
        if (!streq(wish, "lvm-cow") && !streq(wish, "lvm-thin") && !streq(wish, "test") &&
            !streq(wish, PROVIDER_DM_NAME))
                step_fail(volume->set, CONTRACT_ERROR_PROVIDER_NOT_REGISTERED,
                          "There is no provider %.80s. Providers: lvm-cow, lvm-thin, dm, external.", wish);
        else
                step_fail(volume->set, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED_BY_PROVIDER,
                          "The provider %s cannot take a snapshot of %.200s.", wish, volume->given.name);
}

static int copy_devices(char ***ret, char *const *devices) {
        size_t n = 0;

        while (devices && devices[n])
                n++;
        if (n == 0)
                return 0;
        *ret = calloc(n + 1, sizeof(char *));
        for (size_t i = 0; *ret && i < n; i++) {
                (*ret)[i] = strdup(devices[i]);
                if (!(*ret)[i])
                        return error_origin(-ENOMEM);
        }
        return *ret ? 0 : error_origin(-ENOMEM);
}

static int volume_prepare(SetVolume *volume, const VolumeReference *reference,
                          const PrepareOptions *options) {
        int r;

        if (options && options->provider) {
                volume->given.wished_provider = strndup(options->provider, CONTRACT_NAME_MAX);
                if (!volume->given.wished_provider)
                        return error_origin(-ENOMEM);
        }
        volume->given.cow_size = options ? options->cow_size : 0;
        r = copy_devices(&volume->given.wished_devices, options ? options->devices : NULL);
        if (r < 0)
                return error_trace(r);
        r = volume_resolve(volume, volume->set->sets, reference);
        if (r == 0) {
                check_wish(volume);
                check_mixed(volume);
        }
        return error_trace(r);
}

/**
 * snapshot_set_trim() - forget volumes that the contract did not take: their calls were cancelled
 * @set:        the set; no effect while a step runs, which has done it at its beginning
 * @n_volumes:  how many it took; they are the first
 *
 * A set without any volume goes, and is made again for the next one that is tried.
 */
void snapshot_set_trim(SnapshotSet *set, uint32_t n_volumes) {
        if (set->step != CONTRACT_STEP_NONE)
                return;
        while (set->n_volumes > n_volumes)
                snapshot_set_drop_volume(set, set->volumes[set->n_volumes - 1]);
        set->is_over = set->n_volumes == 0;
        snapshot_set_reap(set);
}

/* The step is begun in any case, so that every failure is told in the same way: by its answer. */
static int prepare_begin(SnapshotSet *set, ContractStep step, uint32_t index, const char *snapshot_id,
                         const VolumeReference *reference, const PrepareOptions *options, StepDone done,
                         void *userdata) {
        _cleanup_(set_volume_freep) SetVolume *volume = NULL;
        int r;

        assert(reference && done);
        if (set->step != CONTRACT_STEP_NONE)
                return error_origin(-EBUSY);
        snapshot_set_trim(set, index);
        set->is_over = false;
        if (set->n_volumes >= CONTRACT_VOLUMES_MAX)
                return error_origin(-ENOBUFS);
        r = set_volume_new(&volume, set, snapshot_id);
        if (r < 0)
                return error_trace(r);
        volume->given.index = (uint32_t) set->n_volumes;
        step_prepare(set, step, index, done, userdata);
        r = volume_prepare(volume, reference, options);
        if (r < 0)
                step_fail(set, CONTRACT_ERROR_UNEXPECTED, "%.200s could not be looked at: %s.",
                          reference_name(reference), strerror(-r));
        if (!step_failed(set)) {
                set->only = volume;
                set->volumes[set->n_volumes++] = TAKE_PTR(volume);
        }
        step_advance(set);
        return 0;
}

/**
 * snapshot_set_begin_prepare() - BEGIN_PREPARE: find a volume and check that it can be in the set
 * @set:                the set
 * @volume:             its index; one that the set has already is replaced, with those after it
 * @snapshot_id:        UUID text of the snapshot to be
 * @reference:          what the caller named, needed only during this call
 * @options:            what the caller wishes, or NULL
 * @done:               answered once, from the event loop
 * @userdata:           for @done
 *
 * The same volume twice is answered OK with the same key and joins once.
 *
 * Return: 0, or a negative errno, and @done is not called then.
 */
int snapshot_set_begin_prepare(SnapshotSet *set, uint32_t volume, const char *snapshot_id,
                               const VolumeReference *reference, const PrepareOptions *options,
                               StepDone done, void *userdata) {
        return error_trace(prepare_begin(set, CONTRACT_STEP_BEGIN_PREPARE, volume, snapshot_id, reference,
                                         options, done, userdata));
}

/**
 * sets_is_volume_supported() - what BEGIN_PREPARE would answer
 * @sets:       where
 * @volume:     what the caller named, needed only during this call
 * @options:    what the caller wishes, or NULL
 * @done:       answered once, from the event loop, with no set
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno, and @done is not called then.
 */
int sets_is_volume_supported(Sets *sets, const VolumeReference *volume, const PrepareOptions *options,
                             StepDone done, void *userdata) {
        SnapshotSet *question;
        int r;

        r = sets_add(sets, &question, NULL, NULL, 0, false);
        if (r < 0)
                return error_trace(r);
        r = prepare_begin(question, CONTRACT_STEP_IS_VOLUME_SUPPORTED, 0, "", volume, options, done,
                          userdata);
        if (r < 0) {
                question->is_over = true;
                snapshot_set_reap(question);
        }
        return error_trace(r);
}

static bool volume_is_twice(const SnapshotSet *set, const SetVolume *volume) {
        for (size_t i = 0; i < set->n_volumes; i++)
                if (set->volumes[i] != volume && streq(set->volumes[i]->given.key, volume->given.key))
                        return true;
        return false;
}

static void volume_join(SnapshotSet *set, SetVolume *volume) {
        (void) snprintf(set->key, sizeof(set->key), "%s", volume->given.key);
        set->answer.key = set->key;
        set->need = (VolumeNeed){
                .provider = volume->given.ops->name,
                .size = volume->given.size,
                .store_size = volume->given.store_size,
                .store_room = volume->given.store_room,
        };
        (void) snprintf(set->need.name, sizeof(set->need.name), "%s",
                        volume->given.name ? volume->given.name : "");
        if (step_failed(set) || set->is_question || volume_is_twice(set, volume))
                snapshot_set_drop_volume(set, volume);
}

/**
 * prepare_end() - the volume of BEGIN_PREPARE joins, or is forgotten
 * @set:        the set, its step about to be answered
 *
 * A set without any volume goes, and is made again for the next one that is tried.
 */
void prepare_end(SnapshotSet *set) {
        SetVolume *volume = set->only;

        set->only = NULL;
        if (volume)
                volume_join(set, volume);
        set->is_over = set->n_volumes == 0;
}

static bool set_has_device(const SnapshotSet *set, dev_t device) {
        for (size_t i = 0; i < set->n_volumes; i++) {
                const Volume *origin = set->volumes[i]->given.origin;

                for (size_t k = 0; origin && k < origin->n_above; k++)
                        if (origin->above[k] == device)
                                return true;
        }
        return false;
}

/**
 * sets_is_moment() - whether a descriptor can be the socket of a moment
 * @fd:         of a caller's
 *
 * Return: true for an AF_UNIX socket of type SOCK_SEQPACKET.
 */
bool sets_is_moment(int fd) {
        int domain, type;
        socklen_t n_domain = sizeof(domain), n_type = sizeof(type);

        return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n_domain) == 0 && domain == AF_UNIX &&
               getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n_type) == 0 && type == SOCK_SEQPACKET;
}

/**
 * snapshot_set_note_moment() - the requester takes the snapshot itself
 * @set:        the set, before END_PREPARE
 * @fd:         socket over which it hears when, and says that it has; stays the caller's
 * @limit_usec: how long the set may be held
 *
 * Return: 0, or a negative errno.
 */
int snapshot_set_note_moment(SnapshotSet *set, int fd, uint64_t limit_usec) {
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

        if (copy < 0)
                return error_origin(-errno);
        (void) fd_close(set->given.moment_fd);
        set->given.moment_fd = copy;
        set->long_limit_usec = limit_usec;
        return 0;
}

/* A store that lies on a volume of the set could not be written while that one is suspended: for ever. */
static void check_store(const SnapshotSet *set, SetVolume *volume) {
        const ProviderVolume *given = &volume->given;

        for (size_t i = 0; given->store_device != 0 && i < set->n_volumes; i++) {
                const Volume *other = set->volumes[i]->given.origin;

                if (other && lvm_dm_lies_on(given->store_device, other->above, other->n_above))
                        step_fail(volume->set, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED,
                                  "The store of the snapshot of %.160s lies on %.160s, which is in the same "
                                  "set: both would wait for each other. Name another store, or take them "
                                  "one after the other.",
                                  given->name, other->name);
        }
}

/**
 * stage_check_together() - what only all volumes together can tell
 * @set:        the set
 *
 * Return: STAGE_DONE.
 */
StageResult stage_check_together(SnapshotSet *set) {
        set->given.n_volumes = (uint32_t) set->n_volumes;
        if (set->given.moment_fd >= 0 && !volume_is_external(set->volumes[0]))
                step_fail(
                        set, CONTRACT_ERROR_INVALID_ARGUMENT,
                        "DoSnapshotSet: the option \"moment\" is for volumes of provider external, and %s is "
                        "of provider %s. Say provider external to AddToSnapshotSet.",
                        set->volumes[0]->given.name, set->volumes[0]->given.ops->name);
        for (size_t i = 0; i < set->n_volumes; i++) {
                const Volume *origin = set->volumes[i]->given.origin;

                check_store(set, set->volumes[i]);
                for (size_t k = 0; origin && k < origin->n_beside; k++)
                        if (origin->beside[k].device == 0)
                                step_fail(set, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED,
                                          "The file system on %s lies on %.200s as well; its snapshot alone "
                                          "would not be whole. Leave it out.",
                                          origin->name, origin->beside[k].name);
                        else if (!set_has_device(set, origin->beside[k].device))
                                step_fail(
                                        set, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED,
                                        "The file system on %s lies on %.200s as well, which is not in the "
                                        "set; its snapshot alone would not be whole. Add that one to the "
                                        "set, or leave this one out.",
                                        origin->name, origin->beside[k].name);
        }
        return STAGE_DONE;
}
