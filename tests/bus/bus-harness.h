/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A private bus with the real quiesced on it, and requesters that talk to it.
 *
 * Every test has a directory of its own, a dbus-daemon, quiesced with the test provider and writers started
 * by plain fork. Nothing sleeps: what is waited for is a message, a file that appears, or a process's end;
 * after 30 s a test fails.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "util/macro.h"

#define QUIESCE_NAME      "org.quiesce1"
#define QUIESCE_PATH      "/org/quiesce1"
#define MANAGER_INTERFACE "org.quiesce1.Manager"
#define SESSION_INTERFACE "org.quiesce1.Session"
#define BACKUP_INTERFACE  "org.quiesce1.Backup"
#define RESTORE_INTERFACE "org.quiesce1.Restore"
#define ID_NIL            "00000000-0000-0000-0000-000000000000"
#define SEEN_MAX          512u

/* A requester: a connection to the bus, its session, and all that it has seen there, in order. */
typedef struct Client {
        struct Bench *bench;
        sd_bus *bus;
        bool deaf;
        char session[256]; /* object path */
        char id[37];
        char set[37];
        char *seen[SEEN_MAX];
        size_t n_seen;
        struct Call *calls; /* not answered yet */
} Client;

/* A call under way. */
typedef struct Call {
        struct Call *next;
        sd_bus_message *reply; /* NULL: not answered yet */
        sd_bus_slot *slot;
        Client *client;
        char member[64];
} Call;

typedef struct Bench {
        char directory[64];
        char runtime[128], writers_d[128], provider[128], writers_log[128];
        char address[512];
        char daemon_log[128], bus_log[128];
        sd_event *event;
        pid_t bus_pid, daemon_pid;
        int notify_fd;
        struct {
                char name[32];
                int fd; /* -1: made by no test */
        } fifos[4];
} Bench;

int bench_setup(void **state); /* the bus; quiesced is started by bench_start() */
int bench_setup_started(void **state);
int bench_teardown(void **state);
void bench_start(Bench *bench); /* and wait until it is ready, or in two parts: */
void bench_spawn(Bench *bench);
void bench_await_ready(Bench *bench);
void bench_kill(Bench *bench); /* SIGKILL, waited for */
int bench_stop(Bench *bench);  /* SIGTERM; how it ended, as waitpid(2) says */
void bench_write(Bench *bench, const char *path, const char *text);     /* below the directory */
char *bench_read(Bench *bench, const char *path);                       /* "" if there is none; free() it */
void bench_wait_file(Bench *bench, const char *path, const char *text); /* until it holds the text */
/* Until the two texts are in it n times together. */
void bench_wait_either(Bench *bench, const char *path, const char *text, const char *other, unsigned n);
void bench_add_volume(Bench *bench, const char *name);
void bench_add_writer(Bench *bench, const char *name, const char *arguments);
void bench_add_one(Bench *bench, const char *arguments); /* the volume "one" and the writer "alpha" */
/* The test provider makes the file "provider/reached" there, and waits for "provider/go". */
void bench_stop_at(Bench *bench, const char *phase, const char *volume);
unsigned bench_count(Bench *bench, const char *path, const char *text);
/* A FIFO of the directory's, for "EVENT=wait:FIFO"; its path is the answer's. */
const char *bench_make_fifo(Bench *bench, const char *name, char path[static 128]);
void bench_let_go(Bench *bench, const char *name);    /* who waits for it, now or later */
void bench_hold_back(Bench *bench, const char *name); /* who comes from now on waits again */
/* The writers' log: each line begins with "NAME EVENT". A test may put lines of its own between. */
void bench_note(Bench *bench, const char *line);
/* The words of one writer, one event after the other. */
void bench_assert_story(Bench *bench, const char *name, const char *expected);
/* Where a line that begins so stands; fails if there is none. */
size_t bench_log_at(Bench *bench, const char *text);
/* That line, from there on; free() it. */
char *bench_log_line(Bench *bench, const char *name, const char *event);
/* The line after the first that begins with `text` begins with `next`. */
void bench_assert_next(Bench *bench, const char *text, const char *next);
/* What the test provider was asked goes to the writers' log, too, as "PHASE VOLUME SNAPSHOT". */
void bench_join_logs(Bench *bench);
unsigned bench_count_snapshots(Bench *bench); /* that the test provider has, finished or not */
/* Has quiesced done all that was asked of it before? Then this returns. */
void client_round_trip(Client *client);

int client_on_signal(sd_bus_message *m, void *userdata, sd_bus_error *reterr); /* notes it as seen */
Client *client_new(Bench *bench);
Client *client_new_deaf(Bench *bench);          /* hears no signals */
Client *client_new_as(Bench *bench, uid_t uid); /* the bus takes it for a process of that user; needs root */
/* Tells `destination`, as only the bus may, that a name has another owner; returns when the bus has taken
 * it. */
void client_forge_owner(Client *client, const char *destination, const char *name, const char *owner);
Client *client_free(Client *client); /* its connection ends: the requester dies */

Call *call_begin(Client *client, const char *path, const char *interface, const char *member,
                 const char *types, ...);
sd_bus_message *call_wait(Call *call); /* frees the call; unref the answer */
/* Begin and wait. */
sd_bus_message *call_ask(Client *client, const char *path, const char *interface, const char *member,
                         const char *types, ...);
/* Shorthands for methods of the client's session with no more than options; unref the answer. */
sd_bus_message *backup_ask(Client *client, const char *member);
void backup_ok(Client *client, const char *member);
Call *backup_begin(Client *client, const char *member);
char *backup_answer(Client *client, const char *member); /* as text; free() it */
void session_ok(Client *client, const char *member);
void assert_ok(sd_bus_message *reply);                                           /* and unref */
void assert_refused(sd_bus_message *reply, const char *error, const char *text); /* and unref */
void client_open(Client *client);
void client_open_restore(Client *client, const char *document);
void client_start_set(Client *client);
/* A new session with an empty set; then with a volume, or NULL: none, up to the state prepared; then all the
 * rest. */
void client_open_set(Client *client);
void client_prepare(Client *client, const char *volume);
void client_back_up(Client *client);
Client *bench_start_prepared(Bench *bench, const char *volume);
char *client_add(Client *client, const char *volume); /* the snapshot's id; free() it */
/* What GetSession, GetSnapshotSet or GetSnapshot answer; free() it. */
char *client_path_of(Client *client, const char *member, const char *id);
char *client_get_string(Client *client, const char *path, const char *interface, const char *property);
/* Which place what was seen has, from 0; fails if it is not there. */
size_t client_seen_at(Client *client, const char *text);
bool client_has_seen(Client *client, const char *text);
void client_wait_seen(Client *client, const char *text);
/* A value of an a{sv} that is entered at the message's place; "" if there is none. */
char *reply_get_string(sd_bus_message *reply, const char *key);
/* The whole of an answer as text, "{name='db', selectable=true, files=[('/srv', '*', false)]}"; free() it.
 */
char *reply_to_text(sd_bus_message *reply);
