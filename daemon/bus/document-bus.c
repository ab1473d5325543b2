/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * GetDocument; see document-bus.h. It is read from where it was kept when the set was made: the session may
 * be long over.
 */

#include "daemon/bus/document-bus.h"

#include "daemon/bus/delete.h"
#include "daemon/bus/publish.h"
#include "daemon/records/set-store.h"

#include "util/error.h"
#include "util/utf8.h"

/* One that waits for its document. */
typedef struct Reading {
        KeptCall *call;
        char set_id[CONTRACT_ID_MAX];
} Reading;

static void reply_none(const Reading *reading, int r) {
        char text[CONTRACT_TEXT_MAX];

        if (r == -ENOENT)
                (void) snprintf(
                        text, sizeof(text),
                        "GetDocument: of snapshot set %s no document is kept: it is not persistent, was "
                        "made by an older quiesced, or what was kept is lost.",
                        reading->set_id);
        else
                (void) snprintf(text, sizeof(text),
                                "GetDocument: the document of snapshot set %s cannot be read: %s.",
                                reading->set_id, strerror(-r));
        bus_reply_error(reading->call->message,
                        r == -ENOENT ? CONTRACT_ERROR_OBJECT_NOT_FOUND : CONTRACT_ERROR_UNEXPECTED, text);
}

/* SetStoreRead */
static void document_read_done(int r, const char *text, size_t n_text, void *userdata) {
        Reading *reading = userdata;

        /* What a D-Bus string cannot carry was not written by us. */
        if (r >= 0 && (strlen(text) != n_text || !utf8_is_valid(text)))
                r = -EBADMSG;
        if (r < 0)
                reply_none(reading, r);
        else
                bus_reply_sent(reading->call->message,
                               sd_bus_reply_method_return(reading->call->message, "s", text));
        (void) kept_call_free(reading->call);
        free(reading);
}

/* SnapshotAllowed */
static void get_document_allowed(Manager *manager, KeptCall **call, const char *set_id) {
        Reading *reading = calloc(1, sizeof(*reading));
        int r = -ENOMEM;

        if (reading) {
                reading->call = *call;
                (void) snprintf(reading->set_id, sizeof(reading->set_id), "%s", set_id);
                r = set_store_read(manager->document_store, set_id, document_read_done, reading);
        }
        if (r >= 0)
                *call = NULL; /* document_read_done()'s */
        else {
                bus_reply_error((*call)->message, CONTRACT_ERROR_UNEXPECTED,
                                "GetDocument: quiesced is short of memory.");
                free(reading);
        }
}

/**
 * method_get_document() - SnapshotSet.GetDocument, for sd-bus
 * @m:          the call
 * @userdata:   the set, on the bus
 * @reterr:     InvalidArgument
 *
 * Return: 1, or a negative errno.
 */
int method_get_document(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        const PublishedSet *set = userdata;
        int r;

        r = options_read_none(m, reterr);
        return r < 0 ? r : snapshot_check_access(m, set, set->id, get_document_allowed, reterr);
}
