/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The queue of provider dm's jobs, and its gate. Jobs run side by side, as each has devices of its own; none
 * starts while the gate is closed. All is decided by the pump, which the event loop calls after each change.
 */

#include <assert.h>

#include "daemon/providers/mapped-provider.h"
#include "util/error.h"
#include "util/log.h"
#include "util/utf8.h"

#define JOB_LIMIT_USEC (60 * USEC_PER_SEC)

struct MappedWork {
        Provider *provider; /* NULL: it outlived it */
        MappedWork *next;
        ChildFunction job;
        MappedArgument argument;
        Child *child; /* it runs */
        bool cancelled;
        MappedDone done; /* NULL: nobody waits */
        void *userdata;
};

static void work_unlink(MappedWork *work) {
        for (MappedWork **link = &work->provider->first; *link; link = &(*link)->next)
                if (*link == work) {
                        *link = work->next;
                        return;
                }
        assert_not_reached("a job is in its provider's queue");
}

static void work_answer(MappedWork *work, ContractError error, const char *text, const char *told) {
        if (work->done)
                work->done(error, text, told, work->userdata);
        else if (error != CONTRACT_OK && !work->cancelled)
                log_warning("%s", text);
}

static void on_job(Child *child, const ChildResult *result, void *userdata) {
        MappedWork *work = userdata;
        ContractError error = (ContractError) result->status;
        char text[CONTRACT_TEXT_MAX];

        if (!work->provider)
                return;
        (void) snprintf(text, sizeof(text), "%s", result->err);
        utf8_clean(text, sizeof(text));
        if (text[0] && text[strlen(text) - 1] == ' ')
                text[strlen(text) - 1] = '\0';
        if (result->error != 0 || result->status >= _CONTRACT_ERROR_MAX) {
                error = CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR;
                (void) snprintf(text, sizeof(text),
                                result->error == -ETIMEDOUT
                                        ? "The devices of a snapshot were not made or removed in time (does "
                                          "udev or a disk not answer?)."
                                        : "The process that makes and removes snapshots' devices died.");
        }
        work_unlink(work);
        work->provider->n_running--;
        mapped_pump(work->provider);
        work_answer(work, error, text, result->out);
        (void) child_free(child);
        free(work);
}

/* One step. Return: whether there may be another. */
static bool pump_once(Provider *provider) {
        for (MappedWork *work = provider->first; work; work = work->next) {
                int r = 0;

                if (work->child || (provider->gate_closed && !work->cancelled))
                        continue;
                if (!work->cancelled)
                        r = child_fork(&work->child, provider->event, work->job, &work->argument,
                                       JOB_LIMIT_USEC, on_job, work);
                if (!work->cancelled && r >= 0) {
                        provider->n_running++;
                        return true;
                }
                work_unlink(work);
                work_answer(work, r < 0 ? CONTRACT_ERROR_UNEXPECTED : CONTRACT_ERROR_ABORTED,
                            r < 0 ? "No process could be made." : "It was cancelled.", "");
                free(work);
                return true;
        }
        if (provider->gate_closed && provider->n_running == 0 && provider->idle)
                TAKE_PTR(provider->idle)(provider->idle_userdata);
        return false;
}

static int on_pump(sd_event_source *source, void *userdata) {
        Provider *provider = userdata;

        (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        if (pump_once(provider))
                mapped_pump(provider);
        return 0;
}

/**
 * mapped_pump() - see to it that what can start does
 * @provider:   in which something has changed
 */
void mapped_pump(Provider *provider) {
        int r = sd_event_source_set_enabled(provider->pump, SD_EVENT_ON);

        if (r < 0)
                log_error("The event loop is broken: %s", strerror(-r));
}

/**
 * mapped_work_new() - have a job done
 * @ret:        it, valid until its callback; or NULL
 * @provider:   whose
 * @job:        runs in a child
 * @argument:   for @job; copied, but not what it points to, which must live until the callback, or until
 *              mapped_work_forget()
 * @done:       called once, from the event loop
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno.
 */
int mapped_work_new(MappedWork **ret, Provider *provider, ChildFunction job, const MappedArgument *argument,
                    MappedDone done, void *userdata) {
        MappedWork *work = calloc(1, sizeof(*work)), **last = &provider->first;

        if (!work)
                return error_origin(-ENOMEM);
        *work = (MappedWork){
                .provider = provider, .job = job, .argument = *argument, .done = done, .userdata = userdata};
        while (*last)
                last = &(*last)->next;
        *last = work;
        if (ret)
                *ret = work;
        mapped_pump(provider);
        return 0;
}

/**
 * mapped_work_cancel() - end the wait for a job
 * @work:       it; if it has not started it never will, and calls back soon; one that runs is waited for
 */
void mapped_work_cancel(MappedWork *work) {
        work->cancelled = work->cancelled || !work->child;
        mapped_pump(work->provider);
}

/**
 * mapped_work_forget() - nobody waits any more
 * @work:       it or NULL; does not call back, and does not start if it has not
 */
void mapped_work_forget(MappedWork *work) {
        if (!work)
                return;
        work->done = NULL;
        mapped_work_cancel(work);
}

/**
 * provider_dm_close_gate() - no job may start any more
 * @provider:   whose
 * @idle:       called once from the event loop when none runs, unless the gate is opened before
 * @userdata:   for @idle
 *
 * Return: whether none runs; @idle is not called then.
 */
bool provider_dm_close_gate(Provider *provider, void (*idle)(void *userdata), void *userdata) {
        provider->gate_closed = true;
        provider->idle = provider->n_running > 0 ? idle : NULL;
        provider->idle_userdata = userdata;
        return provider->n_running == 0;
}

/**
 * provider_dm_open_gate() - jobs may run again
 * @provider:   whose
 */
void provider_dm_open_gate(Provider *provider) {
        provider->gate_closed = false;
        provider->idle = NULL;
        mapped_pump(provider);
}

/**
 * provider_dm_free() - end it; its volumes must be gone
 * @provider:   it or NULL
 *
 * What waits never runs. What runs goes on by itself, and nobody hears of its end: its memory is left to the
 * end of this process.
 *
 * Return: NULL.
 */
Provider *provider_dm_free(Provider *provider) {
        if (!provider)
                return NULL;
        while (provider->first) {
                MappedWork *work = provider->first;

                work_unlink(work);
                if (work->child)
                        work->provider = NULL;
                else
                        free(work);
        }
        (void) sd_event_source_disable_unref(provider->pump);
        (void) sd_event_unref(provider->event);
        free(provider->lock_path);
        free(provider);
        return NULL;
}

/**
 * provider_dm_configure() - what counts for all that begins from now on
 * @provider:   the provider
 * @config:     copied, but not what it points to
 */
void provider_dm_configure(Provider *provider, const ProviderDmConfig *config) {
        provider->config = *config;
}

/**
 * provider_dm_new() - the provider
 * @ret:        it
 * @event:      loop
 * @config:     copied, but not what it points to
 *
 * Return: 0, or a negative errno.
 */
int provider_dm_new(Provider **ret, sd_event *event, const ProviderDmConfig *config) {
        Provider *provider = calloc(1, sizeof(*provider));
        int r;

        if (!provider)
                return error_origin(-ENOMEM);
        provider->event = sd_event_ref(event);
        provider->config = *config;
        if (asprintf(&provider->lock_path, "%s/dm-lock", config->runtime_dir) < 0)
                provider->lock_path = NULL;
        r = provider->lock_path ? sd_event_add_defer(event, &provider->pump, on_pump, provider) : -ENOMEM;
        if (r >= 0)
                r = sd_event_source_set_enabled(provider->pump, SD_EVENT_OFF);
        if (r < 0) {
                (void) provider_dm_free(provider);
                return error_origin(r);
        }
        *ret = provider;
        return 0;
}
