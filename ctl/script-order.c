/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What may come when in a script, and which variables have a value there; see script-parse.h.
 *
 * The order is diskshadow's. What it lets be, and then does nothing or something surprising, is an error
 * here, because a script is checked before anything of it is done.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctl/script-parse.h"
#include "util/error.h"

static int refuse(char error[static PROGRAM_ERROR_MAX], const char *format, ...) _printf_(2, 3);

static int refuse(char error[static PROGRAM_ERROR_MAX], const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        (void) vsnprintf(error, PROGRAM_ERROR_MAX, format, arguments);
        va_end(arguments);
        return PROGRAM_E_INVALID;
}

/**
 * order_done() - leave nothing behind
 * @order:      it; afterwards as before the first command
 */
void order_done(ProgramOrder *order) {
        ProgramEnvironment environment = order->environment;

        for (size_t i = 0; i < order->n_volumes; i++)
                free(order->volume_aliases[i]);
        for (size_t i = 0; i < order->n_aliases; i++)
                free(order->aliases[i]);
        *order = (ProgramOrder){.environment = environment};
}

static bool alias_is_taken(const ProgramOrder *order, const char *name) {
        for (size_t i = 0; i < order->n_volumes; i++)
                if (order->volume_aliases[i] && strcasecmp(order->volume_aliases[i], name) == 0)
                        return true;
        for (size_t i = 0; i < order->n_aliases; i++)
                if (strcasecmp(order->aliases[i], name) == 0)
                        return true;
        return false;
}

/* What "create" sets. */
static bool variable_is_of_set(const ProgramOrder *order, const char *name) {
        char expected[PROGRAM_NAME_MAX];

        if (strcasecmp(name, "VSS_SHADOW_SET") == 0)
                return true;
        for (size_t i = 0; i < order->n_volumes; i++) {
                (void) snprintf(expected, sizeof(expected), "VSS_SHADOW_%zu", i + 1);
                if (strcasecmp(name, expected) == 0 ||
                    (order->volume_aliases[i] && strcasecmp(name, order->volume_aliases[i]) == 0))
                        return true;
        }
        return false;
}

static bool variable_is_known(const ProgramOrder *order, const char *name) {
        /* A document has aliases, too; which, is seen when it is loaded. */
        if (order->loaded || (order->created && variable_is_of_set(order, name)))
                return true;
        for (size_t i = 0; i < order->n_aliases; i++)
                if (strcasecmp(order->aliases[i], name) == 0)
                        return true;
        return order->environment && order->environment(name);
}

static int check_variables(const ProgramOrder *order, const ProgramCommand *command, char *error) {
        char name[PROGRAM_NAME_MAX];
        size_t begin;
        int r;

        for (char **word = command->arguments; *word; word++) {
                size_t at = 0;

                while ((r = variable_next(*word, &at, &begin, name)) != 0) {
                        if (r == VARIABLE_E_BROKEN)
                                return refuse(error, "%.80s: a '%%' begins no variable; %%%% stands for one",
                                              *word);
                        if (r == VARIABLE_E_PERCENT || variable_is_known(order, name))
                                continue;
                        if (variable_is_of_set(order, name))
                                return refuse(error, "%%%s%% has no value before 'create'", name);
                        return refuse(error,
                                      "%%%s%% has no value: 'add alias' or 'add volume ... alias' gives it "
                                      "one, and 'reset' takes it away",
                                      name);
                }
        }
        return 0;
}

static int add_alias(ProgramOrder *order, const char *name, char **ret, char *error) {
        if (!alias_is_valid(name))
                return refuse(
                        error,
                        "%.80s cannot be an alias: it takes letters, digits and '_', no digit first, at "
                        "most %u of them, and neither PATH nor VSS_SHADOW_...",
                        name, PROGRAM_NAME_MAX - 1);
        if (alias_is_taken(order, name))
                return refuse(error, "there is an alias %s already (case does not count)", name);
        *ret = strdup(name);
        return *ret ? 0 : error_origin(-ENOMEM);
}

static int check_add_alias(ProgramOrder *order, const ProgramCommand *command, char *error) {
        int r;

        if (order->n_aliases == PROGRAM_ALIASES_MAX)
                return refuse(error, "there are %u aliases already", PROGRAM_ALIASES_MAX);
        r = add_alias(order, command->alias, &order->aliases[order->n_aliases], error);
        order->n_aliases += r == 0;
        return error_trace(r);
}

static int check_add_volume(ProgramOrder *order, const ProgramCommand *command, char *error) {
        char *alias = NULL;
        int r;

        if (order->n_volumes == PROGRAM_VOLUMES_MAX)
                return refuse(error, "a set has at most %u volumes", PROGRAM_VOLUMES_MAX);
        r = command->alias ? add_alias(order, command->alias, &alias, error) : 0;
        if (r == 0)
                order->volume_aliases[order->n_volumes++] = alias;
        return error_trace(r);
}

static int check_create(ProgramOrder *order, char *error) {
        if (order->created)
                return refuse(error, "the set is made already; 'reset' begins anew");
        if (order->restoring)
                return refuse(error, "a restore has begun; 'reset' begins anew");
        if (order->n_volumes == 0)
                return refuse(error, "there is no volume to make a snapshot of; add one with 'add volume'");
        order->created = true;
        return 0;
}

static int check_begin_backup(ProgramOrder *order, char *error) {
        if (order->begun)
                return refuse(error, "a backup has begun already; 'reset' begins anew");
        order->begun = true;
        return 0;
}

static int check_end_backup(ProgramOrder *order, char *error) {
        if (!order->begun)
                return refuse(error, "no backup has begun; 'begin backup' comes before 'create'");
        if (!order->created)
                return refuse(error, "nothing was backed up: there is no 'create' before it");
        if (order->ended)
                return refuse(error, "the backup has ended already");
        order->ended = true;
        return 0;
}

static int check_restore(ProgramOrder *order, ProgramVerb verb, char *error) {
        if (verb == PROGRAM_END_RESTORE) {
                if (!order->restoring || order->restored)
                        return refuse(error, order->restored ? "the restore has ended already"
                                                             : "no restore has begun; 'begin restore' does");
                order->restored = true;
                return 0;
        }
        if (!order->loaded)
                return refuse(error, "it is not known what was backed up; 'load metadata' comes first");
        if (order->created || order->begun || order->restoring)
                return refuse(error, "a %s has begun; 'reset' begins anew",
                              order->restoring ? "restore" : "backup");
        order->restoring = verb == PROGRAM_BEGIN_RESTORE;
        return 0;
}

static int check_before_create(const ProgramOrder *order, const ProgramCommand *command, char *error) {
        switch (command->verb) {
        case PROGRAM_SET_CONTEXT:
        case PROGRAM_SET_OPTION:
        case PROGRAM_SET_METADATA:
        case PROGRAM_ADD_VOLUME:
        case PROGRAM_BEGIN_BACKUP:
        case PROGRAM_WRITER_VERIFY:
        case PROGRAM_WRITER_EXCLUDE:
                if (order->created || order->restoring)
                        return refuse(error, "it comes before '%s'; 'reset' begins anew",
                                      order->created ? "create" : "begin restore");
                return 0;
        default:
                return 0;
        }
}

/* Nobody asks the writers in this context. */
static int check_writers(ProgramOrder *order, const ProgramCommand *command, char *error) {
        if (command->verb == PROGRAM_WRITER_VERIFY)
                order->verified = true;
        else if (command->verb == PROGRAM_SET_CONTEXT)
                order->without_writers = command->without_writers;
        if (order->verified && order->without_writers && command->verb == PROGRAM_CREATE)
                return refuse(error, "no writer takes part in the context that was set, so 'writer verify' "
                                     "before it cannot be met");
        return 0;
}

/**
 * order_check() - whether a command may stand here
 * @order:      what came before; changed accordingly
 * @command:    the next one
 * @error:      filled in with PROGRAM_E_INVALID
 *
 * Return: 0; PROGRAM_E_INVALID; -ENOMEM.
 */
int order_check(ProgramOrder *order, const ProgramCommand *command, char error[static PROGRAM_ERROR_MAX]) {
        int r;

        r = check_before_create(order, command, error);
        if (r == 0)
                r = check_writers(order, command, error);
        if (r == 0)
                r = check_variables(order, command, error);
        if (r != 0)
                return error_trace(r);
        switch (command->verb) {
        case PROGRAM_ADD_ALIAS:
                return error_trace(check_add_alias(order, command, error));
        case PROGRAM_ADD_VOLUME:
                return error_trace(check_add_volume(order, command, error));
        case PROGRAM_BEGIN_BACKUP:
                return check_begin_backup(order, error);
        case PROGRAM_CREATE:
                return check_create(order, error);
        case PROGRAM_END_BACKUP:
                return check_end_backup(order, error);
        case PROGRAM_BEGIN_RESTORE:
        case PROGRAM_SIMULATE_RESTORE:
        case PROGRAM_END_RESTORE:
                return check_restore(order, command->verb, error);
        case PROGRAM_LOAD_METADATA:
                if (order->restoring)
                        return refuse(error, "a restore has begun; 'reset' begins anew");
                order->loaded = true;
                return 0;
        case PROGRAM_RESET:
                order_done(order);
                return 0;
        default:
                return 0;
        }
}
