/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * org.quiesce1.Provider: the providers that are built in, and the one for tests where it is switched on.
 */

#include "daemon/bus/bus.h"
#include "daemon/bus/providers.h"

static const ProviderObject providers[] = {
        {"dm", "system"},       {"external", "external"}, {"lvm-cow", "system"},
        {"lvm-thin", "system"}, {"test", "test"},
};

/**
 * provider_objects_get() - one provider after the other
 * @manager:    the manager
 * @index:      from 0
 *
 * Return: the provider, or NULL: there are no more.
 */
const ProviderObject *provider_objects_get(const Manager *manager, size_t index) {
        size_t n = ELEMENTSOF(providers);

        if (!manager->config->test_provider_dir)
                n--;
        return index < n ? &providers[index] : NULL;
}

static int property_text(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        const ProviderObject *provider = userdata;
        const char *value;

        if (streq(property, "Name"))
                value = provider->name;
        else if (streq(property, "Kind"))
                value = provider->kind;
        else
                value = PACKAGE_VERSION;
        return sd_bus_message_append(reply, "s", value);
}

/**
 * provider_bus_find() - the provider behind a path, for sd-bus
 * @bus:        the bus
 * @path:       the path asked for
 * @interface:  likewise
 * @userdata:   the manager
 * @ret:        the provider
 * @reterr:     unused
 *
 * Return: 1 if there is one, 0 if not; -ENOMEM.
 */
int provider_bus_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                      sd_bus_error *reterr) {
        const ProviderObject *provider;

        for (size_t i = 0; (provider = provider_objects_get(userdata, i)); i++) {
                _cleanup_free_ char *p = bus_path("provider", provider->name);

                if (!p)
                        return -ENOMEM;
                if (streq(p, path)) {
                        *ret = (void *) provider;
                        return 1;
                }
        }
        return 0;
}

const sd_bus_vtable provider_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Name", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Kind", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Version", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_VTABLE_END,
};
