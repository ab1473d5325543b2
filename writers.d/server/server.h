/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One instance in one backup, or in one Identify: its thread and its connection.
 *
 * The main thread begins a step and is told by a descriptor when it is done. What a step tells (`result`,
 * `report`, `facts`, `notes`) is the main thread's whenever the server is not busy. A server that was
 * interrupted is of no use any more, but for SERVER_STEP_END.
 */

#include <pthread.h>

#include "writers.d/server/report.h"

#define SERVER_NOTES_MAX 16384u

typedef enum ServerStep {
        SERVER_STEP_NONE,
        SERVER_STEP_OPEN, /* and look */
        SERVER_STEP_PREPARE,
        SERVER_STEP_FREEZE,
        SERVER_STEP_THAW,
        SERVER_STEP_NOTE,
        SERVER_STEP_END, /* let go of what is held, and close */
} ServerStep;

struct Server {
        const Engine *engine;
        Instance *instance;
        void *state;
        pthread_mutex_t mutex;
        pthread_cond_t cond;
        /* under the mutex */
        unsigned n_references; /* the thread's and the main thread's */
        int wakeup;            /* an eventfd of the main thread's; -1: nobody wants to know */
        ServerStep queued;
        bool busy, quit, interrupted;
        int fd; /* of the connection, to interrupt it; -1: none */
        uint64_t deadline_usec;
        /* the thread's while it is busy, else the main thread's */
        bool is_open;
        bool owes; /* prepare or freeze was begun, and no thaw after it */
        bool chosen;
        int result;
        Report report;
        Facts facts;
        char *notes;
        size_t n_notes;
        int snapshot_fd;    /* a folder that note() writes into; -EBADF: none */
        int snapshot_error; /* why there is none; 0: none was asked for */
        /* the main thread's */
        bool lost; /* it was late and has been interrupted */
        uint64_t interrupt_usec;
};

/* -EAGAIN: too many threads, which hang. */
int server_new(Server **ret, const Engine *engine, const Instance *instance, int wakeup);
void server_begin(Server *server, ServerStep step, uint64_t deadline_usec);
bool server_is_busy(Server *server);
void server_interrupt(Server *server);
/* Ends it in its own time: lets go, closes, frees; interrupts it if it is busy. */
Server *server_release(Server *server);

uint64_t now_usec(void); /* CLOCK_BOOTTIME */
