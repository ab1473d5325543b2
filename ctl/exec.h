/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What quiescectl exec shows: the chosen snapshots of one set, each at the places where its volume is
 * mounted now, or where the caller wants it.
 *
 * exec_view_read() asks quiesced which snapshots those are, exec_view_plan() makes of them and of the
 * caller's mounts the same plan that run has, exec_view_open() opens them.
 */

#include <signal.h>

#include "ctl/backup.h"

typedef struct ExecPlace {
        const char *of; /* id of a snapshot, or name of its volume */
        char *path;     /* absolute, without links */
} ExecPlace;

typedef struct ExecOptions {
        BackupOptions backup; /* quiet alone */
        char **ids;
        size_t n_ids;
        ExecPlace *places;
        size_t n_places;
        PlanOptions plan; /* live alone is given */
        char **command;   /* argv of the command, points into main()'s */
        sigset_t signal_mask;
} ExecOptions;

typedef struct ExecSnapshot {
        Dict properties;
        bool named; /* the caller gave its own id */
        size_t n_shown;
} ExecSnapshot;

typedef struct ExecView {
        const ExecOptions *options;
        ExecSnapshot *snapshots;
        size_t n_snapshots;
        MountTable *table;
        Plan *plan;
        size_t *shown; /* which snapshot each volume of the plan is */
} ExecView;

/* Return: 0, CTL_E_SAID or a negative errno. */
int exec_view_read(ExecView *view, sd_bus *bus);
int exec_view_plan(ExecView *view);
int exec_view_open(ExecView *view, Backup *backup);
const char *exec_view_find_lost(const ExecView *view, sd_bus *bus, const char **ret_reason);
void exec_view_done(ExecView *view);

/* verb-exec-options.c. Return: 0, EXEC_OPTIONS_E_…, or a negative errno. */
enum {
        _EXEC_OPTIONS_E_SUCCESS,
        EXEC_OPTIONS_E_DONE,  /* help was asked for and given */
        EXEC_OPTIONS_E_WRONG, /* the user has been told what is wrong */
};
int exec_options_parse(ExecOptions *options, int argc, char **argv);
void exec_options_done(ExecOptions *options);
