/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the verbs complete, abort, end and thaw share: the way to the resident requester that holds a
 * session, and words for what goes wrong there.
 */

#include "ctl/resident.h"

/**
 * resident_connect() - reach the process that holds a session
 * @ret:        the connection, D-Bus without a bus
 * @id:         the session's
 *
 * Return: as said in resident.h.
 */
int resident_connect(sd_bus **ret, const char *id) {
        int fd, r;

        r = resident_socket_connect(id, &fd);
        if (r != 0)
                return r;
        r = sd_bus_new(ret);
        if (r >= 0)
                r = sd_bus_set_fd(*ret, fd, fd);
        if (r < 0) {
                fd_close(fd);
                return error_trace(r);
        }
        r = sd_bus_start(*ret);
        return error_trace(r < 0 ? r : 0);
}

/**
 * resident_say_failure() - tell the user why a call to it failed
 * @verb:       what was asked for
 * @id:         the session's
 * @gone:       what it means that its process ended before it had answered
 * @error:      the answer; may be unset
 * @r:          negative errno
 *
 * Return: CTL_E_SAID.
 */
int resident_say_failure(const char *verb, const char *id, const char *gone, const sd_bus_error *error,
                         int r) {
        if (sd_bus_error_has_name(error, RESIDENT_ERROR))
                say("%s", error->message);
        else if (r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE ||
                 sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY))
                say("the process that held session %s ended before it had answered '%s': %s", id, verb,
                    gone);
        else
                (void) say_bus_error(id, error, r);
        return CTL_E_SAID;
}
