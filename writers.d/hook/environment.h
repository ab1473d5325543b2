/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The environment of a script: a few of ours, and what the event tells. */

#include "quiesce/writer.h"

int environment_new(char ***ret, const QuiesceWriterEvent *event, const char *step);
int environment_new_rescue(char ***ret, const char *session, const char *step);
