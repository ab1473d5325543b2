/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of the requester side share: the session, and calls with a trailing a{sv}. */

#include "bus/dictionary.h"
#include "quiesce/requester.h"
#include "util/macro.h"

struct QuiesceBackup {
        sd_bus *bus;
        char *path; /* of the session, NULL before it is open */
        char *id;
        QuiesceWait wait;
        void *wait_userdata;
};

static inline void message_unrefp(sd_bus_message **m) {
        (void) sd_bus_message_unref(*m);
}
DEFINE_CLEANUP(char **, quiesce_strv_free)
DEFINE_CLEANUP(QuiesceSnapshotSet *, quiesce_snapshot_set_free)

int requester_call(QuiesceBackup *backup, sd_bus_message *call, sd_bus_message **ret_reply,
                   sd_bus_error *error);
int requester_call_simple(QuiesceBackup *backup, const char *interface, const char *member,
                          sd_bus_message **ret_reply, sd_bus_error *error);
int requester_end(QuiesceBackup *backup, const char *interface, const char *member, sd_bus_error *error);
int requester_append_requirement(sd_bus_message *call, const QuiesceRequirement *requirement);
int requester_open(QuiesceBackup *backup, const char *member, const char *document, sd_bus_error *error);
int requester_call_component(QuiesceBackup *backup, const char *interface, const char *member,
                             const char *writer, const char *logical_path, const char *name,
                             const char *text, int truth, sd_bus_error *error);
int requester_save_document(QuiesceBackup *backup, const char *interface, char **ret_document,
                            sd_bus_error *error);
int requester_read_failed(sd_bus_message *reply, char ***ret_failed);
