/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The writers' room with real processes and a private socket, and what it told.
 *
 * Every test gets a directory of its own with writers.d, the socket and the writers' log. Nothing sleeps:
 * wait_…() runs the loop until the thing has happened, and fails the test after 20 s.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <systemd/sd-event.h>

#include "daemon/writers/writers.h"

#define TOLD_MAX 64u

typedef struct Told {
        uint64_t session;
        uint32_t writer;
        ContractEvent event; /* NONE: it is gone */
        ContractFailure failure;
        char text[CONTRACT_TEXT_MAX];
        char paths[256]; /* joined with ':' */
        char frozen[64]; /* joined with ',' */
} Told;

typedef struct Launched {
        uint64_t session;
        size_t n;
        struct {
                char name[CONTRACT_NAME_MAX];
                ContractLevel level;
                bool available;
                char text[CONTRACT_TEXT_MAX];
                uint64_t window;
        } writers[8];
} Launched;

typedef struct Room {
        char directory[64];
        char writers_d[128], socket[128], log[128], program[128];
        sd_event *event;
        Writers *writers;
        uint64_t launch_limit_usec;
        Told told[TOLD_MAX];
        size_t n_told;
        Launched launched[TOLD_MAX];
        size_t n_launched;
} Room;

int room_setup(void **state);
int room_teardown(void **state);
void room_open(Room *room);
/* A descriptor; arguments: of quiesce-test-writer, "log=" is added. */
void room_add_writer(Room *room, const char *name, const char *arguments);
void room_add_descriptor(Room *room, const char *name, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
const Launched *room_launch(Room *room, uint64_t session);
void room_send(Room *room, uint64_t session, uint32_t writer, ContractEvent event);
void room_send_by_name(Room *room, uint64_t session, uint32_t writer, ContractEvent event);
const Told *room_wait_told(Room *room, size_t n);
/* Sends and waits for what is told next. */
const Told *room_ask(Room *room, uint64_t session, uint32_t writer, ContractEvent event);
void room_wait_idle(Room *room);
/* The log's text, until the next call; waits until it holds `text` n times. */
const char *room_wait_log(Room *room, const char *text, unsigned n);
unsigned room_count_log(Room *room, const char *text);
pid_t room_pid_of(Room *room, const char *name);
