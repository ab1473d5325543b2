/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reading sqlite.conf. What is wrong in it is an error, other than in quiesced.conf: a database that was
 * meant and is not found would be missing in backups without a word.
 */

#include "writers.d/sqlite/config.h"

#include <ini.h>

#include "util/error.h"
#include "util/texts.h"

typedef struct Reading {
        SqliteConfig *config;
        const char *path;
        int r;
} Reading;

static int path_add(char ***list, size_t *n, const char *text) {
        return text[0] == '/' ? error_trace(texts_add(list, n, text)) : -EINVAL;
}

static int parse_seconds(const char *text, uint64_t *ret) {
        unsigned long value;
        char *end;

        errno = 0;
        value = strtoul(text, &end, 10);
        if (errno || end == text || text[0] == '-' || (*end && !streq(end, "s")) || value == 0 ||
            value > 3600)
                return -EINVAL;
        *ret = value * USEC_PER_SEC;
        return 0;
}

static int parse_unreadable(const char *text, bool *ret) {
        if (!streq(text, "fail") && !streq(text, "warn"))
                return -EINVAL;
        *ret = streq(text, "fail");
        return 0;
}

static int parse_checkpoint(const char *text, CheckpointMode *ret) {
        static const char *const words[] = {"none", "passive", "truncate"};

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (streq(words[i], text)) {
                        *ret = (CheckpointMode) i;
                        return 0;
                }
        return -EINVAL;
}

static int key_set(SqliteConfig *config, const char *section, const char *name, const char *value) {
        if (streq(section, "Databases") && streq(name, "Path"))
                return path_add(&config->globs, &config->n_globs, value);
        if (streq(section, "Databases") && streq(name, "Exclude"))
                return path_add(&config->excludes, &config->n_excludes, value);
        if (streq(section, "Databases") && streq(name, "Unreadable"))
                return parse_unreadable(value, &config->unreadable_fails);
        if (streq(section, "Snapshot") && streq(name, "Checkpoint"))
                return parse_checkpoint(value, &config->checkpoint);
        if (streq(section, "Snapshot") && streq(name, "CheckpointSec"))
                return parse_seconds(value, &config->checkpoint_usec);
        if (streq(section, "Snapshot") && streq(name, "LockSec"))
                return parse_seconds(value, &config->lock_usec);
        return -EINVAL;
}

/* Of type ini_handler: 1 is good. */
static int config_line(void *userdata, const char *section, const char *name, const char *value) {
        Reading *reading = userdata;
        int r;

        r = key_set(reading->config, section, name, value);
        if (r == -EINVAL)
                (void) fprintf(stderr, "%s: [%s] %s=%s is not understood\n", reading->path, section, name,
                               value);
        if (r < 0 && reading->r == 0)
                reading->r = r;
        return 1;
}

/**
 * sqlite_config_load() - read the configuration
 * @ret:        sqlite_config_done() it
 * @path:       the file; if it is not there all is default and there are no databases
 *
 * Return: 0; -EINVAL: a line is not understood, stderr says which; or another negative errno.
 */
int sqlite_config_load(SqliteConfig *ret, const char *path) {
        SqliteConfig config = {.unreadable_fails = true,
                               .checkpoint = CHECKPOINT_TRUNCATE,
                               .checkpoint_usec = 10 * USEC_PER_SEC,
                               .lock_usec = 10 * USEC_PER_SEC};
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
        if (reading.r < 0) {
                sqlite_config_done(&config);
                return error_trace(reading.r);
        }
        *ret = config;
        return 0;
}

/**
 * sqlite_config_done() - free what a configuration says
 * @config:     emptied
 */
void sqlite_config_done(SqliteConfig *config) {
        for (size_t i = 0; i < config->n_globs; i++)
                free(config->globs[i]);
        for (size_t i = 0; i < config->n_excludes; i++)
                free(config->excludes[i]);
        free(config->globs);
        free(config->excludes);
        *config = (SqliteConfig){};
}
