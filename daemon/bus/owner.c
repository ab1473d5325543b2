/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Watching bus names without waiting for the bus; see owner.h.
 */

#include "daemon/bus/owner.h"

#include "bus/dictionary.h"
#include "util/error.h"

struct Owners {
        sd_bus *bus;
        sd_bus_slot *match; /* while there is an owner */
        Owner *first;
};

struct Owner {
        Owner *next;
        Owners *owners;
        char *name;
        uint32_t uid, pid;
        bool vanished;
        sd_bus_slot *query;
        OwnerKnown known;
        void *known_userdata;
        OwnerVanished on_vanished;
        void *vanished_userdata;
};

static Owner *find_living(Owners *owners, const char *name) {
        for (Owner *owner = owners->first; owner; owner = owner->next)
                if (!owner->vanished && streq(owner->name, name))
                        return owner;
        return NULL;
}

static int name_vanished(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        const char *name, *before, *after;
        Owners *owners = userdata;
        Owner *owner;
        int r;

        /* Anybody may send us such a signal; sd-bus does not compare a sender that is no unique name. */
        if (!streq_ptr(sd_bus_message_get_sender(m), "org.freedesktop.DBus"))
                return 0;
        r = sd_bus_message_read(m, "sss", &name, &before, &after);
        if (r < 0 || after[0] != '\0')
                return 0;
        /* Whoever is told may free any of them: the search begins anew each time. */
        while ((owner = find_living(owners, name))) {
                owner->vanished = true;
                if (owner->on_vanished)
                        owner->on_vanished(owner, owner->vanished_userdata);
        }
        return 0;
}

/* Of unique names only, and only when they go. */
static int owners_watch(Owners *owners) {
        int r;

        if (owners->match)
                return 0;
        r = sd_bus_add_match_async(
                owners->bus, &owners->match,
                "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg2=''",
                name_vanished, NULL, owners);
        return error_trace(r < 0 ? r : 0);
}

/**
 * owners_new() - nobody is watched yet
 * @ret:        the owners
 * @bus:        the system bus; outlives them
 *
 * Return: 0, or -ENOMEM.
 */
int owners_new(Owners **ret, sd_bus *bus) {
        Owners *owners = calloc(1, sizeof(*owners));

        if (!owners)
                return error_origin(-ENOMEM);
        owners->bus = bus;
        *ret = owners;
        return 0;
}

/**
 * owners_free() - watch nobody any more
 * @owners:     or NULL; an owner that is still there is never told of anything again
 *
 * Return: NULL.
 */
Owners *owners_free(Owners *owners) {
        if (!owners)
                return NULL;
        for (Owner *owner = owners->first; owner; owner = owner->next) {
                owner->query = sd_bus_slot_unref(owner->query);
                owner->owners = NULL;
        }
        sd_bus_slot_unref(owners->match);
        free(owners);
        return NULL;
}

/* UnixUserID of an a{sv}; -EBADMSG if it is not there. ProcessID need not be. */
static int credentials_read(sd_bus_message *m, uint32_t *ret, uint32_t *ret_pid) {
        uint32_t uid = OWNER_UID_UNKNOWN;
        const DictionaryField fields[] = {{.key = "UnixUserID", .type = "u", .value = &uid},
                                          {.key = "ProcessID", .type = "u", .value = ret_pid}};
        int r;

        r = dictionary_read(m, fields, ELEMENTSOF(fields));
        if (r < 0)
                return r;
        if (uid == OWNER_UID_UNKNOWN)
                return -EBADMSG;
        *ret = uid;
        return 0;
}

static int owner_credentials(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        Owner *owner = userdata;
        int r;

        owner->query = sd_bus_slot_unref(owner->query);
        if (sd_bus_message_is_method_error(m, NULL))
                r = sd_bus_message_is_method_error(m, SD_BUS_ERROR_NAME_HAS_NO_OWNER)
                            ? -ESRCH
                            : -sd_bus_message_get_errno(m);
        else
                r = credentials_read(m, &owner->uid, &owner->pid);
        if (owner->vanished)
                r = -ESRCH;
        owner->known(owner, r, owner->known_userdata);
        return 0;
}

/**
 * owner_new() - begin to watch a name
 * @ret:        the owner
 * @owners:     the system bus's
 * @name:       a unique name
 * @known:      called once, from the event loop, when the bus has said who that is
 * @userdata:   for @known
 *
 * Return: 0, or a negative errno.
 */
int owner_new(Owner **ret, Owners *owners, const char *name, OwnerKnown known, void *userdata) {
        _cleanup_(owner_freep) Owner *owner = NULL;
        int r;

        owner = calloc(1, sizeof(*owner));
        if (!owner)
                return error_origin(-ENOMEM);
        owner->uid = OWNER_UID_UNKNOWN;
        owner->known = known;
        owner->known_userdata = userdata;
        owner->name = strdup(name);
        if (!owner->name)
                return error_origin(-ENOMEM);
        owner->owners = owners;
        owner->next = owners->first;
        owners->first = owner;
        r = owners_watch(owners);
        if (r == 0)
                r = sd_bus_call_method_async(owners->bus, &owner->query, "org.freedesktop.DBus",
                                             "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                             "GetConnectionCredentials", owner_credentials, owner, "s",
                                             name);
        if (r < 0)
                return error_trace(r);
        *ret = TAKE_PTR(owner);
        return 0;
}

/**
 * owner_free() - watch no longer
 * @owner:      the owner, or NULL
 *
 * Return: NULL.
 */
Owner *owner_free(Owner *owner) {
        Owners *owners;

        if (!owner)
                return NULL;
        owners = owner->owners;
        for (Owner **place = owners ? &owners->first : NULL; place && *place; place = &(*place)->next)
                if (*place == owner) {
                        *place = owner->next;
                        break;
                }
        if (owners && !owners->first)
                owners->match = sd_bus_slot_unref(owners->match);
        sd_bus_slot_unref(owner->query);
        free(owner->name);
        free(owner);
        return NULL;
}

/**
 * owner_set_vanished() - say who is told when the name is gone
 * @owner:      the owner
 * @vanished:   called once, from the event loop; may free the owner
 * @userdata:   for it
 */
void owner_set_vanished(Owner *owner, OwnerVanished vanished, void *userdata) {
        owner->on_vanished = vanished;
        owner->vanished_userdata = userdata;
}

/**
 * owner_get_name() - the name
 * @owner:      the owner
 *
 * Return: a string that lives as long as the owner.
 */
const char *owner_get_name(const Owner *owner) {
        return owner->name;
}

/**
 * owner_get_uid() - the user behind the name
 * @owner:      the owner
 *
 * Return: its uid; OWNER_UID_UNKNOWN before it is known.
 */
uint32_t owner_get_uid(const Owner *owner) {
        return owner->uid;
}

/**
 * owner_get_pid() - the process behind the name
 * @owner:      the owner
 *
 * Return: as it was when it connected; 0 if the bus does not say, or has not yet.
 */
pid_t owner_get_pid(const Owner *owner) {
        return (pid_t) owner->pid;
}

/**
 * owner_is_gone() - whether the name has vanished
 * @owner:      the owner
 *
 * Return: true if so; nobody is told again then.
 */
bool owner_is_gone(const Owner *owner) {
        return owner->vanished;
}
