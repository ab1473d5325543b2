/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The inside of the contract: what the machine remembers, and who in here does what.
 *
 * Plain data throughout: sessions in a table of slots, writers, volumes and names in arrays, everything
 * referred to by index, so that a copy is a copy of memory and a digest needs no pointers. Handlers record
 * what happened; what follows from it is decided in one place, the settle loop of contract.c, which asks
 * each session to advance until nothing moves any more. Memory is reserved before a handler touches the
 * state, so an input happens in whole or not at all.
 */

#include "contract/contract.h"
#include "util/macro.h"

#define SESSION_TOKENS_MAX 8u
#define NO_SLOT            UINT16_MAX
#define ALL_LEVELS         ((1u << _CONTRACT_LEVEL_MAX) - 1)

/* Who caused an Abort (C11); each sends a writer at most one (C18). */
typedef enum AbortSource {
        ABORT_BY_REQUESTER = 1 << 0,   /* (a) AbortBackup */
        ABORT_BY_WRITER = 1 << 1,      /* (b) its own Freeze or Thaw went wrong */
        ABORT_BY_COORDINATOR = 1 << 2, /* (c) a provider or the coordinator failed */
} AbortSource;

/* One writer in one session. */
typedef struct Writer {
        char name[CONTRACT_NAME_MAX];
        char text[CONTRACT_TEXT_MAX]; /* of the first failure, else of the last warning */
        ContractLevel level;
        ContractWriterState state;
        ContractFailure failure;
        ContractEvent in_flight; /* sent, neither answered nor late nor overtaken by Abort */
        ContractEvent queued;    /* to be sent as soon as C12, C31 and the dark allow it */
        ContractEvent last_event;
        uint32_t sent;          /* a bit per event */
        uint32_t n_aborts;      /* Aborts in flight */
        uint32_t n_ignored;     /* answers that came late or twice (C30) */
        unsigned abort_sources; /* AbortSource */
        bool enabled;
        bool gone; /* the process that took part is */
        bool takes_part;
        bool never_restored;                    /* C27 */
        bool writable_snapshots;                /* C24: it wants to write into them in PostSnapshot */
        bool placed;                            /* all its components lie on volumes that it named */
        uint32_t first_component, n_components; /* of the session's */
        bool excepted;                          /* from require-writers */
        bool frozen;              /* Freeze was sent, neither Thaw nor Abort was answered since */
        bool abort_due;           /* C11 b has happened, its Abort is not sent yet */
        uint64_t wish_usec;       /* its own freeze window; 0: the default */
        uint64_t answer_due_usec; /* armed deadline of what is in flight; 0: none */
        uint64_t window_end_usec; /* armed deadline of the freeze window; 0: none */
        /* C29: for people only, nothing is decided by them */
        uint64_t sent_usec[_CONTRACT_EVENT_MAX];
        uint64_t duration_usec[_CONTRACT_EVENT_MAX];
        uint64_t limit_usec[_CONTRACT_EVENT_MAX];
        ContractAnswer answers[_CONTRACT_EVENT_MAX];
} Writer;

/* One key of a volume on which a writer said its components lie. */
typedef struct Place {
        uint32_t writer;
        char key[CONTRACT_NAME_MAX];
} Place;

/* What a writer declared, and whether the requester chose it. A writer's stand together, in its order. */
typedef struct Component {
        char path[CONTRACT_PATH_MAX];
        char name[CONTRACT_NAME_MAX];
        bool selectable, selectable_for_restore;
        ContractBackedUp backed_up;
        bool selected;
} Component;

typedef struct Volume {
        char snapshot[CONTRACT_ID_MAX];
        char key[CONTRACT_NAME_MAX];
        bool deleted;
} Volume;

typedef char Name[CONTRACT_NAME_MAX];

/* What a session is waiting for. */
typedef enum Phase {
        PHASE_IDLE,
        PHASE_DRAIN, /* a second gather waits for what a cancelled one left behind */
        PHASE_LAUNCH,
        PHASE_IDENTIFY,
        PHASE_SLOT,
        PHASE_QUERY,
        PHASE_BEGIN_PREPARE,
        PHASE_PREPARE_FOR_BACKUP,
        PHASE_SEQUENCE, /* DoSnapshotSet: `stage` tells where */
        PHASE_GIVE_UP,
        PHASE_BACKUP_COMPLETE,
        PHASE_DELETE,
        PHASE_PRE_RESTORE,
        PHASE_POST_RESTORE,
        PHASE_ABORT,
        PHASE_RELEASE_DRAIN, /* what is in flight ends before BackupShutdown is sent */
        PHASE_RELEASE,
        _PHASE_MAX,
} Phase;

/* How the running call, or the step it waits for, ended. */
typedef struct Result {
        ContractError error;
        char text[CONTRACT_TEXT_MAX];
} Result;

typedef struct Session {
        uint64_t handle;
        uint16_t slot; /* its index in the machine's table */
        char id[CONTRACT_ID_MAX];
        ContractKind kind;
        ContractContext context;
        ContractState state;
        Phase phase;
        unsigned stage;
        bool stage_entered;

        /* Calls: the one that runs, and those that may come while it does (C4). */
        ContractCall running;
        uint64_t token;
        uint64_t abort_tokens[SESSION_TOKENS_MAX];
        uint32_t n_abort_tokens;
        uint64_t release_tokens[SESSION_TOKENS_MAX];
        ContractCall release_calls[SESSION_TOKENS_MAX]; /* NONE: the administrator's */
        uint32_t n_release_tokens;
        ContractCause cause;
        Result result; /* what the call being given up will answer */

        bool changed; /* since the last STATE_CHANGED */
        bool context_set;
        bool component_mode;      /* C9: who has no component selected takes no part */
        bool launching;           /* LAUNCH_WRITERS was sent, WRITERS has not come */
        bool prepare_sent;        /* PrepareForBackup, or PreRestore, was sent to some writer */
        bool sequence_begun;      /* PrepareForSnapshot was sent, or would have been */
        bool no_return;           /* the first PostSnapshot was sent (C15) */
        bool require_writers;     /* C14 */
        uint64_t hold_limit_usec; /* C8, of this set: from DoSnapshotSet on */
        bool frozen_by_commit;    /* every file system of the set was frozen */
        bool writable;            /* C24: the set is made so that writers can write into it */
        bool level_delay_over;    /* C7 */
        bool dark_guard_over;     /* no write can be held any more, whatever COMMIT says */
        bool set_started, set_created, set_given_up;
        bool set_touched;                /* a provider was asked for it: something may be left of it */
        bool slot_lost;                  /* the next call is to be told */
        bool abort_requested;            /* AbortBackup is to begin as soon as the running call has ended */
        bool release_requested;          /* likewise Release */
        bool was_aborted, was_completed; /* C22's outcome */
        bool shutdown_sent;
        bool signal_abort, signal_shutdown; /* C25: to be broadcast once the events are sent */
        bool gone;

        /* Steps: one at a time, ABORT may overtake. */
        ContractStep step, step_queued;
        uint32_t step_volume;
        char step_snapshot[CONTRACT_ID_MAX]; /* DELETE under way: of one; "" all */
        char next_snapshot[CONTRACT_ID_MAX]; /* likewise of the one that is to come */
        bool step_at_release;
        bool step_orphaned; /* nobody waits for its result any more */
        bool abort_step, abort_step_queued;

        /* Volumes and the set. */
        char set_id[CONTRACT_ID_MAX];
        char new_snapshot[CONTRACT_ID_MAX]; /* of the volume being added */
        char first_left[CONTRACT_ID_MAX];
        uint32_t n_deleted;
        ContractConsistency consistency;
        Volume *volumes;
        uint32_t n_volumes, volumes_allocated;

        /* Writers. */
        Writer *writers;
        uint32_t n_writers;
        Place *places;
        uint32_t n_places, places_allocated;
        Component *components;
        uint32_t n_components, components_allocated;
        Name *names; /* enabled, or disabled */
        const char **name_pointers;
        uint32_t n_names, names_allocated;
        bool names_enabled;

        uint64_t slot_since_usec; /* owner of the creation slot since */
        uint64_t opened_usec, freeze_begin_usec, freeze_end_usec;
        /* For people only: of the dark, and of each step when it was asked for last. */
        uint64_t dark_begin_usec, dark_end_usec;
        uint64_t step_begin_usec[_CONTRACT_STEP_MAX], step_end_usec[_CONTRACT_STEP_MAX];
        uint64_t idle_since_usec;                                   /* last call, or end of one */
        uint64_t level_delay_usec, slot_idle_usec, dark_guard_usec; /* armed deadlines; 0: none */
} Session;

/* An effect kept back while it is dark, with its own copies of what may change until then. */
typedef struct Deferred {
        ContractEffect effect;
        char text[CONTRACT_TEXT_MAX];
        char first_left[CONTRACT_ID_MAX];
} Deferred;

typedef struct EffectStore {
        ContractEffect *items;
        size_t n_items, items_allocated;
        char (*texts)[CONTRACT_TEXT_MAX];
        size_t n_texts, texts_allocated;
        Deferred *deferred;
        size_t n_deferred, n_flushed, deferred_allocated;
        ContractEffects public;
} EffectStore;

struct Contract {
        ContractConfig config;
        uint64_t now_usec;
        Session *sessions[CONTRACT_SESSIONS_MAX];
        uint16_t n_slots; /* slots from here on are empty */

        uint16_t creator; /* owns the creation slot (C3) */
        uint16_t waiting[CONTRACT_SESSIONS_MAX];
        uint16_t n_waiting;
        uint64_t waited_since_usec;

        uint16_t window; /* the session in its freeze window (C31) */
        bool dark;

        EffectStore effects;
};

const char *session_phase_to_string(const Session *session);
uint32_t session_progress(const Session *session);

static inline bool session_has_writers(const Session *session) {
        return session->kind == CONTRACT_RESTORE || session->context == CONTRACT_CONTEXT_BACKUP ||
               session->context == CONTRACT_CONTEXT_APP_ROLLBACK;
}

static inline bool session_is_auto_release(const Session *session) {
        return session->context == CONTRACT_CONTEXT_BACKUP ||
               session->context == CONTRACT_CONTEXT_FILE_SHARE_BACKUP;
}

static inline bool session_in_window(const Contract *contract, const Session *session) {
        return contract->window == session->slot;
}

static inline bool session_is_releasing(const Session *session) {
        return session->phase == PHASE_RELEASE_DRAIN || session->phase == PHASE_RELEASE;
}

/* What goes by name, to whatever process of the writer is there (C21, C27). */
static inline bool event_ends_session(ContractEvent event) {
        return event == CONTRACT_EVENT_BACKUP_SHUTDOWN || event == CONTRACT_EVENT_SESSION_CLOSED;
}

static inline bool writer_was_sent(const Writer *writer, ContractEvent event) {
        return writer->sent & (1u << event);
}

/* session.c: the table of sessions */
int session_new(Contract *contract, const ContractInput *input, Session **ret);
Session *session_free(Session *session);
Session *session_find(const Contract *contract, uint64_t handle);
void session_set_state(Session *session, ContractState state);
void session_set_phase(Session *session, Phase phase);
void session_reap(Contract *contract);
int session_grow(void **items, uint32_t *allocated, size_t size, uint32_t n);

/* effects.c */
int effects_reserve(Contract *contract, const ContractInput *input);
ContractEffect *effect_add(Contract *contract, ContractEffectType type, const Session *session);
void effect_flush(Contract *contract);
void effect_reply(Contract *contract, Session *session, ContractCall call, uint64_t token,
                  ContractError error, const char *format, ...) _printf_(6, 7);
ContractEffect *effect_last_reply(Contract *contract, uint64_t token);
void effect_reply_stranger(Contract *contract, const ContractInput *input);
void effect_state_changed(Contract *contract, Session *session);
void effect_signal(Contract *contract, Session *session, ContractEvent event);
void text_copy(char *target, size_t size, const char *source);

/* validate.c */
int input_validate(const Contract *contract, const ContractInput *input);

/* calls.c: C4's table; setup.c: the calls that only note something */
void session_call(Contract *contract, Session *session, const ContractInput *input);
ContractCall session_running(const Session *session);
bool call_is_legal(const Session *session, ContractCall call);
void call_begin(Session *session, const ContractInput *input, Phase phase);
void call_end(Contract *contract, Session *session, ContractError error, const char *text);
void call_refuse(Contract *contract, Session *session, const ContractInput *input);
int session_reserve(Session *session, const ContractInput *input);
void setup_call(Contract *contract, Session *session, const ContractInput *input);

/* gather.c */
void gather_begin(Contract *contract, Session *session, const ContractInput *input);
bool gather_advance(Contract *contract, Session *session);
int gather_writers(Contract *contract, Session *session, const ContractInput *input);
bool writer_is_enabled(const Session *session, const char *name);
void writers_fill(Session *session, Writer *writers, const ContractInput *input);

/* components.c */
#define SESSION_COMPONENTS_MAX 8192u
int components_reserve(Session *session, const ContractInput *input);
bool components_note(Session *session, Writer *writer, const ContractInput *input);
void component_call(Contract *contract, Session *session, const ContractInput *input);
bool writer_is_selected(const Session *session, const Writer *writer);
bool components_complete(Contract *contract, Session *session, const ContractInput *input);

/* slot.c */
void slot_call(Contract *contract, Session *session, const ContractInput *input);
void slot_leave(Contract *contract, Session *session);
bool slot_grant(Contract *contract);
void slot_rearm(Contract *contract);
void slot_passed(Contract *contract, Session *session);
void set_give_up(Contract *contract, Session *session);

/* volumes.c */
void volume_call(Contract *contract, Session *session, const ContractInput *input);
void volume_step_done(Contract *contract, Session *session, const ContractInput *input, bool orphaned);
bool set_is_deleted(const Session *session);

/* rounds.c: PrepareForBackup and BackupComplete, PreRestore and PostRestore */
void round_begin(Contract *contract, Session *session, const ContractInput *input);
bool round_advance(Contract *contract, Session *session);

/* snapshot-set.c */
void snapshot_set_begin(Contract *contract, Session *session, const ContractInput *input);
bool snapshot_set_check(Contract *contract, Session *session);
bool snapshot_set_advance(Contract *contract, Session *session);
void snapshot_set_step_done(Contract *contract, Session *session, const ContractInput *input);
ContractConsistency snapshot_set_judge(const Session *session);
const char *snapshot_set_phase(const Session *session);
uint32_t snapshot_set_progress(const Session *session);

/* window.c */
void window_begin(Contract *contract, Session *session);
void window_end(Contract *contract, Session *session);
void dark_begin(Contract *contract, Session *session);
void dark_end(Contract *contract, Session *session);
const Writer *window_find_short(const Contract *contract, const Session *session);

/* abort.c */
void session_stop(Contract *contract, Session *session, ContractError reason);
void session_give_up(Contract *contract, Session *session, AbortSource source, ContractError error,
                     const char *text);
bool give_up_advance(Contract *contract, Session *session);
void abort_call(Contract *contract, Session *session, const ContractInput *input);
void abort_begin(Contract *contract, Session *session);
bool abort_advance(Contract *contract, Session *session);
void cancel_call(Contract *contract, Session *session, const ContractInput *input);

/* release.c */
void session_release(Contract *contract, Session *session, ContractCause cause, ContractCall call,
                     uint64_t token);
void release_begin(Contract *contract, Session *session);
bool release_advance(Contract *contract, Session *session);
int session_recover(Contract *contract, const ContractInput *input);
ContractOutcome session_outcome(const Session *session);
const char *session_set_owed(const Session *session);
const char *session_set_current(const Session *session);

/* writers.c: what a writer answered, and what became of it */
void writer_answer(Contract *contract, Session *session, const ContractInput *input);
void writer_gone(Contract *contract, Session *session, const ContractInput *input);
void writer_fail(Session *session, Writer *writer, ContractEvent event, ContractFailure failure,
                 const char *text);
bool writer_is_veto(const Session *session, const Writer *writer);
const Writer *writers_find_veto(const Session *session);
void writers_place(Session *session);

/* events.c: sending */
void event_request(Contract *contract, Session *session, Writer *writer, ContractEvent event);
bool events_flush(Contract *contract, Session *session);
void events_drop_queued(Session *session);
void events_send_to_all(Contract *contract, Session *session, ContractEvent event, unsigned levels);
unsigned events_send_abort(Contract *contract, Session *session, AbortSource source);
bool events_send_due_aborts(Contract *contract, Session *session);
bool events_wait(const Session *session, ContractEvent event, unsigned levels);
bool events_in_flight(const Session *session);
void writer_event_late(Contract *contract, Session *session, Writer *writer);
void writer_window_passed(Contract *contract, Session *session, Writer *writer);

/* steps.c */
void step_start(Contract *contract, Session *session, ContractStep step);
void step_abort(Contract *contract, Session *session);
bool steps_flush(Contract *contract, Session *session);
bool steps_wait(const Session *session);
void step_done(Contract *contract, Session *session, const ContractInput *input);

/* deadlines.c */
typedef enum DeadlineKind {
        DEADLINE_ANSWER = 1, /* of what a writer has in flight */
        DEADLINE_WINDOW,     /* a writer's freeze window */
        DEADLINE_LEVEL,      /* C7: the next level's Thaw */
        DEADLINE_SLOT,       /* C3 */
        DEADLINE_DARK,       /* the hold limit after giving up inside COMMIT */
} DeadlineKind;

#define NO_WRITER UINT32_C(0xffffff)

void deadline_arm(Contract *contract, Session *session, DeadlineKind kind, uint32_t writer,
                  uint64_t at_usec);
void deadline_disarm(Contract *contract, Session *session, DeadlineKind kind, uint32_t writer);
void deadline_passed(Contract *contract, const ContractInput *input);
void deadlines_disarm_all(Contract *contract, Session *session);
uint64_t deadline_after(const Contract *contract, uint64_t limit_usec);
