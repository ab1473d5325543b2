/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What steps tell; see engine.h. */

#include "writers.d/server/report.h"

#include <stdarg.h>

#include "util/error.h"
#include "util/utf8.h"

static void join(char text[static REPORT_TEXT_MAX], const char *format, va_list arguments) {
        size_t n = strlen(text);

        if (n > 0 && n + 2 < REPORT_TEXT_MAX) {
                (void) strcpy(text + n, "; ");
                n += 2;
        }
        (void) vsnprintf(text + n, REPORT_TEXT_MAX - n, format, arguments);
        utf8_clean(text, REPORT_TEXT_MAX - 1);
}

/**
 * text_join() - append to a text for people
 * @text:       it
 * @format:     like printf
 */
void text_join(char text[static REPORT_TEXT_MAX], const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        join(text, format, arguments);
        va_end(arguments);
}

/**
 * report_fail() - the step has failed
 * @report:     of the step
 * @failure:    what the writer answers
 * @format:     like printf: what happened; the first failure counts
 *
 * Return: -ECANCELED, for the step to return.
 */
int report_fail(Report *report, QuiesceFailure failure, const char *format, ...) {
        va_list arguments;

        if (report->failure)
                return -ECANCELED;
        report->failure = failure;
        va_start(arguments, format);
        join(report->text, format, arguments);
        va_end(arguments);
        return -ECANCELED;
}

/**
 * report_warn() - good, but people should know
 * @report:     of the step
 * @format:     like printf
 *
 * Return: 0.
 */
int report_warn(Report *report, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        join(report->warning, format, arguments);
        va_end(arguments);
        return 0;
}

/**
 * facts_set_version() - which version the server is
 * @facts:      of look()
 * @text:       copied
 *
 * Return: 0, or -ENOMEM.
 */
int facts_set_version(Facts *facts, const char *text) {
        char *copy = strdup(text);

        if (!copy)
                return error_origin(-ENOMEM);
        free(facts->version);
        facts->version = copy;
        return 0;
}

/**
 * facts_add_path() - files without which a restore is not whole
 * @facts:      of look()
 * @path:       a folder, absolute, as the server knows it; copied
 * @pattern:    of names in it; "*" or NULL: all; copied
 * @recursive:  and what is in folders below
 * @what:       for people; copied
 *
 * Return: 0; -EINVAL: not absolute; -E2BIG; -ENOMEM.
 */
int facts_add_path(Facts *facts, const char *path, const char *pattern, bool recursive, const char *what) {
        FactPath added = {.recursive = recursive}, *grown;
        int r;

        if (facts->n_paths >= FACTS_PATHS_MAX)
                return error_origin(-E2BIG);
        grown = reallocarray(facts->paths, facts->n_paths + 1, sizeof(*grown));
        if (!grown)
                return error_origin(-ENOMEM);
        facts->paths = grown;
        r = instance_map_path(facts->instance, path, &added.path);
        if (r < 0)
                return error_trace(r);
        added.pattern = strdup(pattern ? pattern : "*");
        added.what = strdup(what);
        grown[facts->n_paths++] = added;
        return added.pattern && added.what ? 0 : error_origin(-ENOMEM);
}

/**
 * facts_add_database() - a database of the instance
 * @facts:      of look()
 * @name:       copied
 *
 * Databases are told for people; beyond FACTS_DATABASES_MAX, or if its name cannot be a component's, one is
 * left out: it is backed up with its instance all the same.
 *
 * Return: 0, or -ENOMEM.
 */
int facts_add_database(Facts *facts, const char *name) {
        char **grown;

        if (facts->n_databases >= FACTS_DATABASES_MAX || !instance_name_is_good(name))
                return 0;
        for (size_t i = 0; i < facts->n_databases; i++)
                if (streq(facts->databases[i], name))
                        return 0;
        grown = reallocarray(facts->databases, facts->n_databases + 1, sizeof(*grown));
        if (!grown)
                return error_origin(-ENOMEM);
        facts->databases = grown;
        grown[facts->n_databases] = strdup(name);
        if (!grown[facts->n_databases])
                return error_origin(-ENOMEM);
        facts->n_databases++;
        return 0;
}

/**
 * facts_done() - forget facts
 * @facts:      emptied; they stay the same instance's
 */
void facts_done(Facts *facts) {
        for (size_t i = 0; i < facts->n_paths; i++) {
                free(facts->paths[i].path);
                free(facts->paths[i].pattern);
                free(facts->paths[i].what);
        }
        for (size_t i = 0; i < facts->n_databases; i++)
                free(facts->databases[i]);
        free(facts->paths);
        free(facts->databases);
        free(facts->version);
        *facts = (Facts){.instance = facts->instance};
}
