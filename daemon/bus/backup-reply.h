/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the methods of org.quiesce1.Backup answer: each is a BusCallReply, see call.h. */

#include "daemon/bus/call.h"

int reply_fresh_id(BusCall *call, const ContractEffect *effect, sd_bus_message *reply);
int reply_is_volume_supported(BusCall *call, const ContractEffect *effect, sd_bus_message *reply);
int reply_failed_writers(BusCall *call, const ContractEffect *effect, sd_bus_message *reply);
int reply_do_snapshot_set(BusCall *call, const ContractEffect *effect, sd_bus_message *reply);
int reply_get_snapshot_properties(BusCall *call, const ContractEffect *effect, sd_bus_message *reply);
int reply_delete_snapshots(BusCall *call, const ContractEffect *effect, sd_bus_message *reply);

/* The dictionary of GetSnapshotProperties, also that of Snapshot.GetProperties. */
int append_snapshot_properties(sd_bus_message *reply, Manager *manager, const char *snapshot_id);
