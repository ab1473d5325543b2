/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* NAME.conf of a writer of database servers: which instances there are, and whether others are looked for.
 */

#include "writers.d/server/instance.h"

#define CONFIG_SOCKETS_MAX 64u

typedef struct ServerConfig {
        Instances instances; /* that have a section */
        bool discover;
        char **sockets; /* globs, instead of the engine's; NULL-terminated, or NULL */
} ServerConfig;

/* -EINVAL: a line that is not understood, or an instance that cannot be; told of on `complaints`. A file
 * that is not there is empty. */
int server_config_load(ServerConfig *ret, const Engine *engine, const char *path);
int server_config_parse(ServerConfig *ret, const Engine *engine, FILE *f, const char *path,
                        FILE *complaints);
void server_config_done(ServerConfig *config);
