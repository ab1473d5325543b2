/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The session's signals, and any message as a line of text; see requester.h. */

#include "requester.h"

#include "util/error.h"

static int show_value(FILE *f, sd_bus_message *m);

static int show_container(FILE *f, sd_bus_message *m, char type, const char *contents) {
        const char *separator = type == 'e' ? "=" : ", ", *ends = "";
        bool first = true;
        int r;

        if (type == 'a')
                ends = contents[0] == '{' ? "{}" : "[]";
        else if (type == 'r')
                ends = "()";
        r = sd_bus_message_enter_container(m, type, contents);
        if (r < 0)
                return error_origin(r);
        if (ends[0])
                (void) fputc(ends[0], f);
        while ((r = sd_bus_message_at_end(m, false)) == 0) {
                if (!first)
                        (void) fputs(separator, f);
                first = false;
                r = show_value(f, m);
                if (r < 0)
                        return error_trace(r);
        }
        if (ends[0])
                (void) fputc(ends[1], f);
        return r < 0 ? error_origin(r) : sd_bus_message_exit_container(m);
}

static int show_value(FILE *f, sd_bus_message *m) {
        const char *contents;
        union {
                const char *s;
                int b;
                uint8_t y;
                int32_t i;
                uint32_t u;
                int64_t x;
                uint64_t t;
                double d;
        } value = {};
        char type;
        int r;

        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r <= 0)
                return error_origin(r < 0 ? r : -EBADMSG);
        if (contents)
                return error_trace(show_container(f, m, type, contents));
        r = sd_bus_message_read_basic(m, type, &value);
        if (r < 0)
                return error_origin(r);
        if (type == 's' || type == 'o' || type == 'g')
                (void) fprintf(f, "'%s'", value.s);
        else if (type == 'b')
                (void) fputs(value.b ? "true" : "false", f);
        else if (type == 't')
                (void) fprintf(f, "%llu", (unsigned long long) value.t);
        else if (type == 'u')
                (void) fprintf(f, "%u", (unsigned) value.u);
        else
                (void) fprintf(f, "<%c>", type);
        return 0;
}

/**
 * message_to_text() - what a message holds, as "'text', true, {'key'='value'}"
 * @m:          the message
 *
 * Return: the text, free() it; NULL if there is no memory, or the message is malformed.
 */
char *message_to_text(sd_bus_message *m) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);
        int r = 0;

        if (!f)
                return NULL;
        for (unsigned i = 0; r >= 0 && sd_bus_message_at_end(m, true) == 0; i++) {
                if (i > 0)
                        (void) fputs(", ", f);
                r = show_value(f, m);
        }
        if (fclose(f) != 0 || r < 0) {
                free(text);
                return NULL;
        }
        return text;
}

/* Signals of the manager tell in their first argument which session, or in the second which set, is meant.
 */
static bool is_ours(Requester *requester, sd_bus_message *m) {
        const char *first = "", *second = "";
        bool ours;

        if (!streq_ptr(sd_bus_message_get_interface(m), QUIESCE_BUS_MANAGER))
                return true;
        if (sd_bus_message_read(m, "ss", &first, &second) < 0)
                first = second = "";
        ours = streq_ptr(requester->ids[ID_SESSION], first) || streq_ptr(requester->ids[ID_SET], second);
        return sd_bus_message_rewind(m, true) >= 0 && ours;
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *path = sd_bus_message_get_path(m), *below = strstr(path, "/writer/");
        _cleanup_free_ char *text = NULL, *line = NULL;
        Requester *requester = userdata;
        char *grown;
        int n;

        if (!is_ours(requester, m))
                return 0;
        text = message_to_text(m);
        n = asprintf(&line, "signal %s%s %s\n", sd_bus_message_get_member(m), below ? below : "",
                     text ? text : "");
        if (n < 0) {
                line = NULL;
                return error_origin(-ENOMEM);
        }
        (void) fputs(line, stdout);
        (void) fflush(stdout);
        grown = realloc(requester->signals, requester->n_signals + (size_t) n + 1);
        if (!grown)
                return error_origin(-ENOMEM);
        memcpy(grown + requester->n_signals, line, (size_t) n + 1);
        requester->signals = grown;
        requester->n_signals += (size_t) n;
        return 0;
}

/**
 * watch_signals() - show what quiesced tells of the session that was opened
 * @requester:  with a session
 *
 * Return: 0, or a negative errno.
 */
int watch_signals(Requester *requester) {
        const char *path = requester->backup ? quiesce_backup_get_path(requester->backup)
                                             : quiesce_restore_get_path(requester->restore);
        char match[512];
        int r;

        (void) snprintf(match, sizeof(match),
                        "type='signal',sender='" QUIESCE_BUS_NAME "',path_namespace='%s'", path);
        r = sd_bus_add_match(requester->bus, NULL, match, on_signal, requester);
        if (r >= 0)
                r = sd_bus_add_match(requester->bus, NULL,
                                     "type='signal',sender='" QUIESCE_BUS_NAME
                                     "',interface='" QUIESCE_BUS_MANAGER "'",
                                     on_signal, requester);
        return r < 0 ? error_origin(r) : 0;
}
