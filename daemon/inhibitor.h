/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * logind's delay lock on sleep and shutdown while a set is being made: a machine that suspends in the freeze
 * window would come back with its applications frozen for hours. Where there is no logind, nothing happens.
 */

#include "daemon/manager.h"

void inhibitor_take(Manager *manager, uint64_t session);
void inhibitor_drop(Manager *manager, uint64_t session);
Inhibitor *inhibitor_free(Inhibitor *inhibitor);
