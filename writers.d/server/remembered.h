/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What is known of instances, from one process of the writer to the next.
 *
 * Why: a writer's process lives as long as a backup. A server that a section names and that is down must not
 * stand in the way of every backup of something else: it is judged by where its files were. Instances that
 * were discovered are not remembered: one of which a dead socket is all that is left is no concern of
 * anybody's.
 *
 * How: a file of JSON in the unit's StateDirectory=, written after each Identify. One that is damaged is as
 * good as none.
 */

#include "writers.d/server/known.h"

/* What an earlier process knew. -ENOENT: nothing; -EBADMSG: it cannot be understood. */
int remembered_load(Known *known, const char *path);
int remembered_parse(Known *known, const char *text, size_t n_text);
/* A place that is not UTF-8 cannot be written down: its instance is left out. */
int remembered_save(const Known *known, const char *path);
