/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Common options, messages and the way to the bus.
 */

#include <stdarg.h>
#include <stdio.h>

#include "ctl/ctl.h"

#include "util/utf8.h"

/**
 * say() - tell the user something
 * @format:     one line without its end
 *
 * Names of files may be anybody's: what is no UTF-8, ends the line or drives a terminal is replaced.
 */
void say(const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = vasprintf(&text, format, arguments);
        va_end(arguments);
        if (r < 0)
                text = NULL;
        else
                utf8_clean(text, SIZE_MAX);
        (void) fprintf(stderr, "quiescectl: %s\n", text ?: strerror(ENOMEM));
}

/**
 * reason_to_string() - what keeps a call from being made
 * @r:          negative errno
 *
 * Return: static text. What sd-bus takes for no string is a name of somebody's that is no UTF-8.
 */
const char *reason_to_string(int r) {
        return r == -EINVAL ? "what was given is no UTF-8, as names, notes, labels and ids have to be"
                            : strerror(-r);
}

/**
 * usage_error() - tell the user that the command line is wrong
 * @verb:       the verb or NULL
 * @format:     what is wrong
 *
 * Return: EXIT_FAILURE, always; the verb run turns it into its own status.
 */
int usage_error(const char *verb, const char *format, ...) {
        char text[512];
        va_list arguments;

        va_start(arguments, format);
        (void) vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        say("%s", text);
        return usage_hint(verb);
}

/**
 * usage_hint() - tell the user where to look, after what is wrong has been said
 * @verb:       the verb or NULL
 *
 * Return: EXIT_FAILURE, always.
 */
int usage_hint(const char *verb) {
        (void) fprintf(stderr, "Try 'quiescectl %s%s--help' for more information.\n", verb ? verb : "",
                       verb ? " " : "");
        return EXIT_FAILURE;
}

/**
 * options_refuse_host() - tell the user that a verb needs mounts of this machine
 * @options:    the options
 * @verb:       the verb
 * @synopsis:   the rest of its command line
 *
 * Return: 0 if no host was given, else CTL_E_SAID.
 */
int options_refuse_host(const Options *options, const char *verb, const char *synopsis) {
        if (!options->host)
                return 0;
        say("%s works with mounts, which are a machine's own: instead of --host use"
            " 'ssh %s quiescectl %s %s'",
            verb, options->host, verb, synopsis);
        return CTL_E_SAID;
}

/**
 * say_bus_error() - tell the user what quiesced answered
 * @what:       what was asked for
 * @error:      the answer; may be unset
 * @r:          negative errno, said if there is no better text
 *
 * Return: CTL_E_SAID, always.
 */
int say_bus_error(const char *what, const sd_bus_error *error, int r) {
        if (sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
            sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                say("%s: quiesced is not there (%s); is it installed, and what says "
                    "'systemctl status quiesced'?",
                    what, error->message);
        else if (error && sd_bus_error_is_set(error))
                say("%s: %s", what, error->message && *error->message ? error->message : error->name);
        else
                say("%s: %s", what, reason_to_string(r));
        return CTL_E_SAID;
}

/**
 * options_take() - take an option if it is a common one
 * @options:    where to note it
 * @c:          what getopt_long() answered
 * @usage:      the verb's help
 *
 * Return: 0: taken; OPTIONS_E_DONE: help or version was printed; OPTIONS_E_UNKNOWN: not a common option, or
 * wrong.
 */
int options_take(Options *options, int c, const char *usage) {
        switch (c) {
        case OPTION_HELP:
                (void) fputs(usage, stdout);
                return OPTIONS_E_DONE;
        case OPTION_VERSION:
                printf("quiescectl from %s\n", PACKAGE_STRING);
                return OPTIONS_E_DONE;
        case OPTION_HOST:
                options->host = optarg;
                return 0;
        case OPTION_QUIET:
                options->quiet = true;
                return 0;
        case OPTION_JSON:
                options->json = true;
                return 0;
        case OPTION_NO_PAGER:
                options->no_pager = true;
                return 0;
        case OPTION_NO_LEGEND:
                options->no_legend = true;
                return 0;
        default:
                return OPTIONS_E_UNKNOWN;
        }
}

/**
 * bus_open() - connect to the system bus
 * @ret:        the connection
 * @host:       NULL: of this machine; else of that host, through ssh
 *
 * Return: 0, or CTL_E_SAID.
 */
int bus_open(sd_bus **ret, const char *host) {
        const char *name;
        int r;

        r = host ? sd_bus_open_system_remote(ret, host) : sd_bus_open_system(ret);
        /* ssh's failures show in the first answer. */
        if (r >= 0 && host)
                r = sd_bus_get_unique_name(*ret, &name);
        if (r >= 0)
                return 0;
        *ret = sd_bus_flush_close_unref(*ret);
        if (host)
                say("%s: cannot reach its system bus through ssh: %s; does 'ssh %s systemd-stdio-bridge' work "
                    "there?",
                    host, strerror(-r), host);
        else
                say("cannot reach the system bus: %s; is dbus running?", strerror(-r));
        return CTL_E_SAID;
}

/**
 * options_append() - append to a NULL-terminated array of strings
 * @strings:    the array, or NULL
 * @n_strings:  how many it has
 * @string:     taken; NULL: there was no memory for it
 *
 * Return: 0 or a negative errno.
 */
int options_append(char ***strings, size_t *n_strings, char *string) {
        char **longer;

        longer = string ? reallocarray(*strings, *n_strings + 2, sizeof(*longer)) : NULL;
        if (!longer) {
                free(string);
                return error_origin(-ENOMEM);
        }
        *strings = longer;
        longer[(*n_strings)++] = string;
        longer[*n_strings] = NULL;
        return 0;
}

/**
 * options_append_path() - append a path, absolute and without links
 * @strings:    the array, or NULL
 * @n_strings:  how many it has
 * @path:       as the user wrote it
 *
 * Return: 0, CTL_E_SAID or a negative errno.
 */
int options_append_path(char ***strings, size_t *n_strings, const char *path) {
        char *real = realpath(path, NULL);

        if (!real) {
                say("%s: %s", path, strerror(errno));
                return CTL_E_SAID;
        }
        return error_trace(options_append(strings, n_strings, real));
}
