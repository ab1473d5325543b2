/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Writers' answers to events: dictionaries of any keys and values, of right and wrong types. Never a crash,
 * and an answer to Identify that is taken holds metadata as it must be. The bytes choose what is built:
 * libsystemd takes messages apart, and what it lets through is what is tried here.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "daemon/writers/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Bytes {
        const uint8_t *data;
        size_t size;
} Bytes;

static unsigned take(Bytes *bytes, unsigned n) {
        if (bytes->size == 0)
                return 0;
        bytes->size--;
        return *bytes->data++ % n;
}

/* A string that D-Bus can carry. */
static void take_string(Bytes *bytes, char text[static 64]) {
        static const char *const words[] = {
                "",         "/srv",   "/srv/a",   "*",        "filegroup",
                "database", "custom", "always",   "never",    "a/b",
                "/",        "pages",  "\xc3\xb6", "relative", "restore-if-not-there",
                "x"};
        unsigned n = take(bytes, 24);

        if (n < ELEMENTSOF(words)) {
                (void) snprintf(text, 64, "%s", words[n]);
                return;
        }
        n = take(bytes, 63);
        for (unsigned i = 0; i < n; i++)
                text[i] = (char) (' ' + take(bytes, 95));
        text[n] = '\0';
}

static int append_dictionary(sd_bus_message *m, Bytes *bytes, unsigned depth);

static int append_item(sd_bus_message *m, Bytes *bytes, const char *type, unsigned depth) {
        char a[64], b[64];

        take_string(bytes, a);
        if (streq(type, "s"))
                return sd_bus_message_append(m, "s", a);
        if (streq(type, "u"))
                return sd_bus_message_append(m, "u", take(bytes, 256) << take(bytes, 32));
        if (streq(type, "b"))
                return sd_bus_message_append(m, "b", (int) take(bytes, 2));
        if (streq(type, "a{sv}"))
                return append_dictionary(m, bytes, depth + 1);
        take_string(bytes, b);
        return sd_bus_message_append(m, "(ssb)", a, b, (int) take(bytes, 2));
}

static int append_value(sd_bus_message *m, Bytes *bytes, unsigned depth) {
        static const char *const types[] = {"s", "u", "b", "s", "u", "(ssb)", "a{sv}"};
        unsigned n = take(bytes, depth > 2 ? 6 : 7);
        const char *type = types[n];
        bool list = n >= 3;
        char signature[16];
        int r;

        (void) snprintf(signature, sizeof(signature), "%s%s", list ? "a" : "", type);
        r = sd_bus_message_open_container(m, 'v', signature);
        if (r >= 0 && list)
                r = sd_bus_message_open_container(m, 'a', type);
        for (unsigned i = list ? take(bytes, 5) : 1; r >= 0 && i > 0; i--)
                r = append_item(m, bytes, type, depth);
        if (r >= 0 && list)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_dictionary(sd_bus_message *m, Bytes *bytes, unsigned depth) {
        static const char *const keys[] = {"description",    "paths",
                                           "components",     "exclude-files",
                                           "restore-method", "warning",
                                           "writer-restore", "frozen",
                                           "name",           "type",
                                           "caption",        "logical-path",
                                           "selectable",     "files",
                                           "backup-stamp",   "backup-metadata",
                                           "unknown",        "selectable-for-restore"};
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        for (unsigned i = take(bytes, 8); r >= 0 && i > 0; i--) {
                r = sd_bus_message_open_container(m, 'e', "sv");
                if (r >= 0)
                        r = sd_bus_message_append(m, "s", keys[take(bytes, ELEMENTSOF(keys))]);
                if (r >= 0)
                        r = append_value(m, bytes, depth);
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static sd_bus *open_bus(void) {
        sd_bus *bus = NULL;
        int fds[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0 ||
            sd_bus_new(&bus) < 0 || sd_bus_set_fd(bus, fds[0], fds[0]) < 0 || sd_bus_start(bus) < 0)
                abort();
        return bus;
}

static void check(Writer *writer, sd_bus_message *m, ContractEvent event) {
        char text[CONTRACT_TEXT_MAX];
        Answer answer = {};

        if (answer_read(&answer, m, writer, event) >= 0 && answer.answer.metadata &&
            writer_metadata_check(answer.answer.metadata, text, sizeof(text)))
                abort();
        answer_done(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const ContractEvent events[] = {
                CONTRACT_EVENT_IDENTIFY, CONTRACT_EVENT_IDENTIFY,      CONTRACT_EVENT_PREPARE_FOR_BACKUP,
                CONTRACT_EVENT_FREEZE,   CONTRACT_EVENT_POST_SNAPSHOT, CONTRACT_EVENT_BACKUP_SHUTDOWN};
        static sd_bus *bus;
        _cleanup_(descriptor_unrefp) Descriptor *descriptor = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        Writer writer = {.level = CONTRACT_LEVEL_SYSTEM};
        Bytes bytes = {data, size};
        ContractEvent event = events[take(&bytes, ELEMENTSOF(events))];

        if (!bus)
                bus = open_bus();
        if (descriptor_new(&descriptor, "fuzz", "fuzz.writer") < 0 ||
            sd_bus_message_new_method_call(bus, &m, NULL, "/a", "a.b", "Answer") < 0)
                abort();
        writer.descriptor = descriptor;
        if (append_dictionary(m, &bytes, 0) < 0 || sd_bus_message_seal(m, 1, 0) < 0 ||
            sd_bus_message_rewind(m, true) < 0)
                return 0;
        check(&writer, m, event);
        return 0;
}
