/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Who may do what: root may; everybody else is put to polkit, without waiting for it.
 *
 * The question is asked when a session is opened, on administrative calls and before anything is listed that
 * names a path. Where polkit is not there, only root may. A call that waits for polkit is charged to its
 * user (kept-call.h) and forgotten when its caller leaves the bus.
 */

#include "daemon/bus/bus.h"
#include "daemon/bus/kept-call.h"
#include "daemon/bus/owner.h"

#define ACTION_BACKUP     "org.quiesce1.backup"
#define ACTION_RESTORE    "org.quiesce1.restore"
#define ACTION_ADMINISTER "org.quiesce1.administer"
#define ACTION_REGISTER   "org.quiesce1.register-writer"

typedef struct AccessQuestion {
        const char *action;     /* of polkit; static */
        const char *own_action; /* instead, if the caller is @own_uid; static; or NULL */
        uint32_t own_uid;
        size_t size;        /* of the document in the call */
        const char *writer; /* told to polkit for its rules; in the message, or NULL */
} AccessQuestion;

/* The caller may. @call and @owner, which watches the caller's bus name, are taken over with TAKE_PTR, or
 * left. */
typedef void (*AccessGranted)(Manager *manager, KeptCall **call, Owner **owner, void *userdata);

int access_check(Manager *manager, sd_bus_message *m, const AccessQuestion *question, AccessGranted granted,
                 void *userdata, void (*destroy)(void *userdata), sd_bus_error *reterr);
Access *accesses_free(Access *accesses);
