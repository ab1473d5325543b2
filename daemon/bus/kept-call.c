/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Calls that wait, and how many a user may have; see kept-call.h.
 */

#include "daemon/bus/kept-call.h"

#include <assert.h>

#include "daemon/bus/owner.h"
#include "daemon/documents/document.h"
#include "util/error.h"

/* Two of the largest. */
#define DOCUMENTS_SIZE_MAX (2 * (size_t) DOCUMENT_SIZE_MAX)

/* Before the bus has said whose a connection is, what it has is all that can be counted. */
static bool is_of_same(const KeptCall *a, const KeptCall *b) {
        return (a->uid != OWNER_UID_UNKNOWN && a->uid == b->uid) ||
               streq(sd_bus_message_get_sender(a->message), sd_bus_message_get_sender(b->message));
}

static int check_limits(const KeptCall *call, sd_bus_error *reterr) {
        unsigned max = call->manager->config->calls_max_per_user;
        const char *member = sd_bus_message_get_member(call->message);
        size_t size = call->size;
        unsigned n = 1;

        for (const KeptCall *other = call->manager->kept_calls; other; other = other->next)
                if (other != call && is_of_same(call, other)) {
                        n++;
                        size += other->size;
                }
        if (n > max)
                return bus_error_set(
                        reterr, CONTRACT_ERROR_LIMITS_EXCEEDED,
                        "%s: %u calls of yours wait for an answer already, as many as a user may "
                        "have (MaxCallsPerUser= in quiesced.conf). Wait for their answers, or end "
                        "the programs that made them.",
                        member, max);
        if (size > DOCUMENTS_SIZE_MAX)
                return bus_error_set(
                        reterr, CONTRACT_ERROR_LIMITS_EXCEEDED,
                        "%s: the documents in your calls that wait for an answer are larger than "
                        "the %zu MiB a user may have. Wait for their answers.",
                        member, DOCUMENTS_SIZE_MAX >> 20);
        return 0;
}

/**
 * kept_call_new() - keep a call until it can be answered
 * @manager:    the manager
 * @ret:        the call
 * @m:          its message; referenced
 * @uid:        whose it is; OWNER_UID_UNKNOWN if that is still to be found out
 * @size:       of the document in it
 * @reterr:     LimitsExceeded, naming the limit
 *
 * Return: 0, or a negative errno.
 */
int kept_call_new(Manager *manager, KeptCall **ret, sd_bus_message *m, uint32_t uid, size_t size,
                  sd_bus_error *reterr) {
        _cleanup_(kept_call_freep) KeptCall *call = NULL;
        int r;

        call = calloc(1, sizeof(*call));
        if (!call)
                return error_origin(-ENOMEM);
        call->manager = manager;
        call->message = sd_bus_message_ref(m);
        call->uid = uid;
        call->size = size;
        call->next = manager->kept_calls;
        manager->kept_calls = call;
        r = check_limits(call, reterr);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(call);
        return 0;
}

/**
 * kept_call_free() - the call has been answered, or never will be
 * @call:       the call, or NULL
 *
 * Return: NULL.
 */
KeptCall *kept_call_free(KeptCall *call) {
        if (!call)
                return NULL;
        for (KeptCall **place = &call->manager->kept_calls; *place; place = &(*place)->next)
                if (*place == call) {
                        *place = call->next;
                        break;
                }
        sd_bus_message_unref(call->message);
        free(call);
        return NULL;
}

/**
 * kept_call_set_uid() - the bus has said whose it is
 * @call:       the call
 * @uid:        its user
 * @reterr:     LimitsExceeded, if that user has too many with it
 *
 * Return: 0, or a negative errno.
 */
int kept_call_set_uid(KeptCall *call, uint32_t uid, sd_bus_error *reterr) {
        assert(call->uid == OWNER_UID_UNKNOWN);
        call->uid = uid;
        return check_limits(call, reterr);
}
