/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reading NAME.conf. What is wrong in it is an error, other than in quiesced.conf: a server that was meant
 * and is not found would be missing in backups without a word.
 */

#include "writers.d/server/config.h"

#include <ini.h>

#include "util/error.h"

#define SECTION_INSTANCE "Instance "

typedef struct Reading {
        ServerConfig *config;
        const Engine *engine;
        const char *path;
        FILE *complaints; /* NULL: none */
        int r;
} Reading;

static int set_once(char **ret, const char *value) {
        if (*ret || !value[0])
                return -EINVAL;
        *ret = strdup(value);
        return *ret ? 0 : error_origin(-ENOMEM);
}

static int set_path(char **ret, const char *value) {
        return value[0] == '/' ? set_once(ret, value) : -EINVAL;
}

static int parse_number(const char *text, unsigned long max, const char *unit, unsigned long *ret) {
        unsigned long value;
        char *end;

        errno = 0;
        value = strtoul(text, &end, 10);
        if (errno || text[0] < '0' || text[0] > '9' || (*end && !streq(end, unit)) || value == 0 ||
            value > max)
                return -EINVAL;
        *ret = value;
        return 0;
}

static int set_port(Instance *instance, const char *value) {
        unsigned long port;
        int r;

        r = parse_number(value, 65535, "", &port);
        if (r < 0 || instance->port != 0)
                return -EINVAL;
        instance->port = (unsigned) port;
        return 0;
}

static int set_limit(Instance *instance, const char *value) {
        unsigned long seconds;
        int r;

        r = parse_number(value, 3600, "s", &seconds);
        if (r == 0)
                instance->limit_usec = seconds * USEC_PER_SEC;
        return r;
}

static int set_instance_key(Instance *instance, const char *name, const char *value) {
        if (streq(name, "Socket"))
                return set_path(&instance->socket, value);
        if (streq(name, "Host"))
                return set_once(&instance->host, value);
        if (streq(name, "Port"))
                return set_port(instance, value);
        if (streq(name, "User"))
                return set_once(&instance->user, value);
        if (streq(name, "PasswordFile")) /* a path, or the name of a credential */
                return value[0] == '/' || !strchr(value, '/') ? set_once(&instance->password_file, value)
                                                              : -EINVAL;
        if (streq(name, "Mode"))
                return set_once(&instance->mode, value);
        if (streq(name, "Map"))
                return instance_add_map(instance, value);
        if (streq(name, "LockSec"))
                return set_limit(instance, value);
        return -EINVAL;
}

/* The section's instance, made when its first key is seen. */
static int find_or_add(ServerConfig *config, const char *name, Instance **ret) {
        Instance *instance = instances_find(&config->instances, name);
        int r;

        if (!instance) {
                if (!instance_name_is_good(name))
                        return -EINVAL;
                r = instance_new(&instance, name);
                if (r < 0)
                        return error_trace(r);
                r = instances_add(&config->instances, instance);
                if (r < 0) {
                        (void) instance_free(instance);
                        return r == -E2BIG ? -EINVAL : error_trace(r);
                }
        }
        *ret = instance;
        return 0;
}

static int add_socket(ServerConfig *config, const char *glob) {
        char **grown;
        size_t n = 0;

        while (config->sockets && config->sockets[n])
                n++;
        if (glob[0] != '/' || n >= CONFIG_SOCKETS_MAX)
                return -EINVAL;
        grown = reallocarray(config->sockets, n + 2, sizeof(*grown));
        if (!grown)
                return error_origin(-ENOMEM);
        config->sockets = grown;
        grown[n + 1] = NULL;
        grown[n] = strdup(glob);
        return grown[n] ? 0 : error_origin(-ENOMEM);
}

static int set_key(ServerConfig *config, const char *section, const char *name, const char *value) {
        Instance *instance = NULL;
        int r;

        if (strncmp(section, SECTION_INSTANCE, strlen(SECTION_INSTANCE)) == 0) {
                r = find_or_add(config, section + strlen(SECTION_INSTANCE), &instance);
                return r < 0 ? r : set_instance_key(instance, name, value);
        }
        if (streq(section, "Discovery") && streq(name, "Socket"))
                return add_socket(config, value);
        if (streq(section, "Discovery") && streq(name, "Discover") &&
            (streq(value, "yes") || streq(value, "no"))) {
                config->discover = streq(value, "yes");
                return 0;
        }
        return -EINVAL;
}

/* Of type ini_handler: 1 is good. */
static int config_line(void *userdata, const char *section, const char *name, const char *value) {
        Reading *reading = userdata;
        int r;

        r = set_key(reading->config, section, name, value);
        if (r == -EINVAL && reading->complaints)
                (void) fprintf(reading->complaints, "%s: [%s] %s=%s is not understood\n", reading->path,
                               section, name, value);
        if (r < 0 && reading->r == 0)
                reading->r = r;
        return 1;
}

static bool has_mode(const Engine *engine, const char *mode) {
        for (size_t i = 0; engine->modes && engine->modes[i]; i++)
                if (streq(engine->modes[i], mode))
                        return true;
        return false;
}

/* Why an instance as a whole cannot be; NULL: it can. */
static const char *refuse(const Engine *engine, const Instance *instance) {
        const char *why = engine->refuse ? engine->refuse(instance) : NULL;

        if (why)
                return why;
        if (!instance->socket == !instance->host)
                return "needs either Socket= or Host=";
        if (instance->mode && !has_mode(engine, instance->mode))
                return "has a Mode= that is not known";
        return NULL;
}

static void check_instances(Reading *reading) {
        for (size_t i = 0; i < reading->config->instances.n_items; i++) {
                const Instance *instance = reading->config->instances.items[i];
                const char *why = refuse(reading->engine, instance);

                if (!why)
                        continue;
                if (reading->complaints)
                        (void) fprintf(reading->complaints, "%s: [Instance %s] %s\n", reading->path,
                                       instance->name, why);
                reading->r = reading->r < 0 ? reading->r : -EINVAL;
        }
}

/**
 * server_config_parse() - read a configuration
 * @ret:        server_config_done() it
 * @engine:     says which modes there are
 * @f:          what is read
 * @path:       what it is called
 * @complaints: where it is told what is wrong; NULL: nowhere
 *
 * Return: 0; -EINVAL: something is wrong; or another negative errno.
 */
int server_config_parse(ServerConfig *ret, const Engine *engine, FILE *f, const char *path,
                        FILE *complaints) {
        ServerConfig config = {.discover = true};
        Reading reading = {.config = &config, .engine = engine, .path = path, .complaints = complaints};
        int line;

        line = ini_parse_file(f, config_line, &reading);
        if (line != 0 && reading.r == 0) {
                if (complaints)
                        (void) fprintf(complaints, "%s: line %d is not understood\n", path, line);
                reading.r = -EINVAL;
        }
        if (reading.r == 0)
                check_instances(&reading);
        if (reading.r < 0) {
                server_config_done(&config);
                return error_trace(reading.r);
        }
        *ret = config;
        return 0;
}

/**
 * server_config_load() - read the configuration
 * @ret:        server_config_done() it
 * @engine:     says which modes there are
 * @path:       the file; if it is not there all is default
 *
 * Return: 0; -EINVAL: something is wrong, stderr says what; or another negative errno.
 */
int server_config_load(ServerConfig *ret, const Engine *engine, const char *path) {
        _cleanup_fclose_ FILE *f = fopen(path, "re");

        if (!f && errno == ENOENT) {
                *ret = (ServerConfig){.discover = true};
                return 0;
        }
        if (!f)
                return error_origin(-errno);
        return error_trace(server_config_parse(ret, engine, f, path, stderr));
}

/**
 * server_config_done() - free what a configuration says
 * @config:     emptied
 */
void server_config_done(ServerConfig *config) {
        instances_done(&config->instances);
        for (size_t i = 0; config->sockets && config->sockets[i]; i++)
                free(config->sockets[i]);
        free(config->sockets);
        *config = (ServerConfig){};
}
