/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The timeline of a snapshot set: what happened when, to which writer and which volume, against which limit.
 *
 * quiesced makes it of what it knows of a session, keeps it beside the set (daemon/records/) and answers it;
 * quiescectl shows and draws it. Here is its form in memory, on the bus and as JSON; all three say the same.
 * What only people look at is in it: nothing is ever decided by a timeline.
 */

#include <jansson.h>
#include <systemd/sd-bus.h>

#include "util/macro.h"

#define TIMELINE_VERSION     1
#define TIMELINE_WORD_MAX    32u
#define TIMELINE_SPANS_MAX   64u /* of a row */
#define TIMELINE_WRITERS_MAX 256u
#define TIMELINE_VOLUMES_MAX 64u
#define TIMELINE_SIZE_MAX    (1u << 20) /* of the JSON text */
#define TIMELINE_ERROR_SIZE  256u

/* Something that took some time. Times are µs. */
typedef struct TimelineSpan {
        char name[TIMELINE_WORD_MAX]; /* of an event, a step, a window */
        uint64_t begin_usec;          /* since the timeline's begin */
        uint64_t duration_usec;
        uint64_t limit_usec;             /* how long it might have taken; 0: no limit is known */
        char outcome[TIMELINE_WORD_MAX]; /* of events: "done", "failed" …; "" of others */
} TimelineSpan;

typedef struct TimelineSpans {
        TimelineSpan *items; /* in the order in which they began */
        size_t n_items;
} TimelineSpans;

/* Strings are never NULL once they are set; "" is what is not known, or not so. */
typedef struct TimelineWriter {
        char *name, *level, *unit, *state, *failure, *text;
        bool takes_part;
        TimelineSpans events;
} TimelineWriter;

typedef struct TimelineVolume {
        char *name, *snapshot, *provider; /* snapshot: its id */
        TimelineSpans times;              /* suspend, hold, commit, resume */
} TimelineVolume;

typedef struct Timeline {
        char *set, *session; /* UUIDs; set: "" if there is none */
        char *context, *backup_type, *consistency;
        char *outcome; /* of the session, when it has ended: "completed" …; "": it has not, or nobody saw it
                        */
        uint32_t uid;  /* whose session it is */
        uint64_t begin_usec;   /* CLOCK_REALTIME: the session was opened */
        TimelineSpans windows; /* freeze, dark, hold */
        TimelineSpans steps;   /* of the providers and the hold */
        TimelineWriter *writers;
        size_t n_writers;
        TimelineVolume *volumes;
        size_t n_volumes;
} Timeline;

/* Of zeroed memory an empty timeline is made by nothing; timeline_done() it in any case. */
void timeline_done(Timeline *timeline);
int timeline_set(char **field, const char *value);
int timeline_set_texts(Timeline *timeline);
int timeline_add_writer(Timeline *timeline, TimelineWriter **ret);
int timeline_add_volume(Timeline *timeline, TimelineVolume **ret);
int timeline_add_span(TimelineSpans *spans, const TimelineSpan *span);
uint64_t timeline_span_end(const TimelineSpan *span);

/* timeline-bus.c: one a{sv} */
int timeline_append(sd_bus_message *m, const Timeline *timeline);
int timeline_read(sd_bus_message *m, Timeline *timeline);

/* timeline-json.c; -EBADMSG, -EPROTONOSUPPORT: @error says what is wrong with it */
json_t *timeline_to_json(const Timeline *timeline);
int timeline_from_json(Timeline *timeline, const char *text, size_t n_text,
                       char error[static TIMELINE_ERROR_SIZE]);
