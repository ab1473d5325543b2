/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The journal's place and form: {"version": 1, "set": id, "volumes": [{"origin": uuid, "snapshot": uuid or
 * ""}], "mounts": [{"mount-point": path, "mount-id": number}], "locks": [path], "rcu-expedited": value}. The
 * mounts are those that writers may have frozen, the locks those that the hold has until all of its
 * processes are gone.
 *
 * That of a dead daemon whose hold still lives is kept as held-<set id>.json. One that cannot be read, or
 * not all of it, is put aside as <name>.unread.
 */

#define JOURNAL_RCU_SWITCH "/sys/kernel/rcu_expedited"

#define JOURNAL_VERSION 1
#define JOURNAL_PREFIX  "held"
#define JOURNAL_SUFFIX  ".json"
#define JOURNAL_NAME    JOURNAL_PREFIX JOURNAL_SUFFIX

int journal_path(const char *runtime_dir, char **ret);
