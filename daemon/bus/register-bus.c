/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Manager.Register: a service on the system bus becomes a writer.
 *
 * Three things let it: polkit (org.quiesce1.register-writer; root is not asked), a descriptor with BusName=,
 * which only root can have written, and that it owns that name, which the policy of the bus decides. All is
 * asked without waiting. From then on the service is its unique name, and is a writer until that has left
 * the bus.
 */

#include "daemon/bus/register-bus.h"

#include "daemon/bus/access.h"

#include "contract/names.h"
#include "util/error.h"

/* From polkit's yes to the service's end. */
struct Registration {
        Registration *next;
        Manager *manager;
        Owner *owner;
        KeptCall *call; /* NULL: it is a writer */
        sd_bus_slot *slot;
        char *bus_name; /* that it must own */
};

static Registration *registration_free(Registration *registration) {
        if (!registration)
                return NULL;
        for (Registration **place = &registration->manager->registrations; *place; place = &(*place)->next)
                if (*place == registration) {
                        *place = registration->next;
                        break;
                }
        sd_bus_slot_unref(registration->slot);
        (void) owner_free(registration->owner);
        (void) kept_call_free(registration->call);
        free(registration->bus_name);
        free(registration);
        return NULL;
}
DEFINE_CLEANUP(Registration *, registration_free)

/**
 * registrations_free() - forget all
 * @manager:    the manager, about to be freed
 */
void registrations_free(Manager *manager) {
        while (manager->registrations)
                (void) registration_free(manager->registrations);
}

/**
 * registrations_lost() - the system bus is gone, and with it all writers on it
 * @manager:    the manager
 */
void registrations_lost(Manager *manager) {
        for (Registration *r = manager->registrations; r; r = r->next)
                if (!r->call)
                        writers_peer_vanished(manager->writers, owner_get_name(r->owner));
        registrations_free(manager);
}

static void caller_vanished(Owner *owner, void *userdata) {
        Registration *registration = userdata;

        if (!registration->call)
                writers_peer_vanished(registration->manager->writers, owner_get_name(owner));
        (void) registration_free(registration);
}

static int refuse(sd_bus_error *reterr, ContractError code, const char *text) {
        return bus_error_set(reterr, code, "Register: %s.", text);
}

static int read_level(sd_bus_error *reterr, const char *text, int *ret) {
        *ret = -1;
        if (!text)
                return 0;
        *ret = contract_level_from_string(text);
        if (*ret == CONTRACT_LEVEL_SYSTEM)
                return refuse(
                        reterr, CONTRACT_ERROR_INVALID_ARGUMENT,
                        "level system is not open to writers on the system bus, which quiesced does not "
                        "use while that level is frozen. Register at front-end or back-end, or be a "
                        "program that quiesced starts, quiesced.writer(5)");
        return *ret < 0 ? refuse(reterr, CONTRACT_ERROR_INVALID_ARGUMENT,
                                 "level is none of front-end, back-end")
                        : 0;
}

static int read_call(sd_bus_message *m, WriterRegistration *ret, sd_bus_error *reterr) {
        const char *level = NULL;
        const Option options[] = {
                {"level", OPTION_STRING, &level},
                {"freeze-window-usec", OPTION_UINT64, &ret->freeze_window_usec},
        };
        int r;

        r = sd_bus_message_rewind(m, true);
        if (r >= 0)
                r = sd_bus_message_read(m, "s", &ret->name);
        if (r < 0)
                return error_origin(r);
        r = options_read(m, options, ELEMENTSOF(options), reterr);
        if (r >= 0)
                r = read_level(reterr, level, &ret->level);
        return r;
}

static int check(Manager *manager, WriterRegistration *writer, const char **ret_bus_name,
                 sd_bus_error *reterr) {
        char text[CONTRACT_TEXT_MAX];
        int r;

        writer->may_replace = contract_may_replace_writer(manager->contract, writer->name);
        r = writers_check_registration(manager->writers, writer, ret_bus_name, text);
        if (r == 0)
                return 0;
        return refuse(reterr,
                      r == WRITERS_E_NO_DESCRIPTOR ? CONTRACT_ERROR_OBJECT_NOT_FOUND
                      : r == WRITERS_E_BUSY        ? CONTRACT_ERROR_BAD_STATE
                                                   : CONTRACT_ERROR_INVALID_ARGUMENT,
                      text);
}

static int check_name(const Registration *registration, sd_bus_message *answer, sd_bus_error *reterr) {
        const char *caller = owner_get_name(registration->owner), *name = registration->bus_name;
        const char *owner = NULL;

        if (sd_bus_message_is_method_error(answer, NULL) &&
            !sd_bus_message_is_method_error(answer, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                return refuse(reterr, CONTRACT_ERROR_UNEXPECTED,
                              "the bus did not say who owns the writer's name; register again");
        if (!sd_bus_message_is_method_error(answer, NULL) && sd_bus_message_read(answer, "s", &owner) > 0 &&
            streq(owner, caller))
                return 0;
        return bus_error_set(reterr, CONTRACT_ERROR_ACCESS_DENIED,
                             "Register: %s does not own %s on the bus, which BusName= of the writer's "
                             "descriptor names (%s%s). Own it first, and call on that connection.",
                             caller, name, owner ? "its owner is " : "nobody does", owner ? owner : "");
}

/* A process that registers anew (it was replaced meanwhile) is watched once. */
static void drop_earlier(Registration *registration) {
        const char *name = owner_get_name(registration->owner);
        Registration *next;

        for (Registration *r = registration->manager->registrations; r; r = next) {
                next = r->next;
                if (r != registration && !r->call && streq(owner_get_name(r->owner), name))
                        (void) registration_free(r);
        }
}

/* It is answered before the writer gets an event. */
static int accept_writer(Registration *registration, sd_bus_message *answer, sd_bus_error *reterr) {
        sd_bus_message *m = registration->call->message;
        Manager *manager = registration->manager;
        WriterRegistration writer = {};
        const char *bus_name;
        int r;

        r = read_call(m, &writer, reterr);
        writer.peer = owner_get_name(registration->owner);
        writer.pid = owner_get_pid(registration->owner);
        if (r >= 0)
                r = check(manager, &writer, &bus_name, reterr);
        if (r >= 0 && !streq(bus_name, registration->bus_name))
                r = refuse(reterr, CONTRACT_ERROR_BAD_STATE,
                           "the writer's descriptor was changed just now; register again");
        if (r >= 0)
                r = check_name(registration, answer, reterr);
        if (r >= 0)
                r = sd_bus_reply_method_return(m, "");
        if (r < 0)
                return r;
        return error_trace(writers_register(manager->writers, &writer));
}

static int on_name_owner(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_(registration_freep) Registration *registration = userdata;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        registration->slot = sd_bus_slot_unref(registration->slot);
        r = accept_writer(registration, m, &error);
        if (r < 0) {
                (void) sd_bus_reply_method_errno(registration->call->message, r, &error);
                sd_bus_error_free(&error);
                return 0;
        }
        registration->call = kept_call_free(registration->call);
        drop_earlier(registration);
        TAKE_PTR(registration);
        return 0;
}

static int begin(Manager *manager, KeptCall **call, Owner **owner, sd_bus_error *reterr) {
        _cleanup_(registration_freep) Registration *registration = NULL;
        WriterRegistration writer = {.peer = owner_get_name(*owner)};
        const char *bus_name;
        int r;

        r = read_call((*call)->message, &writer, reterr);
        if (r >= 0) /* what an administrator has written since counts */
                r = writers_reload(manager->writers);
        if (r >= 0)
                r = check(manager, &writer, &bus_name, reterr);
        if (r < 0)
                return r;
        registration = calloc(1, sizeof(*registration));
        if (!registration)
                return error_origin(-ENOMEM);
        registration->manager = manager;
        registration->next = manager->registrations;
        manager->registrations = registration;
        registration->bus_name = strdup(bus_name);
        if (!registration->bus_name)
                return error_origin(-ENOMEM);
        r = sd_bus_call_method_async(manager->bus, &registration->slot, "org.freedesktop.DBus",
                                     "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetNameOwner",
                                     on_name_owner, registration, "s", bus_name);
        if (r < 0)
                return error_trace(r);
        registration->call = TAKE_PTR(*call);
        registration->owner = TAKE_PTR(*owner);
        owner_set_vanished(registration->owner, caller_vanished, registration);
        TAKE_PTR(registration);
        return 0;
}

/* AccessGranted */
static void register_granted(Manager *manager, KeptCall **call, Owner **owner, void *userdata) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = begin(manager, call, owner, &error);
        if (r < 0)
                (void) sd_bus_reply_method_errno((*call)->message, r, &error);
        sd_bus_error_free(&error);
}

/**
 * method_register() - Manager.Register
 * @m:          the call
 * @userdata:   the manager
 * @reterr:     what is wrong with it
 *
 * Return: 1, or a negative errno.
 */
int method_register(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        AccessQuestion question = {.action = ACTION_REGISTER};
        WriterRegistration writer = {};
        int r;

        r = read_call(m, &writer, reterr);
        if (r < 0)
                return r;
        if (strlen(writer.name) >= CONTRACT_NAME_MAX)
                return refuse(reterr, CONTRACT_ERROR_INVALID_ARGUMENT, "no writer has so long a name");
        question.writer = writer.name;
        return access_check(userdata, m, &question, register_granted, NULL, NULL, reterr);
}
