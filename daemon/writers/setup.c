/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The writers' room as a whole: made, given the bus, listed, freed. */

#include <assert.h>

#include "daemon/writers/internal.h"
#include "daemon/writers/words.h"
#include "util/error.h"
#include "util/log.h"
#include "util/texts.h"

static int copy_config(Writers *writers, const WritersConfig *config) {
        size_t n = 0;

        while (config->descriptor_dirs[n])
                n++;
        writers->directories = calloc(n + 1, sizeof(char *));
        if (!writers->directories)
                return error_origin(-ENOMEM);
        for (size_t i = 0; i < n; i++) {
                writers->directories[i] = strdup(config->descriptor_dirs[i]);
                if (!writers->directories[i])
                        return error_origin(-ENOMEM);
        }
        writers->socket_path = strdup(config->socket_path);
        if (!writers->socket_path)
                return error_origin(-ENOMEM);
        writers->config = *config;
        writers->config.descriptor_dirs = NULL;
        writers->config.socket_path = NULL;
        return 0;
}

/**
 * writers_new() - open the writers' room
 * @ret: the writers; writers_free() it
 * @event: the loop, referenced
 * @config: copied; listen_fd is taken, on failure too
 *
 * Descriptors are read and the socket is listened on; nothing is started.
 *
 * Return: 0 or a negative errno.
 */
int writers_new(Writers **ret, sd_event *event, const WritersConfig *config) {
        _cleanup_(writers_freep) Writers *writers = NULL;
        int r;

        assert(ret && event && config && config->descriptor_dirs && config->socket_path);
        assert(config->launched && config->answered && config->gone && config->launch_limit_usec > 0);

        writers = calloc(1, sizeof(*writers));
        if (!writers) {
                fd_close(config->listen_fd);
                return error_origin(-ENOMEM);
        }
        *writers = (Writers){.event = sd_event_ref(event), .listen_fd = config->listen_fd};
        r = copy_config(writers, config);
        if (!r)
                r = config->launcher == WRITERS_LAUNCHER_SYSTEMD
                            ? launcher_systemd_new(&writers->launcher, event, writers->socket_path)
                            : launcher_fork_new(&writers->launcher, event, writers->socket_path);
        if (!r)
                r = launcher_bus_new(&writers->bus_launcher, event);
        if (!r)
                r = notices_init(writers);
        if (!r)
                r = writers_reload(writers);
        if (!r)
                r = server_init(writers);
        if (r)
                return error_trace(r);
        *ret = TAKE_PTR(writers);
        return 0;
}

/**
 * writers_free() - close the writers' room
 * @writers: the writers, or NULL
 *
 * Connections end, so writers that are frozen let go by themselves; what was started is told to stop. Never
 * from within a callback of the room.
 *
 * Return: NULL.
 */
Writers *writers_free(Writers *writers) {
        if (!writers)
                return NULL;
        while (writers->sessions)
                writers_release(writers, writers->sessions->handle);
        while (writers->connections)
                (void) connection_free(writers->connections);
        while (writers->writer_list)
                (void) writer_free(writers->writer_list);
        notices_done(writers);
        server_done(writers);
        if (writers->launcher)
                writers->launcher = writers->launcher->ops->free(writers->launcher);
        if (writers->bus_launcher)
                writers->bus_launcher = writers->bus_launcher->ops->free(writers->bus_launcher);
        sd_bus_unref(writers->bus);
        descriptors_done(&writers->descriptors);
        texts_free(writers->directories);
        free(writers->socket_path);
        sd_event_unref(writers->event);
        free(writers);
        return NULL;
}

/**
 * writers_set_bus() - the system bus has come, or gone
 * @writers: the writers
 * @bus: referenced; NULL: gone
 *
 * Return: 0 or a negative errno.
 */
int writers_set_bus(Writers *writers, sd_bus *bus) {
        int r;

        assert(writers);

        sd_bus_unref(writers->bus);
        writers->bus = sd_bus_ref(bus);
        r = writers->bus_launcher->ops->set_bus(writers->bus_launcher, bus);
        return error_trace(r ? r : writers->launcher->ops->set_bus(writers->launcher, bus));
}

/**
 * writers_reload() - read the descriptors again
 * @writers: the writers
 *
 * A writer that runs keeps what its descriptor said when it was started.
 *
 * Return: 0 or a negative errno: nothing changed.
 */
int writers_reload(Writers *writers) {
        Descriptors descriptors;
        int r;

        assert(writers);

        r = descriptors_load(&descriptors, (const char *const *) writers->directories);
        if (r)
                return error_trace(r);
        for (size_t i = 0; i < descriptors.n_items; i++)
                if (descriptors.items[i]->error)
                        log_warning("writer %s cannot be used: %s", descriptors.items[i]->name,
                                    descriptors.items[i]->error);
        descriptors_done(&writers->descriptors);
        writers->descriptors = descriptors;
        return 0;
}

/**
 * writers_count() - how many descriptors there are
 * @writers: the writers
 *
 * Return: their number, those with defects included.
 */
size_t writers_count(const Writers *writers) {
        assert(writers);
        return writers->descriptors.n_items;
}

/**
 * writers_get_listing() - what a descriptor says
 * @writers: the writers
 * @index: which
 * @ret: filled in; strings live until the next writers_reload()
 *
 * Return: whether there is one.
 */
bool writers_get_listing(const Writers *writers, size_t index, WriterListing *ret) {
        const Writer *writer;
        const Descriptor *d;

        assert(writers && ret);

        if (index >= writers->descriptors.n_items)
                return false;
        d = writers->descriptors.items[index];
        for (writer = writers->writer_list; writer; writer = writer->next)
                if (streq(writer->descriptor->name, d->name))
                        break;
        *ret = (WriterListing){.name = d->name,
                               .level = d->level,
                               .kind = descriptor_kind_to_string(d->kind),
                               .description = d->description,
                               .unit = d->unit || !writer || !writer->connection ? d->unit
                                                                                 : writer->bus_unit,
                               .on_bus = d->kind == DESCRIPTOR_BUS,
                               .registered = writer && writer->connection,
                               .path = d->path,
                               .blocks_revert = d->blocks_revert,
                               .error = d->error};
        return true;
}
