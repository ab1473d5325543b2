/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The contract's deadlines as timers on CLOCK_BOOTTIME, which goes on while the machine sleeps.
 */

#include <time.h>

#include "daemon/manager.h"

#include "util/error.h"

struct Deadline {
        Deadline *next;
        Manager *manager;
        uint64_t id, session;
        sd_event_source *source;
};

/* A timer may be late by this much; the shortest limit there is is a few hundred times that. */
#define DEADLINE_ACCURACY_USEC (5 * USEC_PER_MSEC)

static Deadline *deadline_free(Deadline *deadline) {
        if (!deadline)
                return NULL;
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

static int deadline_passed(sd_event_source *source, uint64_t usec, void *userdata) {
        Deadline *deadline = userdata;
        Manager *manager = deadline->manager;
        ContractInput input = {
                .type = CONTRACT_INPUT_DEADLINE,
                .session = deadline->session,
                .deadline = deadline->id,
        };

        deadline_remove(manager, deadline->id);
        manager_feed(manager, &input);
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
