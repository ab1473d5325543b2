/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Options: the a{sv} that ends a method's arguments. A key that is not known is refused by name: a requester
 * never gets less than it asked for without being told.
 */

#include "daemon/bus/bus.h"

#include "util/error.h"

static const char *option_signature(OptionType type) {
        switch (type) {
        case OPTION_BOOLEAN:
                return "b";
        case OPTION_UINT64:
                return "t";
        case OPTION_STRING:
                return "s";
        case OPTION_STRINGS:
                return "as";
        case OPTION_FD:
                return "h";
        default:
                return "";
        }
}

/**
 * bus_strv_free() - free a list of strings
 * @list:       NULL-terminated, or NULL
 *
 * Return: NULL.
 */
char **bus_strv_free(char **list) {
        for (char **s = list; s && *s; s++)
                free(*s);
        free(list);
        return NULL;
}

static int option_read_value(sd_bus_message *m, const Option *option) {
        char **strings;
        int r;

        if (option->type != OPTION_STRINGS)
                return sd_bus_message_read_basic(m, option_signature(option->type)[0], option->target);
        r = sd_bus_message_read_strv(m, &strings);
        if (r < 0)
                return r;
        (void) bus_strv_free(*(char ***) option->target);
        *(char ***) option->target = strings;
        return 1;
}

static int option_read(sd_bus_message *m, const Option *options, size_t n_options, sd_bus_error *reterr) {
        const char *method = sd_bus_message_get_member(m), *key, *contents;
        char type;
        int r;

        r = sd_bus_message_read(m, "s", &key);
        if (r < 0)
                return error_origin(r);
        for (size_t i = 0; i < n_options; i++) {
                const char *signature = option_signature(options[i].type);

                if (!streq(options[i].key, key))
                        continue;
                r = sd_bus_message_peek_type(m, &type, &contents);
                if (r < 0)
                        return error_origin(r);
                if (!streq(contents, signature))
                        return bus_error_set(reterr, CONTRACT_ERROR_INVALID_ARGUMENT,
                                             "%s: option %s must be of D-Bus type %s, not %s.", method, key,
                                             signature, contents);
                r = sd_bus_message_enter_container(m, 'v', signature);
                if (r >= 0)
                        r = option_read_value(m, &options[i]);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                return r < 0 ? error_origin(r) : 0;
        }
        return bus_error_set(reterr, CONTRACT_ERROR_INVALID_ARGUMENT,
                             "%s: option %s is not known to this version of quiesced.", method, key);
}

/**
 * options_read() - read the options of a method
 * @m:          the call, of which all arguments before are read
 * @options:    what is known; a target keeps its value if the option is not given
 * @n_options:  how many
 * @reterr:     InvalidArgument naming the key, for a key that is not known or a value of the wrong type
 *
 * Return: 0, or a negative errno.
 */
int options_read(sd_bus_message *m, const Option *options, size_t n_options, sd_bus_error *reterr) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return error_origin(r);
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = option_read(m, options, n_options, reterr);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return error_origin(r);
        }
        if (r < 0)
                return error_origin(r);
        r = sd_bus_message_exit_container(m);
        return r < 0 ? error_origin(r) : 0;
}

/**
 * options_read_none() - likewise, for a method that has no option yet
 * @m:          the call
 * @reterr:     InvalidArgument naming the first key
 *
 * Return: 0, or a negative errno.
 */
int options_read_none(sd_bus_message *m, sd_bus_error *reterr) {
        return options_read(m, NULL, 0, reterr);
}
