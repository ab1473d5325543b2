/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * quiesced's end of the hold: an sd-event client of one quiesced-hold instance.
 *
 * One HoldClient is one set's held moment. Calls queue a message and return at once; the step calls take a
 * callback that is called exactly once, from the event loop, with the report: the hold's own, or one made
 * here if the connection ends or the step's limit passes (error -ECONNRESET or -ETIMEDOUT). Freeing the
 * client closes the connection, at which the hold lets everything go by itself. Nothing here allocates
 * memory or logs between PRE_COMMIT and END: what is needed is allocated by hold_client_new().
 */

#include <systemd/sd-event.h>

#include "daemon/hold/hold-protocol.h"
#include "util/macro.h"

typedef struct HoldClient HoldClient;
typedef void (*HoldDone)(HoldClient *client, const HoldReport *report, void *userdata);

int hold_client_new(HoldClient **ret, sd_event *event, const char *socket_path);
HoldClient *hold_client_free(HoldClient *client);
DEFINE_CLEANUP(HoldClient *, hold_client_free)

int hold_client_begin(HoldClient *client, const HoldBegin *begin);
int hold_client_add_group(HoldClient *client, const char *lock_path);
int hold_client_add_volume(HoldClient *client, const HoldVolume *volume);
int hold_client_add_mount(HoldClient *client, const HoldMount *mount, int fd); /* fd stays the caller's */

int hold_client_lock(HoldClient *client, uint64_t limit_usec, HoldDone done, void *userdata);
int hold_client_pre_commit(HoldClient *client, uint64_t limit_usec, HoldDone done, void *userdata);
int hold_client_commit(HoldClient *client, const HoldCommit *commit, uint64_t limit_usec, HoldDone done,
                       void *userdata);
int hold_client_end(HoldClient *client, uint64_t limit_usec, HoldDone done, void *userdata);
const HoldTimes *hold_client_get_times(const HoldClient *client, uint32_t volume);
/* May be called while a step runs: that step's callback is called first, with -ECANCELED. */
int hold_client_abort(HoldClient *client, uint64_t limit_usec, HoldDone done, void *userdata);
