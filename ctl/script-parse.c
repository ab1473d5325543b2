/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The verbs of a script and what stands behind each; see script-parse.h.
 *
 * Promise: any bytes are a program or an error with a line number and words. Verbs and their own words are
 * known in any case, as by diskshadow.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctl/script-parse.h"
#include "util/error.h"
#include "util/texts.h"

typedef struct Grammar {
        const char *first, *second; /* of the verb; second: NULL if it is one word */
        ProgramVerb verb;
        const char *synopsis;
        /* Takes command->arguments. NULL: there must be none. false: it is not as the synopsis says, unless
         * error was filled. */
        bool (*take)(ProgramCommand *command, char *error);
} Grammar;

static bool is(const char *word, const char *keyword) {
        return word && strcasecmp(word, keyword) == 0;
}

static bool refuse(char *error, const char *format, ...) _printf_(2, 3);

static bool refuse(char *error, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        (void) vsnprintf(error, PROGRAM_ERROR_MAX, format, arguments);
        va_end(arguments);
        return false;
}

static size_t count(char *const *words) {
        size_t n = 0;

        while (words[n])
                n++;
        return n;
}

static bool take_context(ProgramCommand *command, char *error) {
        char **words = command->arguments;

        if (is(words[0], "clientaccessible")) {
                /* VSS_CTX_CLIENT_ACCESSIBLE: persistent, and no writer is asked. */
                command->persistent = command->without_writers = true;
                return !words[1];
        }
        command->persistent = is(words[0], "persistent");
        if (!command->persistent && !is(words[0], "volatile"))
                return false;
        command->without_writers = is(words[1], "nowriters");
        return !words[1] || (command->without_writers && !words[2]);
}

static bool take_option(ProgramCommand *command, char *error) {
        static const struct {
                const char *name, *why; /* NULL: it is what there is */
        } options[] = {
                {"differential", NULL},
                {"rollbackrecover", NULL},
                {"plex", "it would be a whole copy; quiesced's snapshots are differential"},
                {"transportable",
                 "there is no hardware provider whose snapshots another machine could import"},
                {"txfrecover", "there are no transactions of a file system on Linux"},
                {"noautorecover",
                 "a writer recovers its data in the snapshot if it has to; leave the writer "
                 "out with 'writer exclude'"},
        };

        for (char **word = command->arguments; *word; word++) {
                size_t i = 0;

                while (i < ELEMENTSOF(options) && !is(*word, options[i].name))
                        i++;
                if (i == ELEMENTSOF(options))
                        return false;
                if (options[i].why)
                        return refuse(error, "%s is not supported (NotSupported): %s", options[i].name,
                                      options[i].why);
        }
        return command->arguments[0];
}

static bool take_path(const char **ret, const char *path, char *error) {
        if (path_is_of_windows(path))
                return refuse(error,
                              "%.200s is a name of Windows; put the one that it has on this machine there",
                              path);
        *ret = path;
        return path[0] != '\0';
}

static bool take_file(ProgramCommand *command, char *error) {
        return count(command->arguments) == 1 && take_path(&command->argument, command->arguments[0], error);
}

static bool take_switch(ProgramCommand *command, char *error) {
        command->on = is(command->arguments[0], "on");
        return count(command->arguments) == 1 && (command->on || is(command->arguments[0], "off"));
}

/* {ID} as Windows writes it, or ID; in place. */
static const char *without_braces(char *word) {
        size_t length = strlen(word);

        if (length < 2 || word[0] != '{' || word[length - 1] != '}')
                return word;
        word[length - 1] = '\0';
        return word + 1;
}

/* All words are one name: diskshadow takes "writer exclude System Writer" without quotes. */
static bool take_writer(ProgramCommand *command, char *error) {
        size_t size = 1;
        char *end;

        for (char **word = command->arguments; *word; word++)
                size += strlen(*word) + 1;
        command->joined = calloc(1, size);
        if (!command->joined)
                return refuse(error, "%s", strerror(ENOMEM));
        end = command->joined;
        for (char **word = command->arguments; *word; word++)
                end = stpcpy(stpcpy(end, word > command->arguments ? " " : ""), *word);
        if (command->joined[0] == '{')
                return refuse(error,
                              "%.80s: a writer has a name here, and no GUID; 'quiescectl list writers' "
                              "tells them",
                              command->joined);
        command->argument = command->joined;
        return command->argument[0] != '\0';
}

static bool take_volume(ProgramCommand *command, char *error) {
        char **words = command->arguments;

        if (!words[0] || !take_path(&command->argument, words[0], error))
                return false;
        for (words++; *words; words += 2) {
                const char **to = is(*words, "alias")      ? &command->alias
                                  : is(*words, "provider") ? &command->provider
                                                           : NULL;

                if (!to || *to || !words[1] || !*words[1])
                        return false;
                *to = words[1];
        }
        if (command->provider && command->provider[0] == '{')
                return refuse(error,
                              "%.80s: a provider has a name here, and no GUID; 'quiescectl list providers' "
                              "tells them",
                              command->provider);
        return true;
}

static bool take_alias(ProgramCommand *command, char *error) {
        if (count(command->arguments) != 2)
                return false;
        command->alias = command->arguments[0];
        command->argument = without_braces(command->arguments[1]);
        return true;
}

static bool take_exec(ProgramCommand *command, char *error) {
        return command->arguments[0] && take_path(&command->argument, command->arguments[0], error);
}

static bool take_expose(ProgramCommand *command, char *error) {
        if (count(command->arguments) != 2)
                return false;
        command->argument = without_braces(command->arguments[0]);
        if (!take_path(&command->directory, command->arguments[1], error))
                return false;
        if (!strchr(command->directory, '/') && !strchr(command->directory, '%'))
                return refuse(error,
                              "%.200s: exposing as a share is not supported (NotSupported); expose it at a "
                              "directory, such as ./%.200s, and have Samba share that",
                              command->directory, command->directory);
        return command->argument[0] != '\0';
}

static bool take_unexpose(ProgramCommand *command, char *error) {
        if (count(command->arguments) != 1)
                return false;
        return take_path(&command->argument, without_braces(command->arguments[0]), error);
}

static bool take_which(ProgramCommand *command, char *error, bool list) {
        static const struct {
                const char *name;
                ProgramWhich which;
                bool of_list, path;
        } kinds[] = {
                {"all", PROGRAM_ALL, true, false},       {"set", PROGRAM_OF_SET, true, false},
                {"id", PROGRAM_ID, true, false},         {"volume", PROGRAM_OF_VOLUME, false, true},
                {"oldest", PROGRAM_OLDEST, false, true}, {"exposed", PROGRAM_EXPOSED, false, true},
        };
        char **words = command->arguments;

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                if (!is(words[0], kinds[i].name) || (list && !kinds[i].of_list))
                        continue;
                command->which = kinds[i].which;
                if (command->which == PROGRAM_ALL)
                        return !words[1];
                if (count(words) != 2)
                        return false;
                if (kinds[i].path)
                        return take_path(&command->argument, words[1], error);
                command->argument = without_braces(words[1]);
                return command->argument[0] != '\0';
        }
        return false;
}

static bool take_delete(ProgramCommand *command, char *error) {
        return take_which(command, error, false);
}

static bool take_revert(ProgramCommand *command, char *error) {
        if (count(command->arguments) != 1)
                return false;
        command->argument = without_braces(command->arguments[0]);
        return command->argument[0] != '\0';
}

static bool take_break(ProgramCommand *command, char *error) {
        command->writable = is(command->arguments[0], "writable");
        if (command->writable)
                command->arguments++;
        return take_revert(command, error);
}

static bool take_list_shadows(ProgramCommand *command, char *error) {
        return take_which(command, error, true);
}

static bool take_list_writers(ProgramCommand *command, char *error) {
        const char *word = command->arguments[0];

        if (word && (is(word, "metadata") || is(word, "detailed")) && !command->arguments[1])
                return refuse(
                        error,
                        "what writers declare is not listed (NotSupported); 'list writers status' lists "
                        "the writers, and the file of 'set metadata' has what they declare");
        return !word || (is(word, "status") && !command->arguments[1]);
}

/* Of VSS's, with what is to be said of it. */
static bool take_not_supported(ProgramCommand *command, char *error) {
        static const struct {
                const char *name, *why;
        } verbs[] = {
                {"import", "there is no hardware provider, whose snapshots it would import"},
                {"mask", "there is no hardware provider, whose snapshots it would take away"},
        };

        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (is(command->words[0], verbs[i].name))
                        return refuse(error, "it is not supported (NotSupported): %s", verbs[i].why);
        return false;
}

static const Grammar grammar[] = {
        {"set", "context", PROGRAM_SET_CONTEXT,
         "set context {clientaccessible | persistent [nowriters] | volatile [nowriters]}", take_context},
        {"set", "option", PROGRAM_SET_OPTION, "set option [differential] [rollbackrecover]", take_option},
        {"set", "metadata", PROGRAM_SET_METADATA, "set metadata FILE", take_file},
        {"set", "verbose", PROGRAM_SET_VERBOSE, "set verbose {on | off}", take_switch},
        {"load", "metadata", PROGRAM_LOAD_METADATA, "load metadata FILE", take_file},
        {"writer", "verify", PROGRAM_WRITER_VERIFY, "writer verify WRITER[:COMPONENT]", take_writer},
        {"writer", "exclude", PROGRAM_WRITER_EXCLUDE, "writer exclude WRITER[:COMPONENT]", take_writer},
        {"add", "volume", PROGRAM_ADD_VOLUME, "add volume VOLUME [alias NAME] [provider PROVIDER]",
         take_volume},
        {"add", "alias", PROGRAM_ADD_ALIAS, "add alias NAME VALUE", take_alias},
        {"add", NULL, PROGRAM_ADD, "add", NULL},
        {"begin", "backup", PROGRAM_BEGIN_BACKUP, "begin backup", NULL},
        {"end", "backup", PROGRAM_END_BACKUP, "end backup", NULL},
        {"begin", "restore", PROGRAM_BEGIN_RESTORE, "begin restore", NULL},
        {"end", "restore", PROGRAM_END_RESTORE, "end restore", NULL},
        {"simulate", "restore", PROGRAM_SIMULATE_RESTORE, "simulate restore", NULL},
        {"create", NULL, PROGRAM_CREATE, "create", NULL},
        {"exec", NULL, PROGRAM_EXEC, "exec FILE [ARGUMENT...]", take_exec},
        {"expose", NULL, PROGRAM_EXPOSE, "expose ID DIRECTORY", take_expose},
        {"unexpose", NULL, PROGRAM_UNEXPOSE, "unexpose {ID | DIRECTORY}", take_unexpose},
        {"delete", "shadows", PROGRAM_DELETE_SHADOWS,
         "delete shadows {all | volume VOLUME | oldest VOLUME | set ID | id ID | exposed DIRECTORY}",
         take_delete},
        {"break", NULL, PROGRAM_BREAK, "break [writable] ID", take_break},
        {"revert", NULL, PROGRAM_REVERT, "revert ID", take_revert},
        {"list", "writers", PROGRAM_LIST_WRITERS, "list writers [status]", take_list_writers},
        {"list", "shadows", PROGRAM_LIST_SHADOWS, "list shadows {all | set ID | id ID}", take_list_shadows},
        {"list", "providers", PROGRAM_LIST_PROVIDERS, "list providers", NULL},
        {"reset", NULL, PROGRAM_RESET, "reset", NULL},
        {"exit", NULL, PROGRAM_EXIT, "exit", NULL},
        {"quit", NULL, PROGRAM_EXIT, "quit", NULL},
        {"import", NULL, PROGRAM_NOT_SUPPORTED, "import", take_not_supported},
        {"mask", NULL, PROGRAM_NOT_SUPPORTED, "mask", take_not_supported},
};

static const Grammar *grammar_find(char *const *words) {
        for (size_t i = 0; i < ELEMENTSOF(grammar); i++)
                if (is(words[0], grammar[i].first) &&
                    (!grammar[i].second || is(words[1], grammar[i].second)))
                        return &grammar[i];
        return NULL;
}

/* What could stand behind a first word that is known. */
static bool say_unknown(char *const *words, char *error) {
        char seconds[128] = "";

        for (size_t i = 0; i < ELEMENTSOF(grammar); i++)
                if (is(words[0], grammar[i].first) && grammar[i].second) {
                        size_t length = strlen(seconds);

                        (void) snprintf(seconds + length, sizeof(seconds) - length, "%s%s",
                                        length > 0 ? ", " : "", grammar[i].second);
                }
        if (!seconds[0])
                return refuse(error, "%.80s: there is no such verb; quiesce-script(5) has them all",
                              words[0]);
        if (!words[1])
                return refuse(error, "%.80s: it needs one of %s behind it", words[0], seconds);
        return refuse(error, "%.80s: %.80s is none of %s", words[0], words[1], seconds);
}

/* Of command->words, of which there is one at least. */
static bool command_take(ProgramCommand *command, char *error) {
        const Grammar *found = grammar_find(command->words);
        char why[PROGRAM_ERROR_MAX] = "";

        if (!found)
                return say_unknown(command->words, error);
        command->verb = found->verb;
        (void) snprintf(command->name, sizeof(command->name), "%s%s%s", found->first,
                        found->second ? " " : "", found->second ? found->second : "");
        command->arguments = command->words + (found->second ? 2 : 1);
        if (found->take ? found->take(command, why) : !command->arguments[0])
                return true;
        return refuse(error, "%s: %s%.400s", command->name, why[0] ? "" : "it is written ",
                      why[0] ? why : found->synopsis);
}

static void command_done(ProgramCommand *command) {
        texts_free(command->words);
        free(command->joined);
        *command = (ProgramCommand){};
}

/**
 * program_free() - free a program
 * @program:    it or NULL
 *
 * Return: NULL.
 */
Program *program_free(Program *program) {
        for (size_t i = 0; program && i < program->n_commands; i++)
                command_done(&program->commands[i]);
        if (program)
                free(program->commands);
        free(program);
        return NULL;
}

/* Takes the command. */
static int program_add(Program *program, ProgramCommand *command) {
        ProgramCommand *commands =
                reallocarray(program->commands, program->n_commands + 1, sizeof(*commands));

        if (!commands)
                return error_origin(-ENOMEM);
        program->commands = commands;
        commands[program->n_commands++] = *command;
        *command = (ProgramCommand){};
        return 0;
}

/* Return: 0, PROGRAM_E_INVALID or a negative errno. */
static int command_place(ProgramOrder *order, const ProgramCommand *command, char *error) {
        char why[PROGRAM_ERROR_MAX] = "";
        int r;

        r = order_check(order, command, why);
        if (r == PROGRAM_E_INVALID)
                (void) refuse(error, "%s: %.480s", command->name, why);
        return error_trace(r);
}

/* Return: 0, PROGRAM_E_INVALID or a negative errno. */
static int parse_line(Program *program, ProgramOrder *order, unsigned number, const char *text, size_t size,
                      char *error) {
        ProgramCommand command = {.line = number};
        char why[PROGRAM_ERROR_MAX] = "";
        int r;

        r = words_split(&command.words, &command.n_words, text, size, why);
        if (r == 0 && command.n_words > 0) {
                r = command_take(&command, why) ? command_place(order, &command, why) : PROGRAM_E_INVALID;
                if (r == 0)
                        r = program_add(program, &command);
        }
        if (r == PROGRAM_E_INVALID)
                (void) snprintf(error, PROGRAM_ERROR_MAX, "%u: %.490s", number, why);
        command_done(&command);
        return error_trace(r);
}

static bool is_text(const char *text, size_t size, char *error) {
        if (size >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
                return refuse(
                        error,
                        "1: this is UTF-16, as Windows' editor writes it; 'iconv -f utf-16' makes UTF-8");
        if (size > PROGRAM_SIZE_MAX)
                return refuse(error, "1: a script has at most %u bytes", PROGRAM_SIZE_MAX);
        return true;
}

/**
 * program_parse() - read a script and check all of it
 * @ret:            the program; program_free() it
 * @text:           any bytes
 * @size:           how many
 * @environment:    tells of environment variables; NULL: there are none
 * @error:          filled in with PROGRAM_E_INVALID: "LINE: VERB: what is wrong"
 *
 * What stands behind "exit" is not looked at.
 *
 * Return: 0; PROGRAM_E_INVALID; -ENOMEM.
 */
int program_parse(Program **ret, const char *text, size_t size, ProgramEnvironment environment,
                  char error[static PROGRAM_ERROR_MAX]) {
        _cleanup_(program_freep) Program *program = calloc(1, sizeof(*program));
        const char *end = text + size, *at = text;
        ProgramOrder order = {.environment = environment};
        unsigned number = 0;
        int r = 0;

        if (!program)
                return error_origin(-ENOMEM);
        if (!is_text(text, size, error))
                return PROGRAM_E_INVALID;
        if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
                at += 3;
        while (r == 0 && at < end) {
                const char *newline = memchr(at, '\n', (size_t) (end - at)), *line = at, *line_end;

                line_end = newline ? newline : end;
                at = newline ? newline + 1 : end;
                if (line_end > line && line_end[-1] == '\r')
                        line_end--;
                r = parse_line(program, &order, ++number, line, (size_t) (line_end - line), error);
                if (program->n_commands > 0 &&
                    program->commands[program->n_commands - 1].verb == PROGRAM_EXIT)
                        break;
        }
        order_done(&order);
        if (r == 0)
                *ret = TAKE_PTR(program);
        return error_trace(r);
}
