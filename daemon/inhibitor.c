/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The delay lock; see inhibitor.h. The lock is a descriptor from logind: closing it gives the lock back.
 */

#include "daemon/inhibitor.h"

#include <fcntl.h>

#include "util/error.h"
#include "util/log.h"

struct Inhibitor {
        uint64_t session; /* the creation slot has one owner, so there is one lock */
        sd_bus_slot *slot;
        int fd;
};

static int inhibitor_granted(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        Inhibitor *inhibitor = userdata;
        int fd, r;

        inhibitor->slot = sd_bus_slot_unref(inhibitor->slot);
        if (sd_bus_message_is_method_error(m, NULL)) {
                log_debug("no delay lock from logind: %s", sd_bus_message_get_error(m)->message);
                return 0;
        }
        r = sd_bus_message_read(m, "h", &fd);
        if (r >= 0)
                inhibitor->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return 0;
}

static int inhibitor_ask(Manager *manager, Inhibitor *inhibitor) {
        sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(manager->bus, &m, "org.freedesktop.login1",
                                           "/org/freedesktop/login1", "org.freedesktop.login1.Manager",
                                           "Inhibit");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_message_append(m, "ssss", "sleep:shutdown", "quiesced",
                                          "A snapshot set is being made", "delay");
        if (r >= 0)
                r = sd_bus_call_async(manager->bus, &inhibitor->slot, m, inhibitor_granted, inhibitor, 0);
        sd_bus_message_unref(m);
        return r;
}

/**
 * inhibitor_take() - ask logind for the lock, without waiting for it
 * @manager:    the manager
 * @session:    whose set it is
 */
void inhibitor_take(Manager *manager, uint64_t session) {
        Inhibitor *inhibitor;

        manager->inhibitor = inhibitor_free(manager->inhibitor);
        if (!manager->bus)
                return;
        inhibitor = calloc(1, sizeof(*inhibitor));
        if (!inhibitor)
                return;
        inhibitor->session = session;
        inhibitor->fd = -EBADF;
        if (inhibitor_ask(manager, inhibitor) < 0)
                inhibitor = inhibitor_free(inhibitor);
        manager->inhibitor = inhibitor;
}

/**
 * inhibitor_drop() - give the lock back
 * @manager:    the manager
 * @session:    whose set is done with; nothing happens if the lock is another's
 */
void inhibitor_drop(Manager *manager, uint64_t session) {
        if (manager->inhibitor && manager->inhibitor->session == session)
                manager->inhibitor = inhibitor_free(manager->inhibitor);
}

/**
 * inhibitor_free() - give the lock back
 * @inhibitor:  the lock, or NULL
 *
 * Return: NULL.
 */
Inhibitor *inhibitor_free(Inhibitor *inhibitor) {
        if (!inhibitor)
                return NULL;
        sd_bus_slot_unref(inhibitor->slot);
        (void) fd_close(inhibitor->fd);
        free(inhibitor);
        return NULL;
}
