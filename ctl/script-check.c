/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What only this machine can tell of a program before anything of it is done: whether files and directories
 * are there; see script-run.h. What a command before it may make, and what has a variable in its name, is
 * left for later.
 */

#include <libgen.h>
#include <sys/stat.h>

#include "ctl/script-run.h"

static bool is_known(const char *word) {
        return word && !strchr(word, '%');
}

/* Return: NULL: it can be run; else what keeps it from that. */
static const char *cannot_run(const char *file) {
        const char *path = getenv("PATH");
        _cleanup_free_ char *paths = strdup(path ? path : "/usr/bin:/bin");
        char *rest = paths, *directory;
        struct stat st;

        if (strchr(file, '/')) {
                if (stat(file, &st) >= 0 && !S_ISREG(st.st_mode))
                        return "it is no file";
                if (access(file, X_OK) >= 0)
                        return NULL;
                return errno == EACCES ? "it is not executable, or may not be run" : strerror(errno);
        }
        while ((directory = strsep(&rest, ":"))) {
                _cleanup_free_ char *whole = NULL;

                if (asprintf(&whole, "%s/%s", *directory ? directory : ".", file) >= 0 &&
                    access(whole, X_OK) >= 0)
                        return NULL;
        }
        return "it is nowhere in PATH; ./ before it means this directory";
}

static const char *cannot_write(const char *file) {
        _cleanup_free_ char *copy = strdup(file);
        const char *directory = copy ? dirname(copy) : NULL;
        struct stat st;

        if (!directory)
                return strerror(ENOMEM);
        if (stat(file, &st) >= 0 && !S_ISREG(st.st_mode))
                return "it is no file";
        return access(directory, W_OK | X_OK) < 0 ? "its directory is not there, or cannot be written to"
                                                  : NULL;
}

static const char *cannot_expose(const char *directory) {
        struct stat st;

        if (stat(directory, &st) < 0)
                return strerror(errno);
        return S_ISDIR(st.st_mode) ? NULL : strerror(ENOTDIR);
}

/* What commands before have made, perhaps. */
typedef struct Made {
        bool anything, document;
} Made;

/* Return: NULL: nothing is wrong; else *ret_name is what it is about. */
static const char *find_wrong(const ProgramCommand *command, const Made *made, const char **ret_name) {
        *ret_name = command->verb == PROGRAM_EXPOSE ? command->directory : command->argument;
        if (!is_known(*ret_name) || made->anything)
                return NULL;
        switch (command->verb) {
        case PROGRAM_EXEC:
                return cannot_run(*ret_name);
        case PROGRAM_SET_METADATA:
                return cannot_write(*ret_name);
        case PROGRAM_LOAD_METADATA:
                return made->document || access(*ret_name, R_OK) >= 0 ? NULL : strerror(errno);
        case PROGRAM_EXPOSE:
                return cannot_expose(*ret_name);
        case PROGRAM_ADD_VOLUME:
                return (*ret_name)[0] != '/' || access(*ret_name, F_OK) >= 0 ? NULL : strerror(errno);
        default:
                return NULL;
        }
}

/**
 * program_check() - whether a program can be carried out here, as far as can be told
 * @program:    it
 * @file:       as messages name it
 *
 * Return: 0; CTL_E_SAID.
 */
int program_check(const Program *program, const char *file) {
        Made made = {};

        for (size_t i = 0; i < program->n_commands; i++) {
                const ProgramCommand *command = &program->commands[i];
                const char *name, *wrong = find_wrong(command, &made, &name);

                if (wrong) {
                        say("%s:%u: %s: %s: %s; nothing was done", file, command->line, command->name, name,
                            wrong);
                        return CTL_E_SAID;
                }
                made.anything |= command->verb == PROGRAM_EXEC;
                made.document |= command->verb == PROGRAM_SET_METADATA;
        }
        return 0;
}
