/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiesced-writer-mariadb: the writer that holds MariaDB and MySQL servers still, see
 * quiesced-writer-mariadb(8). What all servers' writers have in common is in writers.d/server.
 */

#include "util/error.h"
#include "writers.d/mariadb/hold.h"
#include "writers.d/mariadb/look.h"

/* Where packages put them: Debian, Fedora, upstream's. */
static const char *const sockets[] = {
        "/run/mysqld/*.sock",
        "/run/mariadb/*.sock",
        "/var/lib/mysql/*.sock",
        NULL,
};

/* By the socket's name: "mysqld". That of MySQL's X protocol is another way to the same server. */
static int name_socket(Instance *instance) {
        const char *slash = strrchr(instance->socket, '/'), *name = slash ? slash + 1 : instance->socket;
        size_t n = strlen(name);

        if (strncmp(name, "mysqlx", strlen("mysqlx")) == 0)
                return 1;
        if (n > strlen(".sock") && streq(name + n - strlen(".sock"), ".sock"))
                n -= strlen(".sock");
        free(instance->name);
        instance->name = strndup(name, n);
        return instance->name ? 0 : error_origin(-ENOMEM);
}

static const Engine engine = {
        .name = "mariadb",
        .product = "MariaDB",
        .sockets = sockets,
        .port = 3306,
        .state_size = sizeof(State),
        .name_socket = name_socket,
        .open = client_connect,
        .look = look,
        .prepare = hold_prepare,
        .freeze = hold_freeze,
        .thaw = hold_thaw,
        .close = client_close,
};

int main(int argc, char **argv) {
        int r;

        /* Before there are threads, as the library wants it. */
        if (mysql_library_init(0, NULL, NULL) != 0) {
                (void) fprintf(stderr, "quiesced-writer-mariadb: no memory\n");
                return EXIT_FAILURE;
        }
        r = server_writer_main(&engine, argc, argv);
        mysql_library_end();
        return r;
}
