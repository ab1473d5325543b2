/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The one connection to a server, and what is kept of the server between the steps.
 *
 * How: hiredis connects, and reads answers; what is sent and waited for is done here, never longer than the
 * step has time. So a server that is stopped, or does not answer, is left in time, and the frame knows the
 * socket as soon as there is one.
 */

#include <hiredis/hiredis.h>

#include "writers.d/redis/guard.h"
#include "writers.d/server/engine.h"

#define CLIENT_WHY_MAX 256u

/* Outcomes. */
enum {
        _CLIENT_E_SUCCESS,

        CLIENT_E_FAILED,  /* the server says nothing: the connection is of no use any more */
        CLIENT_E_REFUSED, /* it says no; client_fail() tells what */
};

/* How a server's data come to its disk. */
typedef enum Keeping {
        KEEPS_NOTHING,
        KEEPS_SAVES, /* RDB: whole copies, now and then */
        KEEPS_LOG,   /* AOF: each change */
} Keeping;

typedef struct State {
        redisContext *context;   /* NULL: not connected */
        uint64_t own_until_usec; /* not 0: the time that counts instead of the step's, and no interruption */
        bool is_late;            /* the connection was given up, because the time was over */
        bool is_refused;         /* why is the server's word */
        char why[CLIENT_WHY_MAX]; /* the last failure */

        Keeping keeping;
        bool is_paused; /* or it was asked for */
        bool is_replica;
        Guard guard;
        char version[64], run_id[64], fsync[16], config_file[512], folder[4096];
        /* By which it is seen whether anything was written. */
        char changes[24], log_size[24];
} State;

static inline void redis_reply_freep(redisReply **reply) {
        freeReplyObject(*reply);
}

/* Logs in. -ECANCELED: it was reported why not. */
int client_connect(Server *server, Report *report);
void client_close(Server *server);

/* Words with blanks between. What was sent before is answered before. */
int client_send(Server *server, const char *command);
int client_receive(Server *server, redisReply **ret);
/* Both; *ret: the answer, no error; free it. NULL: not wanted. */
int client_ask(Server *server, const char *command, redisReply **ret);
/* The same, and it is reported if it failed. */
int client_must_ask(Server *server, Report *report, const char *command, redisReply **ret);
/* For a moment, or until the connection ends. */
void client_pass_time(Server *server, unsigned msec);

/* After a failure: reports it, as the command's it was. Returns -ECANCELED. */
int client_fail(Server *server, Report *report, const char *command);

/* INFO's value of that key; "" if there is none. */
const char *client_value(const redisReply *info, const char *key, char *text, size_t size);
bool client_is(const redisReply *info, const char *key, const char *value);
