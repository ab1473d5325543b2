/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Options: the a{sv} that ends a method's arguments. A key that is not known is refused by name: a requester
 * never gets less than it asked for without being told.
 */

#include "daemon/bus/bus.h"

#include "util/error.h"
#include "util/texts.h"

#define NAMES_MAX   1024u /* as the contract's of a session */
#define OPTIONS_MAX 64u

static const char *option_signature(OptionType type) {
        switch (type) {
        case OPTION_BOOLEAN:
                return "b";
        case OPTION_UINT64:
                return "t";
        case OPTION_STRING:
                return "s";
        case OPTION_NAMES:
        case OPTION_DEVICES:
        case OPTION_LABELS:
                return "as";
        case OPTION_FD:
                return "h";
        default:
                return "";
        }
}

typedef struct TextsLimit {
        const char *what, *each; /* for people */
        unsigned n_max, length_max;
} TextsLimit;

static const TextsLimit names_limit = {"names of writers", "a writer's name", NAMES_MAX,
                                       CONTRACT_NAME_MAX - 1};
static const TextsLimit devices_limit = {"devices", "a device's name", LVM_PLACEMENT_DEVICES_MAX,
                                         LVM_PLACEMENT_DEVICE_MAX - 1};

static const TextsLimit labels_limit = {"labels", "a label", SET_LABELS_MAX, SET_LABEL_MAX};

/* sd_bus_message_read_strv() counts them for each: it takes three quarters of an hour for as many as a
 * message can have. */
static int read_texts(sd_bus_message *m, const TextsLimit *limit, char ***ret, sd_bus_error *reterr) {
        _cleanup_(texts_freep) char **texts = calloc(limit->n_max + 1, sizeof(*texts));
        const char *text;
        size_t n = 0;
        int r;

        if (!texts)
                return error_origin(-ENOMEM);
        r = sd_bus_message_enter_container(m, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read_basic(m, 's', &text)) > 0) {
                if (n == limit->n_max)
                        return bus_error_set(reterr, CONTRACT_ERROR_LIMITS_EXCEEDED,
                                             "%s takes at most %u %s.", sd_bus_message_get_member(m),
                                             limit->n_max, limit->what);
                if (strlen(text) > limit->length_max)
                        return bus_error_set(reterr, CONTRACT_ERROR_INVALID_ARGUMENT,
                                             "%s: %s has 1 to %u bytes; \"%.64s\" has more.",
                                             sd_bus_message_get_member(m), limit->each, limit->length_max,
                                             text);
                texts[n] = strdup(text);
                if (!texts[n++])
                        return error_origin(-ENOMEM);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0)
                return error_origin(r);
        *ret = TAKE_PTR(texts);
        return 0;
}

/**
 * bus_read_names() - a list of writers' names
 * @m:          the call, which stands at it
 * @ret:        NULL-terminated; texts_free() it
 * @reterr:     LimitsExceeded: more than NAMES_MAX; InvalidArgument: one that no writer can have
 *
 * Return: 0, or a negative errno.
 */
int bus_read_names(sd_bus_message *m, char ***ret, sd_bus_error *reterr) {
        return read_texts(m, &names_limit, ret, reterr);
}

static const TextsLimit *option_limit(OptionType type) {
        switch (type) {
        case OPTION_NAMES:
                return &names_limit;
        case OPTION_DEVICES:
                return &devices_limit;
        case OPTION_LABELS:
                return &labels_limit;
        default:
                return NULL;
        }
}

static int option_read_value(sd_bus_message *m, const Option *option, sd_bus_error *reterr) {
        const TextsLimit *limit = option_limit(option->type);
        char **strings;
        int r;

        if (!limit)
                return sd_bus_message_read_basic(m, option_signature(option->type)[0], option->target);
        r = read_texts(m, limit, &strings, reterr);
        if (r < 0)
                return r;
        (void) texts_free(*(char ***) option->target);
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
                                             "%s: option %.64s must be of D-Bus type %s, not %.64s.", method,
                                             key, signature, contents);
                r = sd_bus_message_enter_container(m, 'v', signature);
                if (r >= 0)
                        r = option_read_value(m, &options[i], reterr);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                return error_trace(r < 0 ? r : 0);
        }
        return bus_error_set(reterr, CONTRACT_ERROR_INVALID_ARGUMENT,
                             "%s: option %.64s is not known to this version of quiesced.", method, key);
}

/**
 * options_read() - read the options of a method
 * @m:          the call, of which all arguments before are read
 * @options:    what is known; a target keeps its value if the option is not given
 * @n_options:  how many
 * @reterr:     InvalidArgument naming the key, for a key that is not known or a value of the wrong type;
 *              LimitsExceeded
 *
 * Return: 0, or a negative errno.
 */
int options_read(sd_bus_message *m, const Option *options, size_t n_options, sd_bus_error *reterr) {
        unsigned n_read = 0;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return error_origin(r);
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                if (++n_read > OPTIONS_MAX)
                        return bus_error_set(reterr, CONTRACT_ERROR_LIMITS_EXCEEDED,
                                             "%s: a call takes at most %u options.",
                                             sd_bus_message_get_member(m), OPTIONS_MAX);
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
