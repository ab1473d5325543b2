/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What ends a verb that waits: from a terminal, from a service manager, or when the terminal goes.
 */

#include "ctl/ctl.h"

#include <signal.h>

/**
 * signals_catch() - have SIGINT, SIGTERM and SIGHUP told in the event loop
 * @event:      loop; what it has started before may still have them as they were
 * @handler:    called for each
 * @userdata:   for @handler
 *
 * Return: 0 or a negative errno.
 */
int signals_catch(sd_event *event, sd_event_signal_handler_t handler, void *userdata) {
        static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
        sigset_t set;
        int r = 0;

        (void) sigemptyset(&set);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void) sigaddset(&set, signals[i]);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return error_origin(-errno);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(signals); i++)
                r = sd_event_add_signal(event, NULL, signals[i], handler, userdata);
        return error_trace(r < 0 ? r : 0);
}
