/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Writers that are services on the system bus: who may register, and what follows from it.
 *
 * Whether the caller owns the descriptor's BusName= has been found out before (daemon/bus/register-bus.c);
 * from then on it is its unique name that counts. One connection is one writer, because events do not say
 * for whom they are. Whether another process may take over from the one that is registered is the contract's
 * to say (contract_may_replace_writer()).
 */

#include <assert.h>
#include <systemd/sd-login.h>

#include "daemon/writers/internal.h"
#include "util/error.h"

static Writer *find_writer(const Writers *writers, const char *name) {
        for (Writer *w = writers->writer_list; w; w = w->next)
                if (streq(w->descriptor->name, name))
                        return w;
        return NULL;
}

static Connection *find_peer(const Writers *writers, const char *peer) {
        for (Connection *c = writers->connections; c; c = connection_next(c))
                if (connection_get_peer(c) && streq(connection_get_peer(c), peer))
                        return c;
        return NULL;
}

static int check_writer(const Writer *writer, bool may_replace, char *reterr) {
        const char *name = writer->descriptor->name;

        if (!writer_is_on_bus(writer) && writer->state != WRITER_STOPPED) {
                (void) snprintf(
                        reterr, CONTRACT_TEXT_MAX,
                        "writer %s still runs as its descriptor said before it was changed; register "
                        "again when the backups that have it are over",
                        name);
                return WRITERS_E_BUSY;
        }
        if (writer->connection && !may_replace) {
                (void) snprintf(
                        reterr, CONTRACT_TEXT_MAX,
                        "%s is writer %s and takes part in a backup; register again when that is over "
                        "or it has left the bus",
                        connection_get_peer(writer->connection), name);
                return WRITERS_E_BUSY;
        }
        return 0;
}

/**
 * writers_check_registration() - whether a service on the system bus can become a writer
 * @writers: the room
 * @registration: what it says
 * @ret_bus_name: the name that it must own; until the next writers_reload()
 * @reterr: why not, for people
 *
 * Return: 0; WRITERS_E_NO_DESCRIPTOR, WRITERS_E_UNUSABLE, WRITERS_E_BUSY.
 */
int writers_check_registration(Writers *writers, const WriterRegistration *registration,
                               const char **ret_bus_name, char reterr[static CONTRACT_TEXT_MAX]) {
        const Descriptor *d = writers_find_descriptor(writers, registration->name);
        const Connection *same = find_peer(writers, registration->peer);
        const Writer *writer = find_writer(writers, registration->name);

        if (!d) {
                (void) snprintf(
                        reterr, CONTRACT_TEXT_MAX,
                        "there is no descriptor %.64s.writer; quiesced.writer(5) tells how to write one",
                        registration->name);
                return WRITERS_E_NO_DESCRIPTOR;
        }
        if (d->error || d->kind != DESCRIPTOR_BUS) {
                (void) snprintf(reterr, CONTRACT_TEXT_MAX, "%s%s", d->error ? d->error : d->path,
                                d->error ? ""
                                         : ": there is no BusName= in it: such a writer is started by "
                                           "quiesced and registers on the socket it is given");
                return WRITERS_E_UNUSABLE;
        }
        if (same) {
                (void) snprintf(reterr, CONTRACT_TEXT_MAX,
                                "%s has registered as writer %s already; a connection is one writer, once",
                                registration->peer,
                                connection_get_writer((Connection *) same)->descriptor->name);
                return WRITERS_E_BUSY;
        }
        *ret_bus_name = d->bus_name;
        return writer ? check_writer(writer, registration->may_replace, reterr) : 0;
}

/* What may be stopped if it does not answer (C30): a service of the system's, nobody's session. */
static void note_unit(Writer *writer, pid_t pid) {
        _cleanup_free_ char *unit = NULL;
        size_t n;

        free(writer->bus_unit);
        writer->bus_unit = NULL;
        if (pid <= 0 || sd_pid_get_unit(pid, &unit) < 0)
                return;
        n = strlen(unit);
        if (n > strlen(".service") && streq(unit + n - strlen(".service"), ".service") &&
            strncmp(unit, "user@", strlen("user@")) != 0)
                writer->bus_unit = TAKE_PTR(unit);
}

/**
 * writers_register() - a service on the system bus is a writer from now on
 * @writers: the room
 * @registration: what writers_check_registration() found good
 *
 * Sessions that wait for it go on, events by name that wait for it are sent.
 *
 * Return: 0 or a negative errno.
 */
int writers_register(Writers *writers, const WriterRegistration *registration) {
        Descriptor *d = writers_find_descriptor(writers, registration->name);
        Connection *connection;
        Writer *writer;
        int r;

        assert(d && d->kind == DESCRIPTOR_BUS && registration->level != CONTRACT_LEVEL_SYSTEM);

        r = writer_get(writers, &writer, d);
        if (r)
                return error_trace(r);
        if (writer->connection)
                writer_forget(writer);
        r = connection_new_on_bus(&connection, writers, writer, registration->peer, registration->pid);
        if (r)
                return error_trace(r);
        note_unit(writer, registration->pid);
        writer->level = registration->level;
        writer->freeze_window_usec = registration->freeze_window_usec;
        (void) writer_registered(writer, connection);
        return 0;
}

/**
 * writers_peer_vanished() - a service has left the system bus
 * @writers: the room
 * @peer: its unique name; one that is no writer is fine
 */
void writers_peer_vanished(Writers *writers, const char *peer) {
        Connection *c = find_peer(writers, peer);

        if (c)
                connection_ended(c);
}
