/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* For the jobs of provider dm alone (mapped-*-child.c): what they have in common. */

#include "daemon/providers/mapped-child.h"

/* What is told of a live table. */
typedef struct MappedTableFacts {
        char alien[32]; /* a target that no second table can have, or "" */
        bool encrypted, key_is_away;
        unsigned n_targets;
        bool is_origin; /* the first target is snapshot-origin … */
        dev_t real;     /* … of this */
} MappedTableFacts;

/* Devices that are being made. */
typedef struct MappedParts {
        char uuids[_MAPPED_PART_MAX][MAPPED_UUID_SIZE];
        char names[_MAPPED_PART_MAX][MAPPED_NAME_SIZE];
        MappedDevice devices[_MAPPED_PART_MAX];
        uint64_t n_sectors; /* of the origin */
        bool read_only;     /* the origin */
} MappedParts;

/* mapped-job-child.c */
int mapped_job_fail(ContractError error, const char *format, ...) _printf_(2, 3);
int mapped_job_fail_errno(int r, const char *what, const char *name);
void mapped_job_keep_secrets(void);
int mapped_job_lock(const char *path);
int mapped_job_failpoint(const char *place);
void mapped_note_target(const char *type, const char *params, void *userdata);
int mapped_parts_name(MappedParts *parts, const MappedIds *ids);

/* mapped-store-child.c. Return: an exit status. */
int mapped_store_check(dev_t number, const char *name);
int mapped_store_choose(const MappedLook *look, bool encrypted, uint64_t origin_size);
int mapped_store_wipe(const char *cow_uuid);
