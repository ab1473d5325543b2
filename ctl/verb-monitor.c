/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl monitor: tells what quiesced does as it happens, one line an event, until it is stopped.
 */

#include "ctl/ctl.h"
#include "ctl/monitor.h"
#include "quiesce/requester.h"

#include <systemd/sd-event.h>

static const char usage[] = "\nUsage:\n"
                            " quiescectl monitor [options]\n"
                            "\n"
                            "Follow sessions, sets and snapshots live, one line an event.\n"
                            "\n"
                            "Options:\n"
                            " -H, --host [USER@]HOST  follow the quiesced of another host\n"
                            " -J, --json              print JSON, one object a line\n"
                            " -q, --quiet             do not say that it is following\n"
                            " -h, --help              display this help\n"
                            " -V, --version           display version\n"
                            "\n"
                            "For more details see quiescectl(1).\n";

static const struct option long_options[] = {
        OPTIONS_HOST, {"json", no_argument, NULL, OPTION_JSON}, OPTIONS_QUIET, OPTIONS_ALWAYS, {}};

typedef struct Following {
        Monitor monitor;
        sd_event *event;
        bool json;
        bool unread; /* whoever read what it tells has gone */
} Following;

static void event_unrefp(sd_event **event) {
        (void) sd_event_unref(*event);
}

static void following_done(Following *following) {
        monitor_done(&following->monitor);
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        Following *following = userdata;
        json_t *events = NULL, *event;
        size_t i;
        int r;

        r = monitor_translate(&following->monitor, m, &events);
        if (r < 0)
                say("a signal of quiesced's is not understood, ignoring: %s", strerror(-r));
        json_array_foreach(events, i, event)
                if (monitor_print(event, following->json) < 0) {
                        following->unread = true;
                        (void) sd_event_exit(following->event, EXIT_FAILURE);
                }
        json_decref(events);
        return 0;
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        return sd_event_exit(userdata, EXIT_SUCCESS);
}

/* With no events asked for, there are only EPOLLERR and EPOLLHUP. */
static int on_reader_gone(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        Following *following = userdata;

        following->unread = true;
        return sd_event_exit(following->event, EXIT_FAILURE);
}

/* A pipe whose reader has gone, so that it does not stay until there is something to tell. A file can't be
 * watched, and needs it not. */
static int watch_reader(Following *following) {
        int r = sd_event_add_io(following->event, NULL, STDOUT_FILENO, 0, on_reader_gone, following);

        return r == -EPERM ? 0 : error_trace(r);
}

/* The rules name the well-known name: the bus follows it to its owners. Each answers before we ask what is
 * there, so that nothing is missed in between. */
static int listen_to_quiesced(sd_bus *bus, Following *following) {
        static const char *const rules[] = {
                "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
                "member='NameOwnerChanged',arg0='" QUIESCE_BUS_NAME "'",
                "type='signal',sender='" QUIESCE_BUS_NAME "',interface='org.freedesktop.DBus.ObjectManager'",
                "type='signal',sender='" QUIESCE_BUS_NAME "',member='PropertiesChanged',"
                "interface='org.freedesktop.DBus.Properties'",
                "type='signal',sender='" QUIESCE_BUS_NAME "',interface='" QUIESCE_BUS_MANAGER "'",
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(rules); i++)
                r = sd_bus_add_match(bus, NULL, rules[i], on_signal, following);
        return error_trace(r);
}

/* Who quiesced is, and which writers there are, if it runs: it is not started by being watched. */
static int look_around(sd_bus *bus, Following *following) {
        _cleanup_message_ sd_bus_message *owner = NULL, *call = NULL, *objects = NULL;
        const char *name;
        int r;

        r = sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                               "GetNameOwner", NULL, &owner, "s", QUIESCE_BUS_NAME);
        if (r < 0)
                return 0;
        r = sd_bus_message_read(owner, "s", &name);
        if (r >= 0)
                r = monitor_note_owner(&following->monitor, name);
        if (r >= 0)
                r = sd_bus_message_new_method_call(bus, &call, name, QUIESCE_BUS_PATH,
                                                   "org.freedesktop.DBus.ObjectManager",
                                                   "GetManagedObjects");
        if (r < 0)
                return error_trace(r);
        return sd_bus_call(bus, call, 0, NULL, &objects) < 0
                       ? 0
                       : error_trace(monitor_note_writers(&following->monitor, objects));
}

static int follow(const Options *options) {
        _cleanup_(following_done) Following following = {.json = options->json};
        _cleanup_(event_unrefp) sd_event *event = NULL;
        _cleanup_bus_ sd_bus *bus = NULL;
        int r;

        r = bus_open(&bus, options->host);
        if (r != 0)
                return r;
        r = sd_event_new(&event);
        following.event = event;
        if (r >= 0)
                r = monitor_init(&following.monitor);
        if (r >= 0)
                r = signals_catch(event, on_stop, event);
        if (r >= 0)
                r = watch_reader(&following);
        if (r >= 0)
                r = listen_to_quiesced(bus, &following);
        if (r >= 0)
                r = look_around(bus, &following);
        if (r >= 0)
                r = sd_bus_attach_event(bus, event, 0);
        if (r < 0)
                return error_trace(r);
        (void) sd_bus_set_exit_on_disconnect(bus, true);
        if (!options->quiet)
                say("following quiesced%s%s", *following.monitor.owner ? "" : ", which does not run",
                    isatty(STDERR_FILENO) ? "; Ctrl-C ends it" : "");
        r = sd_event_loop(event);
        if (r == EXIT_FAILURE && !following.unread)
                say("the connection to the bus is lost");
        (void) sd_bus_detach_event(bus);
        return r;
}

/**
 * verb_monitor() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: the exit status, or a negative errno.
 */
int verb_monitor(int argc, char **argv) {
        Options options = {};
        int c, r;

        while ((c = getopt_long(argc, argv, "H:JqhV", long_options, NULL)) >= 0) {
                r = options_take(&options, c, usage);
                if (r != 0)
                        return r == OPTIONS_E_DONE ? EXIT_SUCCESS : usage_hint("monitor");
        }
        if (optind < argc)
                return usage_error("monitor", "%s: it takes no argument", argv[optind]);
        r = follow(&options);
        return r == CTL_E_SAID ? EXIT_FAILURE : r;
}
