/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Levels of the log: Manager.SetLogLevel, of one module or all; and org.freedesktop.LogControl1, by which
 * "systemctl service-log-level quiesced" sets all. Both are for administrators; polkit is asked without
 * waiting, which a property's setter could not: so Properties.Set is taken before sd-bus sees to it.
 */

#include "daemon/bus/log-bus.h"

#include "daemon/bus/access.h"
#include "util/error.h"
#include "util/log.h"

#define LOG_CONTROL      "org.freedesktop.LogControl1"
#define LOG_CONTROL_PATH "/org/freedesktop/LogControl1"

typedef struct Wish {
        char *module; /* "": all */
        int level;
} Wish;

static void wish_free(void *userdata) {
        Wish *wish = userdata;

        free(wish->module);
        free(wish);
}

/* AccessGranted */
static void set_granted(Manager *manager, KeptCall **call, Owner **owner, void *userdata) {
        const Wish *wish = userdata;

        (void) log_set_level(wish->module, wish->level);
        log_info("user %" PRIu32 " set the log level of %s to %s", owner_get_uid(*owner),
                 *wish->module ? wish->module : "all modules", log_level_to_string(wish->level));
        bus_reply_sent((*call)->message, sd_bus_reply_method_return((*call)->message, NULL));
}

static bool module_is_known(const char *module) {
        for (size_t i = 0; i < log_modules_count(); i++)
                if (streq(log_module_name(i), module))
                        return true;
        return !*module;
}

static int set_level(Manager *manager, sd_bus_message *m, const char *module, const char *level,
                     sd_bus_error *reterr) {
        int number = log_level_from_string(level);
        Wish *wish;

        if (number < 0)
                return bus_error_set(
                        reterr, CONTRACT_ERROR_INVALID_ARGUMENT,
                        "There is no log level \"%.32s\"; there are emerg, alert, crit, err, warning, "
                        "notice, info and debug.",
                        level);
        if (!module_is_known(module))
                return bus_error_set(reterr, CONTRACT_ERROR_INVALID_ARGUMENT,
                                     "quiesced has no module \"%.32s\"; LogLevels lists them, \"\" is all.",
                                     module);
        wish = calloc(1, sizeof(*wish));
        if (wish)
                *wish = (Wish){.module = strdup(module), .level = number};
        if (!wish || !wish->module) {
                free(wish);
                return error_origin(-ENOMEM);
        }
        return access_check(manager, m, &(AccessQuestion){.action = ACTION_ADMINISTER}, set_granted, wish,
                            wish_free, reterr);
}

/**
 * log_bus_method_set_level() - Manager.SetLogLevel
 * @m:          (ssa{sv})
 * @userdata:   the manager
 * @reterr:     filled in on failure
 *
 * Return: as sd-bus wants it.
 */
int log_bus_method_set_level(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        const char *module, *level;
        int r;

        r = sd_bus_message_read(m, "ss", &module, &level);
        if (r < 0)
                return error_origin(r);
        r = options_read_none(m, reterr);
        return r < 0 ? r : set_level(userdata, m, module, level, reterr);
}

/**
 * log_bus_property_levels() - Manager.LogLevels, a{ss}
 * @bus:        unused, as are path, interface and property
 * @path:       likewise
 * @interface:  likewise
 * @property:   likewise
 * @reply:      gets it
 * @userdata:   unused
 * @reterr:     unused
 *
 * Return: as sd-bus wants it.
 */
int log_bus_property_levels(sd_bus *bus, const char *path, const char *interface, const char *property,
                            sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "{ss}");
        for (size_t i = 0; r >= 0 && i < log_modules_count(); i++)
                r = sd_bus_message_append(reply, "{ss}", log_module_name(i),
                                          log_level_to_string(log_module_level(i)));
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* Of all modules the one that tells most. */
static int property_level(sd_bus *bus, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        int level = LOG_EMERG;

        for (size_t i = 0; i < log_modules_count(); i++)
                if (log_module_level(i) > level)
                        level = log_module_level(i);
        return sd_bus_message_append(reply, "s", log_level_to_string(level));
}

static const char *log_target(void) {
        return getenv("JOURNAL_STREAM") ? "journal" : "console";
}

static int property_target(sd_bus *bus, const char *path, const char *interface, const char *property,
                           sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        return sd_bus_message_append(reply, "s", log_target());
}

static int property_identifier(sd_bus *bus, const char *path, const char *interface, const char *property,
                               sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        return sd_bus_message_append(reply, "s", program_invocation_short_name);
}

/* on_set() was there before. */
static int property_set(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *value, void *userdata, sd_bus_error *reterr) {
        return bus_error_set(reterr, CONTRACT_ERROR_INVALID_ARGUMENT, "%s is a string.", property);
}

static int on_set(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        const char *interface, *property, *value;
        int r;

        if (!sd_bus_message_is_method_call(m, "org.freedesktop.DBus.Properties", "Set") ||
            !streq(sd_bus_message_get_signature(m, true), "ssv"))
                return 0;
        r = sd_bus_message_read(m, "ss", &interface, &property);
        if (r >= 0)
                r = sd_bus_message_read(m, "v", "s", &value);
        if (r < 0)
                return bus_error_set(reterr, CONTRACT_ERROR_INVALID_ARGUMENT, "The value must be a string.");
        if (!streq(interface, LOG_CONTROL))
                return bus_error_set(reterr, CONTRACT_ERROR_OBJECT_NOT_FOUND,
                                     "Only properties of " LOG_CONTROL " are here.");
        if (streq(property, "LogLevel"))
                return set_level(userdata, m, "", value, reterr);
        if (streq(property, "LogTarget") && streq(value, log_target()))
                return sd_bus_reply_method_return(m, NULL);
        return bus_error_set(reterr, CONTRACT_ERROR_NOT_SUPPORTED,
                             "Of the log only LogLevel can be set; it goes where systemd sends it.");
}

static const sd_bus_vtable log_control_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_WRITABLE_PROPERTY("LogLevel", "s", property_level, property_set, 0,
                                 SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_WRITABLE_PROPERTY("LogTarget", "s", property_target, property_set, 0,
                                 SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("SyslogIdentifier", "s", property_identifier, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_VTABLE_END,
};

/**
 * log_bus_register() - put org.freedesktop.LogControl1 on the connection
 * @manager:    the manager
 *
 * Return: 0, or a negative errno.
 */
int log_bus_register(Manager *manager) {
        int r;

        r = sd_bus_add_object(manager->bus, NULL, LOG_CONTROL_PATH, on_set, manager);
        if (r >= 0)
                r = sd_bus_add_object_vtable(manager->bus, NULL, LOG_CONTROL_PATH, LOG_CONTROL,
                                             log_control_vtable, manager);
        return r < 0 ? error_origin(r) : 0;
}
