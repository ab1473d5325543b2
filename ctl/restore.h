/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * quiescectl restore: files come back from the snapshots of a set, between the writers' PreRestore and
 * PostRestore.
 *
 * restore-files.c finds which snapshot has a path and copies it; restore-writers.c tells the writers whose
 * components lie there.
 */

#include "ctl/backup.h"
#include "ctl/mounts.h"

/* A path of the caller's and where it comes from. */
typedef struct RestoreFile {
        char *path;      /* absolute, without links but the last part */
        char *inside;    /* in its file system, relative; "" for the root */
        size_t snapshot; /* index into Restore.snapshots */
        bool restored;
} RestoreFile;

/* A component of a writer's of which some files are among them. */
typedef struct RestoreComponent {
        char *writer, *logical_path, *name;
} RestoreComponent;

typedef struct Restore {
        Options common;
        BackupOptions frame; /* of `backup`, which lends its bus, event loop and signals alone */
        bool without_writers;
        const char *const *ignore_writers; /* NULL-terminated */
        sigset_t signal_mask;
        Backup backup;
        char *set_path;
        DictArray snapshots;
        int *tree_fds; /* parallel to snapshots; -1: not opened */
        RestoreFile *files;
        size_t n_files;
        QuiesceRestore *session;
        RestoreComponent *components;
        size_t n_components;
} Restore;

/* Return: 0, CTL_E_SAID, -EINTR after a signal, or another negative errno. */
int restore_find_files(Restore *restore, char **paths, size_t n_paths);
int restore_open_trees(Restore *restore);
int restore_copy(Restore *restore);

int restore_tell_writers(Restore *restore);
int restore_end_writers(Restore *restore);

void restore_done(Restore *restore);
