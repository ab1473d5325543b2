/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* See remembered.h. */

#include "writers.d/server/remembered.h"

#include <fcntl.h>
#include <jansson.h>

#include "util/error.h"

#define FORMAT_VERSION 1
#define FILE_MAX       (16u * 1024 * 1024)

/* ── Writing ── */

static json_t *path_to_json(const FactPath *path) {
        return json_pack("{s:s, s:s, s:b, s:s}", "path", path->path, "pattern", path->pattern, "recursive",
                         (int) path->recursive, "what", path->what);
}

/* Return: NULL: it cannot be told in JSON. */
static json_t *instance_to_json(const Instance *instance, const Facts *facts) {
        json_t *paths = json_array(), *json;

        for (size_t i = 0; paths && i < facts->n_paths; i++)
                if (json_array_append_new(paths, path_to_json(&facts->paths[i])) < 0) {
                        json_decref(paths);
                        return NULL;
                }
        json = json_pack("{s:s, s:s*, s:s*, s:i}", "name", instance->name, "socket", instance->socket,
                         "host", instance->host, "port", (int) instance->port);
        if (json_object_set_new(json, "paths", paths) == 0)
                return json;
        json_decref(json);
        return NULL;
}

static int write_whole(const char *path, const char *text) {
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        size_t n_text = strlen(text);

        for (size_t n_written = 0; fd >= 0 && n_written < n_text;) {
                ssize_t n = write(fd, text + n_written, n_text - n_written);

                if (n < 0 && errno != EINTR)
                        return error_origin(-errno);
                n_written += n > 0 ? (size_t) n : 0;
        }
        return fd >= 0 && fsync(fd) == 0 ? 0 : error_origin(-errno);
}

/**
 * remembered_save() - write down what is known of instances that have a section
 * @known:      what is known
 * @path:       of the file, which is replaced as a whole
 *
 * Return: 0, or a negative errno: the file is as it was.
 */
int remembered_save(const Known *known, const char *path) {
        _cleanup_free_ char *temporary = NULL, *text = NULL;
        json_t *root, *instances = json_array(), *json;
        int r;

        for (size_t i = 0; i < known->instances.n_items; i++)
                if (!known->instances.items[i]->discovered) {
                        json = instance_to_json(known->instances.items[i], &known->facts[i]);
                        if (json)
                                (void) json_array_append_new(instances, json);
                }
        root = json_pack("{s:i, s:o}", "version", FORMAT_VERSION, "instances", instances);
        text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
        json_decref(root);
        if (asprintf(&temporary, "%s.new", path) < 0)
                temporary = NULL;
        if (!text || !temporary)
                return error_origin(-ENOMEM);
        r = write_whole(temporary, text);
        if (r == 0 && rename(temporary, path) < 0)
                r = error_origin(-errno);
        return error_trace(r);
}

/* ── Reading ── */

static int copy(char **ret, const char *text) {
        *ret = text ? strdup(text) : NULL;
        return !text || *ret ? 0 : error_origin(-ENOMEM);
}

static int path_from_json(Facts *facts, json_t *json) {
        const char *path, *pattern, *what;
        int recursive;

        if (json_unpack(json, "{s:s, s:s, s:b, s:s}", "path", &path, "pattern", &pattern, "recursive",
                        &recursive, "what", &what) < 0 ||
            path[0] != '/')
                return -EBADMSG;
        /* Map= was applied when it was told. */
        return facts_add_path(facts, path, pattern, recursive, what);
}

/* Takes what is in the instance, whatever comes of it. */
static int learn(Known *known, const Instance *instance, json_t *paths) {
        Facts facts = {.instance = instance};
        json_t *path;
        size_t i;
        int r = 0;

        json_array_foreach(paths, i, path)
                if (r == 0)
                        r = path_from_json(&facts, path);
        if (r == 0)
                known_learn(known, instance, &facts);
        facts_done(&facts);
        return r;
}

static int instance_from_json(Known *known, json_t *json) {
        _cleanup_(instance_freep) Instance *instance = NULL;
        const char *name, *socket = NULL, *host = NULL;
        json_t *paths;
        int port, r;

        if (json_unpack(json, "{s:s, s?s, s?s, s:i, s:o}", "name", &name, "socket", &socket, "host", &host,
                        "port", &port, "paths", &paths) < 0 ||
            !instance_name_is_good(name) || port < 0 || port > 65535 || !json_is_array(paths) ||
            json_array_size(paths) > FACTS_PATHS_MAX)
                return -EBADMSG;
        r = instance_new(&instance, name);
        if (r == 0)
                r = copy(&instance->socket, socket);
        if (r == 0)
                r = copy(&instance->host, host);
        if (r < 0)
                return error_trace(r);
        instance->port = (unsigned) port;
        return learn(known, instance, paths);
}

/**
 * remembered_parse() - what a file says
 * @known:      gets it; nothing of a file that is no good
 * @text:       of the file
 * @n_text:     its length
 *
 * Return: 0; -EBADMSG: it is none, or one of another version; -ENOMEM.
 */
int remembered_parse(Known *known, const char *text, size_t n_text) {
        json_t *root, *instances, *json;
        Known read = {};
        int version, r = 0;
        size_t i;

        root = json_loadb(text, n_text, JSON_REJECT_DUPLICATES, NULL);
        if (!root)
                return -EBADMSG;
        if (json_unpack(root, "{s:i, s:o}", "version", &version, "instances", &instances) < 0 ||
            version != FORMAT_VERSION || !json_is_array(instances) ||
            json_array_size(instances) > INSTANCES_MAX)
                r = -EBADMSG;
        else
                json_array_foreach(instances, i, json)
                        if (r == 0)
                                r = instance_from_json(&read, json);
        json_decref(root);
        for (i = 0; r == 0 && i < read.instances.n_items; i++)
                known_learn(known, read.instances.items[i], &read.facts[i]);
        known_done(&read);
        return r;
}

/**
 * remembered_load() - what an earlier process knew
 * @known:      gets it
 * @path:       of the file
 *
 * Return: 0; -ENOENT: there is none; -EBADMSG: it is no good; or another negative errno.
 */
int remembered_load(Known *known, const char *path) {
        _cleanup_fclose_ FILE *f = fopen(path, "re");
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        ssize_t n;

        if (!f)
                return errno == ENOENT ? -ENOENT : error_origin(-errno);
        n = getdelim(&text, &size, '\0', f); /* a NUL is not JSON's */
        if (n < 0 || (size_t) n > FILE_MAX)
                return -EBADMSG;
        return remembered_parse(known, text, (size_t) n);
}
