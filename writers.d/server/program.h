/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the main programs of writers have in common: a writer on the thread's default event loop
 * (sd_event_default()), which ends with SIGTERM, SIGINT, or the connection to quiesced.
 */

#include "quiesce/writer.h"
#include "util/macro.h"

DEFINE_CLEANUP(QuiesceWriter *, quiesce_writer_free)

/* name: if $QUIESCE_WRITER_NAME says nothing; may be NULL. level: 0: the descriptor's. What follows is
 * sd_event_loop(). */
int writer_program_start(QuiesceWriter **ret, const char *name, QuiesceLevel level,
                         const QuiesceWriterCallbacks *callbacks, void *userdata);
