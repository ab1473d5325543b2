/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Whatever dies, someone else thaws: what the journal of a dead quiesced names is resumed, then thawed.
 *
 * Done by quiesced at its start, and before that by quiesced-let-go, which its unit runs when it has ended
 * (ExecStopPost=), whether it is ever started again or not. Both may be done at any time and repeatedly.
 */

#include <stdbool.h>

enum {
        LET_GO_E_HELD =
                1, /* a process of a hold lives: what it has is resumed, but must be thawed after it */
};

int let_go_held(const char *runtime_dir);
int let_go_after_holds(const char *runtime_dir);
/* What a writer or a trial froze that was killed in the call: it freezes when the disk answers. */
bool let_go_has_freezers(void);
void let_go_after_freezers(void);
