/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The journal's place and form: {"set": id, "volumes": [{"origin": uuid, "snapshot": uuid or ""}],
 * "mounts": [{"mount-point": path, "mount-id": number}]}.
 */

#define JOURNAL_NAME "held.json"

int journal_path(const char *runtime_dir, char **ret);
