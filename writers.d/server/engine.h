/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the writers of database servers have in common, and what each kind of server, an Engine, says of
 * itself.
 *
 * Why: PostgreSQL, MariaDB and Redis differ in what they are told; that instances are found, asked in
 * parallel, judged by where their files lie, held and let go within limits is the same for all. It is done
 * once, here.
 *
 * How: each instance has a thread of its own with one connection, because client libraries block. The main
 * thread alone talks to quiesced; it hands a step to the threads and never waits for one: a thread that is
 * late is interrupted (its socket is shut down, the server sees its client gone and lets go of what it held
 * for it), the event is answered in time and names the instance. Threads and all memory are there before
 * Freeze.
 *
 * A step returns 0; -ECANCELED after report_fail(); or another negative errno, which is fatal for the
 * instance. It must end soon after server_remaining_usec() has become 0, by the limits of its client library
 * and of the server (statement and lock time-outs); it need not look whether it was interrupted: its
 * connection fails then.
 */

#include "quiesce/writer.h"
#include "util/macro.h"

/* ── An instance, as configured or discovered ── */

typedef struct Instance {
        char *name;   /* of the section [Instance NAME], or made by the engine; is the component's name */
        char *socket; /* of the Unix domain socket, or its folder (PostgreSQL); NULL: host and port */
        char *host;
        unsigned port;       /* 0: the engine's default */
        char *user;          /* NULL: the writer's own */
        char *password_file; /* read when needed, never logged; NULL: none, the server knows by the peer's
                                user */
        char *mode;          /* Mode=, a word of the engine's; NULL: its first */
        char **maps; /* "SERVER:HOST": where a container's folder lies here; NULL-terminated, or NULL */
        uint64_t limit_usec; /* LockSec=: how long Freeze may wait for the server's own locks */
        bool discovered;     /* it runs, nobody named it: if it may not be logged in to, that is a warning */
        char *found;         /* the socket that was found for it; NULL: none */
} Instance;

/* ── What a step has to tell ── */

typedef struct Report Report;

/* Returns -ECANCELED. The text says what happened at which step; the frame puts the instance's name before
 * it. */
int report_fail(Report *report, QuiesceFailure failure, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
int report_warn(Report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ── What an instance consists of; told by look() ── */

typedef struct Facts Facts;

int facts_set_version(Facts *facts, const char *text); /* "15.9" */
/* A folder (recursive) or one file without which a restore is not whole. path: as the server knows it, links
 * are followed; what: for people, "data directory", "tablespace fast", "binary log". */
int facts_add_path(Facts *facts, const char *path, const char *pattern, bool recursive, const char *what);
/* A database in it; becomes a component below the instance's, not selectable by itself: an instance is
 * restored as a whole. */
int facts_add_database(Facts *facts, const char *name);

/* ── The connection ── */

/* What an engine's steps get; the engine's own state is behind it. */
typedef struct Server Server;

const Instance *server_instance(const Server *server);
void *server_state(Server *server);                   /* zeroed, of Engine.state_size bytes */
uint64_t server_remaining_usec(const Server *server); /* of this step; 0: over */
unsigned server_remaining_sec(
        const Server *server); /* the same rounded up, at least 1: for client libraries */
/* By which the frame interrupts: tell it as soon as there is a socket, and -1 before it is closed. */
void server_set_socket(Server *server, int fd);
/* In note(): the folder of folder_in_snapshot() in the snapshot, an O_PATH descriptor of the frame's;
 * -EBADF: there is none, *ret_why says why not. */
int server_snapshot_fd(const Server *server, const char **ret_why);
bool server_is_chosen(const Server *server); /* the set has all its files, or the requester chose it */
/* The text of Instance.password_file without its last line feed; *ret: NULL if none is named. Free it. */
int server_read_password(const Server *server, Report *report, char **ret);

/* PostSnapshot's text for the backup's document: lines KEY=VALUE. Values are escaped as in C, at most
 * 16384 bytes together. From any step; forgotten with the backup. */
int server_note(Server *server, const char *key, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

typedef struct Engine {
        const char *name;         /* of the writer, of NAME.conf, of what is logged: "postgresql" */
        const char *product;      /* for people: "PostgreSQL" */
        const char *const *modes; /* words of Mode=, NULL-terminated; the first is the default; NULL: none */
        const char *const
                *sockets; /* globs of sockets that are looked for unless Discover=no; NULL-terminated */
        unsigned port;
        size_t state_size;

        /* A socket that was found becomes an instance: sets name, and socket or port if need be. 1: it is
         * none. Also for a section's Socket= that is a socket; the name is the section's then. */
        int (*name_socket)(Instance *instance);
        /* Connect and log in; if it fails, close() follows. In Identify and PrepareForSnapshot. */
        int (*open)(Server *server, Report *report);
        /* Identify, and again in PrepareForSnapshot: versions and places. */
        int (*look)(Server *server, Facts *facts, Report *report);
        /* PrepareForSnapshot, of instances in the set alone: what makes Freeze short. NULL: nothing. */
        int (*prepare)(Server *server, Report *report);
        /* As short as can be, no allocation that can be avoided. NULL: nothing is held. */
        int (*freeze)(Server *server, Report *report);
        /* Lets go, and tells if what was held was lost meanwhile. Abort calls it, too, after prepare or
         * freeze. */
        int (*thaw)(Server *server, Report *report);
        /* PostSnapshot: notes for the restore. NULL: nothing. */
        int (*note)(Server *server, Report *report);
        /* A folder, as the server knows it, whose copy in the snapshot note() writes into; NULL: none. Needs
         * WritableSnapshots=yes in the writer's descriptor. May itself be NULL. */
        const char *(*folder_in_snapshot)(Server *server);
        /* Ends the connection, whatever state it is in; without waiting. */
        void (*close)(Server *server);
        /* Why a section of the configuration cannot be, as a predicate ("has Mode=x, which ..."); NULL: it
         * can. May itself be NULL. */
        const char *(*refuse)(const Instance *instance);
} Engine;

/* The main program of a writer: reads SYSCONFDIR/quiesced/NAME.conf or the file named, serves until it is
 * told to stop. Returns an exit status. */
int server_writer_main(const Engine *engine, int argc, char **argv);
