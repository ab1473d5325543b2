/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A requester's call that the contract answers: kept from its arrival to its REPLY.
 *
 * The contract decides whether it is legal and when it is answered; the token ties its answer to the
 * message. What the call says about a volume is kept here until the step that needs it (BEGIN_PREPARE).
 */

#include "daemon/bus/bus.h"

/* Appends what the method answers; called only after success. */
typedef int (*BusCallReply)(BusCall *call, const ContractEffect *effect, sd_bus_message *reply);

struct BusCall {
        BusCall *next;
        Manager *manager;
        uint64_t token, session;
        ContractCall call;
        sd_bus_message *message;
        BusCallReply reply; /* NULL: the answer is empty */
        char fresh_id[CONTRACT_ID_MAX];
        char snapshot_id[CONTRACT_ID_MAX];
        const char *snapshot;   /* in the message, or snapshot_id */
        VolumeReference volume; /* in the message */
        PrepareOptions options; /* in the message; its devices are the call's */
        int moment_fd;          /* DoSnapshotSet, of provider external: in the message; or -1 */
        uint64_t moment_limit_usec;
        VolumeNeed need;         /* IsVolumeSupported: the answer */
        const char *backup_type; /* SetBackupState: static */
        bool bootable;
        const char *writer_name, *logical_path, *component; /* in the message */
        const char *text; /* options or a stamp, in the message; a file restore status: static */
        bool succeeded, selected;
        SetDescription description; /* StartSnapshotSet: what the set is called; the call's */
};

int bus_call_new(Manager *manager, BusCall **ret, uint64_t session, ContractCall call, sd_bus_message *m,
                 BusCallReply reply);
BusCall *bus_call_free(BusCall *call);
BusCall *bus_call_find(Manager *manager, uint64_t token);
BusCall *bus_call_find_running(Manager *manager, uint64_t session, ContractCall call);
void bus_call_feed(BusCall *call, ContractInput *input);
void bus_call_reply(Manager *manager, const ContractEffect *effect);

/* session-bus.c */
int session_call_plain(sd_bus_message *m, SessionObject *session, ContractCall which, BusCallReply reply,
                       sd_bus_error *reterr);
