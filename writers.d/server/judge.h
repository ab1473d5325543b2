/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Whether a snapshot set has what an instance consists of. */

#include "writers.d/server/report.h"

typedef enum Verdict {
        VERDICT_NONE,    /* nothing of it */
        VERDICT_WHOLE,   /* all of it */
        VERDICT_MISSING, /* a part; the text says what the set lacks */
        VERDICT_UNKNOWN, /* it cannot be found out; the text says why */
} Verdict;

/* chosen: it is wanted, so that nothing of it is as bad as a part of it. Returns a Verdict or a negative
 * errno. */
int judge(QuiesceWriterEvent *event, const Facts *facts, bool chosen, char text[static REPORT_TEXT_MAX]);
