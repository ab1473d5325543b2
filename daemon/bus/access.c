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
        sd_bus_message *call;
        const char *action;
        AccessGranted granted;
        void *userdata;
        void (*destroy)(void *userdata);
        Owner *owner;
        sd_bus_slot *slot;
};

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
        sd_bus_message_unref(access->call);
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
        if (!owner_is_gone(access->owner))
                access->granted(access->manager, access->call, &access->owner, access->userdata);
        (void) access_free(access);
}

static void access_refuse(Access *access, const char *format) _printf_(2, 0);
static void access_refuse(Access *access, const char *format) {
        char text[512];

        (void) snprintf(text, sizeof(text), format, sd_bus_message_get_member(access->call), access->action);
        bus_reply_error(access->call, CONTRACT_ERROR_ACCESS_DENIED, text);
        (void) access_free(access);
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
                access_refuse(access,
                              "%s needs the authorisation %s, which polkit does not give you. Call as "
                              "root or as a member of group backup, or ask an administrator.");
        else
                access_grant(access);
        return 0;
}

static int access_ask_polkit(Access *access) {
        sd_bus_message *m = NULL;
        uint32_t flags;
        int r;

        flags = sd_bus_message_get_allow_interactive_authorization(access->call) > 0 ? 1 : 0;
        r = sd_bus_message_new_method_call(access->manager->bus, &m, "org.freedesktop.PolicyKit1",
                                           "/org/freedesktop/PolicyKit1/Authority",
                                           "org.freedesktop.PolicyKit1.Authority", "CheckAuthorization");
        if (r >= 0)
                r = sd_bus_message_append(m, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s",
                                          owner_get_name(access->owner), access->action, 0, flags, "");
        if (r >= 0)
                r = sd_bus_call_async(access->manager->bus, &access->slot, m, access_polkit_answered, access,
                                      flags ? POLKIT_LIMIT_USEC : 0);
        sd_bus_message_unref(m);
        return r < 0 ? error_origin(r) : 0;
}

static void access_caller_known(Owner *owner, int r, void *userdata) {
        Access *access = userdata;

        if (r == -ESRCH) { /* nobody is there to be answered */
                (void) access_free(access);
                return;
        }
        if (r < 0)
                access_refuse(access,
                              "%s needs the authorisation %s, and the bus does not say who you are.");
        else if (owner_get_uid(owner) == 0)
                access_grant(access);
        else if (access_ask_polkit(access) < 0)
                access_refuse(access, "%s needs the authorisation %s, and polkit could not be asked.");
}

/**
 * access_check() - find out whether the caller may
 * @manager:    the manager
 * @call:       the method call; it is answered with AccessDenied if not
 * @action:     of polkit; a static string
 * @granted:    called from the event loop if so
 * @userdata:   for @granted
 * @destroy:    called with @userdata when it is not needed any more, also after an error; or NULL
 *
 * Return: 1, to be returned by the method's handler, or a negative errno.
 */
int access_check(Manager *manager, sd_bus_message *call, const char *action, AccessGranted granted,
                 void *userdata, void (*destroy)(void *userdata)) {
        Access *access;
        int r;

        access = calloc(1, sizeof(*access));
        if (!access) {
                if (destroy)
                        destroy(userdata);
                return error_origin(-ENOMEM);
        }
        access->manager = manager;
        access->call = sd_bus_message_ref(call);
        access->action = action;
        access->granted = granted;
        access->userdata = userdata;
        access->destroy = destroy;
        access->next = manager->accesses;
        manager->accesses = access;
        r = owner_new(&access->owner, manager->bus, sd_bus_message_get_sender(call), access_caller_known,
                      access);
        if (r < 0) {
                (void) access_free(access);
                return error_trace(r);
        }
        return 1;
}
