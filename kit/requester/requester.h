/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The test requester: makes the calls of a session as a script says, in any order, and tells what came of
 * it; quiesce-test-requester(1).
 *
 * main.c reads the command line, run.c takes one step after the other, calls.c makes a message of a step,
 * show.c makes text of a message.
 */

#include "quiesce/requester.h"
#include "script/act.h"
#include "script/script.h"

/* A call that was made. */
typedef struct Made {
        struct Made *next;
        struct Requester *requester;
        sd_bus_slot *slot;
        sd_bus_message *reply; /* NULL: not answered yet */
        char *name;
} Made;

typedef struct Requester {
        sd_event *event;
        sd_bus *bus;
        QuiesceBackup *backup;
        QuiesceRestore *restore;
        Script *steps, *rules;
        const char *directory; /* of the script: what "wait FILE" is relative to */
        bool keep_going, failed;
        Made *made;    /* not waited for yet */
        char *ids[3];  /* what $session, $set and $snapshot stand for */
        char *signals; /* all that were shown */
        size_t n_signals;
} Requester;

enum { ID_SESSION, ID_SET, ID_SNAPSHOT };

/* words: the call and its arguments. why: says what is wrong with -EINVAL. */
int call_build(Requester *requester, char *const *words, sd_bus_message **ret,
               char why[static SCRIPT_ERROR_MAX]);
bool call_is_known(const char *name);

/* Return: 0: all expectations held; 1: one did not; 2: the script is wrong, or the bus is gone. */
int run(Requester *requester);
void requester_clear(Requester *requester);

char *message_to_text(sd_bus_message *m); /* free() it; NULL: no memory, or it is malformed */
int watch_signals(Requester *requester);
