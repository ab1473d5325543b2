/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A name on the system bus that owns something here: who is behind it, and when it is gone.
 *
 * sd_bus_track would do, but it asks the bus and waits for the answer; quiesced never waits. So: a match on
 * NameOwnerChanged is added first and the credentials are asked for after it, both without waiting. The bus
 * answers in order: either the credentials come and the match is in place, or the name was gone already.
 */

#include <systemd/sd-bus.h>

#include "util/macro.h"

typedef struct Owner Owner;
/* r: 0 and the uid is known; -ESRCH: there is no such name (any more); other negative errnos. */
typedef void (*OwnerKnown)(Owner *owner, int r, void *userdata);
typedef void (*OwnerVanished)(Owner *owner, void *userdata);

int owner_new(Owner **ret, sd_bus *bus, const char *name, OwnerKnown known, void *userdata);
Owner *owner_free(Owner *owner);
DEFINE_CLEANUP(Owner *, owner_free)
void owner_set_vanished(Owner *owner, OwnerVanished vanished, void *userdata);
const char *owner_get_name(const Owner *owner);
uint32_t owner_get_uid(const Owner *owner);
bool owner_is_gone(const Owner *owner);
