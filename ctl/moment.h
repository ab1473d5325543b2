/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The requester's end of a moment: everything is frozen, and somebody here takes a snapshot elsewhere.
 * quiesced-external(7) has what passes over the socket.
 *
 * While it is frozen nothing may be written to what may be frozen: standard output and error go into memory
 * (Outputs), and come out when it is over.
 */

#include <systemd/sd-event.h>

#include "util/macro.h"

typedef struct Moment {
        int fd, peer_fd; /* peer_fd: for DoSnapshotSet */
        sd_event_source *io, *timer;
        bool frozen;        /* it has begun */
        bool said;          /* we have said how it went */
        bool lost;          /* it was over before that */
        uint64_t left_usec; /* when it began */
        void (*on_frozen)(void *userdata);
        void (*on_lost)(void *userdata); /* at most once, and only after on_frozen */
        void *userdata;
} Moment;

int moment_init(Moment *moment, sd_event *event);
void moment_done(Moment *moment);
void moment_say(Moment *moment, bool done, const char *text);

typedef struct Outputs {
        bool held;
        int saved[2];  /* standard output and error as they were */
        int memory[2]; /* where they go meanwhile */
} Outputs;

int outputs_hold(Outputs *outputs);
void outputs_release(Outputs *outputs);
int outputs_give(const Outputs *outputs, bool keep);
char *outputs_read(const Outputs *outputs, int fd);
