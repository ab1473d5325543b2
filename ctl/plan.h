/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a command will see: which paths show a snapshot, which stay live.
 *
 * Made in three steps: plan_new() from the caller's paths and mounts; then each volume is offered to
 * quiesced, and plan_volume_stays_live() notes those that cannot join; plan_finish() leaves the entries in
 * the order in which they are to be put in place.
 */

#include "ctl/mounts.h"

typedef enum PlanKind {
        PLAN_SNAPSHOT, /* shows the volume's snapshot */
        PLAN_LIVE,     /* stays as it is, and must be put on top of the snapshot around it */
} PlanKind;

typedef struct PlanEntry {
        char *path; /* absolute, without links */
        const Mount *mount;
        char *inside; /* path in the mount's file system, "" for its root */
        PlanKind kind;
        bool given;    /* PLAN_SNAPSHOT: a PATH of the caller's, so it must join */
        bool asked;    /* PLAN_LIVE: the caller said so, or the root's own rule */
        bool needed;   /* after plan_finish(): false if what is around it shows it already */
        bool named;    /* PLAN_LIVE: the caller is told */
        char *reason;  /* PLAN_LIVE and named: why it does not join */
        size_t volume; /* PLAN_SNAPSHOT: index */
        int tree_fd;   /* PLAN_SNAPSHOT: detached mount of the whole snapshot, or -1 */
} PlanEntry;

typedef struct PlanVolume {
        const Mount *mount;
        const char *path; /* something on it, to open */
        bool given;       /* one of its entries is */
        char *snapshot;   /* UUID, once it has joined */
} PlanVolume;

typedef struct PlanOptions {
        char **paths; /* absolute, without links */
        size_t n_paths;
        char **live;
        size_t n_live;
        bool one_file_system;
        bool no_view; /* nothing will be shown: all volumes below the paths join */
        bool lenient; /* the paths are not the caller's words: what cannot join is left out */
} PlanOptions;

typedef struct Plan {
        PlanEntry *entries;
        size_t n_entries;
        PlanVolume *volumes;
        size_t n_volumes;
} Plan;

int plan_new(Plan **ret, const MountTable *table, const PlanOptions *options);
Plan *plan_free(Plan *plan);
DEFINE_CLEANUP(Plan *, plan_free)

int plan_volume_stays_live(Plan *plan, size_t volume, const char *reason);
void plan_finish(Plan *plan);
