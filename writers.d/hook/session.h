/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Backups for which "freeze" was run, and which of the scripts are to be undone. */

#include "writers.d/hook/parts.h"

typedef struct Session Session;

struct Session {
        Session *next;
        Session **list;
        unsigned n_ref;
        char *id;
        HookFlavor flavor;
        Parts parts;
        bool released; /* Thaw or Abort has come */
};

int session_new(Session **list, const char *id, HookFlavor flavor, Parts *parts);
Session *session_ref(Session *session);
Session *session_unref(Session *session);
DEFINE_CLEANUP(Session *, session_unref)
Session *session_find(Session *list, const char *id);

bool session_owes(const Session *session, const Part *part);
/* The argument that undoes a freeze. */
const char *session_undo_argument(const Session *session, bool abort);
