/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What people say of a snapshot set: options of Backup.StartSnapshotSet, SnapshotSet.Describe and
 * SnapshotSet.GetProperties. It is users' data, so it is told by methods alone, to those who may (delete.h).
 */

#include "daemon/bus/bus.h"

int describe_read_new(sd_bus_message *m, SetDescription *ret, int *ret_wait, sd_bus_error *reterr);
int method_describe(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_get_set_properties(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
