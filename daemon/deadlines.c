/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The contract's deadlines as timers on CLOCK_BOOTTIME, which goes on while the machine sleeps.
 *
 * Promise: an answer that lies in a socket when its deadline passes counts, however late quiesced comes to
 * look. So a timer that has fired lets everything that is there already go first: its deadline has passed
 * when there is nothing else to do, or, should something never end, DEADLINE_GRACE_USEC later. In the dark
 * nobody reads the system bus: a deadline of an answer that may lie there waits until that is over.
 */

#include <time.h>

#include "daemon/manager.h"

#include "util/error.h"

struct Deadline {
        Deadline *next;
        Manager *manager;
        uint64_t id, session;
        bool after_dark, waits;  /* for the light */
        sd_event_source *source; /* of the deadline, then of the grace */
        sd_event_source *idle;   /* once the time has come */
};

/* A timer may be late by this much; the shortest limit there is is a few hundred times that. */
#define DEADLINE_ACCURACY_USEC (5 * USEC_PER_MSEC)

#define DEADLINE_GRACE_USEC (200 * USEC_PER_MSEC)

static Deadline *deadline_free(Deadline *deadline) {
        if (!deadline)
                return NULL;
        sd_event_source_disable_unref(deadline->idle);
        sd_event_source_disable_unref(deadline->source);
        free(deadline);
        return NULL;
}

static Deadline **deadline_find(Manager *manager, uint64_t id) {
        Deadline **place = &manager->deadlines;

        while (*place && (*place)->id != id)
                place = &(*place)->next;
        return place;
}

static void deadline_remove(Manager *manager, uint64_t id) {
        Deadline **place = deadline_find(manager, id), *deadline = *place;

        if (!deadline)
                return;
        *place = deadline->next;
        (void) deadline_free(deadline);
}

/* Return: whether it waits for the light. */
static bool deadline_put_off(Deadline *deadline) {
        if (!deadline->after_dark || !deadline->manager->dark)
                return false;
        deadline->waits = true;
        deadline->idle = sd_event_source_disable_unref(deadline->idle);
        (void) sd_event_source_set_enabled(deadline->source, SD_EVENT_OFF);
        return true;
}

static void deadline_feed(Deadline *deadline) {
        Manager *manager = deadline->manager;
        ContractInput input = {
                .type = CONTRACT_INPUT_DEADLINE,
                .session = deadline->session,
                .deadline = deadline->id,
        };

        if (deadline_put_off(deadline))
                return;
        deadline_remove(manager, deadline->id);
        manager_feed(manager, &input);
}

static int on_idle(sd_event_source *source, void *userdata) {
        deadline_feed(userdata);
        return 0;
}

static int deadline_passed(sd_event_source *source, uint64_t usec, void *userdata) {
        Deadline *deadline = userdata;

        if (deadline_put_off(deadline))
                return 0;
        if (deadline->idle ||
            sd_event_add_defer(deadline->manager->event, &deadline->idle, on_idle, deadline) < 0 ||
            sd_event_source_set_priority(deadline->idle, SD_EVENT_PRIORITY_IDLE) < 0 ||
            sd_event_source_set_time_relative(source, DEADLINE_GRACE_USEC) < 0 ||
            sd_event_source_set_enabled(source, SD_EVENT_ONESHOT) < 0)
                deadline_feed(deadline);
        return 0;
}

/**
 * deadline_arm_effect() - carry out ARM
 * @manager:    the manager
 * @effect:     which deadline, and when; one that is armed already moves
 */
void deadline_arm_effect(Manager *manager, const ContractEffect *effect) {
        Deadline *deadline;
        int r;

        deadline_remove(manager, effect->deadline);
        if (effect->at_usec == USEC_INFINITY)
                return;
        deadline = calloc(1, sizeof(*deadline));
        if (!deadline) {
                manager_fail(manager, -ENOMEM, "a deadline could not be armed");
                return;
        }
        *deadline = (Deadline){
                .manager = manager,
                .id = effect->deadline,
                .session = effect->session,
                .after_dark = effect->after_dark,
        };
        r = sd_event_add_time(manager->event, &deadline->source, CLOCK_BOOTTIME, effect->at_usec,
                              DEADLINE_ACCURACY_USEC, deadline_passed, deadline);
        if (r < 0) {
                (void) deadline_free(deadline);
                manager_fail(manager, r, "a deadline could not be armed");
                return;
        }
        deadline->next = manager->deadlines;
        manager->deadlines = deadline;
}

/**
 * deadline_disarm_effect() - carry out DISARM
 * @manager:    the manager
 * @effect:     which deadline
 */
void deadline_disarm_effect(Manager *manager, const ContractEffect *effect) {
        deadline_remove(manager, effect->deadline);
}

/**
 * deadlines_after_dark() - the system bus is read again: what has passed meanwhile passes now
 * @manager:    the manager
 */
void deadlines_after_dark(Manager *manager) {
        for (Deadline *deadline = manager->deadlines; deadline; deadline = deadline->next) {
                if (!deadline->waits)
                        continue;
                deadline->waits = false;
                if (sd_event_source_set_time_relative(deadline->source, 0) < 0 ||
                    sd_event_source_set_enabled(deadline->source, SD_EVENT_ONESHOT) < 0)
                        manager_fail(manager, -EIO, "a deadline could not be armed");
        }
}

/**
 * deadlines_free() - forget all deadlines
 * @deadlines:  the first, or NULL
 *
 * Return: NULL.
 */
Deadline *deadlines_free(Deadline *deadlines) {
        while (deadlines) {
                Deadline *next = deadlines->next;

                (void) deadline_free(deadlines);
                deadlines = next;
        }
        return NULL;
}
