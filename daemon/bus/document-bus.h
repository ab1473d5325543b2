/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * SnapshotSet.GetDocument: the backup document of a persistent set, as Backup.SaveDocument gave it to
 * whoever made the set. It names files, so it is answered to those only who may look into the set.
 */

#include "daemon/bus/bus.h"

int method_get_document(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
