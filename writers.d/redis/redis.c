/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* quiesced-writer-redis: the writer for Redis and Valkey servers, see quiesced-writer-redis(8). */

#include "util/error.h"
#include "writers.d/redis/hold.h"
#include "writers.d/redis/look.h"

/* The first is the default. "save": what keeps nothing by itself is saved for each backup. */
static const char *const modes[] = {"auto", "save", NULL};

static const char *const sockets[] = {
        "/run/redis/*.sock", "/run/redis/*/*.sock", "/run/redis-*/*.sock", "/run/valkey/*.sock", NULL,
};

/* By the socket's name: "redis-server". */
static int name_socket(Instance *instance) {
        const char *slash = strrchr(instance->socket, '/'), *name = slash ? slash + 1 : instance->socket;
        size_t n = strlen(name);

        if (n > strlen(".sock") && streq(name + n - strlen(".sock"), ".sock"))
                n -= strlen(".sock");
        free(instance->name);
        instance->name = strndup(name, n);
        return instance->name ? 0 : error_origin(-ENOMEM);
}

static const char *refuse(const Instance *instance) {
        return instance->user && !instance->password_file ? "has User= without PasswordFile=" : NULL;
}

static const Engine engine = {
        .name = "redis",
        .product = "Redis",
        .modes = modes,
        .sockets = sockets,
        .port = 6379,
        .state_size = sizeof(State),
        .name_socket = name_socket,
        .open = client_connect,
        .look = look,
        .prepare = hold_prepare,
        .freeze = hold_freeze,
        .thaw = hold_thaw,
        .close = hold_close,
        .refuse = refuse,
};

int main(int argc, char **argv) {
        return server_writer_main(&engine, argc, argv);
}
