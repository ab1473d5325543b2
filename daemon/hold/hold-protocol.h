/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What quiesced and quiesced-hold say to each other.
 *
 * One connection (AF_UNIX, SOCK_SEQPACKET) is one snapshot set's held moment. Every message is one
 * fixed-size HoldMessage; requests flow to the hold, each *step* request gets exactly one answer of type
 * HOLD_REPORT. Both ends come from the same build and are checked by `version` and by the message's size, so
 * the layout may change with any release; it is no public interface.
 *
 * The sequence, and what the hold has done when its answer says so:
 *
 *   BEGIN, GROUP*, VOLUME*, MOUNT*   description; no answer unless it is malformed
 *   LOCK        guard forked, memory locked, every device found by dm uuid, LVM's lock of every group taken
 * (2 s at most), origins checked (not suspended, size, open count of snapshots 0, pool plainly rw with
 * room), thick snapshots parked and staged, thin devices deleted, everything checked again PRE_COMMIT syncfs
 * of all mounts (in parallel); then armed: rcu_expedited on, the countdown runs (in the hold *and* in its
 * guard). From here whatever happens every volume is let go by `deadline`. COMMIT      suspend (top down, in
 * parallel within a depth), commit, flags checked, resume (bottom up) END         the writers have thawed:
 * what of `frozen` is still frozen is thawed, rcu_expedited put back, locks freed;
 *             before the answer come the times of each volume
 *
 * ABORT at any time, the end of the connection, a failed step, or the deadline: staged tables are cleared,
 * every device resumed, every mount of `may_freeze` thawed (again and again until whoever froze is really
 * gone), rcu_expedited put back, locks freed, in this order. ABORT is answered when that is done.
 *
 * Freezing file systems is not the hold's work: either the fsfreeze writer does it (between PRE_COMMIT and
 * COMMIT; what it froze comes with COMMIT, and those volumes are suspended with DM_SKIP_LOCKFS_FLAG), or
 * device-mapper does it during suspend (lockfs). Never both for one file system, see kernel-notes fact 1.
 */

#include <stdint.h>

#define HOLD_PROTOCOL_VERSION 3u
#define HOLD_SOCKET_PATH      "/run/quiesced/hold"
#define HOLD_VOLUMES_MAX      64u
#define HOLD_MOUNTS_MAX       128u
#define HOLD_GROUPS_MAX       64u
#define HOLD_UUID_MAX         129u /* DM_UUID_LEN */
#define HOLD_PATH_MAX         512u
#define HOLD_TEXT_MAX         384u
#define HOLD_NONE             UINT32_MAX

typedef enum HoldMessageType {
        /* to the hold */
        HOLD_BEGIN = 1,
        HOLD_GROUP,
        HOLD_VOLUME,
        HOLD_MOUNT, /* carries one descriptor: O_RDONLY on the mount's root */
        HOLD_LOCK,
        HOLD_PRE_COMMIT,
        HOLD_COMMIT,
        HOLD_END,
        HOLD_ABORT,
        /* from the hold */
        HOLD_REPORT,
        HOLD_TIMES,
} HoldMessageType;

typedef enum HoldVolumeKind {
        HOLD_VOLUME_COW = 1, /* dm-snapshot made by LVM: snapshot device and its -cow device */
        HOLD_VOLUME_THIN,    /* thin pool: device ids within the pool */
        /* No snapshot of ours, no device-mapper: only its file systems are let go. origin_uuid is a name for
         * people. */
        HOLD_VOLUME_FILE_SYSTEMS,
} HoldVolumeKind;

/* BEGIN: the whole set. */
typedef struct HoldBegin {
        uint32_t n_groups;
        uint32_t n_volumes;
        uint32_t n_mounts;
        uint32_t expedite_rcu; /* 0: leave /sys/kernel/rcu_expedited alone */
        /* from PRE_COMMIT's answer on, CLOCK_BOOTTIME; at most 10 s if any volume is suspended, else 60 s */
        uint64_t hold_limit_usec;
        uint64_t lock_limit_usec; /* how long to try for LVM's locks in all */
        uint64_t pool_margin; /* least free blocks a pool must have, data and metadata, in 1/1000 of its size
                               */
} HoldBegin;

/* GROUP: one LVM lock file, in order of names. */
typedef struct HoldGroup {
        char lock_path[HOLD_PATH_MAX]; /* normally /run/lock/lvm/V_<vg> */
} HoldGroup;

/* VOLUME: one origin and what will become its snapshot. Devices are named by dm uuid, never by name. */
typedef struct HoldVolume {
        uint32_t index;
        uint32_t kind;             /* HoldVolumeKind */
        uint32_t depth;            /* 0 = topmost; a volume that carries another's PV or file lies deeper */
        uint32_t thin_snapshot_id; /* THIN: D, LVM's thin_id of the snapshot LV */
        uint32_t writable;         /* COW: writers will write into it, though LVM's metadata say read-only */
        char origin_uuid[HOLD_UUID_MAX];   /* the origin's top device, the one to suspend */
        char snapshot_uuid[HOLD_UUID_MAX]; /* COW: the snapshot LV's device */
        char cow_uuid[HOLD_UUID_MAX];      /* COW: the -cow device */
        char pool_uuid[HOLD_UUID_MAX];     /* THIN: the -tpool device */
        /* THIN: the origin's id O is read from the kernel's table of the origin's thin device; this names
         * that device if a thick snapshot of the origin exists and the thin target therefore sits in the
         * -real device, else empty. */
        char thin_origin_uuid[HOLD_UUID_MAX];
} HoldVolume;

/* MOUNT: one file system that may be frozen while the set is held. */
typedef struct HoldMount {
        uint32_t index;
        uint32_t volume; /* index of the volume below it */
        uint32_t direct; /* mounted on the volume's own device: lockfs reaches it */
        uint32_t
                may_freeze; /* the fsfreeze writer has said that nobody else holds it frozen: ours to thaw */
        uint32_t depth;     /* thaw order; larger = deeper below */
} HoldMount;

/* COMMIT: which mounts the fsfreeze writer froze; bit i of byte i/8 stands for mount i. */
typedef struct HoldCommit {
        uint8_t frozen[HOLD_MOUNTS_MAX / 8];
} HoldCommit;

/* Answer to LOCK, PRE_COMMIT, COMMIT, END, ABORT, and to nothing when the hold gives up by itself (step =
 * 0). */
typedef struct HoldReport {
        uint32_t step;   /* the HoldMessageType answered */
        int32_t error;   /* 0, or a negative errno; the hold has let go of everything then (or is at it, see
                            text) */
        uint32_t volume; /* the volume at fault, or HOLD_NONE */
        uint32_t mount;  /* the mount at fault, or HOLD_NONE */
        uint64_t thin_delete_usec; /* LOCK: what the thin deletes took in all, an estimate of the commits */
        uint64_t instant_realtime; /* COMMIT: CLOCK_REALTIME when the last volume was suspended */
        uint64_t armed_usec;       /* these: CLOCK_BOOTTIME */
        uint64_t suspend_begin_usec;
        uint64_t suspended_usec;
        uint64_t committed_usec;
        uint64_t resumed_usec;
        uint64_t ended_usec;
        char text[HOLD_TEXT_MAX]; /* for people: what happened, to which device, at which step */
} HoldReport;

/* TIMES: when one volume was held, CLOCK_BOOTTIME; all 0: it was not suspended. It is sent when nothing is
 * held any more. */
typedef struct HoldTimes {
        uint32_t volume;
        uint32_t reserved; /* 0 */
        uint64_t suspend_begin_usec;
        uint64_t suspended_usec;
        uint64_t commit_begin_usec;
        uint64_t committed_usec;
        uint64_t resume_begin_usec;
        uint64_t resumed_usec;
} HoldTimes;

typedef struct HoldMessage {
        uint32_t version;
        uint32_t type;
        union {
                HoldBegin begin;
                HoldGroup group;
                HoldVolume volume;
                HoldMount mount;
                HoldCommit commit;
                HoldReport report;
                HoldTimes times;
        };
} HoldMessage;
