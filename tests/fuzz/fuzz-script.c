/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Scripts of any bytes: never a crash; a script or an error with a text. What is a script has lines of
 * words, written again with quotes it is the same script, and its rules end.
 */

#include <stddef.h>
#include <stdint.h>

#include "script/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *write_again(const Script *script, size_t *size) {
        char *text = NULL;
        FILE *f = open_memstream(&text, size);

        if (!f)
                abort();
        for (size_t i = 0; i < script->n_lines; i++)
                for (size_t j = 0; j < script->lines[i].n_words; j++) {
                        (void) fputs(j == 0 ? i == 0 ? "\"" : "\n\"" : " \"", f);
                        for (const char *c = script->lines[i].words[j]; *c; c++) {
                                if (*c == '"' || *c == '\\')
                                        (void) fputc('\\', f);
                                (void) fputc(*c, f);
                        }
                        (void) fputc('"', f);
                }
        if (fclose(f) != 0)
                abort();
        return text;
}

static void compare(const Script *a, const Script *b) {
        if (a->n_lines != b->n_lines)
                abort();
        for (size_t i = 0; i < a->n_lines; i++) {
                if (a->lines[i].n_words == 0 || a->lines[i].n_words != b->lines[i].n_words ||
                    (i > 0 && a->lines[i].number <= a->lines[i - 1].number))
                        abort();
                for (size_t j = 0; j < a->lines[i].n_words; j++)
                        if (!streq(a->lines[i].words[j], b->lines[i].words[j]))
                                abort();
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char *const places[] = {"freeze", NULL};
        _cleanup_(script_unrefp) Script *script = NULL, *again = NULL;
        char error[SCRIPT_ERROR_MAX] = "";
        _cleanup_free_ char *text = NULL;
        size_t at = 0, n;
        int r;

        r = script_parse(&script, (const char *) data, size, error);
        if (r < 0) {
                if (r != -EINVAL || !error[0])
                        abort();
                return 0;
        }
        text = write_again(script, &n);
        if (n <= SCRIPT_SIZE_MAX) {
                if (script_parse(&again, text, n, error) < 0)
                        abort();
                compare(script, again);
        }
        (void) script_check(script, places, error);
        while (script_next(script, &at, "freeze", "w"))
                ;
        if (at != script->n_lines)
                abort();
        if (script->n_lines > 0 && script_add_short(script, script->lines[0].words[0], error) == -EINVAL &&
            !error[0])
                abort();
        return 0;
}
