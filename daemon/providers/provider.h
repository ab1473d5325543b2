/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a provider is: VSS's provider protocol as a table of asynchronous operations.
 *
 * Two phases are the point (IVssProviderCreateSnapshotSet): everything slow happens in END_PREPARE or after
 * POST_COMMIT; in between there is only what the hold does by itself (describe_hold()), or, for a provider
 * without a hold, an operation that does not wait for a disk.
 *
 * An operation works on one volume of one set and calls back exactly once; it may do so at once. A set
 * operation follows the volume operations of the same phase, once for all volumes that share the function.
 * What an operation says in `text` is for people: what happened, to which thing, what to do.
 */

#include <systemd/sd-event.h>

#include "contract/types.h"
#include "daemon/hold/hold-protocol.h"
#include "daemon/providers/set-description.h"
#include "daemon/volumes/volumes.h"

typedef struct Provider Provider;
typedef struct ProviderOps ProviderOps;
typedef struct ProviderVolume ProviderVolume;

typedef enum ProviderPhase {
        PROVIDER_BEGIN_PREPARE, /* can it be done? changes nothing */
        PROVIDER_END_PREPARE,   /* all slow work */
        PROVIDER_LOCK,
        PROVIDER_PRE_COMMIT,
        PROVIDER_COMMIT,
        PROVIDER_POST_COMMIT,
        PROVIDER_PRE_FINAL_COMMIT,  /* is what was made really right? */
        PROVIDER_POST_FINAL_COMMIT, /* make it count, unless writers will write into it */
        PROVIDER_SEAL,              /* they have: is it still right? make it count */
        PROVIDER_ABORT,             /* remove whatever is there; nothing there is success */
        PROVIDER_DELETE,   /* like ABORT, of a snapshot that counts; VOLUME_BUSY: somebody has it open */
        PROVIDER_GROW,     /* make what it is stored in larger; in no step */
        PROVIDER_DESCRIBE, /* of a set that counts, in no step: note ProviderSet.wished instead of
                              .description */
        PROVIDER_BREAK, /* likewise: make the snapshots volumes like any other, of which nobody knows more */
        PROVIDER_CHECK_REVERT, /* likewise: whether REVERT would fail first; changes nothing */
        PROVIDER_REVERT, /* likewise: begin to make the origins what the snapshots are; all, or fail first */
        /* A copy of a snapshot that counts, to be written into: makes it and sets copy_device, or leaves
         * nothing. In no step. And its end; VOLUME_BUSY: somebody has it open. DELETE and ABORT do that,
         * too. */
        PROVIDER_COPY,
        PROVIDER_UNCOPY,
        _PROVIDER_PHASE_MAX,
} ProviderPhase;

typedef struct ProviderBreak {
        char suffix[33]; /* of the new names; "": the instant */
        bool writable;
} ProviderBreak;

/* The set a volume belongs to, shared by its volumes. */
typedef struct ProviderSet {
        char id[CONTRACT_ID_MAX];
        char session_id[CONTRACT_ID_MAX];
        uint32_t owner_uid;
        bool persistent;
        bool writable; /* C24: writers write into the snapshots in PostSnapshot; from LOCK on */
        uint32_t n_volumes;
        uint64_t instant_realtime_usec;
        ContractConsistency consistency; /* POST_FINAL_COMMIT and later, told anew for SEAL */
        SetDescription description;      /* what people say of it; what is noted, once it counts */
        SetDescription wished;           /* DESCRIBE: what it is to be */
        ProviderBreak broken;            /* BREAK: how */
        /* of provider external: */
        int moment_fd;                       /* the requester's, or -EBADF */
        uint64_t moment_until_usec;          /* CLOCK_BOOTTIME; from PRE_COMMIT on */
        char external_id[CONTRACT_TEXT_MAX]; /* what the requester calls what it has taken, or "" */
} ProviderSet;

struct ProviderVolume {
        const ProviderOps *ops;
        Provider *provider;
        ProviderSet *set; /* NULL: only asked whether it is supported */
        void *owner;      /* the set's, not for providers */
        uint32_t index;   /* in the set */
        char snapshot_id[CONTRACT_ID_MAX];
        Volume *origin;        /* owned; NULL: the provider has no devices */
        uint64_t cow_size;     /* wished for, bytes; 0: the default */
        char *wished_provider; /* or NULL */
        char **wished_devices; /* to make a COW store on: physical volumes, or (dm) stores; NULL-terminated;
                                  or NULL */
        char *name, *key;      /* of the origin */
        char *device;          /* of the snapshot, once it is known */
        char *file_system;     /* type, "" for none, NULL if unknown */
        char *no_tree;         /* why OpenTree cannot work, or NULL */
        char *copy_device;     /* of its writable copy, or NULL: there is none */
        uint64_t copy_size;    /* COPY: wished for its store, bytes; 0: the default */
        uint64_t size;         /* bytes */
        uint64_t store_size;   /* BEGIN_PREPARE: bytes the snapshot takes up at once; 0: none */
        uint64_t store_room;   /* likewise: bytes that are free where it takes them, its own included */
        dev_t store_device;    /* likewise: what its store will lie on, if that is known by then; else 0 */
        void *data;            /* the provider's, freed by ops->volume_done() */
};

typedef void (*ProviderDone)(ProviderVolume *volume, ContractError error, const char *text, void *userdata);
typedef int (*ProviderOp)(ProviderVolume *volume, ProviderDone done, void *userdata);
/* Calls back with the volume at fault, or NULL. */
typedef int (*ProviderSetOp)(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes,
                             ProviderDone done, void *userdata);

/* How full that is which a snapshot is stored in. */
typedef struct ProviderSpace {
        double full;      /* percent: of its store; of its pool's data or metadata, what is fuller */
        const char *pool; /* names what it shares with others, and with live volumes; NULL: nothing */
        const char *pool_group, *pool_name; /* of the pool, for people */
        uint64_t used, allocated;           /* bytes: of its store, or of its pool's data */
        const char *reason; /* why it does not hold its instant any more, a word; NULL: it does */
} ProviderSpace;

/* A volume that is being made what its snapshot is. */
typedef struct ProviderRevert {
        bool waits;  /* until the volume is activated next: it is in use */
        double left; /* percent of the snapshot that is still to be done */
} ProviderRevert;

struct ProviderOps {
        const char *name;
        ProviderOp op[_PROVIDER_PHASE_MAX];        /* NULL: nothing to do */
        ProviderSetOp set_op[_PROVIDER_PHASE_MAX]; /* likewise */
        /* Ends what may wait long: its callback comes soon, with any error. Nothing running: no effect. */
        void (*cancel)(ProviderVolume *volume);
        /* What the hold must know; NULL: the volume is not held. Return: 0 or a negative errno. */
        int (*describe_hold)(const ProviderVolume *volume, HoldVolume *ret, const char **ret_lock_path);
        /* The hold suspends the origin, which freezes a file system directly on it. */
        bool is_suspended;
        /* Short ioctls, asked time and again. False: it cannot be told now. NULL: it has all it needs. */
        bool (*get_space)(const ProviderVolume *volume, ProviderSpace *ret);
        /* Whether somebody has its device open. NULL: it cannot be told. */
        bool (*is_open)(const ProviderVolume *volume);
        /* Likewise, besides one mount of it, whoever has files open there. NULL: a mount is as any other
         * use. */
        bool (*is_open_besides_mount)(const ProviderVolume *volume);
        /* Gives the snapshot up, whoever reads it, and its room back to its pool: runs in a forked child.
         * DELETE is to follow. Return: 0 or a negative errno. */
        int (*drop_child)(const ProviderVolume *volume);
        /* OpenTree for a snapshot without a device: runs in a forked child. Return: descriptor or negative.
         */
        int (*open_tree_child)(const ProviderVolume *volume);
        /* The same for writers in PostSnapshot, writable, of what does not count yet. */
        int (*open_writable_child)(const ProviderVolume *volume);
        /* Has the snapshot's device take writes, if the hold has not: runs in a forked child, before it is
         * mounted. NULL: nothing to do. Return: 0 or a negative errno. */
        int (*make_writable_child)(const ProviderVolume *volume);
        /* Makes copy_device, if COPY has not: runs in a forked child, before it is mounted; what went wrong
         * is said on stderr. NULL: nothing to do. Return: 0 or a negative errno. */
        int (*make_copy_child)(const ProviderVolume *volume);
        /* The copy lies on the snapshot's own device, which device-mapper and a mount do not share: there is
         * one or the other. */
        bool copy_needs_device;
        /* Whether somebody has the copy open; whether it is lost, because more was written into it than its
         * store holds. NULL, like COPY, for those that make none. Short ioctls. */
        bool (*copy_is_open)(const ProviderVolume *volume);
        bool (*copy_is_lost)(const ProviderVolume *volume);
        /* Where the data of a volume lies that is no device. Return: 0, path to be freed; or -ENOMEM. */
        int (*find_origin_path)(const ProviderVolume *volume, char **ret);
        /* A set that counts is good for something else than POST_FINAL_COMMIT had noted (`was`): a writer
         * has failed at PostSnapshot. Noted anew; nobody waits for it. For all volumes that share the
         * function. */
        void (*note_consistency)(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes,
                                 ContractConsistency was);
        /* After REVERT: how far it is. Short ioctls. False: it is over, or cannot be told. NULL: no REVERT.
         */
        bool (*get_revert)(const ProviderVolume *volume, ProviderRevert *ret);
        /* After BREAK: what the snapshot is called now; the volume's. NULL: no BREAK. */
        const char *(*get_broken_name)(const ProviderVolume *volume);
        void (*volume_done)(ProviderVolume *volume);
};
