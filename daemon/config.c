/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reading quiesced.conf and its drop-ins; see config.h.
 */

#include "daemon/config.h"

#include <dirent.h>
#include <ini.h>
#include <stdarg.h>
#include <stddef.h>

#include "util/error.h"
#include "util/log.h"

typedef enum ValueType {
        VALUE_USEC,
        VALUE_UNSIGNED,
        VALUE_BOOLEAN,
        VALUE_LOG_LEVEL,
        VALUE_MODULE_LEVEL, /* may be given once for each module */
        VALUE_PLACEMENT,    /* may be given once for each volume group, or pattern of devices */
} ValueType;

typedef struct Key {
        const char *section, *name;
        ValueType type;
        size_t offset;
        unsigned minimum, maximum; /* of a time: in seconds; 0: none */
        bool at_start;             /* what runs has its own copy: another value counts from the next start */
} Key;

#define EVENT_KEY(_name, _event) \
        { "Events", _name, VALUE_USEC, offsetof(Config, contract.event_limit_usec[_event]), 0, 0, true }

static const Key keys[] = {
        {"Session", "SlotIdleSec", VALUE_USEC, offsetof(Config, contract.slot_idle_usec), 0, 0, true},
        {"Session", "SlotIdleWaitedSec", VALUE_USEC, offsetof(Config, contract.slot_idle_waited_usec), 0, 0,
         true},
        {"Session", "MaxPerUser", VALUE_UNSIGNED, offsetof(Config, sessions_max_per_user), 1,
         CONTRACT_SESSIONS_MAX},
        {"Session", "MaxCallsPerUser", VALUE_UNSIGNED, offsetof(Config, calls_max_per_user), 1, 1000},
        EVENT_KEY("IdentifySec", CONTRACT_EVENT_IDENTIFY),
        EVENT_KEY("PrepareForBackupSec", CONTRACT_EVENT_PREPARE_FOR_BACKUP),
        EVENT_KEY("PrepareForSnapshotSec", CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT),
        EVENT_KEY("FreezeSec", CONTRACT_EVENT_FREEZE),
        EVENT_KEY("PostSnapshotSec", CONTRACT_EVENT_POST_SNAPSHOT),
        EVENT_KEY("BackupCompleteSec", CONTRACT_EVENT_BACKUP_COMPLETE),
        EVENT_KEY("AbortSec", CONTRACT_EVENT_ABORT),
        EVENT_KEY("BackupShutdownSec", CONTRACT_EVENT_BACKUP_SHUTDOWN),
        {"Events", "ThawLevelDelaySec", VALUE_USEC, offsetof(Config, contract.thaw_level_delay_usec), 0, 0,
         true},
        {"Writers", "StartSec", VALUE_USEC, offsetof(Config, launch_limit_usec), 0, 0, true},
        {"Hold", "LimitSec", VALUE_USEC, offsetof(Config, contract.hold_limit_usec), 0, 10, true}, /* C30 */
        {"Hold", "ExpediteRCU", VALUE_BOOLEAN, offsetof(Config, expedite_rcu), 0, 0, true},
        {"External", "LimitSec", VALUE_USEC, offsetof(Config, external_limit_usec), 0, 50}, /* of 60 */
        {"Snapshots", "CowPercent", VALUE_UNSIGNED, offsetof(Config, cow_percent), 1, 100},
        {"Snapshots", "StoreOn", VALUE_PLACEMENT, offsetof(Config, placements), 0, 0},
        {"Dm", "Store", VALUE_PLACEMENT, offsetof(Config, dm_stores), 0, 0},
        {"Dm", "PlaintextStores", VALUE_BOOLEAN, offsetof(Config, dm_plaintext_stores), 0, 0},
        {"Snapshots", "MaxPerVolume", VALUE_UNSIGNED, offsetof(Config, snapshots_max), 1, 1000},
        {"Space", "CheckSec", VALUE_USEC, offsetof(Config, space_check_usec), 0, 600},
        {"Space", "GrowthSec", VALUE_USEC, offsetof(Config, growth_usec), 0, 604800},
        {"Space", "KeepCheckSec", VALUE_USEC, offsetof(Config, keeping_check_usec), 0, 86400},
        {"Space", "WarnPercent", VALUE_UNSIGNED, offsetof(Config, warn_percent), 1, 100},
        {"Space", "GrowPercent", VALUE_UNSIGNED, offsetof(Config, grow_percent), 50, 100}, /* LVM's least */
        {"Space", "GrowByPercent", VALUE_UNSIGNED, offsetof(Config, grow_by_percent), 1, 100},
        {"Space", "DropPercent", VALUE_UNSIGNED, offsetof(Config, drop_percent), 50, 100},
        {"Log", "Level", VALUE_LOG_LEVEL, offsetof(Config, log_level), 0, 0},
        {"Log", "ModuleLevel", VALUE_MODULE_LEVEL, offsetof(Config, module_levels), 0, 0},
        /* A bus waits 25 s for the name of a service it starts. */
        {"Snapshots", "LVMWaitSec", VALUE_USEC, offsetof(Config, lvm_wait_usec), 0, 20, true},
};

typedef struct File {
        Config *config;
        const char *path;
} File;

/**
 * config_default() - what counts where quiesced.conf says nothing
 * @config:     filled in
 */
void config_default(Config *config) {
        *config = (Config){
                .launch_limit_usec = 30 * USEC_PER_SEC,
                .sessions_max_per_user = 32,
                .calls_max_per_user = 16,
                .cow_percent = 20,
                .snapshots_max = 64,
                .space_check_usec = 5 * USEC_PER_SEC,
                .growth_usec = 3600 * USEC_PER_SEC,
                .keeping_check_usec = 600 * USEC_PER_SEC,
                .warn_percent = 80,
                .grow_percent = 70,
                .grow_by_percent = 20,
                .drop_percent = 97,
                .lvm_wait_usec = 15 * USEC_PER_SEC,
                .expedite_rcu = true,
                .log_level = LOG_INFO,
                .external_limit_usec = 10 * USEC_PER_SEC,
                .runtime_dir = "/run/quiesced",
                .state_dir = STATEDIR,
                .hold_socket_path = "/run/quiesced/hold",
                .launcher = WRITERS_LAUNCHER_SYSTEMD,
        };
        for (size_t i = 0; i < LOG_MODULES_MAX; i++)
                config->module_levels[i] = -1;
        contract_config_default(&config->contract);
}

/* "sets debug" */
static int module_level_set(int *levels, const char *value) {
        size_t n = strcspn(value, " ");
        int level = log_level_from_string(value + n + strspn(value + n, " "));

        if (level < 0)
                return level;
        for (size_t i = 0; i < log_modules_count(); i++)
                if (strlen(log_module_name(i)) == n && strncmp(log_module_name(i), value, n) == 0) {
                        levels[i] = level;
                        return 0;
                }
        return -ENOENT;
}

static int key_set(const Key *key, Config *config, const char *value) {
        void *target = (char *) config + key->offset;
        uint64_t usec;
        int r;

        switch (key->type) {
        case VALUE_USEC:
                r = config_parse_usec(value, &usec);
                if (r < 0)
                        return r;
                if (key->maximum > 0 && usec > key->maximum * USEC_PER_SEC)
                        return -ERANGE;
                *(uint64_t *) target = usec;
                return 0;
        case VALUE_UNSIGNED:
                return config_parse_unsigned(value, key->minimum, key->maximum, target);
        case VALUE_BOOLEAN:
                return config_parse_boolean(value, target);
        case VALUE_LOG_LEVEL:
                r = log_level_from_string(value);
                if (r >= 0)
                        *(int *) target = r;
                return r < 0 ? r : 0;
        case VALUE_MODULE_LEVEL:
                return module_level_set(target, value);
        case VALUE_PLACEMENT:
                return lvm_placements_add(target, value);
        default:
                return -EINVAL;
        }
}

/* Told at start, with what becomes of it; else it is why nothing is changed. */
static _printf_(3, 4) void config_wrong(Config *config, const char *ignored, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list arguments;
        int n;

        va_start(arguments, format);
        n = vasprintf(&text, format, arguments);
        va_end(arguments);
        if (n < 0)
                text = NULL;
        if (!config->is_strict) {
                log_warning("%s, ignoring%s", text ?: strerror(ENOMEM), ignored);
                return;
        }
        log_error("%s", text ?: strerror(ENOMEM));
        config->is_wrong = true;
        if (!config->wrong)
                config->wrong = TAKE_PTR(text);
}

/* A line of a section that rules or limits are written in. Return: false if it is of another section. */
static bool config_keeping_line(const File *file, const char *section, const char *name, const char *value) {
        bool is_rule = strncmp(section, "Keep ", strlen("Keep ")) == 0;
        int r;

        if (!is_rule && strncmp(section, "Limit ", strlen("Limit ")) != 0)
                return false;
        r = keeping_rules_set(&file->config->keeping, section, name, value);
        if (r == 0)
                return true;
        config_wrong(file->config, is_rule ? " the whole section: no set is removed by it" : " it",
                     "%s: [%s] %s=%s is not %s", file->path, section, name, value,
                     r == KEEPING_E_UNKNOWN ? "known" : "valid");
        return true;
}

/* Of type ini_handler: 1 is good, and everything is good. */
static int config_line(void *userdata, const char *section, const char *name, const char *value) {
        File *file = userdata;

        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (streq(keys[i].section, section) && streq(keys[i].name, name)) {
                        if (key_set(&keys[i], file->config, value) < 0)
                                config_wrong(file->config, "", "%s: [%s] %s=%s is not a valid value",
                                             file->path, section, name, value);
                        return 1;
                }
        if (!config_keeping_line(file, section, name, value))
                config_wrong(file->config, "", "%s: [%s] %s= is not known", file->path, section, name);
        return 1;
}

/**
 * config_parse() - what one file says
 * @config:     what those before it said; changed
 * @stream:     the file
 * @path:       its name, for messages
 *
 * What it says wrong is logged and ignored.
 */
void config_parse(Config *config, FILE *stream, const char *path) {
        File file = {config, path};
        int r;

        keeping_rules_file_begin(&config->keeping);
        r = ini_parse_file(stream, config_line, &file);
        if (r == 0)
                return;
        config_wrong(config, " it, and each section [Keep …] of the file", "%s: line %d is not understood",
                     path, r);
        keeping_rules_file_failed(&config->keeping);
}

/* Return: 1 read, 0 not there (or masked by a link to /dev/null). */
static int config_file(Config *config, const char *path) {
        _cleanup_fclose_ FILE *stream = NULL;

        stream = fopen(path, "re");
        if (!stream) {
                if (errno != ENOENT)
                        config_wrong(config, "", "%s: cannot be read (%s)", path, strerror(errno));
                return 0;
        }
        config_parse(config, stream, path);
        return 1;
}

static int is_drop_in(const struct dirent *entry) {
        size_t n = strlen(entry->d_name);

        return entry->d_name[0] != '.' && n > 5 && streq(entry->d_name + n - 5, ".conf");
}

static bool seen_before(const char *const *dirs, size_t n_dirs, const char *name) {
        for (size_t i = 0; i < n_dirs; i++) {
                _cleanup_free_ char *path = NULL;

                if (asprintf(&path, "%s/quiesced.conf.d/%s", dirs[i], name) >= 0 && access(path, F_OK) == 0)
                        return true;
        }
        return false;
}

typedef struct DropIn {
        char *name, *path;
} DropIn;

static int drop_in_compare(const void *a, const void *b) {
        return strcmp(((const DropIn *) a)->name, ((const DropIn *) b)->name);
}

/* Adds those of one directory that no directory before it has. */
static int drop_ins_collect(const char *const *dirs, size_t at, DropIn **items, size_t *n_items) {
        _cleanup_free_ char *folder = NULL;
        struct dirent **entries = NULL;
        int n, r = 0;

        if (asprintf(&folder, "%s/quiesced.conf.d", dirs[at]) < 0)
                return error_origin(-ENOMEM);
        n = scandir(folder, &entries, is_drop_in, alphasort);
        for (int i = 0; i < n; i++) {
                DropIn item = {}, *grown;

                if (r == 0 && !seen_before(dirs, at, entries[i]->d_name)) {
                        grown = reallocarray(*items, *n_items + 1, sizeof(**items));
                        if (grown)
                                *items = grown;
                        item.name = strdup(entries[i]->d_name);
                        if (!grown || !item.name ||
                            asprintf(&item.path, "%s/%s", folder, entries[i]->d_name) < 0) {
                                free(item.name);
                                r = error_origin(-ENOMEM);
                        } else {
                                (*items)[(*n_items)++] = item;
                        }
                }
                free(entries[i]);
        }
        free(entries);
        return r;
}

/**
 * config_load() - read the configuration files
 * @config:     filled with defaults before, and where to look, the first having precedence; what the files
 * say replaces the defaults
 *
 * Return: 0, or -ENOMEM. What a file says wrong is logged and ignored.
 */
int config_load(Config *config) {
        const char *const *dirs = config->dirs;
        DropIn *items = NULL;
        size_t n_items = 0;
        int r = 0;

        for (size_t i = 0; dirs[i]; i++) {
                _cleanup_free_ char *path = NULL;

                if (asprintf(&path, "%s/quiesced.conf", dirs[i]) < 0)
                        return error_origin(-ENOMEM);
                if (config_file(config, path) > 0)
                        break;
        }
        for (size_t i = 0; dirs[i] && r == 0; i++)
                r = drop_ins_collect(dirs, i, &items, &n_items);
        if (r == 0 && n_items > 0)
                qsort(items, n_items, sizeof(*items), drop_in_compare);
        for (size_t i = 0; i < n_items; i++) {
                if (r == 0)
                        (void) config_file(config, items[i].path);
                free(items[i].name);
                free(items[i].path);
        }
        free(items);
        return r;
}

static size_t value_size(ValueType type) {
        switch (type) {
        case VALUE_USEC:
                return sizeof(uint64_t);
        case VALUE_BOOLEAN:
                return sizeof(bool);
        default:
                return sizeof(unsigned);
        }
}

/* What runs goes on with what it began with. */
static void keep_until_start(const Config *config, Config *next) {
        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                const void *old = (const char *) config + keys[i].offset;
                void *new = (char *) next + keys[i].offset;
                size_t size = value_size(keys[i].type);

                if (!keys[i].at_start || memcmp(old, new, size) == 0)
                        continue;
                log_notice("[%s] %s= has changed, which counts when quiesced is started the next time.",
                           keys[i].section, keys[i].name);
                memcpy(new, old, size);
        }
}

/**
 * config_load_again() - read the configuration files again
 * @config:     what was read before; changed in its place, if all that there is now is right
 * @ret_wrong:  after -EBADMSG what is wrong, with its place, free() it; NULL if there was no memory for it
 *
 * The command line's options stay, and so does what counts from the start on alone; that it has changed is
 * logged.
 *
 * Return: 0; -EBADMSG if something is wrong, or another negative errno: nothing has changed.
 */
int config_load_again(Config *config, char **ret_wrong) {
        Config next;
        int r;

        config_default(&next);
        next.runtime_dir = config->runtime_dir;
        next.state_dir = config->state_dir;
        next.writers_dir = config->writers_dir;
        next.test_provider_dir = config->test_provider_dir;
        next.hold_socket_path = config->hold_socket_path;
        next.launcher = config->launcher;
        next.dirs = config->dirs;
        next.is_strict = true;
        r = config_load(&next);
        if (r == 0 && next.is_wrong) {
                *ret_wrong = TAKE_PTR(next.wrong);
                r = -EBADMSG;
        }
        if (r < 0) {
                config_done(&next);
                return r;
        }
        keep_until_start(config, &next);
        config_done(config);
        *config = next;
        return 0;
}

/**
 * config_apply_log() - log what the configuration says, and no more
 * @config:     read before
 */
void config_apply_log(const Config *config) {
        (void) log_set_level(NULL, config->log_level);
        for (size_t i = 0; i < log_modules_count(); i++)
                if (config->module_levels[i] >= 0)
                        (void) log_set_level(log_module_name(i), config->module_levels[i]);
}

/**
 * config_done() - forget what was read
 * @config:     nothing may use it any more
 */
void config_done(Config *config) {
        keeping_rules_done(&config->keeping);
        lvm_placements_done(&config->placements);
        lvm_placements_done(&config->dm_stores);
        free(config->wrong);
        config->wrong = NULL;
}
