/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One snapshot set as the hold and its guard both see it: a single struct in a page range they share.
 *
 * What quiesced said about the set is written before the guard is forked. What LOCK finds out (names, device
 * numbers, messages) is written by the hold's runner before the flag that makes anybody use it. From then on
 * only the atomic flags change, each in one direction: set *before* the kernel is asked for the thing they
 * stand for, so that whoever lets go undoes at least what was done.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/hold/hold-dm.h"
#include "daemon/hold/hold-protocol.h"
#include "daemon/hold/hold-table.h"
#include "util/macro.h"

#define HOLD_LIMIT_MAX_USEC      (10 * USEC_PER_SEC)
#define HOLD_LONG_LIMIT_MAX_USEC (60 * USEC_PER_SEC) /* of a set none of whose volumes is suspended */
#define HOLD_LOCK_LIMIT_MAX_USEC (10 * USEC_PER_SEC)
#define HOLD_DEPTH_MAX           64u

/* Why a step failed: what a report needs. error is 0 as long as nothing has failed. */
typedef struct Failure {
        int error; /* negative errno */
        uint32_t volume;
        uint32_t mount;
        char text[HOLD_TEXT_MAX];
} Failure;

typedef struct SetVolume {
        HoldVolume given;
        /* found by LOCK */
        char origin_name[DM_NAME_LEN];
        char target_name[DM_NAME_LEN]; /* COW: the snapshot's device; THIN: the pool's */
        uint64_t n_sectors;
        char snapshot_params[DM_PARAMS_MAX]; /* COW: of its `snapshot` table */
        uint32_t readonly_flag;              /* COW: DM_READONLY_FLAG or 0, of its new table */
        uint32_t chunk_sectors;              /* COW */
        TableDevice cow;                     /* COW */
        uint32_t thin_origin_id;             /* THIN: O */
        char thin_create[64];                /* THIN: the message "create_snap D O" */
        /* what was done, or at least begun */
        atomic_bool touched;   /* COW: tables of the snapshot were changed */
        atomic_bool staged;    /* COW: the new table is loaded, inactive; THIN: D is deleted */
        atomic_bool suspended; /* the origin */
        HoldTimes times;       /* noted by who holds it, told when all that is over */
} SetVolume;

typedef struct SetMount {
        HoldMount given;
        int fd;
} SetMount;

typedef enum SetGivenUp {
        SET_GIVEN_UP_NOT = 0,
        SET_GIVEN_UP_BY_HOLD,
        SET_GIVEN_UP_BY_GUARD,
} SetGivenUp;

typedef struct HoldSet {
        HoldBegin begin;
        uint32_t n_groups, n_volumes, n_mounts; /* as many as have been described so far */
        HoldGroup groups[HOLD_GROUPS_MAX];
        SetVolume volumes[HOLD_VOLUMES_MAX];
        SetMount mounts[HOLD_MOUNTS_MAX];
        bool begun;

        int control_fd; /* /dev/mapper/control */
        int rcu_fd;     /* /sys/kernel/rcu_expedited, -1: to be left alone */
        int lock_fds[HOLD_GROUPS_MAX];
        uint32_t n_locks;
        char rcu_old[16];

        HoldCommit commit;
        HoldReport report; /* times so far */

        atomic_uint step;            /* the HoldMessageType being carried out, or 0 */
        atomic_bool armed;           /* the countdown runs; mounts may be frozen */
        atomic_bool committing;      /* COMMIT has come: `commit` is valid, lockfs may be under way */
        atomic_bool rcu_on;          /* rcu_expedited was changed */
        atomic_bool ended;           /* everything is let go, by END or after giving up */
        atomic_int given_up;         /* SetGivenUp */
        atomic_ullong deadline_usec; /* CLOCK_BOOTTIME, valid once armed */
} HoldSet;

int hold_set_new(HoldSet **ret);
HoldSet *hold_set_free(HoldSet *set);
void hold_set_close(HoldSet *set);
DEFINE_CLEANUP(HoldSet *, hold_set_free)

int hold_set_begin(HoldSet *set, const HoldBegin *begin);
int hold_set_add_group(HoldSet *set, const HoldGroup *group);
int hold_set_add_volume(HoldSet *set, const HoldVolume *volume);
int hold_set_add_mount(HoldSet *set, const HoldMount *mount, int fd); /* takes fd if it returns 0 */
bool hold_set_is_complete(const HoldSet *set);
uint32_t hold_set_max_depth(const HoldSet *set);
bool hold_set_is_suspended(const HoldSet *set, uint32_t volume);
bool hold_set_is_frozen(const HoldSet *set, uint32_t mount);
bool hold_set_skips_lockfs(const HoldSet *set, uint32_t volume);
const char *hold_set_volume_name(const HoldSet *set, uint32_t volume);
uint32_t hold_set_name_held(const HoldSet *set, char *text, size_t size);
bool hold_set_given_up(const HoldSet *set);

uint64_t boottime_usec(void);
int failure_set(Failure *failure, int error, uint32_t volume, uint32_t mount, const char *format, ...)
        _printf_(5, 6);
int failure_say(Failure *failure, int error, uint32_t volume, uint32_t mount, const char *format, ...)
        _printf_(5, 6);
