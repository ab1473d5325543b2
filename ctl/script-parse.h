/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * quiescectl script: from a diskshadow script's text to commands, quiesce-script(5).
 *
 * The whole script is read and checked before anything of it is done: verbs, their arguments, their order,
 * and whether each %VARIABLE% will have a value where it is used. Pure: text in, commands or words about
 * what is wrong out. What only the machine can tell is looked at by script-check.c.
 */

#include <stdbool.h>
#include <stddef.h>

#include "util/macro.h"

#define PROGRAM_SIZE_MAX    65536u
#define PROGRAM_WORDS_MAX   64u
#define PROGRAM_ERROR_MAX   512u
#define PROGRAM_VOLUMES_MAX 64u  /* of a set: quiesced's own limit */
#define PROGRAM_ALIASES_MAX 256u /* beside those of volumes */
#define PROGRAM_NAME_MAX    64u  /* of an alias */

enum {
        _PROGRAM_E_SUCCESS,
        PROGRAM_E_INVALID, /* it is no script that can be carried out: error says why */
};

typedef enum ProgramVerb {
        PROGRAM_SET_CONTEXT,
        PROGRAM_SET_OPTION,
        PROGRAM_SET_METADATA,
        PROGRAM_SET_VERBOSE,
        PROGRAM_LOAD_METADATA,
        PROGRAM_WRITER_VERIFY,
        PROGRAM_WRITER_EXCLUDE,
        PROGRAM_ADD_VOLUME,
        PROGRAM_ADD_ALIAS,
        PROGRAM_ADD,
        PROGRAM_BEGIN_BACKUP,
        PROGRAM_END_BACKUP,
        PROGRAM_BEGIN_RESTORE,
        PROGRAM_END_RESTORE,
        PROGRAM_SIMULATE_RESTORE,
        PROGRAM_CREATE,
        PROGRAM_EXEC,
        PROGRAM_EXPOSE,
        PROGRAM_UNEXPOSE,
        PROGRAM_DELETE_SHADOWS,
        PROGRAM_BREAK,
        PROGRAM_REVERT,
        PROGRAM_LIST_WRITERS,
        PROGRAM_LIST_SHADOWS,
        PROGRAM_LIST_PROVIDERS,
        PROGRAM_RESET,
        PROGRAM_EXIT,
        PROGRAM_NOT_SUPPORTED, /* VSS has it; none is ever in a program */
        _PROGRAM_VERB_MAX,
} ProgramVerb;

/* Which snapshots "delete shadows" and "list shadows" mean. */
typedef enum ProgramWhich {
        PROGRAM_ALL,
        PROGRAM_OF_VOLUME,
        PROGRAM_OLDEST,
        PROGRAM_OF_SET,
        PROGRAM_ID,
        PROGRAM_EXPOSED,
} ProgramWhich;

typedef struct ProgramCommand {
        unsigned line; /* from 1 */
        ProgramVerb verb;
        char name[24]; /* of the verb, for people */
        char **words;  /* all of the line, NULL-terminated; %VARIABLE%s stand in them as written */
        size_t n_words;
        char **arguments; /* those behind the verb, in words */
        /* In words, too; NULL: not given. */
        const char *argument; /* path, volume, id or writer */
        const char *directory, *alias, *provider;
        char *joined; /* what argument is, if it has blanks without quotes */
        ProgramWhich which;
        bool persistent, without_writers; /* set context */
        bool on;                          /* set verbose */
        bool writable;                    /* break */
} ProgramCommand;

typedef struct Program {
        ProgramCommand *commands;
        size_t n_commands;
} Program;

/* Whether an environment variable is set; NULL: none is. */
typedef const char *(*ProgramEnvironment)(const char *name);

int program_parse(Program **ret, const char *text, size_t size, ProgramEnvironment environment,
                  char error[static PROGRAM_ERROR_MAX]);
Program *program_free(Program *program);
DEFINE_CLEANUP(Program *, program_free)

/* script-words.c */
int words_split(char ***ret, size_t *ret_n, const char *text, size_t size,
                char error[static PROGRAM_ERROR_MAX]);
/* The next %VARIABLE% of a word at or after *at, which is moved behind it. */
enum {
        VARIABLE_E_FOUND = 1,
        VARIABLE_E_PERCENT, /* %%: a per cent sign; name is empty */
        VARIABLE_E_BROKEN,  /* a '%' that begins none */
};
int variable_next(const char *word, size_t *at, size_t *ret_begin, char name[static PROGRAM_NAME_MAX]);
bool alias_is_valid(const char *name);
bool path_is_of_windows(const char *path);

/* script-order.c: what may come when, and which variables there are then. */
typedef struct ProgramOrder {
        ProgramEnvironment environment;
        bool created, begun, ended, loaded, restoring, restored, verified, without_writers;
        size_t n_volumes;
        char *volume_aliases[PROGRAM_VOLUMES_MAX]; /* by number; NULL: none was given */
        char *aliases[PROGRAM_ALIASES_MAX];
        size_t n_aliases;
} ProgramOrder;

int order_check(ProgramOrder *order, const ProgramCommand *command, char error[static PROGRAM_ERROR_MAX]);
void order_done(ProgramOrder *order);
