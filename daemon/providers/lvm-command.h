/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The queue of `lvm` commands, for the files of this room.
 *
 * Each command belongs to a lane, the name of a volume group, or "" for what reads all of them; a lane runs
 * one command at a time, in the order asked. A command never starts nor calls back from within the call that
 * asked for it.
 */

#include "daemon/child/child.h"
#include "daemon/providers/lvm-report.h"

#define LVM_ARGUMENTS_MAX    160u
#define LVM_REPORT_LIMIT     (60 * USEC_PER_SEC)
#define LVM_CHANGE_LIMIT     (180 * USEC_PER_SEC)
#define LVM_LOCKING_DIR_SIZE 256u
#define LVM_VG_SIZE          128u
#define LVM_LOCK_PATH_SIZE   (LVM_LOCKING_DIR_SIZE + LVM_VG_SIZE + 4)

typedef struct LvmCommand LvmCommand;
typedef struct LvmListing LvmListing;
typedef struct LvmRcu LvmRcu;

typedef struct LvmAnswer {
        /* 0; -ECANCELED: never ran; -EBUSY: not run, because somebody else holds the origin; -ETIMEDOUT,
         * -EINTR: killed, at its deadline or by somebody, and what it did is unknown; -EIO: it failed;
         * another: it could not be run. */
        int error;
        const char *out; /* what it printed */
        size_t n_out;
        const char *text; /* with an error, for people: the command and what it said */
} LvmAnswer;

typedef void (*LvmCommandDone)(const LvmAnswer *answer, void *userdata);

typedef struct LvmCommandSpec {
        const char *lane;
        const char *arguments[LVM_ARGUMENTS_MAX]; /* from the verb on, NULL-terminated; copied */
        uint64_t limit_usec;
        size_t out_max;
        bool changes; /* it may change the lane's group: what was listed before is stale */
        /* The LV that it may suspend, or that one before it was killed over, and the snapshot of it, in the
         * lane's group, that it is about; NULL: none. */
        const char *origin_key, *origin_name, *snapshot_lv;
        bool suspends; /* it may freeze the origin's file systems */
        bool clears;   /* before, devices of the snapshot that nobody uses are removed */
        /* NULL, or dm uuid of the pool in which, before, the snapshot's thin device is deleted. */
        const char *thin_pool_key;
        uint64_t thin_id;
        const char *top_key; /* NULL, or dm uuid of a device that lies on the snapshot: removed before */
} LvmCommandSpec;

/* What a command's own process does about the origin before the command, see lvm-origin.c. */
typedef struct LvmOriginWork {
        const char *key, *name, *snapshot_vg, *snapshot_lv;
        const char *thin_pool_key, *top_key;
        uint64_t thin_id;
        char lock_path[LVM_LOCK_PATH_SIZE];
        bool suspends, clears, resume;
        int lock_fd; /* trial-lock.h: the command's own process waits for it, ours keeps it, as lvm closes it
                      */
} LvmOriginWork;

#define LVM_STATUS_REFUSED 100 /* the command was not run: the origin is not in a state for it */

struct Lvm {
        sd_event *event;
        const char *program;   /* /sbin/lvm; tests have one of their own */
        sd_event_source *pump; /* starts commands, calls back what never ran */
        LvmCommand *first, *last;
        size_t n_running;
        LvmListing *listings;
        LvmRcu *rcu;
        char *runtime_dir; /* NULL: nothing is noted */

        bool gate_closed;
        LvmGateClosed gate_callback;
        void *gate_userdata;

        Child *configuration;                   /* lvmconfig runs */
        bool configured;                        /* it has run, with or without success */
        char locking_dir[LVM_LOCKING_DIR_SIZE]; /* "": unknown */
};

int lvm_command_new(LvmCommand **ret, Lvm *lvm, const LvmCommandSpec *spec, LvmCommandDone done,
                    void *userdata);
void lvm_command_cancel(LvmCommand *command);
void lvm_command_forget(LvmCommand *command);
size_t lvm_spec_add(LvmCommandSpec *spec, const char *argument);

void lvm_pump(Lvm *lvm);
void lvm_text_of_child(char *text, size_t n_text, const char *verb, const ChildResult *result,
                       uint64_t limit_usec);
int lvm_configure(Lvm *lvm);
void lvm_lock_path(const Lvm *lvm, const char *vg, char ret[static LVM_LOCK_PATH_SIZE]);

int lvm_list_recent(Lvm *lvm, const char *vg, uint64_t max_age_usec, LvmListed done, void *userdata);
void lvm_listings_invalidate(Lvm *lvm, const char *lane);
bool lvm_listings_answer(Lvm *lvm);
LvmListing *lvm_listing_free(LvmListing *listing);

bool lvm_origin_begin(const Lvm *lvm, const LvmOriginWork *work);
void lvm_origin_end(const Lvm *lvm, const char *key);
int lvm_origin_prepare(void *argument);

void lvm_rcu_begin(LvmRcu *rcu);
void lvm_rcu_end(LvmRcu *rcu);
LvmRcu *lvm_rcu_free(LvmRcu *rcu);
