/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The timeline of a session that is there, made of what the contract, the writers and the set know of it;
 * and the record that is kept of it beside its set.
 */

#include "daemon/session-object.h"
#include "timeline/timeline.h"

/* timeline: empty; timeline_done() it in any case. ended: the session is gone for good, its outcome is
 * known. */
int session_timeline(const SessionObject *session, bool ended, Timeline *timeline);
/* As its record has it: JSON text, to be freed; -EFBIG: larger than a record may be. */
int session_timeline_print(const Timeline *timeline, char **ret);
/* Written anew each time: when the set counts, when the backup is complete, at the session's end. */
void session_timeline_save(const SessionObject *session, bool ended);
/* session-timeline-recovered.c */
void session_timeline_save_recovered(const SessionObject *session);
