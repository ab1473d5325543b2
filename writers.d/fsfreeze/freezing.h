/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The file systems of one set, from PrepareForSnapshot to Thaw or Abort.
 *
 * A round is one event: its jobs go out depth by depth, and the event is answered when the last has come
 * back. An Abort begins a round of its own while another still runs: what that one freezes too late thaws
 * itself.
 */

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "quiesce/writer.h"

typedef struct Freezing Freezing;

int freezing_new(Freezing **ret, sd_event *event, bool refuse);
void freezing_prepare(Freezing *freezing, QuiesceWriterEvent *event);
void freezing_freeze(Freezing *freezing, QuiesceWriterEvent *event);
void freezing_thaw(Freezing *freezing, QuiesceWriterEvent *event);
void freezing_abort(Freezing *freezing, QuiesceWriterEvent *event);
/* The session ends: what was prepared and never frozen is closed. */
void freezing_forget(Freezing *freezing, const char *session);
