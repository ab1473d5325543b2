/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A method call that waits for its answer, charged to the user who made it.
 *
 * Whoever may call at all may call often, and what waits takes memory, a question to polkit or a child
 * process: so each user has a limited number of calls that wait, and a limited size of documents in them.
 * The calls of sessions need no such limit: the contract runs one at a time, and sessions are limited
 * themselves.
 */

#include "daemon/bus/bus.h"

struct KeptCall {
        KeptCall *next;
        Manager *manager;
        sd_bus_message *message;
        uint32_t uid; /* OWNER_UID_UNKNOWN: the bus has not said yet */
        size_t size;  /* of a document */
};

int kept_call_new(Manager *manager, KeptCall **ret, sd_bus_message *m, uint32_t uid, size_t size,
                  sd_bus_error *reterr);
KeptCall *kept_call_free(KeptCall *call);
DEFINE_CLEANUP(KeptCall *, kept_call_free)
int kept_call_set_uid(KeptCall *call, uint32_t uid, sd_bus_error *reterr);
