/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* See session.h. What an Abort means differs by flavour: each tool's own way is in session_owes(). */

#include "writers.d/hook/session.h"

#include <assert.h>

#include "util/error.h"

/**
 * session_new() - a backup is about to freeze
 * @list: where it is added, at the end; it holds one reference until the Thaw or Abort
 * @id: of the backup
 * @flavor: of the scripts
 * @parts: the scripts, taken on success
 *
 * Return: 0 or -ENOMEM.
 */
int session_new(Session **list, const char *id, HookFlavor flavor, Parts *parts) {
        Session *session;

        session = calloc(1, sizeof(*session));
        if (session)
                session->id = strdup(id);
        if (!session || !session->id) {
                free(session);
                return error_origin(-ENOMEM);
        }
        session->n_ref = 1;
        session->list = list;
        session->flavor = flavor;
        session->parts = *parts;
        *parts = (Parts){};
        while (*list)
                list = &(*list)->next;
        *list = session;
        return 0;
}

/**
 * session_ref() - one more user
 * @session: the session
 *
 * Return: the session.
 */
Session *session_ref(Session *session) {
        assert(session && session->n_ref > 0);
        session->n_ref++;
        return session;
}

/**
 * session_unref() - one user less
 * @session: the session, or NULL
 *
 * Return: NULL.
 */
Session *session_unref(Session *session) {
        if (!session || --session->n_ref > 0)
                return NULL;
        for (Session **s = session->list; *s; s = &(*s)->next)
                if (*s == session) {
                        *s = session->next;
                        break;
                }
        parts_done(&session->parts);
        free(session->id);
        free(session);
        return NULL;
}

/**
 * session_find() - the backup of an event, if it has been frozen and neither thawed nor aborted
 * @list: where
 * @id: of the backup
 *
 * Return: it, or NULL.
 */
Session *session_find(Session *list, const char *id) {
        while (list && (list->released || !streq(list->id, id)))
                list = list->next;
        return list;
}

/**
 * session_owes() - whether a script is to be undone
 * @session: the backup
 * @part: the script
 *
 * QEMU's dispatcher and run-parts thaw what failed to freeze, too. open-vm-tools' freezeFail begins with the
 * one before it: a script that gives up by itself has cleaned up. One that was killed could not.
 *
 * Return: whether it froze, or may have frozen, and has not been undone.
 */
bool session_owes(const Session *session, const Part *part) {
        return part->started && !part->undone &&
               !(part->gave_up && session->flavor == HOOK_FLAVOR_OPEN_VM_TOOLS);
}

/**
 * session_undo_argument() - what a script is told to undo its freeze
 * @session: the backup
 * @abort: there is, or may be, no snapshot
 *
 * Return: a constant.
 */
const char *session_undo_argument(const Session *session, bool abort) {
        return abort && session->flavor == HOOK_FLAVOR_OPEN_VM_TOOLS ? "freezeFail" : "thaw";
}
