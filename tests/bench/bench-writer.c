/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The other ends of bench-bus: a writer that answers every event at once, or, for comparison, a process that
 * does nothing but answer pings over bare sd-bus.
 *
 *   bench-writer LEVEL        as quiesced starts it
 *   bench-writer peer ADDRESS
 *
 * Both end with their connection.
 */

#include <systemd/sd-bus.h>

#include "quiesce/writer.h"
#include "util/macro.h"

/* It speaks first, as writers do. */
static int run_peer(const char *address) {
        sd_bus *bus = NULL;
        int r;

        r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_address(bus, address);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r >= 0)
                r = sd_bus_call_method(bus, NULL, "/", "org.freedesktop.DBus.Peer", "Ping", NULL, NULL,
                                       NULL);
        while (r >= 0 && (r = sd_bus_process(bus, NULL)) >= 0)
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
        sd_bus_unref(bus);
        return 0;
}

static QuiesceLevel find_level(const char *name) {
        return streq(name, "front-end")  ? QUIESCE_LEVEL_FRONT_END
               : streq(name, "back-end") ? QUIESCE_LEVEL_BACK_END
                                         : QUIESCE_LEVEL_SYSTEM;
}

static int run_writer(const char *level) {
        const QuiesceWriterCallbacks callbacks = {.size = sizeof(callbacks)};
        QuiesceWriter *writer = NULL;
        int r;

        r = quiesce_writer_new(&writer, NULL, &callbacks, NULL);
        if (r >= 0)
                r = quiesce_writer_set_level(writer, find_level(level));
        if (r >= 0)
                r = quiesce_writer_run(writer);
        quiesce_writer_free(writer);
        return r < 0;
}

int main(int argc, char **argv) {
        if (argc == 3 && streq(argv[1], "peer"))
                return run_peer(argv[2]);
        return argc == 2 ? run_writer(argv[1]) : 2;
}
