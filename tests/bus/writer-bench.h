/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What tests of a real writer share: its program on the bench, sessions, their status, the frozen moment,
 * and what was noted by a load on whatever the writer holds. Whatever fails, fails the test.
 *
 * Components are named as "WRITER/PATH/NAME" here, those without a path as "WRITER/NAME".
 */

#include "bus-harness.h"

#define SET(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Who runs a writer's program; the last as units of writers have it, with the one capability they give. */
#define AS_ROOT   "env"
#define AS_NOBODY "setpriv --reuid=65534 --regid=65534 --clear-groups"
#define AS_NOBODY_WHO_READS \
        AS_NOBODY " --inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search"

/* A command of the shell. */
void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A copy of the program "quiesced-writer-NAME" (not everybody may be let into the build tree), its
 * configuration "NAME.conf" and its descriptor. The program is started by that command: AS_…, or another
 * that ends with what runs the words that follow. May be called again with another configuration. */
void add_real_writer(Bench *bench, const char *name, const char *as, const char *configuration);

void assert_has(const char *text, const char *part);
/* The writers' status; free it. */
char *status_of(Client *client);
void assert_status(Client *client, const char *part);
/* The writer is there, nothing has failed, and it has not warned of anything. */
void assert_good(Client *client, const char *writer);
/* The number of the one writer's process. */
pid_t writer_process(Client *client);

/* A session with these volumes up to the state prepared; in component mode with these components, unless
 * they are NULL. */
Client *prepare_set(Bench *bench, const char *const *components, const char *const *volumes);
/* Releases and frees it. */
void end_session(Client *client);
/* A whole backup of which only the writer's status counts. */
void assert_backup(Bench *bench, const char *const *components, const char *const *volumes,
                   const char *state, const char *text);
/* The backup's document; free it. */
char *save_document(Client *client);

/* DoSnapshotSet, which stops before that phase of a volume: writers are frozen then if it is "pre-commit" or
 * "commit"; and goes on. */
Call *snapshot_begin(Bench *bench, Client *client, const char *phase, const char *volume);
/* The same if the test has written a script of its own, which makes "provider/reached". */
Call *snapshot_begin_scripted(Bench *bench, Client *client);
void snapshot_end(Bench *bench, Call *call);
/* Where the copy of a volume is, the first that was made in the test, by this session. Returns path. */
const char *snapshot_path(Client *client, char path[static 192], const char *volume);

/* A load, which is another process, appends a byte to a file of the bench for each write, after that was
 * acknowledged. How many it has noted; until it has noted so many. */
long noted_count(const char *path);
void noted_await(Bench *bench, const char *path, long n);
