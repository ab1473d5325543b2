/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a server consists of; see look.h.
 *
 * Its working directory may be any, "/" even, and others' files in it: so the server's own are told by name.
 */

#include "writers.d/redis/look.h"

#include "util/error.h"

#define OLDEST_MAJOR 6 /* CLIENT PAUSE … WRITE, CLIENT UNPAUSE */
#define OLDEST_MINOR 2

/* A setting; "" if this version has none of that name. */
static int read_setting(Server *server, Report *report, const char *name, char *text, size_t size) {
        _cleanup_(redis_reply_freep) redisReply *reply = NULL;
        char command[64];
        int r;

        text[0] = '\0';
        (void) snprintf(command, sizeof(command), "CONFIG GET %s", name);
        r = client_must_ask(server, report, command, &reply);
        if (r == 0 && reply->type == REDIS_REPLY_ARRAY && reply->elements >= 2 && reply->element[1]->str)
                (void) snprintf(text, size, "%s", reply->element[1]->str);
        return error_trace(r);
}

static int look_at_version(Server *server, Report *report, const redisReply *info) {
        State *state = server_state(server);
        char text[64];
        int major = 0, minor = 0;

        (void) client_value(info, "redis_version", text, sizeof(text)); /* Valkey: what it is as good as */
        if (sscanf(text, "%d.%d", &major, &minor) < 1)
                return report_fail(report, QUIESCE_FAILURE_NON_RETRYABLE,
                                   "it does not tell its version: it is no Redis");
        if (major < OLDEST_MAJOR || (major == OLDEST_MAJOR && minor < OLDEST_MINOR))
                return report_fail(report, QUIESCE_FAILURE_NON_RETRYABLE,
                                   "it is Redis %s: %d.%d or later is needed", text, OLDEST_MAJOR,
                                   OLDEST_MINOR);
        (void) snprintf(state->version, sizeof(state->version), "%s", text);
        if (client_value(info, "valkey_version", text, sizeof(text))[0])
                (void) snprintf(state->version, sizeof(state->version), "%.40s (Valkey)", text);
        return 0;
}

static int tell_version(const State *state, Facts *facts) {
        char shown[128];

        (void) snprintf(shown, sizeof(shown), "%s%s", state->version,
                        state->keeping == KEEPS_NOTHING ? "; keeps nothing on disk" : "");
        return error_trace(facts_set_version(facts, shown));
}

static int look_at_keeping(Server *server, Report *report) {
        const Instance *instance = server_instance(server);
        State *state = server_state(server);
        char log[8], saves[1024];
        int r;

        r = read_setting(server, report, "appendonly", log, sizeof(log));
        if (r == 0)
                r = read_setting(server, report, "save", saves, sizeof(saves));
        if (r == 0)
                r = read_setting(server, report, "appendfsync", state->fsync, sizeof(state->fsync));
        if (r == 0)
                r = read_setting(server, report, "dir", state->folder, sizeof(state->folder));
        if (r < 0)
                return error_trace(r);
        if (state->folder[0] != '/')
                return report_fail(report, QUIESCE_FAILURE_NON_RETRYABLE,
                                   "it does not tell where its data are (CONFIG GET dir)");
        state->keeping = streq(log, "yes")                                               ? KEEPS_LOG
                         : saves[0] || (instance->mode && streq(instance->mode, "save")) ? KEEPS_SAVES
                                                                                         : KEEPS_NOTHING;
        return 0;
}

/* The append-only file: a folder since 7.0, with a manifest; one file before. */
static int add_log(Server *server, Facts *facts, Report *report) {
        const State *state = server_state(server);
        char name[256];
        _cleanup_free_ char *folder = NULL;
        int r;

        r = read_setting(server, report, "appenddirname", name, sizeof(name));
        if (r == 0 && name[0]) {
                if (asprintf(&folder, "%s/%s", state->folder, name) < 0) {
                        folder = NULL;
                        return error_origin(-ENOMEM);
                }
                return error_trace(facts_add_path(facts, folder, "*", true, "the append-only file"));
        }
        if (r == 0)
                r = read_setting(server, report, "appendfilename", name, sizeof(name));
        return error_trace(
                r < 0 ? r : facts_add_path(facts, state->folder, name, false, "the append-only file"));
}

static int add_files(Server *server, Facts *facts, Report *report, const redisReply *info) {
        const State *state = server_state(server);
        char name[256];
        int r;

        r = read_setting(server, report, "dbfilename", name, sizeof(name));
        if (r == 0)
                r = facts_add_path(facts, state->folder, name, false, "the data directory");
        if (r == 0 && state->keeping == KEEPS_LOG)
                r = add_log(server, facts, report);
        if (r < 0 || !client_is(info, "cluster_enabled", "1"))
                return error_trace(r);
        r = read_setting(server, report, "cluster-config-file", name, sizeof(name));
        return error_trace(
                r < 0 || !name[0] ? r
                                  : facts_add_path(facts, state->folder, name, false, "the data directory"));
}

/* "db0:keys=…". */
static int add_databases(Facts *facts, const redisReply *info) {
        const char *line = info->str ? info->str : "";
        char name[32];
        unsigned n;
        int end, r = 0;

        for (; *line && r == 0; line += *line == '\n') {
                end = 0;
                if (sscanf(line, "db%u:keys=%n", &n, &end) == 1 && end > 0) {
                        (void) snprintf(name, sizeof(name), "db%u", n);
                        r = facts_add_database(facts, name);
                }
                line += strcspn(line, "\n");
        }
        return error_trace(r);
}

/**
 * look() - what the server consists of
 * @server:     connected
 * @facts:      told
 * @report:     told if it cannot be found out
 *
 * Return: 0; -ECANCELED; another negative errno.
 */
int look(Server *server, Facts *facts, Report *report) {
        State *state = server_state(server);
        _cleanup_(redis_reply_freep) redisReply *info = NULL;
        int r;

        r = client_must_ask(server, report, "INFO", &info);
        if (r < 0)
                return error_trace(r);
        (void) client_value(info, "run_id", state->run_id, sizeof(state->run_id));
        (void) client_value(info, "config_file", state->config_file, sizeof(state->config_file));
        r = look_at_version(server, report, info);
        if (r == 0)
                r = look_at_keeping(server, report);
        if (r == 0)
                r = tell_version(state, facts);
        if (r < 0)
                return error_trace(r);
        if (state->keeping == KEEPS_NOTHING)
                return report_warn(report, "it keeps nothing on disk (neither appendonly nor save is set): "
                                           "nothing of it is backed up");
        r = add_files(server, facts, report, info);
        return error_trace(r < 0 ? r : add_databases(facts, info));
}
