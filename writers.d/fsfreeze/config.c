/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reading fsfreeze.conf. What is wrong in it is an error, as in the other writers' files: a "refuse" that is
 * not understood would let through what was to be refused.
 */

#include "writers.d/fsfreeze/config.h"

#include <ini.h>

#include "util/error.h"
#include "util/macro.h"

typedef struct Reading {
        FsfreezeConfig *config;
        const char *path;
        int r;
} Reading;

static int key_set(FsfreezeConfig *config, const char *section, const char *name, const char *value) {
        if (!streq(section, "FileSystems") || !streq(name, "Unfreezable") ||
            (!streq(value, "skip") && !streq(value, "refuse")))
                return -EINVAL;
        config->refuse = streq(value, "refuse");
        return 0;
}

/* Of type ini_handler: 1 is good. */
static int config_line(void *userdata, const char *section, const char *name, const char *value) {
        Reading *reading = userdata;

        if (key_set(reading->config, section, name, value) < 0) {
                (void) fprintf(stderr, "%s: [%s] %s=%s is not understood\n", reading->path, section, name,
                               value);
                reading->r = -EINVAL;
        }
        return 1;
}

/**
 * fsfreeze_config_load() - read the configuration
 * @ret:        filled in
 * @path:       the file; if it is not there all is default
 *
 * Return: 0; -EINVAL: a line is not understood, stderr says which; or another negative errno.
 */
int fsfreeze_config_load(FsfreezeConfig *ret, const char *path) {
        FsfreezeConfig config = {};
        Reading reading = {.config = &config, .path = path};
        _cleanup_fclose_ FILE *f = fopen(path, "re");
        int line = 0;

        if (!f && errno != ENOENT)
                return error_origin(-errno);
        if (f)
                line = ini_parse_file(f, config_line, &reading);
        if (line != 0 && reading.r == 0) {
                (void) fprintf(stderr, "%s: line %d is not understood\n", path, line);
                reading.r = -EINVAL;
        }
        if (reading.r < 0)
                return error_origin(reading.r);
        *ret = config;
        return 0;
}
