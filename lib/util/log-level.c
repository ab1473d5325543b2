/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Levels of the log, one for each module: a folder of the daemon, known by the name of the source file, so
 * that no file has to say where it is. What lies in no folder is the module "daemon".
 */

#include "util/log-level.h"

#include "util/log.h"

#define FOLDERS "daemon/"

static const char *const module_names[] = {"daemon",    "bus",     "child", "contract", "hold",
                                           "providers", "records", "sets",  "volumes",  "writers"};

static_assert(ELEMENTSOF(module_names) <= LOG_MODULES_MAX, "callers have room for all");

static int levels[ELEMENTSOF(module_names)] = {LOG_INFO, LOG_INFO, LOG_INFO, LOG_INFO, LOG_INFO,
                                               LOG_INFO, LOG_INFO, LOG_INFO, LOG_INFO, LOG_INFO};

static const char *const level_names[] = {
        [LOG_EMERG] = "emerg",     [LOG_ALERT] = "alert",   [LOG_CRIT] = "crit", [LOG_ERR] = "err",
        [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice", [LOG_INFO] = "info", [LOG_DEBUG] = "debug",
};

/* Which one a file belongs to: "../daemon/sets/steps.c", or "contract/". */
static size_t module_of(const char *place) {
        const char *folder = strstr(place, FOLDERS);
        size_t n;

        folder = folder ? folder + strlen(FOLDERS) : place;
        n = strcspn(folder, "/");
        for (size_t i = 0; folder[n] && i < ELEMENTSOF(module_names); i++)
                if (strlen(module_names[i]) == n && strncmp(folder, module_names[i], n) == 0)
                        return i;
        return 0;
}

/**
 * log_is_wanted() - whether a line is logged
 * @place:      the file it comes from
 * @priority:   of syslog(3)
 *
 * Return: true if so. With QUIESCED_DEBUG in the environment everything is.
 */
bool log_is_wanted(const char *place, int priority) {
        return priority <= levels[module_of(place)] || getenv("QUIESCED_DEBUG");
}

/**
 * log_level_from_string() - a level's number
 * @name:       "debug"
 *
 * Return: that of syslog(3), or -EINVAL.
 */
int log_level_from_string(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(level_names); i++)
                if (streq(level_names[i], name))
                        return (int) i;
        return -EINVAL;
}

/**
 * log_level_to_string() - a level's name
 * @level:      of syslog(3)
 *
 * Return: the name.
 */
const char *log_level_to_string(int level) {
        assert(level >= 0 && (size_t) level < ELEMENTSOF(level_names));
        return level_names[level];
}

/**
 * log_modules_count() - how many modules there are
 *
 * Return: that.
 */
size_t log_modules_count(void) {
        return ELEMENTSOF(module_names);
}

/**
 * log_module_name() - a module's name
 * @module:     less than log_modules_count()
 *
 * Return: the name.
 */
const char *log_module_name(size_t module) {
        assert(module < ELEMENTSOF(module_names));
        return module_names[module];
}

/**
 * log_module_level() - what is logged of a module
 * @module:     less than log_modules_count()
 *
 * Return: the level of syslog(3) up to which.
 */
int log_module_level(size_t module) {
        assert(module < ELEMENTSOF(levels));
        return levels[module];
}

/**
 * log_set_level() - what is logged from now on
 * @module:     its name; NULL or "": all
 * @level:      of syslog(3)
 *
 * Return: 0; -ENOENT: there is no such module; -EINVAL: no such level.
 */
int log_set_level(const char *module, int level) {
        bool found = false;

        if (level < 0 || (size_t) level >= ELEMENTSOF(level_names))
                return -EINVAL;
        for (size_t i = 0; i < ELEMENTSOF(module_names); i++)
                if (!module || !*module || streq(module, module_names[i])) {
                        levels[i] = level;
                        found = true;
                }
        return found ? 0 : -ENOENT;
}
