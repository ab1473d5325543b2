/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl plot: the timeline of a set or a session, drawn as SVG on stdout.
 */

#include "ctl/kinds.h"
#include "ctl/plot.h"
#include "ctl/set-timeline.h"
#include "quiesce/requester.h"

static const char usage[] =
        "\nUsage:\n"
        " quiescectl plot [options] ID\n"
        "\n"
        "Draw the timeline of a snapshot set or a session as SVG. The name of a set does\n"
        "for its ID.\n"
        "\n"
        "Options:\n"
        " -H, --host [USER@]HOST  ask the quiesced of another host\n"
        " -h, --help              display this help\n"
        " -V, --version           display version\n"
        "\n"
        "For more details see quiescectl(1).\n";

static const struct option long_options[] = {OPTIONS_HOST, OPTIONS_ALWAYS, {}};

/* A snapshot stands for its set. Return: 0, CTL_E_SAID or a negative errno. */
static int find(sd_bus *bus, const char *id, char **ret_path, const char **ret_interface) {
        _cleanup_(dict_done) Dict snapshot = {};
        int r;

        r = object_find(bus, id, ret_path, ret_interface);
        if (r != 0 || !streq(*ret_interface, QUIESCE_BUS_SNAPSHOT))
                return r;
        r = object_properties(&snapshot, bus, *ret_path, *ret_interface);
        if (r != 0)
                return r;
        free(*ret_path);
        *ret_path = NULL;
        return object_find(bus, dict_get_string(&snapshot, "Set"), ret_path, ret_interface);
}

static int plot(sd_bus *bus, const char *id) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(timeline_done) Timeline timeline = {};
        _cleanup_free_ char *path = NULL;
        const char *interface;
        int r;

        r = find(bus, id, &path, &interface);
        if (r != 0)
                return r;
        r = set_timeline_read(&timeline, bus, path, interface, true, &error);
        if (r == SET_TIMELINE_E_NONE)
                return say_bus_error(id, &error, -EIO);
        if (r < 0)
                return error_trace(r);
        r = plot_timeline(stdout, &timeline);
        if (r == -ENODATA) {
                say("%s: nothing has happened in it yet that could be drawn", id);
                return CTL_E_SAID;
        }
        return r < 0 ? error_trace(r) : 0;
}

/**
 * verb_plot() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: the exit status, or a negative errno.
 */
int verb_plot(int argc, char **argv) {
        _cleanup_bus_ sd_bus *bus = NULL;
        Options options = {};
        int c, r;

        while ((c = getopt_long(argc, argv, "H:hV", long_options, NULL)) >= 0) {
                r = options_take(&options, c, usage);
                if (r != 0)
                        return r == OPTIONS_E_DONE ? EXIT_SUCCESS : usage_hint("plot");
        }
        if (optind + 1 != argc)
                return usage_error("plot", optind >= argc ? "no ID given" : "one ID at a time");
        r = bus_open(&bus, options.host);
        if (r == 0)
                r = plot(bus, argv[optind]);
        return r == CTL_E_SAID ? EXIT_FAILURE : r;
}
