/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The queue of what is to be done with records of sets; see set-store.h. What a child does is in
 * set-store-child.c.
 */

#include "daemon/records/set-store.h"

#include <sys/stat.h>
#include <time.h>

#include "daemon/child/child.h"
#include "daemon/documents/document.h"
#include "daemon/records/set-store-child.h"
#include "timeline/timeline.h"
#include "util/error.h"
#include "util/log.h"

#define KILLED_USEC (1 * USEC_PER_SEC) /* what a child that was killed may take to be gone */

typedef struct Operation Operation;
struct Operation {
        Operation *next;
        SetStoreRequest request;
        SetStoreRead done;
        void *userdata;
        /* how it ended, once it has */
        int result;
        char *text;
        size_t n_text;
};

/* What a kind of store keeps. */
typedef struct Keeping {
        const char *folder, *noun;
        size_t size_max;
} Keeping;

static const Keeping keepings[] = {
        [SET_STORE_RECORDS] = {"sets", "record", TIMELINE_SIZE_MAX},
        [SET_STORE_DOCUMENTS] = {"documents", "document", DOCUMENT_SIZE_MAX},
};

struct SetStore {
        sd_event *event;
        const Keeping *keeping;
        char *folder;
        Operation *first, **end; /* the first runs, or has ended, or waits */
        uint64_t limit_usec;     /* of one of them */
        Child *child;
        bool ended; /* the first has, and nobody has been told yet */
        bool stuck; /* the child has not ended within its limit: it is that of none that waits */
        bool paused;
        sd_event_source *next_source, *stuck_source;
        void (*idle)(void *userdata);
        void *idle_userdata;
};

static void operation_free(Operation *operation) {
        free(operation->request.text);
        free(operation->request.keep);
        free(operation->text);
        free(operation);
}

static const char *const doings[] = {
        [SET_STORE_WRITE] = "written",
        [SET_STORE_REMOVE] = "removed",
        [SET_STORE_READ] = "read",
        [SET_STORE_KEEP] = "looked through",
};

static void operation_tell(const SetStore *store, const Operation *operation) {
        const SetStoreRequest *request = &operation->request;

        if (operation->done)
                operation->done(operation->result, operation->text, operation->n_text, operation->userdata);
        else if (operation->result < 0 && request->what == SET_STORE_KEEP)
                log_warning("the %ss of snapshot sets that are gone could not be removed, ignoring: %s",
                            store->keeping->noun, strerror(-operation->result));
        else if (operation->result < 0)
                log_warning("the %s of snapshot set %s could not be %s, ignoring: %s", store->keeping->noun,
                            request->id, doings[request->what], strerror(-operation->result));
}

static void store_next(SetStore *store) {
        if (store->paused || (store->child && !store->stuck))
                return;
        (void) sd_event_source_set_enabled(store->next_source, SD_EVENT_ONESHOT);
}

static void operation_enqueue(SetStore *store, Operation *operation) {
        *store->end = operation;
        store->end = &operation->next;
        store_next(store);
}

static Operation *store_shift(SetStore *store) {
        Operation *operation = store->first;

        store->first = operation->next;
        if (!store->first)
                store->end = &store->first;
        operation->next = NULL;
        return operation;
}

/* The first has ended. A callback may ask for more, but it does not free the store. */
static void store_finish(SetStore *store) {
        Operation *operation = store_shift(store);

        store->ended = false;
        operation_tell(store, operation);
        operation_free(operation);
}

/* A disk that has not answered one does not answer the others that wait for it now. */
static void store_give_up(SetStore *store) {
        for (Operation *o = store->first; o; o = o->next)
                o->result = -ETIMEDOUT;
        while (store->first && store->first->result == -ETIMEDOUT)
                store_finish(store);
}

/* What the child read, as it was: a memory file, which never has to be waited for. */
static int take_text(Operation *operation, const ChildResult *result) {
        struct stat st;
        ssize_t n;

        if (result->n_fds < 1 || result->fds[0] < 0 || fstat(result->fds[0], &st) < 0)
                return error_origin(-EIO);
        if (st.st_size > (off_t) operation->request.size_max)
                return error_origin(-EFBIG);
        operation->text = malloc((size_t) st.st_size + 1);
        if (!operation->text)
                return error_origin(-ENOMEM);
        n = pread(result->fds[0], operation->text, (size_t) st.st_size, 0);
        if (n != st.st_size)
                return error_origin(-EIO);
        operation->text[n] = '\0';
        operation->n_text = (size_t) n;
        return 0;
}

/* ChildDone */
static void store_child_done(Child *child, const ChildResult *result, void *userdata) {
        SetStore *store = userdata;
        Operation *operation = store->first;

        (void) sd_event_source_set_enabled(store->stuck_source, SD_EVENT_OFF);
        if (store->stuck) { /* whose it was has been told */
                store->stuck = false;
                store->child = child_free(child);
                store_next(store);
                return;
        }
        operation->result = result->error < 0       ? result->error
                            : result->status >= 128 ? -EIO
                                                    : -result->status;
        if (operation->result == 0 && operation->request.what == SET_STORE_READ)
                operation->result = take_text(operation, result);
        store->child = child_free(child);
        store->ended = true;
        store_next(store);
}

/* It was killed at its limit, and is still there: in a call into the kernel that nothing ends. */
static int store_is_stuck(sd_event_source *source, uint64_t usec, void *userdata) {
        SetStore *store = userdata;

        store->stuck = true;
        store_next(store);
        return 0;
}

static void store_start(SetStore *store) {
        int r;

        r = child_fork(&store->child, store->event, set_store_child, &store->first->request,
                       store->limit_usec, store_child_done, store);
        if (r >= 0)
                r = sd_event_source_set_time_relative(store->stuck_source, store->limit_usec + KILLED_USEC);
        if (r >= 0)
                r = sd_event_source_set_enabled(store->stuck_source, SD_EVENT_ONESHOT);
        if (r >= 0)
                return;
        store->child = child_free(store->child);
        store->first->result = r;
        store->ended = true;
        store_next(store);
}

static void store_check_idle(SetStore *store) {
        void (*idle)(void *) = store->idle;

        if (store->first || !idle)
                return;
        store->idle = NULL;
        idle(store->idle_userdata);
}

static int store_run(sd_event_source *source, void *userdata) {
        SetStore *store = userdata;

        if (store->paused || (store->child && !store->stuck))
                return 0;
        if (store->stuck || (store->ended && store->first->result == -ETIMEDOUT))
                store_give_up(store);
        else if (store->ended)
                store_finish(store);
        if (store->first && !store->stuck)
                store_start(store);
        else if (store->first) /* asked for by who was told just now */
                store_next(store);
        store_check_idle(store);
        return 0;
}

/**
 * set_store_new() - the store
 * @ret:        the store
 * @event:      the event loop
 * @state_dir:  /var/lib/quiesced; made when there is something to write
 * @kind:       what it keeps
 * @limit_usec: how long one thing may take: SET_STORE_LIMIT_USEC
 *
 * Return: 0, or a negative errno.
 */
int set_store_new(SetStore **ret, sd_event *event, const char *state_dir, SetStoreKind kind,
                  uint64_t limit_usec) {
        _cleanup_(set_store_freep) SetStore *store = calloc(1, sizeof(*store));
        int r;

        if (!store)
                return error_origin(-ENOMEM);
        store->event = event;
        store->limit_usec = limit_usec;
        store->keeping = &keepings[kind];
        store->end = &store->first;
        if (asprintf(&store->folder, "%s/%s", state_dir, store->keeping->folder) < 0) {
                store->folder = NULL;
                return error_origin(-ENOMEM);
        }
        r = sd_event_add_defer(event, &store->next_source, store_run, store);
        if (r >= 0)
                r = sd_event_source_set_enabled(store->next_source, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &store->stuck_source, CLOCK_BOOTTIME, limit_usec, 0,
                                               store_is_stuck, store);
        if (r >= 0)
                r = sd_event_source_set_enabled(store->stuck_source, SD_EVENT_OFF);
        if (r < 0)
                return error_origin(r);
        *ret = TAKE_PTR(store);
        return 0;
}

/**
 * set_store_free() - forget what waits
 * @store:      it or NULL; who waits to read is told -ECANCELED
 *
 * Return: NULL.
 */
SetStore *set_store_free(SetStore *store) {
        if (!store)
                return NULL;
        store->child = child_free(store->child);
        while (store->first) {
                Operation *operation = store_shift(store);

                if (operation->done)
                        operation->done(-ECANCELED, NULL, 0, operation->userdata);
                operation_free(operation);
        }
        sd_event_source_disable_unref(store->next_source);
        sd_event_source_disable_unref(store->stuck_source);
        free(store->folder);
        free(store);
        return NULL;
}

static Operation *operation_new(const SetStore *store, SetStoreWhat what, const char *set_id) {
        Operation *operation = calloc(1, sizeof(*operation));

        if (!operation)
                return NULL;
        operation->request.what = what;
        operation->request.folder = store->folder;
        operation->request.size_max = store->keeping->size_max;
        (void) snprintf(operation->request.id, sizeof(operation->request.id), "%s", set_id);
        return operation;
}

/* Of one that waits and does the same for the same set, the later takes the place. */
static Operation *find_waiting_write(SetStore *store, const char *set_id) {
        for (Operation *o = store->first; o; o = o->next)
                if (o->request.what == SET_STORE_WRITE && streq(o->request.id, set_id) &&
                    !(o == store->first && ((store->child && !store->stuck) || store->ended)))
                        return o;
        return NULL;
}

/**
 * set_store_write() - write a set's record, or write it anew
 * @store:      the store
 * @set_id:     UUID text
 * @text:       its JSON, taken over
 */
void set_store_write(SetStore *store, const char *set_id, char *text) {
        Operation *operation = find_waiting_write(store, set_id);
        bool waits = operation;

        if (!waits)
                operation = operation_new(store, SET_STORE_WRITE, set_id);
        if (!operation) {
                log_warning("the record of snapshot set %s could not be written, ignoring: %s", set_id,
                            strerror(ENOMEM));
                free(text);
                return;
        }
        free(operation->request.text);
        operation->request.text = text;
        if (!waits)
                operation_enqueue(store, operation);
}

/**
 * set_store_remove() - a set is gone: its record, too
 * @store:      the store
 * @set_id:     UUID text; it may have none
 */
void set_store_remove(SetStore *store, const char *set_id) {
        Operation *operation = operation_new(store, SET_STORE_REMOVE, set_id);

        if (operation)
                operation_enqueue(store, operation);
        /* Else the next start removes it. */
}

/**
 * set_store_keep() - remove the records of sets that have been missing for long
 * @store:      the store
 * @set_ids:    of those that there are; copied
 * @n_sets:     how many
 */
void set_store_keep(SetStore *store, const char (*set_ids)[CONTRACT_ID_MAX], size_t n_sets) {
        Operation *operation = operation_new(store, SET_STORE_KEEP, "");

        if (!operation)
                return;
        operation->request.keep = calloc(n_sets + 1, sizeof(*set_ids));
        if (!operation->request.keep) {
                operation_free(operation);
                return;
        }
        if (n_sets > 0)
                memcpy(operation->request.keep, set_ids, n_sets * sizeof(*set_ids));
        operation->request.n_keep = n_sets;
        operation_enqueue(store, operation);
}

/**
 * set_store_read() - read a set's record
 * @store:      the store
 * @set_id:     UUID text
 * @done:       called with it
 * @userdata:   for @done
 *
 * What was asked for before is done before.
 *
 * Return: 0, or -ENOMEM.
 */
int set_store_read(SetStore *store, const char *set_id, SetStoreRead done, void *userdata) {
        Operation *operation = operation_new(store, SET_STORE_READ, set_id);

        if (!operation)
                return error_origin(-ENOMEM);
        operation->done = done;
        operation->userdata = userdata;
        operation_enqueue(store, operation);
        return 0;
}

/**
 * set_store_pause() - begin nothing and call nobody from here, or again
 * @store:      the store
 * @pause:      whether to
 */
void set_store_pause(SetStore *store, bool pause) {
        store->paused = pause;
        if (store->first)
                store_next(store);
}

/**
 * set_store_is_idle() - whether all that was asked for is done
 * @store:      the store
 * @idle:       called once when it is, if it is not now
 * @userdata:   for @idle
 *
 * Return: true if so.
 */
bool set_store_is_idle(SetStore *store, void (*idle)(void *userdata), void *userdata) {
        if (!store->first)
                return true;
        store->idle = idle;
        store->idle_userdata = userdata;
        return false;
}
