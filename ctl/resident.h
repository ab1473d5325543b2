/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The resident requester: what quiescectl begin leaves behind, and what complete, abort and end talk to.
 *
 * A session belongs to a bus connection, so somebody has to keep that open between a "before" and an "after"
 * hook. That is this process: it makes the set, tells so, and then only waits: for a request on its socket,
 * for the end of its time, for a signal. With its end everything goes, however it ends: quiesced releases
 * the session of a connection that is gone.
 *
 * Functions return 0, CTL_E_SAID, or a negative errno, if nothing else is said.
 */

#include "ctl/backup.h"

#define RESIDENT_PATH       "/org/quiesce1/resident"
#define RESIDENT_INTERFACE  "org.quiesce1.Resident"
#define RESIDENT_ERROR      "org.quiesce1.Resident.Error.Failed"
#define RESIDENT_NOT_FROZEN "org.quiesce1.Resident.Error.NotFrozen"
#define RESIDENT_TTL_USEC   (UINT64_C(24) * 3600 * USEC_PER_SEC)

typedef struct BeginOptions {
        BackupOptions backup;
        PlanOptions plan; /* the PATHs */
        char **names;     /* NULL-terminated array of n_names VOLUMEs */
        size_t n_names;
        char **ignore; /* NULL-terminated array of n_ignore writers */
        size_t n_ignore;
        char **store_on; /* NULL-terminated array of n_store_on physical volumes */
        size_t n_store_on;
        char *directory;   /* --mount, or NULL */
        uint64_t ttl_usec; /* from when the set was made */
        bool foreground;
        bool json;
        const struct FreezeOptions *freeze; /* the verb freeze; NULL: begin */
} BeginOptions;

/* verb-begin.c */
int begin_take_operand(BeginOptions *options, const char *operand);
int begin_in_background(const char *verb, BeginOptions *options, char **argv, int n_options);
void begin_options_done(BeginOptions *options);

typedef struct Handover Handover;             /* handover.c: the process that waits for the set to be made */
typedef struct ResidentMounts ResidentMounts; /* resident-mount.c */
typedef struct ResidentServer ResidentServer; /* resident-serve.c */

typedef struct ResidentSnapshot {
        char *id;
        char *point; /* where it is mounted on the host, or NULL */
} ResidentSnapshot;

typedef struct Resident Resident;

struct Resident {
        const BeginOptions *options;
        Backup backup;
        MountTable *table;
        Plan *plan;
        ResidentSnapshot *snapshots;
        size_t n_snapshots;
        Handover *handover; /* NULL: nobody waits, or no more */
        ResidentMounts *mounts;
        ResidentServer *server;
        bool expired; /* its time is over */
        /* freeze: takes the call Thaw; 1: it answers it itself. NULL: there is nothing to thaw. */
        int (*thaw)(Resident *resident, sd_bus_message *call, sd_bus_error *error);
        void *thaw_userdata;
};

/* resident.c */
int resident_run(const BeginOptions *options);
int resident_begin(Resident *resident);
void resident_done(Resident *resident);

/* resident-print.c */
int resident_print(const Resident *resident);

/* resident-mount.c: the snapshots below --mount's directory, on the host. */
int resident_mounts_make(ResidentMounts **ret, Resident *resident);
ResidentMounts *resident_mounts_free(ResidentMounts *mounts);

/* resident-serve.c: requests on the socket. */
int resident_server_new(ResidentServer **ret, Resident *resident);
ResidentServer *resident_server_free(ResidentServer *server);
bool resident_server_carry_out(ResidentServer *server, bool *ret_over);

/* resident-socket.c: where it listens. */
int resident_socket_directory(char **ret, bool make);
int resident_socket_listen(const char *directory, const char *name, int *ret_fd, char **ret_path);
int resident_socket_connect(const char *id, int *ret_fd);
int resident_socket_list(char ***ret_ids);

/* resident-call.c: who speaks to it. */
int resident_connect(sd_bus **ret, const char *id);
int resident_say_failure(const char *verb, const char *id, const char *gone, const sd_bus_error *error,
                         int r);

/* handover.c: the resident's end of what begin-unit.c has the other end of. */
#define HANDOVER_VARIABLE "QUIESCECTL_STARTER" /* names the socket */
enum {
        HANDOVER_TAKEN = 't',  /* to the resident: the unit was seen to be ready, the caller knows */
        HANDOVER_FAILED = 'f', /* to the starter, with the exit status: it failed, and has said why */
};
int handover_new(Handover **ret);
int handover_watch(Handover *handover, Backup *backup);
int handover_finish(Handover *handover);
Handover *handover_free(Handover *handover, int status);
int handover_send_outputs(int fd);

/* begin-unit.c: the resident in a unit of its own. */
int begin_in_unit(const char *verb, char *const *arguments, size_t n_arguments);
