/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reading the configuration again: on SIGHUP, and on Manager.Reload, whose caller is told what is wrong.
 *
 * Promise: all of it counts or nothing; nothing that runs gets another limit than it began with.
 */

#include <inttypes.h>
#include <systemd/sd-daemon.h>

#include "daemon/keeper.h"
#include "daemon/manager.h"
#include "util/error.h"
#include "util/log.h"

/**
 * manager_reload() - read the configuration again
 * @manager:    the manager, not in the dark
 * @ret_wrong:  if it is wrong, what, with its place; free() it; NULL if there was no memory for it
 *
 * Return: 0; -EBADMSG if it is wrong, or another negative errno: all is as it was.
 */
int manager_reload(Manager *manager, char **ret_wrong) {
        SetsConfig sets;
        int r;

        assert(!manager->dark);
        r = config_load_again(manager->config, ret_wrong);
        if (r < 0) {
                log_error("The configuration is not read again, and stays as it was: %s",
                          r == -EBADMSG ? "it is wrong, as told before" : strerror(-r));
                return error_trace(r);
        }
        config_apply_log(manager->config);
        sets = manager_sets_config(manager);
        sets_configure(manager->sets, &sets);
        keeper_look_soon(manager->keeper);
        log_notice("The configuration was read again.");
        return 0;
}

/**
 * manager_reload_by_signal() - likewise, now or when the dark is over; systemd is told
 * @manager:    the manager
 *
 * What is wrong is in the log.
 */
void manager_reload_by_signal(Manager *manager) {
        _cleanup_free_ char *wrong = NULL;

        manager->reload_after_dark = manager->dark;
        if (manager->dark || manager->stopping)
                return;
        if (manager->name_ours)
                (void) sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, now_usec(CLOCK_MONOTONIC));
        (void) manager_reload(manager, &wrong);
        if (manager->name_ours)
                (void) sd_notify(0, "READY=1");
}
