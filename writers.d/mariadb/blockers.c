/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who was in the way of a lock; see blockers.h.
 *
 * The plugin METADATA_LOCK_INFO tells, where somebody has loaded it. Else it is guessed: of those who do not
 * wait for a lock themselves, and have been at it for as long as was waited, who has been running for
 * longest; then who has been idle for shortest, as the lock of LOCK TABLES is held without running anything.
 */

#include "writers.d/mariadb/blockers.h"

/* id, user, command, time in seconds. */
static const char known[] =
        "SELECT DISTINCT p.id, p.user, p.command, p.time FROM information_schema.processlist p "
        "JOIN information_schema.metadata_lock_info l ON l.thread_id = p.id WHERE p.id <> CONNECTION_ID() "
        "AND l.lock_mode LIKE 'MDL_BACKUP%' AND l.lock_mode NOT LIKE '%TRANS_DML' LIMIT 3";
static const char guessed[] =
        "SELECT p.id, p.user, p.command, p.time FROM information_schema.processlist p "
        "WHERE p.id <> CONNECTION_ID() AND p.command NOT IN ('Daemon', 'Binlog Dump', 'Slave_IO') "
        "AND COALESCE(p.state, '') NOT LIKE 'Waiting for %%' AND p.time >= %u "
        "ORDER BY p.command = 'Sleep', IF(p.command = 'Sleep', p.time, -p.time) LIMIT 3";

/**
 * blockers_tell() - who was in the way, for people
 * @server:     a lock was not granted in time, just now
 * @waited_usec: how long it was waited for
 * @text:       " by connection 7 of app (runs for 31 s)", or ""
 */
void blockers_tell(Server *server, uint64_t waited_usec, char text[static BLOCKERS_TEXT_MAX]) {
        char question[sizeof(guessed) + 16];
        _cleanup_(mysql_free_resultp) MYSQL_RES *rows = NULL;
        bool is_known;
        MYSQL_ROW row;
        size_t n = 0;

        text[0] = '\0';
        is_known = client_ask(server, known, &rows) == 0 && mysql_num_rows(rows) > 0;
        if (!is_known) {
                mysql_free_result(rows);
                rows = NULL;
                (void) snprintf(question, sizeof(question), guessed,
                                (unsigned) (waited_usec / USEC_PER_SEC));
                if (client_ask(server, question, &rows) != 0)
                        return;
        }
        while ((row = mysql_fetch_row(rows)) && n < BLOCKERS_TEXT_MAX) {
                bool sleeps = row[2] && strcmp(row[2], "Sleep") == 0;

                n += (size_t) snprintf(text + n, BLOCKERS_TEXT_MAX - n,
                                       "%s connection %s of %.32s (%s %s s)",
                                       n > 0      ? ","
                                       : is_known ? " by"
                                                  : ", it seems by",
                                       row[0] ? row[0] : "?", row[1] ? row[1] : "?",
                                       sleeps ? "idle for" : "runs for", row[3] ? row[3] : "?");
        }
}
