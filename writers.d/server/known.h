/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What instances said of themselves when they were last asked.
 *
 * Why: one that cannot be asked any more can still be judged by where its files were; and one that was
 * discovered and let us in before is no stranger that may be passed over.
 */

#include "writers.d/server/report.h"

typedef struct Known {
        Instances instances;
        Facts facts[INSTANCES_MAX]; /* of the instance at the same place */
} Known;

void known_learn(Known *known, const Instance *instance, Facts *facts); /* takes what is in them */
const Facts *known_find(const Known *known, const Instance *instance);
void known_done(Known *known);
