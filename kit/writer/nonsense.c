/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the library lets no writer do is done behind its back; see test-writer.h. */

#include "test-writer.h"

#include <unistd.h>

#include "quiesce/writer-internal.h"

static int many(QuiesceWriterEvent *event, const char *key, const char *text, unsigned n) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_return(event->message, &m);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", key);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        for (unsigned i = 0; r >= 0 && i < n; i++)
                r = sd_bus_message_append(m, "s", text);
        for (int i = 0; r >= 0 && i < 4; i++)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_send(NULL, m, NULL);
        return r < 0 ? r : QUIESCE_WRITER_PENDING;
}

/* An answer with one text, of 4 MiB. */
static int large(QuiesceWriterEvent *event, const char *key) {
        const size_t size = 4 << 20;
        _cleanup_free_ char *text = malloc(size + 1);

        if (!text)
                return -ENOMEM;
        memset(text, 'x', size);
        text[size] = '\0';
        return sd_bus_reply_method_return(event->message, "a{sv}", 1, key, "s", text) < 0
                       ? -EIO
                       : QUIESCE_WRITER_PENDING;
}

/* Calls, signals and answers that nobody asked for, and not the answer that somebody did ask for. */
static int flood(QuiesceWriterEvent *event) {
        sd_bus *bus = sd_bus_message_get_bus(event->message);
        int r = 0;

        for (int i = 0; r >= 0 && i < 20000; i++) {
                r = sd_bus_call_method_async(bus, NULL, NULL, "/", "org.freedesktop.DBus.Peer", "Ping", NULL,
                                             NULL, NULL);
                if (r >= 0)
                        r = sd_bus_emit_signal(bus, "/org/quiesce1", "org.quiesce1.Manager", "Abort",
                                               "ssa{sv}", "", "", 0);
        }
        return r < 0 ? r : QUIESCE_WRITER_PENDING;
}

/* The process ends; one that it leaves behind keeps the connection open, and never answers. */
static int leave_child(void) {
        if (fork() == 0)
                for (;;)
                        (void) pause();
        _exit(EXIT_SUCCESS);
}

/**
 * answer_nonsense() - answer an event in a way that no writer may
 * @event:      the event
 * @which:      nonsense (a dictionary with a wrong type), strange (an error that is none of ours), twice (an
 *              answer now and another by the library), huge (100000 paths), stuffed (a million texts that
 *              nobody knows), large (4 MiB of description), verbose (of warning), flood (40000 messages and
 *              no answer), fork (end, and leave a process with the connection)
 *
 * Return: QUIESCE_WRITER_PENDING if it was answered, 0 if it is still to be; -ENOENT: no such answer.
 */
int answer_nonsense(QuiesceWriterEvent *event, const char *which) {
        if (streq(which, "nonsense"))
                return sd_bus_reply_method_return(event->message, "a{sv}", 1, "warning", "u", 7u) < 0
                               ? -EIO
                               : QUIESCE_WRITER_PENDING;
        if (streq(which, "strange"))
                return sd_bus_reply_method_errorf(event->message, "org.example.Strange", "strange") < 0
                               ? -EIO
                               : QUIESCE_WRITER_PENDING;
        if (streq(which, "twice"))
                return sd_bus_reply_method_return(event->message, "a{sv}", 0) < 0 ? -EIO : 0;
        if (streq(which, "huge"))
                return many(event, "paths", "/a/path", 100000);
        if (streq(which, "stuffed"))
                return many(event, "stuffing", "", 1000000);
        if (streq(which, "large"))
                return large(event, "description");
        if (streq(which, "verbose"))
                return large(event, "warning");
        if (streq(which, "flood"))
                return flood(event);
        if (streq(which, "fork"))
                return leave_child();
        return -ENOENT;
}
