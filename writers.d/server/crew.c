/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* See crew.h. */

#include "writers.d/server/crew.h"

#include <assert.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "util/error.h"

/* Between the end that a step is told and its interruption: for the server's own word of what was late. */
#define GRACE_USEC USEC_PER_SEC
#define LIMIT_MAX  (3600 * USEC_PER_SEC)

static void finish(Crew *crew) {
        CrewDone done = crew->done;

        crew->done = NULL;
        crew->timer = sd_event_source_disable_unref(crew->timer);
        if (done)
                done(crew, crew->userdata); /* which may free the crew */
}

static int on_wakeup(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        Crew *crew = userdata;
        uint64_t count;

        (void) !read(fd, &count, sizeof(count));
        for (size_t i = 0; i < crew->n_servers; i++)
                if (!crew->servers[i]->lost && server_is_busy(crew->servers[i]))
                        return 0;
        finish(crew);
        return 0;
}

static int on_late(sd_event_source *source, uint64_t usec, void *userdata) {
        Crew *crew = userdata;

        for (size_t i = 0; i < crew->n_servers; i++) {
                Server *server = crew->servers[i];

                if (server->lost || !server_is_busy(server))
                        continue;
                server->lost = true;
                server_interrupt(server);
        }
        finish(crew);
        return 0;
}

/**
 * crew_new() - nobody yet
 * @ret:        crew_free() it
 * @event:      loop
 * @engine:     the kind of all servers
 *
 * Return: 0, or a negative errno.
 */
int crew_new(Crew **ret, sd_event *event, const Engine *engine) {
        _cleanup_(crew_freep) Crew *crew = calloc(1, sizeof(*crew));
        int r;

        if (!crew)
                return error_origin(-ENOMEM);
        crew->event = sd_event_ref(event);
        crew->engine = engine;
        crew->wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (crew->wakeup < 0)
                return error_origin(-errno);
        r = sd_event_add_io(event, &crew->wakeup_source, crew->wakeup, EPOLLIN, on_wakeup, crew);
        if (r < 0)
                return error_trace(r);
        *ret = TAKE_PTR(crew);
        return 0;
}

/**
 * crew_free() - all let go, close and end, in their own time
 * @crew:       it or NULL
 *
 * Return: NULL.
 */
Crew *crew_free(Crew *crew) {
        if (!crew)
                return NULL;
        for (size_t i = 0; i < crew->n_servers; i++)
                (void) server_release(crew->servers[i]);
        free(crew->servers);
        sd_event_source_disable_unref(crew->timer);
        sd_event_source_disable_unref(crew->wakeup_source);
        (void) fd_close(crew->wakeup);
        sd_event_unref(crew->event);
        free(crew);
        return NULL;
}

/**
 * crew_add() - one more
 * @crew:       the crew
 * @instance:   copied
 *
 * Return: 0; -EAGAIN: there are too many threads already; -ENOMEM.
 */
int crew_add(Crew *crew, const Instance *instance) {
        Server **grown;
        int r;

        grown = reallocarray(crew->servers, crew->n_servers + 1, sizeof(*grown));
        if (!grown)
                return error_origin(-ENOMEM);
        crew->servers = grown;
        r = server_new(&grown[crew->n_servers], crew->engine, instance, crew->wakeup);
        if (r < 0)
                return error_trace(r);
        crew->n_servers++;
        return 0;
}

/**
 * crew_drop() - one has no part in it
 * @crew:       the crew
 * @index:      of the server
 */
void crew_drop(Crew *crew, size_t index) {
        assert(index < crew->n_servers);
        (void) server_release(crew->servers[index]);
        crew->n_servers--;
        (void) memmove(crew->servers + index, crew->servers + index + 1,
                       (crew->n_servers - index) * sizeof(*crew->servers));
}

static uint64_t min_usec(uint64_t a, uint64_t b) {
        return a < b ? a : b;
}

/* Hands the step to all, and sets the clock by the one who may take longest. */
static int begin(Crew *crew, ServerStep step, uint64_t wish_usec, uint64_t limit_usec) {
        uint64_t now = now_usec(), latest = now, one = 1;
        int r;

        limit_usec = min_usec(limit_usec, LIMIT_MAX);
        for (size_t i = 0; i < crew->n_servers; i++) {
                Server *server = crew->servers[i];
                uint64_t wish = step == SERVER_STEP_FREEZE ? server->instance->limit_usec : wish_usec;
                uint64_t limit = min_usec(min_usec(wish, LIMIT_MAX) + GRACE_USEC, limit_usec);
                uint64_t grace = min_usec(GRACE_USEC, limit / 4);

                if (server->lost)
                        continue;
                server_begin(server, step, now + limit - grace);
                latest = now + limit > latest ? now + limit : latest;
        }
        r = sd_event_add_time(crew->event, &crew->timer, CLOCK_BOOTTIME, latest, 1, on_late, crew);
        if (r < 0)
                return error_trace(r);
        /* If there is nobody who will. */
        (void) !write(crew->wakeup, &one, sizeof(one));
        return 0;
}

/**
 * crew_begin() - have all do a step
 * @crew:       the crew, of which nobody is busy
 * @step:       the step
 * @wish_usec:  how long it should take at most; in Freeze it is the instance's LockSec=
 * @limit_usec: how long it may take
 * @done:       called from the event loop; may free the crew
 * @userdata:   for it
 *
 * Return: 0: `done` will be called; or a negative errno.
 */
int crew_begin(Crew *crew, ServerStep step, uint64_t wish_usec, uint64_t limit_usec, CrewDone done,
               void *userdata) {
        assert(!crew->done);
        crew->done = done;
        crew->userdata = userdata;
        return error_trace(begin(crew, step, wish_usec, limit_usec));
}

/**
 * crew_end() - have all let go and close
 * @crew:       the crew; who is busy is interrupted
 * @limit_usec: how long it may take
 * @done:       called from the event loop; may free the crew
 * @userdata:   for it
 *
 * Return: 0: `done` will be called; or a negative errno.
 */
int crew_end(Crew *crew, uint64_t limit_usec, CrewDone done, void *userdata) {
        crew->timer = sd_event_source_disable_unref(crew->timer);
        crew->done = done;
        crew->userdata = userdata;
        return error_trace(begin(crew, SERVER_STEP_END, limit_usec, limit_usec));
}
