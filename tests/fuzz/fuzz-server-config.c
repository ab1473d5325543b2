/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * NAME.conf of the database servers' writers, of any bytes: never a crash; it is refused with a text, or
 * what it says is whole and within its limits.
 */

#include <stddef.h>
#include <stdint.h>

#include "writers.d/server/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const modes[] = {"atomic", "other", NULL};

static const char *refuse(const Instance *instance) {
        return instance->mode && streq(instance->mode, "future") ? "is not supported yet" : NULL;
}

static const Engine engine = {
        .name = "test", .product = "Test", .modes = modes, .port = 1, .refuse = refuse};

static void demand(bool good) {
        if (!good)
                abort();
}

static void check_maps(const Instance *instance) {
        static const char *const paths[] = {"/", "/var/lib", "/var/lib/x"};
        size_t n = 0;

        for (; instance->maps && instance->maps[n]; n++) {
                const char *colon = strchr(instance->maps[n], ':');

                demand(instance->maps[n][0] == '/' && colon && colon[1] == '/');
        }
        demand(n <= INSTANCE_MAPS_MAX);
        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                _cleanup_free_ char *mapped = NULL;

                demand(instance_map_path(instance, paths[i], &mapped) == 0 && mapped[0] == '/');
        }
}

static void check_instance(const ServerConfig *config, const Instance *instance) {
        demand(instance_name_is_good(instance->name) &&
               instances_find(&config->instances, instance->name) == instance);
        demand(!instance->discovered && !instance->found);
        demand(!instance->socket != !instance->host);
        demand(!instance->socket || instance->socket[0] == '/');
        demand(!instance->host || instance->host[0]);
        demand(instance->port <= 65535);
        demand(!instance->user || instance->user[0]);
        demand(!instance->password_file || instance->password_file[0] == '/' ||
               (instance->password_file[0] && !strchr(instance->password_file, '/')));
        demand(!instance->mode || streq(instance->mode, modes[0]) || streq(instance->mode, modes[1]));
        demand(instance->limit_usec >= USEC_PER_SEC && instance->limit_usec <= 3600 * USEC_PER_SEC);
        check_maps(instance);
}

static void check_config(const ServerConfig *config) {
        size_t n = 0;

        for (; config->sockets && config->sockets[n]; n++)
                demand(config->sockets[n][0] == '/');
        demand(n <= CONFIG_SOCKETS_MAX);
        demand(config->instances.n_items <= INSTANCES_MAX);
        for (size_t i = 0; i < config->instances.n_items; i++)
                check_instance(config, config->instances.items[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *said = NULL;
        _cleanup_fclose_ FILE *stream = NULL, *complaints = NULL;
        ServerConfig config;
        size_t n_said;
        int r;

        stream = size > 0 ? fmemopen((void *) (uintptr_t) data, size, "r") : NULL;
        complaints = open_memstream(&said, &n_said);
        if (!stream || !complaints)
                return 0;
        r = server_config_parse(&config, &engine, stream, "fuzz.conf", complaints);
        demand(fflush(complaints) == 0);
        demand((r == 0 && n_said == 0) || (r == -EINVAL && n_said > 0));
        if (r < 0)
                return 0;
        check_config(&config);
        server_config_done(&config);
        demand(!config.sockets && config.instances.n_items == 0);
        return 0;
}
