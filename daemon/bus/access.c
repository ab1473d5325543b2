/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Asking the bus who calls and polkit whether it may; see access.h.
 */

#include "daemon/bus/access.h"

#include "util/error.h"

/* polkit may ask a person for a password; the caller's own time-out ends earlier if it wants. */
#define POLKIT_LIMIT_USEC (300 * USEC_PER_SEC)

/* A check under way. A granted or refused call is answered exactly once. */
struct Access {
        Access *next;
        Manager *manager;
        KeptCall *call;
        AccessQuestion question;
        AccessGranted granted;
        void *userdata;
        void (*destroy)(void *userdata);
        Owner *owner;
        sd_bus_slot *slot; /* polkit has not answered */
        char cancellation_id[48];
};

#define POLKIT_BUS_NAME  "org.freedesktop.PolicyKit1"
#define POLKIT_PATH      "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"

static Access *access_free(Access *access) {
        if (!access)
                return NULL;
        for (Access **place = &access->manager->accesses; *place; place = &(*place)->next)
                if (*place == access) {
                        *place = access->next;
                        break;
                }
        sd_bus_slot_unref(access->slot);
        (void) owner_free(access->owner);
        (void) kept_call_free(access->call);
        if (access->destroy)
                access->destroy(access->userdata);
        free(access);
        return NULL;
}

/**
 * accesses_free() - forget all checks under way
 * @accesses:   the first, or NULL
 *
 * Return: NULL.
 */
Access *accesses_free(Access *accesses) {
        while (accesses) {
                Access *next = accesses->next;

                (void) access_free(accesses);
                accesses = next;
        }
        return NULL;
}

static void access_grant(Access *access) {
        access->granted(access->manager, &access->call, &access->owner, access->userdata);
        (void) access_free(access);
}

static void access_refuse(Access *access, const char *format) _printf_(2, 0);
static void access_refuse(Access *access, const char *format) {
        sd_bus_message *m = access->call->message;
        char text[512];

        (void) snprintf(text, sizeof(text), format, sd_bus_message_get_member(m), access->question.action);
        bus_reply_error(m, CONTRACT_ERROR_ACCESS_DENIED, text);
        (void) access_free(access);
}

/* Nobody is there to be answered; polkit need not ask a person for a password any more. */
static void access_caller_vanished(Owner *owner, void *userdata) {
        Access *access = userdata;
        Manager *manager = access->manager;

        if (access->slot)
                (void) sd_bus_call_method_async(manager->bus, NULL, POLKIT_BUS_NAME, POLKIT_PATH,
                                                POLKIT_INTERFACE, "CancelCheckAuthorization", NULL, NULL,
                                                "s", access->cancellation_id);
        (void) access_free(access);
}

/* What polkit's no is answered with; the method and the action are put in. */
static const char *refusal_of(const char *action) {
        if (streq(action, ACTION_BACKUP))
                return "%s needs the authorisation %s, which polkit does not give you. Call as root or as a "
                       "member of group backup, or ask an administrator.";
        if (streq(action, ACTION_REGISTER))
                return "%s needs the authorisation %s, which polkit does not give you. Run the service as "
                       "root, or ask an administrator for a rule for its user, see quiesced.writer(5).";
        return "%s needs the authorisation %s, which polkit does not give you. Call as root, or ask an "
               "administrator.";
}

static int access_polkit_answered(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        Access *access = userdata;
        int authorized, challenge;

        access->slot = sd_bus_slot_unref(access->slot);
        if (sd_bus_message_is_method_error(m, NULL)) {
                access_refuse(access,
                              "%s needs the authorisation %s, and polkit, which gives it, is not there or "
                              "does not answer. Call as root, or install and start polkit.");
                return 0;
        }
        if (sd_bus_message_enter_container(m, 'r', "bba{ss}") < 0 ||
            sd_bus_message_read(m, "bb", &authorized, &challenge) < 0 || !authorized)
                access_refuse(access, refusal_of(access->question.action));
        else
                access_grant(access);
        return 0;
}

static int access_ask_polkit(Access *access) {
        sd_bus_message *m = NULL;
        uint32_t flags;
        int r;

        flags = sd_bus_message_get_allow_interactive_authorization(access->call->message) > 0 ? 1 : 0;
        (void) snprintf(access->cancellation_id, sizeof(access->cancellation_id), "quiesced-%" PRIu64,
                        ++access->manager->last_question);
        r = sd_bus_message_new_method_call(access->manager->bus, &m, POLKIT_BUS_NAME, POLKIT_PATH,
                                           POLKIT_INTERFACE, "CheckAuthorization");
        if (r >= 0)
                r = sd_bus_message_append(m, "(sa{sv})s", "system-bus-name", 1, "name", "s",
                                          owner_get_name(access->owner), access->question.action);
        if (r >= 0 && access->question.writer)
                r = sd_bus_message_append(m, "a{ss}", 1, "writer", access->question.writer);
        else if (r >= 0)
                r = sd_bus_message_append(m, "a{ss}", 0);
        if (r >= 0)
                r = sd_bus_message_append(m, "us", flags, access->cancellation_id);
        if (r >= 0)
                r = sd_bus_call_async(access->manager->bus, &access->slot, m, access_polkit_answered, access,
                                      flags ? POLKIT_LIMIT_USEC : 0);
        sd_bus_message_unref(m);
        return r < 0 ? error_origin(r) : 0;
}

static void access_caller_known(Owner *owner, int r, void *userdata) {
        Access *access = userdata;
        sd_bus_error error = SD_BUS_ERROR_NULL;

        if (r == -ESRCH) { /* nobody is there to be answered */
                (void) access_free(access);
                return;
        }
        if (r < 0) {
                access_refuse(access,
                              "%s needs the authorisation %s, and the bus does not say who you are.");
                return;
        }
        if (kept_call_set_uid(access->call, owner_get_uid(owner), &error) < 0) {
                (void) sd_bus_reply_method_error(access->call->message, &error);
                sd_bus_error_free(&error);
                (void) access_free(access);
                return;
        }
        if (access->question.own_action && access->question.own_uid == owner_get_uid(owner))
                access->question.action = access->question.own_action;
        if (owner_get_uid(owner) == 0)
                access_grant(access);
        else if (access_ask_polkit(access) < 0)
                access_refuse(access, "%s needs the authorisation %s, and polkit could not be asked.");
}

static int access_begin(Access *access, sd_bus_message *m, sd_bus_error *reterr) {
        int r;

        r = kept_call_new(access->manager, &access->call, m, OWNER_UID_UNKNOWN, access->question.size,
                          reterr);
        if (r == 0)
                r = owner_new(&access->owner, access->manager->owners, sd_bus_message_get_sender(m),
                              access_caller_known, access);
        if (r < 0)
                return r;
        owner_set_vanished(access->owner, access_caller_vanished, access);
        return 0;
}

/**
 * access_check() - find out whether the caller may
 * @manager:    the manager
 * @m:          the method call; it is answered with AccessDenied if not
 * @question:   what it is about
 * @granted:    called from the event loop if so
 * @userdata:   for @granted
 * @destroy:    called with @userdata when it is not needed any more, also after an error; or NULL
 * @reterr:     LimitsExceeded, if too many calls of the caller wait
 *
 * Return: 1, to be returned by the method's handler, or a negative errno.
 */
int access_check(Manager *manager, sd_bus_message *m, const AccessQuestion *question, AccessGranted granted,
                 void *userdata, void (*destroy)(void *userdata), sd_bus_error *reterr) {
        Access *access;
        int r;

        access = calloc(1, sizeof(*access));
        if (!access) {
                if (destroy)
                        destroy(userdata);
                return error_origin(-ENOMEM);
        }
        access->manager = manager;
        access->question = *question;
        access->granted = granted;
        access->userdata = userdata;
        access->destroy = destroy;
        access->next = manager->accesses;
        manager->accesses = access;
        r = access_begin(access, m, reterr);
        if (r < 0) {
                (void) access_free(access);
                return r;
        }
        return 1;
}
