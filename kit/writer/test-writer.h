/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The test writer: does at each event what its command line and its script say; quiesce-test-writer(1).
 *
 * main.c reads the command line and is a writer, act.c carries out rules, nonsense.c answers what the
 * library lets no writer answer, declare.c says what the writer has, record.c writes down what it was told,
 * recover.c writes into snapshots.
 */

#include "quiesce/writer.h"
#include "script/act.h"
#include "script/script.h"

typedef struct TestWriter {
        sd_event *event;
        QuiesceWriter *writer;
        const char *name; /* the writer's */
        char **words;     /* NAME=VALUE */
        Script *rules;
        const char *directory;       /* of the script */
        struct Doing *doings;        /* events whose rules are not through yet */
        struct Recovered *recovered; /* folders in snapshots that are still open */
} TestWriter;

/* The value of a setting, from `*at` on, which is moved behind it; NULL: there is no more. */
const char *setting_next(const TestWriter *test, size_t *at, const char *name);
const char *setting(const TestWriter *test, const char *name);

/* where: the event that the rules are about. Return: a callback's. */
int act(TestWriter *test, QuiesceWriterEvent *event, const char *where);
void acts_free(TestWriter *test);

/* Return: QUIESCE_WRITER_PENDING if it was answered, 0 if it is still to be; -ENOENT: no such answer. */
int answer_nonsense(QuiesceWriterEvent *event, const char *which);

int declare(TestWriter *test, QuiesceWriterEvent *event);
void set_notes(TestWriter *test, QuiesceWriterEvent *event);

void record_event(TestWriter *test, const QuiesceWriterEvent *event);
/* What the library says of each affected=PATH. */
void record_affected(TestWriter *test, QuiesceWriterEvent *event);
/* That, and how it went: a word, or an errno. */
void record_outcome(TestWriter *test, const QuiesceWriterEvent *event, const char *what, const char *path,
                    int r);
void record_refused(TestWriter *test, const QuiesceWriterEvent *event, const char *what);
/* What recover=PATH says, or has left to be done. */
void recover(TestWriter *test, QuiesceWriterEvent *event);
/* Its answer is sent in between, and its time is known to lie between the two. */
void answer_recorded(TestWriter *test, QuiesceWriterEvent *event, int r);
