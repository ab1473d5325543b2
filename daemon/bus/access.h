/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Who may do what: root may; everybody else is put to polkit, without waiting for it.
 *
 * The question is asked when a session is opened and on administrative calls. Where polkit is not there,
 * only root may.
 */

#include "daemon/bus/bus.h"

#define ACTION_BACKUP     "org.quiesce1.backup"
#define ACTION_RESTORE    "org.quiesce1.restore"
#define ACTION_ADMINISTER "org.quiesce1.administer"

/* The caller may. @owner watches its bus name; taken over with TAKE_PTR, or left. */
typedef void (*AccessGranted)(Manager *manager, sd_bus_message *call, Owner **owner, void *userdata);

int access_check(Manager *manager, sd_bus_message *call, const char *action, AccessGranted granted,
                 void *userdata, void (*destroy)(void *userdata));
Access *accesses_free(Access *accesses);
