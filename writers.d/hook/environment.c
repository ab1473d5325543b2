/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a script finds in its environment; quiesced-hook(8) is the list.
 *
 * Nothing is inherited but who and where it runs, so that a script behaves the same however quiesced was
 * started.
 */

#include "writers.d/hook/environment.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>

#include "util/error.h"
#include "util/macro.h"
#include "util/texts.h"

#define VARIABLES_MAX 24u

typedef struct Builder {
        char **variables;
        size_t n;
        int r;
} Builder;

static void _printf_(2, 3) add(Builder *b, const char *format, ...) {
        va_list arguments;

        assert(b->n < VARIABLES_MAX);
        va_start(arguments, format);
        if (b->r >= 0 && vasprintf(&b->variables[b->n], format, arguments) < 0) {
                b->variables[b->n] = NULL;
                b->r = error_origin(-ENOMEM);
        } else if (b->r >= 0)
                b->n++;
        va_end(arguments);
}

static void add_inherited(Builder *b) {
        static const char *const names[] = {
                "HOME", "USER", "LOGNAME", "SHELL", "RUNTIME_DIRECTORY", "CREDENTIALS_DIRECTORY"};

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (getenv(names[i]))
                        add(b, "%s=%s", names[i], getenv(names[i]));
}

/* A line per `n` words, which a tab separates. */
static void add_list(Builder *b, const char *name, const char *const *words, size_t n) {
        _cleanup_free_ char *text = NULL;
        size_t size = 1, at = 0;

        for (const char *const *w = words; *w; w++)
                size += strlen(*w) + 1;
        text = calloc(1, size);
        if (!text) {
                b->r = error_origin(-ENOMEM);
                return;
        }
        for (size_t i = 0; words[i]; i++)
                at += (size_t) snprintf(text + at, size - at, "%s%s",
                                        i == 0  ? ""
                                        : i % n ? "\t"
                                                : "\n",
                                        words[i]);
        add(b, "%s=%s", name, text);
}

/* Return: 0 or -ENOMEM: nothing is left. */
static int begin(Builder *b, const char *step, const char *session) {
        const char *name = getenv("QUIESCE_WRITER_NAME");

        *b = (Builder){.variables = calloc(VARIABLES_MAX + 1, sizeof(*b->variables))};
        if (!b->variables)
                return error_origin(-ENOMEM);
        add(b, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        add(b, "LANG=C.UTF-8");
        add_inherited(b);
        add(b, "QUIESCE_WRITER_NAME=%s", name ? name : "");
        add(b, "QUIESCE_STEP=%s", step);
        add(b, "QUIESCE_SESSION=%s", session);
        return 0;
}

static int finish(Builder *b, char ***ret) {
        if (b->r < 0) {
                texts_free(b->variables);
                return error_trace(b->r);
        }
        *ret = b->variables;
        return 0;
}

/**
 * environment_new() - the environment of one run
 * @ret: NULL-terminated, texts_free() it
 * @event: the event
 * @step: what the script is run for: the event's name, or what stands in for it
 *
 * Return: 0 or -ENOMEM.
 */
int environment_new(char ***ret, const QuiesceWriterEvent *event, const char *step) {
        const char *guard = quiesce_writer_event_get_guard(event);
        Builder b;
        int r;

        r = begin(&b, step, quiesce_writer_event_get_session(event));
        if (r)
                return error_trace(r);
        add(&b, "QUIESCE_EVENT=%s", quiesce_writer_event_get_type_name(event));
        add(&b, "QUIESCE_SET=%s", quiesce_writer_event_get_set(event));
        if (quiesce_writer_event_get_limit_usec(event) != UINT64_MAX)
                add(&b, "QUIESCE_LIMIT_USEC=%" PRIu64, quiesce_writer_event_get_limit_usec(event));
        add(&b, "QUIESCE_BACKUP_TYPE=%s", quiesce_writer_event_get_backup_type(event));
        add(&b, "QUIESCE_PERSISTENT=%d", quiesce_writer_event_is_persistent(event));
        add(&b, "QUIESCE_OUTCOME=%s", quiesce_writer_event_get_outcome(event));
        add(&b, "QUIESCE_CAUSE=%s", quiesce_writer_event_get_cause(event));
        if (guard)
                add(&b, "QUIESCE_GUARD=%s", guard);
        add_list(&b, "QUIESCE_VOLUMES", quiesce_writer_event_get_volumes(event), 1);
        add_list(&b, "QUIESCE_SNAPSHOTS", quiesce_writer_event_get_snapshots(event), 2);
        return error_trace(finish(&b, ret));
}

/**
 * environment_new_rescue() - the environment of a thaw after our predecessor's death
 * @ret: NULL-terminated, texts_free() it
 * @session: which backup had it frozen
 * @step: what the script is run for
 *
 * Return: 0 or -ENOMEM.
 */
int environment_new_rescue(char ***ret, const char *session, const char *step) {
        Builder b;
        int r;

        r = begin(&b, step, session);
        if (r)
                return error_trace(r);
        add(&b, "QUIESCE_EVENT=abort");
        add(&b, "QUIESCE_GUARD=died");
        return error_trace(finish(&b, ret));
}
