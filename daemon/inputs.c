/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Feeding the contract: one input at a time, its effects carried out in full before the next.
 */

#include <time.h>

#include "daemon/manager.h"

#include "util/error.h"
#include "util/log.h"

/* An input that an effect caused at once. Such inputs carry no string but `text`. */
struct QueuedInput {
        QueuedInput *next;
        ContractInput input;
        char text[CONTRACT_TEXT_MAX];
};

/**
 * now_usec() - what time it is
 * @clock:      CLOCK_BOOTTIME for deadlines and durations, CLOCK_REALTIME for people
 *
 * Return: in µs.
 */
uint64_t now_usec(clockid_t clock) {
        struct timespec ts;

        (void) clock_gettime(clock, &ts);
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / NSEC_PER_USEC;
}

static void feed(Manager *manager, ContractInput *input) {
        const ContractEffects *effects;
        int r;

        input->now_usec = now_usec(CLOCK_BOOTTIME);
        r = contract_input(manager->contract, input, &effects);
        if (r < 0) {
                /* OPEN is answered by whoever fed it: the session is not there then. */
                if (input->type != CONTRACT_INPUT_OPEN)
                        manager_fail(manager, r, "an input of the contract was refused");
                return;
        }
        effects_carry_out(manager, effects);
}

static void enqueue(Manager *manager, const ContractInput *input) {
        QueuedInput *item = calloc(1, sizeof(*item));

        if (!item) {
                manager_fail(manager, -ENOMEM, "an input could not be kept");
                return;
        }
        item->input = *input;
        if (input->text) {
                (void) snprintf(item->text, sizeof(item->text), "%s", input->text);
                item->input.text = item->text;
        }
        *manager->queue_end = item;
        manager->queue_end = &item->next;
}

/**
 * manager_feed() - feed an input to the contract, now or after those before it
 * @manager:    the manager
 * @input:      what happened; its time is filled in here. Its strings need live only during this call; one
 *              that is fed while effects are carried out may have no string but `text`.
 */
void manager_feed(Manager *manager, ContractInput *input) {
        if (manager->feeding) {
                enqueue(manager, input);
                return;
        }
        manager->feeding = true;
        feed(manager, input);
        while (manager->queue) {
                QueuedInput *item = manager->queue;

                manager->queue = item->next;
                if (!manager->queue)
                        manager->queue_end = &manager->queue;
                feed(manager, &item->input);
                free(item);
        }
        manager->feeding = false;
}
