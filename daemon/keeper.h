/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Sets are kept within their limits: those that the rules of keeping.h have go are deleted, one after the
 * other, the oldest first, after each session, at the start and now and then; and when somebody asks for it.
 */

#include "daemon/keeping/keeping.h"
#include "daemon/manager.h"

/* A set that goes by the rules. */
typedef struct KeeperOutcome {
        char id[CONTRACT_ID_MAX];
        uint64_t instant_usec;
        KeepingReason reason;
        char by[KEEPING_NAME_MAX + SET_LABEL_MAX]; /* the rule's label or the limit's name */
        bool removed;
        char left[CONTRACT_TEXT_MAX]; /* why it is still there; "": it is gone, or was only asked for */
} KeeperOutcome;

typedef struct KeeperRequest {
        KeepingRules rules; /* taken over; without any: those of quiesced.conf */
        const char *
                label; /* copied: of what rules of others say nothing is done; NULL: of all, and of limits */
        bool dry_run;  /* nothing is deleted */
        /* How it went, from the event loop or at once; @r: 0, or a negative errno. */
        void (*done)(const KeeperOutcome *outcomes, size_t n_outcomes, int r, void *userdata);
        void *userdata;
} KeeperRequest;

int keeper_new(Keeper **ret, Manager *manager);
Keeper *keeper_free(Keeper *keeper);
void keeper_look_soon(Keeper *keeper);
void keeper_go_on(Keeper *keeper);
int keeper_ask(Keeper *keeper, KeeperRequest *request);
