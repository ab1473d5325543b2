/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Servers that carry out the same step at the same time, for one event.
 *
 * A step ends for the event loop when all have done it, or when the time is over: who is late then is
 * interrupted and lost, the event is answered without him.
 */

#include <systemd/sd-event.h>

#include "writers.d/server/server.h"

typedef struct Crew Crew;
typedef void (*CrewDone)(Crew *crew, void *userdata);

struct Crew {
        sd_event *event;
        const Engine *engine;
        Server **servers;
        size_t n_servers;
        int wakeup;
        sd_event_source *wakeup_source, *timer;
        CrewDone done; /* NULL: no step is being carried out */
        void *userdata;
};

int crew_new(Crew **ret, sd_event *event, const Engine *engine);
Crew *crew_free(Crew *crew);
DEFINE_CLEANUP(Crew *, crew_free)
int crew_add(Crew *crew, const Instance *instance);
void crew_drop(Crew *crew, size_t index); /* the others keep their order */
/* wish_usec: what the step should take; limit_usec: what it may, no more than half of the event's. */
int crew_begin(Crew *crew, ServerStep step, uint64_t wish_usec, uint64_t limit_usec, CrewDone done,
               void *userdata);
/* Whatever is being done: everybody lets go and closes. `done` of what was being done is not called. */
int crew_end(Crew *crew, uint64_t limit_usec, CrewDone done, void *userdata);
