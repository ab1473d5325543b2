/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How a server's data come to the snapshot; see hold.h.
 *
 * With an append-only file: a command's change is written to the file, by write(2), before it is
 * acknowledged, with one exception: under appendfsync=everysec, while another thread's fsync is under way,
 * the write is put off for up to 2 s, and the acknowledgement is not. So Freeze has clients' writes wait
 * (CLIENT PAUSE … WRITE; reading goes on, and so does expiry by the clock, but not its writing), and then
 * waits until the server has nothing left to write (aof_buffer_length). Then all that was ever acknowledged
 * is in the file, whatever appendfsync is: what is in the page cache alone is written when the file systems
 * are frozen. WAITAOF would not tell: it is about what its own connection has written.
 *
 * The pause is not the connection's: it goes on if that ends. So it has an end of its own, no later than a
 * freeze window's; a guard ends it if the writer is killed; and whoever fails in between ends it, by another
 * connection if need be. A server that hangs gets the command to be read when it hangs no more.
 *
 * A rewrite of the file is waited for in PrepareForSnapshot, since the one that follows appendonly=yes, or a
 * replica's synchronization, makes the file what it is to be: until then it is not there, or another's. Any
 * later one may run through the snapshot: its files become the server's by one rename, and all are of one
 * instant. So nothing is switched off that would stay so after a crash of ours.
 *
 * With save points alone: PrepareForSnapshot has the server save. The snapshot has that file, or that of a
 * later save, which is renamed to it when it is whole. What was changed since is not in it, but counted.
 */

#include "writers.d/redis/hold.h"

#include <time.h>

#include "util/error.h"
#include "writers.d/redis/notes.h"

#define PAUSE       "CLIENT PAUSE 60000 WRITE" /* as long as a freeze window may be */
#define LET_GO      "CLIENT UNPAUSE"
#define LET_GO_USEC (2 * USEC_PER_SEC)
#define LOOK_MSEC   100u

/* ── Waiting in PrepareForSnapshot ── */

static int check_ready(Server *server, Report *report, const redisReply *info) {
        State *state = server_state(server);
        _cleanup_(redis_reply_freep) redisReply *replication = NULL;
        int r;

        if (client_is(info, "loading", "1"))
                return report_fail(report, QUIESCE_FAILURE_RETRYABLE, "it still loads its data");
        r = client_must_ask(server, report, "INFO replication", &replication);
        if (r < 0)
                return error_trace(r);
        state->is_replica = client_is(replication, "role", "slave");
        if (!state->is_replica)
                return 0;
        if (client_is(replication, "master_sync_in_progress", "1"))
                return report_fail(report, QUIESCE_FAILURE_RETRYABLE,
                                   "it is a replica that is being synchronized");
        if (!client_is(replication, "master_link_status", "up"))
                return report_warn(report, "it is a replica without a connection to its primary: what it "
                                           "has may be old");
        return 0;
}

/* Until no child process of the server's writes files, or none of the append-only file's. */
static int await_idle(Server *server, Report *report, bool of_log) {
        for (;;) {
                _cleanup_(redis_reply_freep) redisReply *info = NULL;
                int r;

                r = client_must_ask(server, report, "INFO persistence", &info);
                if (r < 0)
                        return error_trace(r);
                if (!client_is(info, "aof_rewrite_in_progress", "1") &&
                    !client_is(info, "aof_rewrite_scheduled", "1") &&
                    (of_log || !client_is(info, "rdb_bgsave_in_progress", "1")))
                        return 0;
                if (server_remaining_usec(server) <= LOOK_MSEC * USEC_PER_MSEC)
                        return report_fail(report, QUIESCE_FAILURE_TIMEOUT, "%s has not ended in time",
                                           client_is(info, "rdb_bgsave_in_progress", "1")
                                                   ? "a save"
                                                   : "a rewrite of the append-only file");
                client_pass_time(server, LOOK_MSEC);
        }
}

static int check_log(Report *report, const redisReply *info) {
        if (!client_is(info, "aof_enabled", "1"))
                return report_fail(report, QUIESCE_FAILURE_RETRYABLE, "its append-only file is not open");
        if (!client_is(info, "aof_last_write_status", "ok"))
                return report_fail(report, QUIESCE_FAILURE_NON_RETRYABLE,
                                   "it cannot write to its append-only file, see its log");
        return 0;
}

static int prepare_log(Server *server, Report *report) {
        State *state = server_state(server);
        _cleanup_(redis_reply_freep) redisReply *info = NULL;
        int r;

        r = await_idle(server, report, true);
        if (r == 0)
                r = client_must_ask(server, report, "INFO persistence", &info);
        if (r == 0)
                r = check_log(report, info);
        if (r == 0 && !client_is(info, "aof_last_bgrewrite_status", "ok"))
                r = report_warn(report, "the last rewrite of its append-only file has failed");
        return error_trace(r < 0 ? r : guard_start(&state->guard, state->context->fd));
}

/* Somebody else's save, begun before we asked, may have older data: ours follows it. */
static int prepare_save(Server *server, Report *report) {
        State *state = server_state(server);
        _cleanup_(redis_reply_freep) redisReply *info = NULL;
        int r;

        for (;;) {
                r = await_idle(server, report, false);
                if (r < 0)
                        return error_trace(r);
                r = client_ask(server, "BGSAVE", NULL);
                if (r == 0)
                        break;
                if (r != CLIENT_E_REFUSED || !strstr(state->why, "progress"))
                        return client_fail(server, report, "BGSAVE");
                client_pass_time(server, LOOK_MSEC);
        }
        r = await_idle(server, report, false);
        if (r == 0)
                r = client_must_ask(server, report, "INFO persistence", &info);
        if (r == 0 && !client_is(info, "rdb_last_bgsave_status", "ok"))
                r = report_fail(report, QUIESCE_FAILURE_NON_RETRYABLE, "it cannot save, see its log");
        return error_trace(r);
}

/**
 * hold_prepare() - have on disk what takes long
 * @server:     connected
 * @report:     told if it fails
 *
 * Return: 0; -ECANCELED; another negative errno.
 */
int hold_prepare(Server *server, Report *report) {
        State *state = server_state(server);
        _cleanup_(redis_reply_freep) redisReply *info = NULL;
        int r;

        r = client_must_ask(server, report, "INFO persistence", &info);
        if (r == 0)
                r = check_ready(server, report, info);
        if (r == 0 && state->keeping == KEEPS_LOG)
                r = prepare_log(server, report);
        else if (r == 0 && state->keeping == KEEPS_SAVES)
                r = prepare_save(server, report);
        return error_trace(r);
}

/* ── Letting go ── */

/* A connection of its own, which the frame does not interrupt, for as long as LET_GO_USEC. */
static int connect_again(Server *server, Report *report) {
        State *state = server_state(server);
        struct timespec now;

        client_close(server);
        (void) clock_gettime(CLOCK_BOOTTIME, &now);
        state->own_until_usec =
                (uint64_t) now.tv_sec * USEC_PER_SEC + (uint64_t) now.tv_nsec / NSEC_PER_USEC + LET_GO_USEC;
        return client_connect(server, report);
}

/* After a failure, which has been reported. */
static void give_up(Server *server, Report *report) {
        State *state = server_state(server);

        if (!state->is_paused)
                return;
        if (state->is_late) { /* the connection is good; nobody waits for the answer */
                state->is_late = false;
                state->is_paused = client_send(server, LET_GO) != 0;
                state->is_late = true;
        } else
                state->is_paused = client_ask(server, LET_GO, NULL) != 0;
        if (state->is_paused && connect_again(server, report) == 0)
                state->is_paused = client_ask(server, LET_GO, NULL) != 0;
        state->is_paused = false; /* or it ends by itself */
        client_close(server);
        state->own_until_usec = 0;
}

/* ── Freeze and Thaw ── */

static int await_written(Server *server, Report *report, redisReply **ret) {
        for (unsigned msec = 1;; msec = msec < 32 ? 2 * msec : msec) {
                _cleanup_(redis_reply_freep) redisReply *info = NULL;
                int r;

                r = client_must_ask(server, report, "INFO persistence", &info);
                if (r == 0)
                        r = check_log(report, info);
                if (r < 0)
                        return error_trace(r);
                if (client_is(info, "aof_buffer_length", "0")) {
                        *ret = TAKE_PTR(info);
                        return 0;
                }
                if (server_remaining_usec(server) == 0)
                        return report_fail(report, QUIESCE_FAILURE_TIMEOUT,
                                           "it has not written its append-only file in time");
                client_pass_time(server, msec);
        }
}

static int freeze_log(Server *server, Report *report) {
        State *state = server_state(server);
        _cleanup_(redis_reply_freep) redisReply *info = NULL, *replication = NULL;
        int r;

        state->is_paused = true; /* also if the answer does not come */
        r = client_must_ask(server, report, PAUSE, NULL);
        if (r == 0)
                r = await_written(server, report, &info);
        if (r == 0)
                r = client_must_ask(server, report, "INFO replication", &replication);
        if (r < 0)
                return error_trace(r);
        if (state->is_replica && (client_is(replication, "master_sync_in_progress", "1") ||
                                  client_is(info, "aof_rewrite_in_progress", "1")))
                return report_fail(report, QUIESCE_FAILURE_RETRYABLE,
                                   "it is a replica that is, or may just have been, synchronized anew");
        (void) client_value(info, "rdb_changes_since_last_save", state->changes, sizeof(state->changes));
        (void) client_value(info, "aof_current_size", state->log_size, sizeof(state->log_size));
        return error_trace(notes_make(server, info, replication));
}

static int freeze_save(Server *server, Report *report) {
        _cleanup_(redis_reply_freep) redisReply *info = NULL, *replication = NULL;
        int r;

        r = client_must_ask(server, report, "INFO persistence", &info);
        if (r == 0)
                r = client_must_ask(server, report, "INFO replication", &replication);
        return error_trace(r < 0 ? r : notes_make(server, info, replication));
}

/**
 * hold_freeze() - have all that was acknowledged in the file, and nothing come to it
 * @server:     prepared
 * @report:     told if it fails; nothing is held then
 *
 * Return: 0; -ECANCELED; another negative errno.
 */
int hold_freeze(Server *server, Report *report) {
        const State *state = server_state(server);
        int r;

        r = state->keeping == KEEPS_LOG ? freeze_log(server, report) : freeze_save(server, report);
        if (r < 0)
                give_up(server, report);
        return error_trace(r);
}

/* Whether nothing was written since Freeze. A save or rewrite that ends sets one of the two anew, not both.
 * A replica goes on with what its primary sends. */
static int check_held(Server *server, Report *report, const redisReply *info) {
        const State *state = server_state(server);

        if (state->is_replica || client_is(info, "rdb_changes_since_last_save", state->changes) ||
            client_is(info, "aof_current_size", state->log_size))
                return 0;
        return report_fail(report, QUIESCE_FAILURE_RETRYABLE,
                           "clients were not kept from writing all the time: somebody has ended the pause");
}

/* The pause outlives a connection that was lost, but not the server. */
static int come_back(Server *server, Report *report) {
        const State *state = server_state(server);
        _cleanup_(redis_reply_freep) redisReply *info = NULL;
        int r;

        r = connect_again(server, report);
        if (r == 0)
                r = client_must_ask(server, report, "INFO server", &info);
        if (r == 0 && !client_is(info, "run_id", state->run_id))
                r = report_fail(report, QUIESCE_FAILURE_RETRYABLE,
                                "the server was not held all the time: it was restarted");
        return error_trace(r);
}

/**
 * hold_thaw() - let clients write again
 * @server:     in any state
 * @report:     told if they were not kept from it all the time
 *
 * Return: 0; -ECANCELED; another negative errno.
 */
int hold_thaw(Server *server, Report *report) {
        State *state = server_state(server);
        _cleanup_(redis_reply_freep) redisReply *info = NULL;
        int r;

        if (!state->is_paused) {
                guard_end(&state->guard);
                return 0;
        }
        r = client_send(server, "INFO persistence");
        if (r == 0)
                r = client_send(server, LET_GO);
        if (r == 0)
                r = client_receive(server, &info);
        if (r == CLIENT_E_FAILED && !state->is_late) {
                r = come_back(server, report);
                if (r == 0)
                        r = client_must_ask(server, report, "INFO persistence", &info);
                if (r == 0)
                        r = client_must_ask(server, report, LET_GO, NULL);
        } else if (r == 0)
                r = client_receive(server, NULL) == 0 ? 0 : client_fail(server, report, LET_GO);
        else
                r = client_fail(server, report, "INFO persistence");
        if (r < 0)
                give_up(server, report);
        state->is_paused = false;
        state->own_until_usec = 0;
        guard_end(&state->guard);
        return error_trace(r < 0 ? r : check_held(server, report, info));
}

/**
 * hold_close() - end the connection and forget the server
 * @server:     in any state
 */
void hold_close(Server *server) {
        State *state = server_state(server);

        client_close(server);
        *state = (State){};
}
