/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a step tells: how it failed, warnings, and what an instance consists of. */

#include "writers.d/server/instance.h"

#define REPORT_TEXT_MAX     500u
#define FACTS_PATHS_MAX     1000u /* as many as a component may have files */
#define FACTS_DATABASES_MAX 1000u

/* Of one step; of fixed size, as Freeze is no time to look for memory. */
struct Report {
        QuiesceFailure failure; /* 0: none */
        char text[REPORT_TEXT_MAX];
        char warning[REPORT_TEXT_MAX]; /* "": none; several are joined by "; " */
};

typedef struct FactPath {
        char *path, *pattern, *what;
        bool recursive;
} FactPath;

struct Facts {
        const Instance *instance; /* whose Map= counts */
        char *version;
        FactPath *paths;
        size_t n_paths;
        char **databases;
        size_t n_databases;
};

void facts_done(Facts *facts);
/* Joins texts of several instances by "; ", as far as there is room. */
void text_join(char text[static REPORT_TEXT_MAX], const char *format, ...)
        __attribute__((format(printf, 2, 3)));
