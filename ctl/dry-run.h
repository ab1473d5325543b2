/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What quiescectl run --dry-run does and tells instead of making a set and running a command. */

#include "ctl/backup.h"

int dry_run(Backup *backup, Plan *plan, bool json);
