/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What all verbs of quiescectl share: the verb table's entries, common options, messages, the bus.
 *
 * Data goes to stdout, everything said to people to stderr. A function that has told the user why it failed
 * returns CTL_E_SAID; negative errnos are for what nobody has put into words yet.
 */

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "util/error.h"
#include "util/macro.h"

enum {
        _CTL_E_SUCCESS,
        CTL_E_SAID, /* it failed, and the user has been told why */
};

/* Each verb returns its exit status, or a negative errno. */
typedef struct Verb {
        const char *name;
        int (*run)(int argc, char **argv);
        const char *synopsis;
        const char *summary;
} Verb;

int verb_run(int argc, char **argv);
int verb_begin(int argc, char **argv);
int verb_end(int argc, char **argv); /* complete and abort, too */
int verb_create(int argc, char **argv);
int verb_freeze(int argc, char **argv);
int verb_thaw(int argc, char **argv);
int verb_list(int argc, char **argv);
int verb_plot(int argc, char **argv);
int verb_show(int argc, char **argv);
int verb_delete(int argc, char **argv);
int verb_describe(int argc, char **argv);
int verb_break(int argc, char **argv);
int verb_revert(int argc, char **argv);
int verb_export(int argc, char **argv);
int verb_restore(int argc, char **argv);
int verb_prune(int argc, char **argv);
int verb_storage(int argc, char **argv);
int verb_release(int argc, char **argv);
int verb_exec(int argc, char **argv);
int verb_mount(int argc, char **argv);
int verb_umount(int argc, char **argv);
int verb_previous_versions(int argc, char **argv);
int verb_explain(int argc, char **argv);
int verb_doctor(int argc, char **argv);
int verb_monitor(int argc, char **argv);
int verb_log_level(int argc, char **argv);
int verb_script(int argc, char **argv);

/* Options that several verbs take; each verb lists those it takes in its own array for getopt_long(). */
typedef struct Options {
        const char *host; /* NULL: this machine */
        bool json;
        bool no_legend;
        bool no_pager;
        bool quiet;
        bool force;
} Options;

enum {
        OPTION_HELP = 'h',
        OPTION_VERSION = 'V',
        OPTION_HOST = 'H',
        OPTION_QUIET = 'q',
        OPTION_JSON = 'J',
        OPTION_NO_LEGEND = 0x100,
        OPTION_NO_PAGER,
        OPTION_FORCE = 'f',
        OPTION_VERB = 0x200, /* the verbs' own begin here */
};

#define OPTIONS_ALWAYS                                       \
        {"help", no_argument, NULL, OPTION_HELP}, {          \
                "version", no_argument, NULL, OPTION_VERSION \
        }
#define OPTIONS_HOST \
        { "host", required_argument, NULL, OPTION_HOST }
#define OPTIONS_QUIET \
        { "quiet", no_argument, NULL, OPTION_QUIET }
#define OPTIONS_FORCE \
        { "force", no_argument, NULL, OPTION_FORCE }
#define OPTIONS_PAGER \
        { "no-pager", no_argument, NULL, OPTION_NO_PAGER }
#define OPTIONS_TABLE                                            \
        {"json", no_argument, NULL, OPTION_JSON}, {              \
                "no-legend", no_argument, NULL, OPTION_NO_LEGEND \
        }

enum {
        OPTIONS_E_DONE = 1, /* help or version was printed: exit well */
        OPTIONS_E_UNKNOWN,  /* not a common option, or a wrong one: the user has been told of that */
};
int options_take(Options *options, int c, const char *usage);
int usage_error(const char *verb, const char *format, ...) _printf_(2, 3);
int usage_hint(const char *verb);
int options_append(char ***strings, size_t *n_strings, char *string);
int options_append_path(char ***strings, size_t *n_strings, const char *path);
/* A verb of ids, all with the same method of quiesced's. */
typedef struct IdVerb {
        const char *name, *usage;
        const char *method; /* of the Manager; (sa{sv}) */
        bool has_force;     /* it has an option of that name, as has the method */
        bool is_of_sets;    /* a set's name does for its id */
        /* Says how it went. Return: 0, CTL_E_SAID or a negative errno. */
        int (*say)(const char *id, sd_bus_message *reply, const Options *options);
} IdVerb;
int verb_of_ids(const IdVerb *verb, int argc, char **argv);
int options_refuse_host(const Options *options, const char *verb, const char *synopsis);

/* Messages on stderr, with the program's name before them. */
void say(const char *format, ...) _printf_(1, 2);
const char *reason_to_string(int r);
int say_bus_error(const char *what, const sd_bus_error *error, int r);

int bus_open(sd_bus **ret, const char *host);
int signals_catch(sd_event *event, sd_event_signal_handler_t handler, void *userdata);

static inline void bus_closep(sd_bus **bus) {
        (void) sd_bus_flush_close_unref(*bus);
}

static inline void bus_message_unrefp(sd_bus_message **m) {
        (void) sd_bus_message_unref(*m);
}

#define _cleanup_bus_       _cleanup_(bus_closep)
#define _cleanup_message_   _cleanup_(bus_message_unrefp)
#define _cleanup_bus_error_ _cleanup_(sd_bus_error_free)
