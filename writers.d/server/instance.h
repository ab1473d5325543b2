/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Instances, one by one and in rows; engine.h says what one is. */

#include "writers.d/server/engine.h"

#define INSTANCES_MAX         64u
#define INSTANCE_NAME_MAX     64u
#define INSTANCE_MAPS_MAX     32u
#define INSTANCE_LIMIT_USEC   (10 * USEC_PER_SEC)
#define INSTANCE_PASSWORD_MAX 4096u

typedef struct Instances {
        Instance **items;
        size_t n_items;
} Instances;

int instance_new(Instance **ret, const char *name);
int instance_copy(Instance **ret, const Instance *instance);
Instance *instance_free(Instance *instance);
DEFINE_CLEANUP(Instance *, instance_free)
bool instance_name_is_good(const char *name);
int instance_add_map(Instance *instance, const char *map);
/* A path of the server's as the host knows it, by Map=. Free it. */
int instance_map_path(const Instance *instance, const char *path, char **ret);

/* Takes the instance if it returns 0; -E2BIG beyond INSTANCES_MAX. */
int instances_add(Instances *instances, Instance *instance);
Instance *instances_find(const Instances *instances, const char *name);
void instances_done(Instances *instances);
