/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a restore will have to know, for the backup's document. */

#include "writers.d/redis/client.h"

/* From INFO persistence and INFO replication. */
int notes_make(Server *server, const redisReply *persistence, const redisReply *replication);
