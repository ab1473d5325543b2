/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which servers run, by the sockets they listen on. A socket that a section of the configuration names is
 * that section's.
 */

#include "writers.d/server/discover.h"

#include <glob.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "util/error.h"

static bool is_same_place(const char *a, const char *b) {
        struct stat of_a, of_b;

        return streq(a, b) || (stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
                               of_a.st_ino == of_b.st_ino);
}

static bool is_same_server(const Engine *engine, const Instance *a, const Instance *b) {
        return a->socket && b->socket && is_same_place(a->socket, b->socket) &&
               (a->port ? a->port : engine->port) == (b->port ? b->port : engine->port);
}

/* Return: 0; 1: it is there already, or is to be left alone. */
static int check_new(Discovery *discovery, const Engine *engine, const Instance *found) {
        for (size_t i = 0; i < discovery->instances.n_items; i++) {
                const Instance *other = discovery->instances.items[i];

                if (is_same_server(engine, other, found))
                        return 1;
                if (!streq(other->name, found->name))
                        continue;
                if (!discovery->problem &&
                    asprintf(&discovery->problem,
                             "%s is left alone: its name would be %s, as another's is; give it a section",
                             found->found, found->name) < 0)
                        discovery->problem = NULL;
                return 1;
        }
        return 0;
}

static int socket_found(Discovery *discovery, const Engine *engine, const char *path) {
        _cleanup_(instance_freep) Instance *instance = NULL;
        struct stat st;
        int r;

        if (stat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
                return 0;
        r = instance_new(&instance, NULL);
        if (r < 0)
                return error_trace(r);
        instance->discovered = true;
        instance->socket = strdup(path);
        instance->found = strdup(path);
        if (!instance->socket || !instance->found)
                return error_origin(-ENOMEM);
        r = engine->name_socket(instance);
        if (r == 0 && (!instance->name || !instance_name_is_good(instance->name)))
                return 0;
        if (r == 0)
                r = check_new(discovery, engine, instance);
        if (r == 0)
                r = instances_add(&discovery->instances, instance);
        if (r == 0)
                TAKE_PTR(instance);
        return r > 0 ? 0 : r;
}

static int glob_sockets(Discovery *discovery, const Engine *engine, const char *pattern) {
        glob_t found = {};
        int r = 0;

        if (glob(pattern, 0, NULL, &found) == GLOB_NOSPACE)
                r = error_origin(-ENOMEM);
        for (size_t i = 0; i < found.gl_pathc && r == 0; i++)
                r = socket_found(discovery, engine, found.gl_pathv[i]);
        globfree(&found);
        return r;
}

/* A section may name the socket itself, where the engine wants its folder, say. */
static int settle_socket(const Engine *engine, Instance *instance) {
        char *name = instance->name;
        struct stat st;
        int r;

        if (!instance->socket || !engine->name_socket || stat(instance->socket, &st) < 0 ||
            !S_ISSOCK(st.st_mode))
                return 0;
        instance->name = NULL;
        r = engine->name_socket(instance);
        free(instance->name);
        instance->name = name;
        return r < 0 ? error_trace(r) : 0;
}

/**
 * discover() - find out which instances there are
 * @ret:        discovery_done() it
 * @config:     the configuration
 * @engine:     the kind of server
 *
 * Return: 0; -E2BIG: more than INSTANCES_MAX; -ENOMEM; what the engine's name_socket() answers.
 */
int discover(Discovery *ret, const ServerConfig *config, const Engine *engine) {
        const char *const *globs = config->sockets ? (const char *const *) config->sockets : engine->sockets;
        Discovery discovery = {};
        int r = 0;

        for (size_t i = 0; i < config->instances.n_items && r == 0; i++) {
                _cleanup_(instance_freep) Instance *instance = NULL;

                r = instance_copy(&instance, config->instances.items[i]);
                if (r == 0)
                        r = settle_socket(engine, instance);
                if (r == 0)
                        r = instances_add(&discovery.instances, instance);
                if (r == 0)
                        TAKE_PTR(instance);
        }
        for (size_t i = 0; config->discover && engine->name_socket && globs && globs[i] && r == 0; i++)
                r = glob_sockets(&discovery, engine, globs[i]);
        if (r < 0) {
                discovery_done(&discovery);
                return error_trace(r);
        }
        *ret = discovery;
        return 0;
}

/**
 * discovery_done() - forget what was found
 * @discovery:  emptied
 */
void discovery_done(Discovery *discovery) {
        instances_done(&discovery->instances);
        free(discovery->problem);
        *discovery = (Discovery){};
}

/**
 * socket_is_dead() - whether the server of a discovered socket does not run any more
 * @path:       the socket
 *
 * Return: whether nobody listens.
 */
bool socket_is_dead(const char *path) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        _cleanup_close_ int fd = -EBADF;

        if (strlen(path) >= sizeof(address.sun_path))
                return true;
        (void) strcpy(address.sun_path, path);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        return fd >= 0 && connect(fd, (const struct sockaddr *) &address, sizeof(address)) < 0 &&
               (errno == ECONNREFUSED || errno == ENOENT);
}
