/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Object paths: /org/quiesce1/KIND/ID, with underscores where the id has dashes.
 */

#include <systemd/sd-id128.h>

#include "daemon/bus/bus.h"

#include "util/error.h"

/**
 * bus_path() - the path of an object
 * @kind:       "session", "set", "snapshot", "provider"
 * @id:         UUID or name
 *
 * Return: the path, to be freed, or NULL: no memory.
 */
char *bus_path(const char *kind, const char *id) {
        char *path;
        int n;

        n = asprintf(&path, BUS_PATH "/%s/%s", kind, id);
        if (n < 0)
                return NULL;
        for (char *c = path; *c; c++)
                if (*c == '-')
                        *c = '_';
        return path;
}

/**
 * bus_path_parse() - the id in a path
 * @path:       an object path
 * @kind:       what it must be a path of
 * @ret_id:     UUID text
 * @ret_rest:   what follows the id: "" or "/…"
 *
 * Return: false if it is no such path.
 */
bool bus_path_parse(const char *path, const char *kind, char ret_id[CONTRACT_ID_MAX],
                    const char **ret_rest) {
        size_t n = strlen(kind), length;

        if (strncmp(path, BUS_PATH "/", sizeof(BUS_PATH)) != 0)
                return false;
        path += sizeof(BUS_PATH);
        if (strncmp(path, kind, n) != 0 || path[n] != '/')
                return false;
        path += n + 1;
        length = strcspn(path, "/");
        if (length != CONTRACT_ID_MAX - 1)
                return false;
        for (size_t i = 0; i < length; i++)
                ret_id[i] = (char) (path[i] == '_' ? '-' : path[i]);
        ret_id[length] = '\0';
        *ret_rest = path + length;
        return true;
}

/**
 * bus_new_id() - a new UUID
 * @ret:        its text
 *
 * Return: 0, or a negative errno.
 */
int bus_new_id(char ret[CONTRACT_ID_MAX]) {
        sd_id128_t id;
        int r;

        r = sd_id128_randomize(&id);
        if (r < 0)
                return error_origin(r);
        (void) snprintf(ret, CONTRACT_ID_MAX, SD_ID128_UUID_FORMAT_STR, SD_ID128_FORMAT_VAL(id));
        return 0;
}
