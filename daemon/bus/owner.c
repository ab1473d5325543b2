/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Watching a bus name without waiting for the bus; see owner.h.
 */

#include "daemon/bus/owner.h"

#include "bus/dictionary.h"
#include "util/error.h"

struct Owner {
        char *name;
        uint32_t uid;
        bool vanished;
        sd_bus_slot *match, *query;
        OwnerKnown known;
        void *known_userdata;
        OwnerVanished on_vanished;
        void *vanished_userdata;
};

#define UID_UNKNOWN UINT32_MAX

static int owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        Owner *owner = userdata;
        const char *name, *before, *after;
        int r;

        r = sd_bus_message_read(m, "sss", &name, &before, &after);
        if (r < 0 || !streq(name, owner->name) || after[0] != '\0')
                return 0;
        owner->vanished = true;
        if (owner->on_vanished)
                owner->on_vanished(owner, owner->vanished_userdata);
        return 0;
}

/* UnixUserID of an a{sv}; -EBADMSG if it is not there. */
static int credentials_read_uid(sd_bus_message *m, uint32_t *ret) {
        uint32_t uid = UID_UNKNOWN;
        const DictionaryField fields[] = {{.key = "UnixUserID", .type = "u", .value = &uid}};
        int r;

        r = dictionary_read(m, fields, ELEMENTSOF(fields));
        if (r < 0)
                return r;
        if (uid == UID_UNKNOWN)
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
                r = credentials_read_uid(m, &owner->uid);
        if (owner->vanished)
                r = -ESRCH;
        owner->known(owner, r, owner->known_userdata);
        return 0;
}

/**
 * owner_new() - begin to watch a name
 * @ret:        the owner
 * @bus:        the system bus
 * @name:       a unique name
 * @known:      called once, from the event loop, when the bus has said who that is
 * @userdata:   for @known
 *
 * Return: 0, or a negative errno.
 */
int owner_new(Owner **ret, sd_bus *bus, const char *name, OwnerKnown known, void *userdata) {
        _cleanup_(owner_freep) Owner *owner = NULL;
        char match[512];
        int r;

        if (strlen(name) > 255 || strchr(name, '\''))
                return error_origin(-EINVAL);
        owner = calloc(1, sizeof(*owner));
        if (!owner)
                return error_origin(-ENOMEM);
        owner->uid = UID_UNKNOWN;
        owner->known = known;
        owner->known_userdata = userdata;
        owner->name = strdup(name);
        if (!owner->name)
                return error_origin(-ENOMEM);
        (void) snprintf(match, sizeof(match),
                        "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                        "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='%s'",
                        name);
        r = sd_bus_add_match_async(bus, &owner->match, match, owner_changed, NULL, owner);
        if (r < 0)
                return error_trace(r);
        r = sd_bus_call_method_async(bus, &owner->query, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                     "org.freedesktop.DBus", "GetConnectionCredentials", owner_credentials,
                                     owner, "s", name);
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
        if (!owner)
                return NULL;
        sd_bus_slot_unref(owner->match);
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
 * @owner:      the owner, known by now
 *
 * Return: its uid.
 */
uint32_t owner_get_uid(const Owner *owner) {
        return owner->uid;
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
