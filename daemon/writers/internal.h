/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The writers' room from within.
 *
 *   writers.c     what writers.h says: sessions and the writers taking part in them
 *   writer.c      one writer: its process and its connection, started for whoever wants it
 *   server.c      the listening socket: who connects, may it?
 *   connection.c  one connection: Register, events out, answers in
 *   registration.c  writers that are services on the system bus: who may register, and when they are gone
 *   message.c     an event as a D-Bus message, an answer as a WriterAnswer
 *   selection.c   the components in events and in their answers
 *   metadata.c    what a writer says of itself; metadata-read.c reads it from its answer
 *   notices.c     what is to be told from the event loop instead of from within a call
 *
 * A *process* of a writer has a number, its instance. A session remembers the instance it began with: all
 * its events but those by name go to that very process (C21).
 */

#include <systemd/sd-bus.h>

#include "bus/dictionary.h"
#include "daemon/writers/descriptor.h"
#include "daemon/writers/launcher.h"
#include "daemon/writers/writers.h"
#include "util/macro.h"

typedef struct Writer Writer;
typedef struct Connection Connection;
typedef struct Session Session;
typedef struct PendingEvent PendingEvent;
typedef struct QueuedEvent QueuedEvent;
typedef struct Notice Notice;

typedef enum WriterState {
        WRITER_STOPPED,
        WRITER_STARTING, /* until it has registered */
        WRITER_RUNNING,
        WRITER_STOPPING, /* until its process is gone */
} WriterState;

struct Writer {
        Writer *next;
        Writers *writers;
        Descriptor *descriptor;
        Descriptor *renewed; /* counts when the process that is being stopped has ended; or NULL */
        WriterState state;
        bool wanted_again; /* STOPPING, but somebody wants it: start it when it is gone */
        unsigned n_users;  /* sessions with it */
        uint64_t instance; /* of the running process; 0: none */
        Process *process;
        Connection *connection; /* registered */
        QueuedEvent *queue;     /* events by name that wait for it to register */
        char *bus_unit; /* on the system bus: the unit of the process that registered last, or NULL */
        /* What Register said. */
        int level; /* negative: nothing */
        uint64_t freeze_window_usec;
};

/* A writer in a session. */
typedef struct Participant {
        Writer *writer; /* NULL: there is no such descriptor (any more) */
        char *name;
        uint64_t instance; /* 0: none, or gone */
        bool settled;      /* launch: it has registered or failed */
        char *problem;     /* why it is not available */
} Participant;

struct Session {
        Session *next;
        Writers *writers;
        uint64_t handle;
        bool launched; /* config.launched has been called, or it is adopted */
        sd_event_source *launch_timer;
        Participant *participants;
        size_t n_participants;
};

struct Writers {
        WritersConfig config;
        sd_event *event;
        char **directories;
        char *socket_path;
        Launcher *launcher, *bus_launcher;
        sd_bus *bus; /* the system bus, for writers on it; NULL: there is none */
        Descriptors descriptors;
        uint64_t last_instance;
        Writer *writer_list;
        Session *sessions;
        Connection *connections;
        Notice *notices;
        sd_event_source *notice_source;
        int listen_fd;
        sd_event_source *listen_source;
        bool unlink_socket;
        uint64_t stranger_usec; /* when one was last told of */
};

/* notices.c */
int notices_init(Writers *writers);
void notices_done(Writers *writers);
void notices_drop_session(Writers *writers, uint64_t session);
int notice_launched(Writers *writers, uint64_t session);
int notice_gone(Writers *writers, uint64_t session, uint32_t index);
int notice_not_responding(Writers *writers, uint64_t session, uint32_t index, ContractEvent event,
                          const char *format, ...) _printf_(5, 6);
int notice_good(Writers *writers, uint64_t session, uint32_t index, ContractEvent event,
                WriterMetadata *metadata);

/* writer.c */
int writer_get(Writers *writers, Writer **ret, Descriptor *descriptor);
Writer *writer_free(Writer *writer);
int writer_want(Writer *writer);
void writer_stop(Writer *writer);
void writer_unuse(Writer *writer);
bool writer_registered(Writer *writer, Connection *connection);
bool writer_is_on_bus(const Writer *writer);
bool writer_is_idle(const Writer *writer);
void writer_forget(Writer *writer);
const char *writer_get_unit(const Writer *writer);
const char *writer_log_name(const Writer *writer);
void writer_connection_ended(Writer *writer);
int writer_queue(Writer *writer, uint64_t session, uint32_t index, const WriterEvent *event);
void writer_drop_queued(Writer *writer, uint64_t session);

/* writers.c */
Session *writers_find_session(const Writers *writers, uint64_t handle);
Descriptor *writers_find_descriptor(const Writers *writers, const char *name);
bool writers_put_off_limit(const Writers *writers, sd_event_source *source);
bool sessions_have_instance(const Writer *writer);
void sessions_writer_settled(Writer *writer, const char *problem);
void sessions_writer_gone(Writer *writer);
void session_launched(Session *session);

/* server.c */
int server_init(Writers *writers);
void server_done(Writers *writers);

/* connection.c */
int connection_new(Writers *writers, Writer *writer, pid_t pid, int fd);
int connection_new_on_bus(Connection **ret, Writers *writers, Writer *writer, const char *peer, pid_t pid);
Connection *connection_free(Connection *connection);
void connection_ended(Connection *connection);
bool connection_has_pending(const Connection *connection);
const char *connection_get_peer(const Connection *connection);
int connection_send(Connection *connection, uint64_t session, uint32_t index, const WriterEvent *event);
void connection_drop_session(Connection *connection, uint64_t session);
Connection *connection_next(Connection *connection);
Writer *connection_get_writer(Connection *connection);
pid_t connection_get_pid(const Connection *connection);

/* message.c */
int message_new_event(sd_bus_message **ret, sd_bus *bus, const char *destination, const Writer *writer,
                      const WriterEvent *event);
typedef struct Answer {
        WriterAnswer answer;
        char *text;
        uint32_t *frozen;
        WriterNote *notes;
} Answer;
int answer_read(Answer *ret, sd_bus_message *m, const Writer *writer, ContractEvent event);
void answer_done(Answer *answer);

/* selection.c */
int selection_append(sd_bus_message *m, const WriterEvent *event);
int notes_read(sd_bus_message *m, WriterNote **notes, size_t *n_notes);

/* metadata-read.c */
#define METADATA_FIELDS 6u
typedef struct MetadataRoom {
        WriterMetadata *metadata;
        size_t left; /* bytes of text that may still come */
} MetadataRoom;
void metadata_fields(MetadataRoom *room, DictionaryField *fields);
