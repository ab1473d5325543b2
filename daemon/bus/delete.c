/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Deleting snapshots from outside a session; see delete.h.
 */

#include "daemon/bus/delete.h"

#include "daemon/bus/access.h"
#include "daemon/bus/backup-reply.h"
#include "daemon/bus/publish.h"

#include "util/error.h"

/* StepDone */
static void on_deleted(SnapshotSet *set, ContractStep step, uint32_t volume, const StepResult *result,
                       void *userdata) {
        SetDeletion *deletion = userdata;

        if (!deletion->manager->dark) /* bus_after_dark() looks again */
                published_refresh(deletion->manager, deletion->reason);
        deletion->done(result, deletion->userdata);
}

/**
 * set_deletion_begin() - delete a set whose session is over
 * @deletion:   what is to be told to whom; it stays until its done() is called, from the event loop
 * @set_id:     UUID text
 * @snapshot:   only this one of it, or NULL
 *
 * Return: 0; -ENOENT: there is no such set or snapshot; -EBUSY: something else is done to it; or another
 * negative errno. done() is not called then.
 */
int set_deletion_begin(SetDeletion *deletion, const char *set_id, const char *snapshot) {
        SnapshotSet *set = sets_find(deletion->manager->sets, set_id);

        if (!set)
                return error_origin(-ENOENT);
        return error_trace(snapshot_set_step(set, CONTRACT_STEP_DELETE, snapshot, on_deleted, deletion));
}

/* A deletion that somebody has called for. */
typedef struct CalledDeletion {
        SetDeletion deletion;
        KeptCall *call;
        bool counts;
} CalledDeletion;

static void called_free(CalledDeletion *called) {
        (void) kept_call_free(called->call);
        free(called);
}

/* SetDeleted */
static void called_done(const StepResult *result, void *userdata) {
        CalledDeletion *called = userdata;
        sd_bus_message *m = called->call->message;
        int r;

        if (result->error != CONTRACT_OK)
                bus_reply_error(m, result->error, result->text);
        else {
                r = called->counts ? sd_bus_reply_method_return(m, "us", result->n_deleted,
                                                                result->first_left ? result->first_left : "")
                                   : sd_bus_reply_method_return(m, NULL);
                bus_reply_sent(m, r);
        }
        called_free(called);
}

static int delete_of_no_session(KeptCall **call, PublishedSet *set, const char *id, bool counts) {
        CalledDeletion *called;
        int r;

        called = calloc(1, sizeof(*called));
        if (!called)
                return error_origin(-ENOMEM);
        *called = (CalledDeletion){
                .deletion = {set->manager, "deleted", called_done, called}, .call = *call, .counts = counts};
        r = set_deletion_begin(&called->deletion, set->id, streq(id, set->id) ? NULL : id);
        if (r < 0)
                free(called);
        else
                *call = NULL; /* called_done()'s */
        return error_trace(r);
}

static int delete_of_session(SessionObject *session, sd_bus_message *m, const char *id, bool counts) {
        ContractInput input = {};
        BusCall *call;
        int r;

        r = bus_call_new(session->manager, &call, session->handle, CONTRACT_CALL_DELETE_SNAPSHOTS, m,
                         counts ? reply_delete_snapshots : NULL);
        if (r < 0)
                return error_trace(r);
        (void) snprintf(call->snapshot_id, sizeof(call->snapshot_id), "%s", id);
        call->snapshot = call->snapshot_id;
        bus_call_feed(call, &input);
        return 0;
}

static PublishedSet *find_set_of(Manager *manager, const char *id) {
        PublishedSnapshot *snapshot = published_find_snapshot(manager, id);

        return snapshot ? snapshot->set : published_find(manager, id);
}

/* Return: whether it may go: nobody would miss it, or by force. The call is answered otherwise. */
static bool check_unused(sd_bus_message *m, const PublishedSet *set, const char *id, bool force) {
        const SnapshotSet *found = sets_find(set->manager->sets, set->id);
        char text[CONTRACT_TEXT_MAX];
        ContractError error;

        if (!found)
                return true;
        error = snapshot_set_check_unused(found, streq(id, set->id) ? NULL : id, force, text, sizeof(text));
        if (error != CONTRACT_OK)
                bus_reply_error(m, error, text);
        return error == CONTRACT_OK;
}

static void delete_now(Manager *manager, KeptCall **call, const char *id, bool counts, bool force) {
        PublishedSet *set = find_set_of(manager, id);
        sd_bus_message *m = (*call)->message;
        SessionObject *session;
        int r;

        if (!set) {
                bus_reply_error(m, CONTRACT_ERROR_OBJECT_NOT_FOUND,
                                "There is no such snapshot or set any more.");
                return;
        }
        if (!check_unused(m, set, id, force))
                return;
        session = session_object_find_id(manager, set->session_id);
        r = session ? delete_of_session(session, m, id, counts)
                    : delete_of_no_session(call, set, id, counts);
        if (r < 0)
                bus_reply_error(m, CONTRACT_ERROR_UNEXPECTED,
                                "The deletion could not be begun; try again in a moment.");
}

/* What was asked for, kept while polkit thinks. */
typedef struct Asked {
        bool counts, force;
        SnapshotAllowed allowed; /* NULL: delete */
        char id[CONTRACT_ID_MAX];
} Asked;

/* And while somebody has it open for a moment. */
typedef struct Waiting {
        KeptCall *call;
        Asked asked;
} Waiting;

/* UnusedDone */
static void waited(const char *busy, void *userdata) {
        Waiting *waiting = userdata;
        char text[CONTRACT_TEXT_MAX + 32];

        if (busy) {
                (void) snprintf(text, sizeof(text), "%s Or delete it by force.", busy);
                bus_reply_error(waiting->call->message, CONTRACT_ERROR_VOLUME_BUSY, text);
        } else
                delete_now(waiting->call->manager, &waiting->call, waiting->asked.id, waiting->asked.counts,
                           false);
        (void) kept_call_free(waiting->call);
        free(waiting);
}

/* Return: whether waited() goes on. */
static bool delete_waits(Manager *manager, KeptCall **call, const Asked *asked) {
        const PublishedSet *set = asked->force ? NULL : find_set_of(manager, asked->id);
        SnapshotSet *found = set ? sets_find(manager->sets, set->id) : NULL;
        Waiting *waiting = found ? malloc(sizeof(*waiting)) : NULL;

        if (!waiting)
                return false;
        *waiting = (Waiting){*call, *asked};
        if (snapshot_set_await_unused(found, streq(asked->id, set->id) ? NULL : waiting->asked.id, waited,
                                      waiting)) {
                *call = NULL;
                return true;
        }
        free(waiting);
        return false;
}

static void asked_granted(Manager *manager, KeptCall **call, Owner **owner, void *userdata) {
        Asked *asked = userdata;

        if (asked->allowed)
                asked->allowed(manager, call, asked->id);
        else if (!delete_waits(manager, call, asked))
                delete_now(manager, call, asked->id, asked->counts, asked->force);
}

/* Whether the caller is the requester whose session, alive, made the set. */
static bool is_owner(sd_bus_message *m, const PublishedSet *set) {
        const SessionObject *session = session_object_find_id(set->manager, set->session_id);

        return session && session->owner &&
               streq(owner_get_name(session->owner), sd_bus_message_get_sender(m));
}

/* Goes on at once for the requester itself, else when polkit has said yes. */
static int ask(sd_bus_message *m, const PublishedSet *set, const char *id, bool counts, bool force,
               SnapshotAllowed allowed, sd_bus_error *reterr) {
        const AccessQuestion question = {
                .action = ACTION_ADMINISTER, .own_action = ACTION_BACKUP, .own_uid = set->owner_uid};
        Asked *asked = calloc(1, sizeof(*asked));
        KeptCall *call = NULL;
        int r;

        if (!asked)
                return error_origin(-ENOMEM);
        asked->counts = counts;
        asked->force = force;
        asked->allowed = allowed;
        (void) snprintf(asked->id, sizeof(asked->id), "%s", id);
        if (!is_owner(m, set))
                return access_check(set->manager, m, &question, asked_granted, asked, free, reterr);
        r = kept_call_new(set->manager, &call, m, set->owner_uid, 0, reterr);
        if (r == 0)
                asked_granted(set->manager, &call, NULL, asked);
        (void) kept_call_free(call);
        free(asked);
        return r < 0 ? r : 1;
}

/**
 * delete_snapshots() - delete a snapshot or all of a set
 * @manager:    the manager
 * @m:          the call, of which all arguments but the options are read; answered here or later
 * @id:         of a set or a snapshot; in the message
 * @counts:     the answer is how many were deleted and the first that was not; otherwise it is empty
 * @reterr:     ObjectNotFound, InvalidArgument
 *
 * Return: 1, or a negative errno.
 */
int delete_snapshots(Manager *manager, sd_bus_message *m, const char *id, bool counts,
                     sd_bus_error *reterr) {
        PublishedSet *set = find_set_of(manager, id);
        int force = false, r;
        const Option options[] = {{"force", OPTION_BOOLEAN, &force}};

        r = options_read(m, options, ELEMENTSOF(options), reterr);
        if (r < 0)
                return r;
        if (!set)
                return bus_error_set_not_found(reterr, manager, "snapshot or set", id);
        return ask(m, set, id, counts, force, NULL, reterr);
}

/**
 * snapshot_check_access() - go on if the caller may look into a set's snapshots
 * @m:              the call; refused here if not
 * @set:            on the bus
 * @snapshot_id:    UUID text
 * @allowed:        called now or later if so
 * @reterr:         LimitsExceeded
 *
 * Return: 1, or a negative errno.
 */
int snapshot_check_access(sd_bus_message *m, const PublishedSet *set, const char *snapshot_id,
                          SnapshotAllowed allowed, sd_bus_error *reterr) {
        return ask(m, set, snapshot_id, false, false, allowed, reterr);
}
