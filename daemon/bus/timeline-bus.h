/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * GetTimeline, of a set and of a session: what happened when. It names volumes and has writers' words in it,
 * so it is answered to those only who may delete the set's snapshots or end the session.
 */

#include "daemon/bus/publish.h"

int set_get_timeline(PublishedSet *set, sd_bus_message *m, sd_bus_error *reterr);
int session_get_timeline(SessionObject *session, sd_bus_message *m, sd_bus_error *reterr);
