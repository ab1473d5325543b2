/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the library lets no writer do is done behind its back; see test-writer.h. */

#include "test-writer.h"

#include "quiesce/writer-internal.h"

static int huge(QuiesceWriterEvent *event) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_return(event->message, &m);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "paths");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        for (int i = 0; r >= 0 && i < 100000; i++)
                r = sd_bus_message_append(m, "s", "/a/path");
        for (int i = 0; r >= 0 && i < 4; i++)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_send(NULL, m, NULL);
        return r < 0 ? r : QUIESCE_WRITER_PENDING;
}

/**
 * answer_nonsense() - answer an event in a way that no writer may
 * @event:      the event
 * @which:      nonsense (a dictionary with a wrong type), strange (an error that is none of ours), twice (an
 *              answer now and another by the library), huge (100000 paths)
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
                return huge(event);
        return -ENOENT;
}
