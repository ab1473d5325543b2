/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Scripts for quiescectl script of any bytes: never a crash; a program, or an error with a line and a text.
 * A program's commands are in the order of their lines, their arguments are theirs, and all its variables
 * are whole.
 */

#include <ctype.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl/script-parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *environment(const char *name) {
        return name[0] == 'H' ? "" : NULL;
}

static void check_command(const ProgramCommand *command, unsigned after) {
        char name[PROGRAM_NAME_MAX];
        size_t n = 0, begin;

        if (command->line <= after || command->verb >= PROGRAM_NOT_SUPPORTED || !command->name[0] ||
            command->n_words == 0 || command->words[command->n_words] ||
            command->arguments < command->words || command->arguments > command->words + command->n_words)
                abort();
        for (char **word = command->arguments; *word; word++) {
                size_t at = 0, before = 0;

                for (int r; (r = variable_next(*word, &at, &begin, name)) != 0; before = at)
                        if (r == VARIABLE_E_BROKEN || at <= before || begin < before)
                                abort();
                n++;
        }
        if (n > command->n_words)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(program_freep) Program *program = NULL;
        char error[PROGRAM_ERROR_MAX] = "";
        unsigned line = 0;
        int r;

        r = program_parse(&program, (const char *) data, size, environment, error);
        if (r != 0) {
                if (r != PROGRAM_E_INVALID || program || !isdigit((unsigned char) error[0]))
                        abort();
                return 0;
        }
        for (size_t i = 0; i < program->n_commands; i++) {
                check_command(&program->commands[i], line);
                line = program->commands[i].line;
        }
        return 0;
}
