/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* See notes.h. */

#include "writers.d/redis/notes.h"

#include "util/error.h"

static const struct {
        const char *key, *info;
        bool of_replication;
} values[] = {
        {"rdb-saved-at", "rdb_last_save_time", false},
        {"rdb-changes-since", "rdb_changes_since_last_save", false},
        {"role", "role", true},
        {"replication-id", "master_replid", true},
        {"replication-offset", "master_repl_offset", true},
        {"primary-host", "master_host", true},
        {"primary-port", "master_port", true},
        {"primary-offset", "slave_repl_offset", true},
};

/* What is too long is left out: the snapshot is good without. */
static int note(Server *server, const char *key, const char *value) {
        int r = value[0] ? server_note(server, key, "%s", value) : 0;

        return r == -E2BIG ? 0 : error_trace(r);
}

/**
 * notes_make() - note them
 * @server:     looked at
 * @persistence: INFO persistence, as of Freeze
 * @replication: INFO replication, as of Freeze
 *
 * Return: 0, or -ENOMEM.
 */
int notes_make(Server *server, const redisReply *persistence, const redisReply *replication) {
        const State *state = server_state(server);
        bool log = state->keeping == KEEPS_LOG;
        char text[256];
        int r;

        r = note(server, "version", state->version);
        if (r == 0)
                r = note(server, "run-id", state->run_id);
        if (r == 0)
                r = note(server, "appendonly", log ? "yes" : "no");
        if (r == 0 && log)
                r = note(server, "appendfsync", state->fsync);
        for (size_t i = 0; r == 0 && i < ELEMENTSOF(values); i++)
                r = note(server, values[i].key,
                         client_value(values[i].of_replication ? replication : persistence, values[i].info,
                                      text, sizeof(text)));
        if (r == 0)
                r = note(server, "data-directory", state->folder);
        return error_trace(r < 0 ? r : note(server, "config-file", state->config_file));
}
