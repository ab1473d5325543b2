/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * quiesced on the system bus: one file per interface, and what they share.
 *
 * Every method is open to every user as far as the bus policy goes and checks by itself: methods of a
 * session are for its owner, the others ask polkit (access.h). Nothing here waits: a call that takes long is
 * kept (call.h) and answered later. Properties and signals reach every user and carry ids, states, times,
 * counts and names of writers only.
 */

#include "bus/dictionary.h"
#include "daemon/manager.h"
#include "daemon/session-object.h"
#include "util/texts.h"

#define BUS_NAME   "org.quiesce1"
#define BUS_PATH   "/org/quiesce1"
#define BUS_ERROR  "org.quiesce1.Error."
#define BUS_ID_NIL "00000000-0000-0000-0000-000000000000"

/* connection.c: the system bus itself */
int bus_connect(Manager *manager);
int bus_request_name(Manager *manager);
void bus_disconnect(Manager *manager);

/* objects.c: what is registered on the connection */
int bus_register(Manager *manager);

/* paths.c */
char *bus_path(const char *kind, const char *id);
bool bus_path_parse(const char *path, const char *kind, char ret_id[CONTRACT_ID_MAX], const char **ret_rest);
int bus_new_id(char ret[CONTRACT_ID_MAX]);

/* errors.c */
int bus_error_set(sd_bus_error *error, ContractError code, const char *format, ...) _printf_(3, 4);
int bus_error_set_not_found(sd_bus_error *error, Manager *manager, const char *what, const char *id);
void bus_reply_error(sd_bus_message *call, ContractError code, const char *text);
void bus_reply_sent(sd_bus_message *call, int r);
void bus_reply_send(sd_bus_message *call, sd_bus_message *reply, int r);

/* options.c: the a{sv} at the end of a method's arguments */
typedef enum OptionType {
        OPTION_BOOLEAN, /* int */
        OPTION_UINT64,  /* uint64_t */
        OPTION_STRING,  /* const char *, lives as long as the message */
        OPTION_NAMES,   /* of writers; char **, NULL-terminated; to be freed with texts_free() */
        OPTION_DEVICES, /* likewise, of physical volumes */
        OPTION_LABELS,  /* likewise, of snapshot sets */
        OPTION_FD,      /* int, lives as long as the message */
} OptionType;

typedef struct Option {
        const char *key;
        OptionType type;
        void *target;
} Option;

int options_read(sd_bus_message *m, const Option *options, size_t n_options, sd_bus_error *reterr);
int options_read_none(sd_bus_message *m, sd_bus_error *reterr);
int bus_read_names(sd_bus_message *m, char ***ret, sd_bus_error *reterr);

/* One file per interface: what objects.c registers. */
extern const sd_bus_vtable manager_vtable[];
extern const sd_bus_vtable session_vtable[];
extern const sd_bus_vtable backup_vtable[];
extern const sd_bus_vtable restore_vtable[];
extern const sd_bus_vtable writer_state_vtable[];
extern const sd_bus_vtable snapshot_set_vtable[];
extern const sd_bus_vtable snapshot_vtable[];
extern const sd_bus_vtable provider_vtable[];
#define BUS_INTERFACE(_name) "org.quiesce1." _name

int session_object_bus_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                            sd_bus_error *reterr);
int backup_bus_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                    sd_bus_error *reterr);
int restore_bus_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                     sd_bus_error *reterr);
int writer_state_bus_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                          sd_bus_error *reterr);
int snapshot_set_bus_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                          sd_bus_error *reterr);
int snapshot_bus_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                      sd_bus_error *reterr);
int provider_bus_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                      sd_bus_error *reterr);

/* session-bus.c */
int session_check_owner(SessionObject *session, sd_bus_message *m, sd_bus_error *reterr);
/* session-shown.c: what is shown of a session, brought up to date */
void session_shown_update(SessionObject *session);
void session_shown_add(SessionObject *session);
void session_shown_remove(SessionObject *session);
void session_shown_remove_writers(SessionObject *session);

/* signals.c */
void bus_signal_event(Manager *manager, SessionObject *session, const ContractEffect *effect);
void bus_signal_space_low(Manager *manager, const char *snapshot, const char *set, double full);
void bus_signal_snapshot_invalid(Manager *manager, const char *snapshot, const char *set,
                                 const char *reason);
void bus_signal_snapshot_removed(Manager *manager, const char *snapshot, const char *set,
                                 const char *reason);
void bus_after_dark(Manager *manager);
