/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Names on the system bus that own something here: who is behind each, and when it is gone.
 *
 * sd_bus_track would do, but it asks the bus and waits for the answer; quiesced never waits. So: a match on
 * NameOwnerChanged is added first and the credentials are asked for after it, both without waiting. The bus
 * answers in order: either the credentials come and the match is in place, or the name was gone already.
 *
 * One match serves all: how many a connection may have is limited by the bus (512), and nobody should be
 * able to use them up by calling from many connections. It is there only while somebody is watched.
 */

#include <systemd/sd-bus.h>

#include "util/macro.h"

#define OWNER_UID_UNKNOWN UINT32_MAX

typedef struct Owner Owner;
typedef struct Owners Owners; /* all of one connection */
/* r: 0 and the uid is known; -ESRCH: there is no such name (any more); other negative errnos. */
typedef void (*OwnerKnown)(Owner *owner, int r, void *userdata);
typedef void (*OwnerVanished)(Owner *owner, void *userdata);

int owners_new(Owners **ret, sd_bus *bus);
Owners *owners_free(Owners *owners);
int owner_new(Owner **ret, Owners *owners, const char *name, OwnerKnown known, void *userdata);
Owner *owner_free(Owner *owner);
DEFINE_CLEANUP(Owner *, owner_free)
void owner_set_vanished(Owner *owner, OwnerVanished vanished, void *userdata);
const char *owner_get_name(const Owner *owner);
uint32_t owner_get_uid(const Owner *owner);
pid_t owner_get_pid(const Owner *owner);
bool owner_is_gone(const Owner *owner);
