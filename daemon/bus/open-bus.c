/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Opening sessions: polkit says who may, the contract takes it in, the bus shows it.
 */

#include <time.h>

#include "daemon/bus/access.h"
#include "daemon/bus/open-bus.h"

#include "daemon/entries.h"
#include "util/error.h"

static void owner_has_vanished(Owner *owner, void *userdata) {
        SessionObject *session = userdata;
        ContractInput input = {
                .type = CONTRACT_INPUT_OWNER_VANISHED,
                .session = session->handle,
        };

        manager_feed(session->manager, &input);
}

/* What a session needs before the contract hears of it. */
static int open_object(Manager *manager, Owner **owner, ContractKind kind, SessionObject **ret) {
        char id[CONTRACT_ID_MAX];
        SessionObject *session;
        int r;

        r = bus_new_id(id);
        if (r < 0)
                return error_trace(r);
        r = session_object_new(manager, &session, id, owner_get_uid(*owner));
        if (r < 0)
                return error_trace(r);
        session->record.kind = kind;
        if (kind == CONTRACT_RESTORE)
                session->backup_type = NULL;
        session->record.since_usec = now_usec(CLOCK_REALTIME);
        session->record.owner = strdup(owner_get_name(*owner));
        session->record.bus = strdup(manager->bus_guid ? manager->bus_guid : "");
        if (!session->record.owner || !session->record.bus) {
                (void) session_object_free(session);
                return error_origin(-ENOMEM);
        }
        owner_set_vanished(*owner, owner_has_vanished, session);
        session->owner = TAKE_PTR(*owner);
        *ret = session;
        return 0;
}

static void open_refuse(sd_bus_message *call, const char *text) {
        char full[256];

        (void) snprintf(full, sizeof(full), "%s: %s", sd_bus_message_get_member(call), text);
        bus_reply_error(call, CONTRACT_ERROR_LIMITS_EXCEEDED, full);
}

/* The contract takes the session in, unless it has as many as it can have. */
static void open_feed(Manager *manager, sd_bus_message *call, SessionObject *session) {
        ContractInput input = {
                .type = CONTRACT_INPUT_OPEN,
                .kind = session->record.kind,
                .session = session->handle,
                .id = session->record.id,
        };
        ContractSessionInfo info;

        manager_feed(manager, &input);
        if (!session_object_get_info(session, &info)) {
                (void) session_object_free(session);
                open_refuse(call, "there are as many sessions as quiesced can have. Release one first.");
                return;
        }
        session_object_save(session);
        session_shown_add(session);
        entry_session_opened(session);
        bus_reply_sent(call, sd_bus_reply_method_return(call, "o", session->path));
}

static SessionObject *open_new(Manager *manager, sd_bus_message *call, Owner **owner, ContractKind kind) {
        SessionObject *session = NULL;

        if (manager->stopping) {
                open_refuse(call, "quiesced is being stopped; try again when it has started.");
                return NULL;
        }
        if (session_objects_count_uid(manager, owner_get_uid(*owner)) >=
            manager->config->sessions_max_per_user) {
                open_refuse(call, "you have as many sessions as a user may have (MaxPerUser= in "
                                  "quiesced.conf). Release one first; quiescectl list sessions shows them.");
                return NULL;
        }
        if (open_object(manager, owner, kind, &session) < 0) {
                bus_reply_error(call, CONTRACT_ERROR_UNEXPECTED, "quiesced is short of memory.");
                return NULL;
        }
        return session;
}

/* AccessGranted */
static void open_backup_granted(Manager *manager, KeptCall **call, Owner **owner, void *userdata) {
        SessionObject *session = open_new(manager, (*call)->message, owner, CONTRACT_BACKUP);

        if (session)
                open_feed(manager, (*call)->message, session);
}

/* The document is looked at when it is known that the caller may restore. */
static int open_document(sd_bus_message *call, Document **ret) {
        char error[DOCUMENT_ERROR_SIZE], text[DOCUMENT_ERROR_SIZE + 64];
        const char *document;
        int r;

        r = sd_bus_message_rewind(call, true);
        if (r >= 0)
                r = sd_bus_message_read(call, "s", &document);
        if (r >= 0 && document[0] == '\0')
                return 0;
        if (r >= 0)
                r = document_read(ret, document, error);
        if (r == -EBADMSG) {
                (void) snprintf(text, sizeof(text), "OpenRestore: the document cannot be used: %s.", error);
                bus_reply_error(call, CONTRACT_ERROR_INVALID_DOCUMENT, text);
        } else if (r < 0)
                bus_reply_error(call, CONTRACT_ERROR_UNEXPECTED, "quiesced is short of memory.");
        return error_trace(r);
}

/* AccessGranted */
static void open_restore_granted(Manager *manager, KeptCall **kept, Owner **owner, void *userdata) {
        _cleanup_(document_freep) Document *document = NULL;
        sd_bus_message *call = (*kept)->message;
        SessionObject *session;

        if (open_document(call, &document) < 0)
                return;
        session = open_new(manager, call, owner, CONTRACT_RESTORE);
        if (!session)
                return;
        session->document = TAKE_PTR(document);
        open_feed(manager, call, session);
}

/**
 * method_open_backup() - Manager.OpenBackup
 * @m:          the call
 * @userdata:   the manager
 * @reterr:     what is wrong with it
 *
 * Return: 1, or a negative errno.
 */
int method_open_backup(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        int r;

        r = options_read_none(m, reterr);
        return r < 0 ? r
                     : access_check(userdata, m, &(AccessQuestion){.action = ACTION_BACKUP},
                                    open_backup_granted, NULL, NULL, reterr);
}

/**
 * method_open_restore() - Manager.OpenRestore
 * @m:          the call
 * @userdata:   the manager
 * @reterr:     what is wrong with it
 *
 * Return: 1, or a negative errno.
 */
int method_open_restore(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        AccessQuestion question = {.action = ACTION_RESTORE};
        const char *document;
        int r;

        r = sd_bus_message_read(m, "s", &document); /* looked at later */
        if (r < 0)
                return error_origin(r);
        r = options_read_none(m, reterr);
        if (r < 0)
                return r;
        question.size = strlen(document);
        if (question.size > DOCUMENT_SIZE_MAX)
                return bus_error_set(
                        reterr, CONTRACT_ERROR_INVALID_DOCUMENT,
                        "OpenRestore: the document cannot be used: it has %zu bytes; a document "
                        "has at most %u.",
                        question.size, DOCUMENT_SIZE_MAX);
        return access_check(userdata, m, &question, open_restore_granted, NULL, NULL, reterr);
}
