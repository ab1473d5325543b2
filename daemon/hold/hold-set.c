/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Taking in the description of a set: every number and text that comes over the socket is checked here,
 * once, so that nobody behind need doubt it. See hold-set.h for who may write what when.
 */

#include "daemon/hold/hold-set.h"

#include <assert.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <time.h>

#include "util/error.h"

/**
 * hold_set_new() - makes an empty set in memory that a fork shares
 * @ret:        the set, to be freed with hold_set_free()
 *
 * Return: 0, or a negative errno.
 */
int hold_set_new(HoldSet **ret) {
        HoldSet *set = mmap(NULL, sizeof(*set), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (set == MAP_FAILED)
                return error_origin(-errno);
        set->control_fd = -EBADF;
        set->rcu_fd = -EBADF;
        *ret = set;
        return 0;
}

/**
 * hold_set_free() - closes a set and unmaps it
 * @set:        the set, or NULL
 *
 * Return: NULL.
 */
HoldSet *hold_set_free(HoldSet *set) {
        if (!set)
                return NULL;
        hold_set_close(set);
        (void) munmap(set, sizeof(*set));
        return NULL;
}

/**
 * hold_set_close() - closes what this process has open for a set, the locks included
 * @set:        the set
 *
 * A file system of which somebody has a descriptor cannot be unmounted.
 */
void hold_set_close(HoldSet *set) {
        for (uint32_t i = 0; i < set->n_mounts; i++)
                set->mounts[i].fd = fd_close(set->mounts[i].fd);
        for (; set->n_locks > 0; set->n_locks--)
                (void) fd_close(set->lock_fds[set->n_locks - 1]);
        set->control_fd = fd_close(set->control_fd);
        set->rcu_fd = fd_close(set->rcu_fd);
}

/* A text in a fixed-size field: ended within it; empty only where that is allowed. */
static bool text_is_valid(const char *text, size_t size, bool may_be_empty) {
        size_t n = strnlen(text, size);

        return n < size && (n > 0 || may_be_empty);
}

/**
 * hold_set_begin() - takes the set's frame
 * @set:        an empty set
 * @begin:      counts and limits
 *
 * Return: 0; -EALREADY: begun before; -EINVAL: a count or limit out of range.
 */
int hold_set_begin(HoldSet *set, const HoldBegin *begin) {
        if (set->begun)
                return error_origin(-EALREADY);
        if (begin->n_volumes == 0 || begin->n_volumes > HOLD_VOLUMES_MAX ||
            begin->n_groups > HOLD_GROUPS_MAX || begin->n_mounts > HOLD_MOUNTS_MAX)
                return error_origin(-EINVAL);
        if (begin->hold_limit_usec == 0 || begin->hold_limit_usec > HOLD_LONG_LIMIT_MAX_USEC ||
            begin->lock_limit_usec > HOLD_LOCK_LIMIT_MAX_USEC || begin->pool_margin > 1000)
                return error_origin(-EINVAL);
        set->begin = *begin;
        set->begun = true;
        return 0;
}

/**
 * hold_set_add_group() - takes one LVM lock file
 * @set:        a set that has begun
 * @group:      its path; paths come in strict order, so that two holds could never wait for each other
 *
 * Return: 0; -EINVAL: one too many, no absolute path, or out of order.
 */
int hold_set_add_group(HoldSet *set, const HoldGroup *group) {
        if (!set->begun || set->n_groups >= set->begin.n_groups)
                return error_origin(-EINVAL);
        if (!text_is_valid(group->lock_path, sizeof(group->lock_path), false) || group->lock_path[0] != '/')
                return error_origin(-EINVAL);
        if (set->n_groups > 0 && strcmp(set->groups[set->n_groups - 1].lock_path, group->lock_path) >= 0)
                return error_origin(-EINVAL);
        set->groups[set->n_groups++] = *group;
        return 0;
}

static bool volume_is_valid(const HoldVolume *v) {
        bool cow = v->kind == HOLD_VOLUME_COW;

        if (v->kind == HOLD_VOLUME_FILE_SYSTEMS)
                return v->depth < HOLD_DEPTH_MAX &&
                       text_is_valid(v->origin_uuid, sizeof(v->origin_uuid), false);
        if (!cow && v->kind != HOLD_VOLUME_THIN)
                return false;
        return v->depth < HOLD_DEPTH_MAX && text_is_valid(v->origin_uuid, sizeof(v->origin_uuid), false) &&
               text_is_valid(v->snapshot_uuid, sizeof(v->snapshot_uuid), !cow) &&
               text_is_valid(v->cow_uuid, sizeof(v->cow_uuid), !cow) &&
               text_is_valid(v->pool_uuid, sizeof(v->pool_uuid), cow) &&
               text_is_valid(v->thin_origin_uuid, sizeof(v->thin_origin_uuid), true);
}

/* Neither the same origin twice, nor the same thing to stamp. */
static bool volumes_clash(const HoldVolume *a, const HoldVolume *b) {
        if (streq(a->origin_uuid, b->origin_uuid))
                return true;
        if (a->kind != b->kind || a->kind == HOLD_VOLUME_FILE_SYSTEMS)
                return false;
        if (a->kind == HOLD_VOLUME_COW)
                return streq(a->snapshot_uuid, b->snapshot_uuid) || streq(a->cow_uuid, b->cow_uuid);
        return streq(a->pool_uuid, b->pool_uuid) && a->thin_snapshot_id == b->thin_snapshot_id;
}

/**
 * hold_set_add_volume() - takes one volume
 * @set:        a set that has begun
 * @volume:     the volume; its index is the next one
 *
 * Return: 0; -EINVAL: one too many, out of order, or malformed; -EEXIST: clashes with an earlier one;
 * -ERANGE: one that is suspended in a set that may be held for longer than that is allowed.
 */
int hold_set_add_volume(HoldSet *set, const HoldVolume *volume) {
        if (!set->begun || set->n_volumes >= set->begin.n_volumes || volume->index != set->n_volumes ||
            !volume_is_valid(volume))
                return error_origin(-EINVAL);
        for (uint32_t i = 0; i < set->n_volumes; i++)
                if (volumes_clash(&set->volumes[i].given, volume))
                        return error_origin(-EEXIST);
        if (volume->kind != HOLD_VOLUME_FILE_SYSTEMS && set->begin.hold_limit_usec > HOLD_LIMIT_MAX_USEC)
                return error_origin(-ERANGE);
        set->volumes[set->n_volumes++].given = *volume;
        return 0;
}

/**
 * hold_set_add_mount() - takes one mounted file system
 * @set:        a set that has begun
 * @mount:      the mount; its index is the next one
 * @fd:         of the mount's root; becomes the set's if 0 is returned
 *
 * Return: 0; -EINVAL: one too many, out of order, malformed, or no descriptor.
 */
int hold_set_add_mount(HoldSet *set, const HoldMount *mount, int fd) {
        if (!set->begun || set->n_mounts >= set->begin.n_mounts || mount->index != set->n_mounts ||
            mount->volume >= set->begin.n_volumes || mount->depth >= HOLD_DEPTH_MAX || fd < 0)
                return error_origin(-EINVAL);
        set->mounts[set->n_mounts++] = (SetMount){.given = *mount, .fd = fd};
        return 0;
}

/**
 * hold_set_is_complete() - whether all that BEGIN announced has come
 * @set:        the set
 *
 * Return: true if so.
 */
bool hold_set_is_complete(const HoldSet *set) {
        return set->begun && set->n_groups == set->begin.n_groups &&
               set->n_volumes == set->begin.n_volumes && set->n_mounts == set->begin.n_mounts;
}

/**
 * hold_set_max_depth() - how deep the deepest volume lies
 * @set:        the set
 *
 * Return: its depth.
 */
uint32_t hold_set_max_depth(const HoldSet *set) {
        uint32_t depth = 0;

        for (uint32_t i = 0; i < set->n_volumes; i++)
                if (set->volumes[i].given.depth > depth)
                        depth = set->volumes[i].given.depth;
        return depth;
}

/**
 * hold_set_is_suspended() - whether a volume is one that is suspended and committed
 * @set:        the set
 * @volume:     which
 *
 * Return: false if only its file systems are held.
 */
bool hold_set_is_suspended(const HoldSet *set, uint32_t volume) {
        return set->volumes[volume].given.kind != HOLD_VOLUME_FILE_SYSTEMS;
}

/**
 * hold_set_is_frozen() - whether the fsfreeze writer has frozen a mount
 * @set:        the set, COMMIT has come
 * @mount:      which
 *
 * Return: true if so.
 */
bool hold_set_is_frozen(const HoldSet *set, uint32_t mount) {
        return set->commit.frozen[mount / 8] & (1u << (mount % 8));
}

/**
 * hold_set_skips_lockfs() - whether a volume is suspended without freezing its file system
 * @set:        the set, COMMIT has come
 * @volume:     which
 *
 * What is frozen already must not be frozen by device-mapper again: it fails on some kernels and spoils the
 * file system's later freezes on others.
 *
 * Return: true if a file system directly on it is frozen.
 */
bool hold_set_skips_lockfs(const HoldSet *set, uint32_t volume) {
        for (uint32_t i = 0; i < set->n_mounts; i++)
                if (set->mounts[i].given.volume == volume && set->mounts[i].given.direct &&
                    hold_set_is_frozen(set, i))
                        return true;
        return false;
}

/**
 * hold_set_volume_name() - what people call a volume
 * @set:        the set
 * @volume:     which
 *
 * Return: its device's name once LOCK has found it, else its uuid.
 */
const char *hold_set_volume_name(const HoldSet *set, uint32_t volume) {
        const SetVolume *v = &set->volumes[volume];

        return v->origin_name[0] != '\0' ? v->origin_name : v->given.origin_uuid;
}

static bool volume_is_held(const HoldSet *set, uint32_t volume) {
        if (atomic_load(&set->volumes[volume].suspended) && set->report.resumed_usec == 0)
                return true;
        for (uint32_t i = 0; atomic_load(&set->committing) && i < set->n_mounts; i++)
                if (set->mounts[i].given.volume == volume && hold_set_is_frozen(set, i))
                        return true;
        return false;
}

/**
 * hold_set_name_held() - the volumes that were suspended, or whose file systems frozen, when the set was
 *                        given up
 * @set:        the set
 * @text:       gets their names; "" if there is none
 * @size:       room for them; what does not fit is "…"
 *
 * Return: the first of them, or HOLD_NONE.
 */
uint32_t hold_set_name_held(const HoldSet *set, char *text, size_t size) {
        uint32_t first = HOLD_NONE;
        size_t n = 0;

        text[0] = '\0';
        for (uint32_t i = 0; i < set->n_volumes; i++) {
                const char *name = hold_set_volume_name(set, i);

                if (!volume_is_held(set, i))
                        continue;
                if (n + strlen(name) + sizeof(", , …") > size) {
                        (void) snprintf(text + n, size - n, "%s…", n ? ", " : "");
                        break;
                }
                n += (size_t) snprintf(text + n, size - n, "%s%s", n ? ", " : "", name);
                first = first == HOLD_NONE ? i : first;
        }
        return first;
}

/**
 * hold_set_given_up() - whether the hold or its guard is letting go: nothing may be held or changed any more
 * @set:        the set
 *
 * Return: true if so.
 */
bool hold_set_given_up(const HoldSet *set) {
        return atomic_load(&set->given_up) != SET_GIVEN_UP_NOT;
}

/**
 * boottime_usec() - the clock that all limits and reports use
 *
 * Return: CLOCK_BOOTTIME in µs.
 */
uint64_t boottime_usec(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_BOOTTIME, &t);
        return (uint64_t) t.tv_sec * USEC_PER_SEC + (uint64_t) t.tv_nsec / NSEC_PER_USEC;
}

static void failure_begin(Failure *failure, int error, uint32_t volume, uint32_t mount) {
        assert(error < 0);

        failure->error = error;
        failure->volume = volume;
        failure->mount = mount;
}

/**
 * failure_set() - notes why a step failed, where the kernel said no
 * @failure:    where
 * @error:      negative errno
 * @volume:     the volume at fault, or HOLD_NONE
 * @mount:      the mount at fault, or HOLD_NONE
 * @format:     what happened, to which device, for people; the error's own words are appended
 *
 * Allocates nothing: strerrordesc_np() answers from a table and translates nothing.
 *
 * Return: @error.
 */
int failure_set(Failure *failure, int error, uint32_t volume, uint32_t mount, const char *format, ...) {
        va_list args;
        size_t n;

        failure_begin(failure, error, volume, mount);
        va_start(args, format);
        (void) vsnprintf(failure->text, sizeof(failure->text), format, args);
        va_end(args);
        n = strlen(failure->text);
        (void) snprintf(failure->text + n, sizeof(failure->text) - n, ": %s",
                        strerrordesc_np(-error) ?: "unknown error");
        return error;
}

/**
 * failure_say() - notes why a step failed, where we ourselves say no: @format says it all
 * @failure:    where
 * @error:      negative errno, for programs
 * @volume:     the volume at fault, or HOLD_NONE
 * @mount:      the mount at fault, or HOLD_NONE
 * @format:     what happened, to which device, for people
 *
 * Return: @error.
 */
int failure_say(Failure *failure, int error, uint32_t volume, uint32_t mount, const char *format, ...) {
        va_list args;

        failure_begin(failure, error, volume, mount);
        va_start(args, format);
        (void) vsnprintf(failure->text, sizeof(failure->text), format, args);
        va_end(args);
        return error;
}
