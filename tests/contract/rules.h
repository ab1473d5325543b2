/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The contract's rules as invariants: an observer that sees every input and every effect.
 *
 * The observer knows nothing of the machine's inside. It remembers what was asked, sent and answered, and
 * holds each effect, and what did not come, against the rules C1–C32, which are stated here anew and in
 * other words than the machine's own. A broken rule ends the program with the rule's name and the history.
 * Plain data, so that it can be copied together with the machine it watches; observer_hash() digests what it
 * would judge by later.
 */

#include "contract/contract.h"
#include "tests/contract/c4.h"

#include <stdio.h>

#define OBSERVER_SESSIONS_MAX  3u
#define OBSERVER_WRITERS_MAX   3u
#define OBSERVER_TOKENS_MAX    24u
#define OBSERVER_DEADLINES_MAX 24u
#define OBSERVER_VOLUMES_MAX   4u
#define NOBODY                 UINT32_MAX

/* C11's sources, as bits. */
#define FROM_REQUESTER   1u
#define FROM_WRITER      2u
#define FROM_COORDINATOR 4u

typedef struct SeenWriter {
        const char *name; /* static */
        ContractLevel level;
        ContractEvent in_flight;
        uint32_t sent;     /* a bit per event */
        uint32_t n_aborts; /* in flight; each is answered */
        unsigned due, had; /* sources of Aborts that are owed, and that were sent (C18) */
        uint32_t places;   /* a bit per key of a volume, if `placed` */
        uint64_t wish_usec;
        const ContractComponentSpec *components; /* static */
        uint32_t n_components, selected;         /* a bit per component */
        bool available, enabled, takes_part, placed, excepted, never;
        bool writes; /* C24: asks for writable snapshots */
        bool gone, failed, veto;
        bool waited_for;    /* C7: its Thaw has kept the next level waiting as long as it may */
        bool frozen;        /* Freeze was sent, neither was Thaw answered well nor Abort sent since */
        uint32_t stops_due; /* C30: of its unit */
} SeenWriter;

typedef enum SeenSlot { SLOT_NONE, SLOT_WAITS, SLOT_OWNED } SeenSlot;

typedef struct SeenSession {
        uint64_t handle; /* 0: this place is free */
        char id[CONTRACT_ID_MAX], set_id[CONTRACT_ID_MAX];
        ContractKind kind;
        ContractContext context;
        ContractState state;
        bool context_set, recovered;

        ContractCall running;
        ContractError result;    /* what the running call will answer, if `stopped` or `giving_up` */
        bool stopped, giving_up; /* it must end at once; DoSnapshotSet is on its way out */
        uint32_t n_abort_calls, n_release_calls; /* unanswered */
        bool abort_asked, release_asked;
        bool aborted, completed; /* C22's outcome */
        ContractCause cause;
        bool slot_lost;

        bool launching, stale; /* the writers are being started; for a gather that was stopped */
        SeenWriter writers[OBSERVER_WRITERS_MAX];
        uint32_t n_writers;
        bool component_mode;
        bool listed,
                lists_enabled; /* EnableWriters, DisableWriters: "db" is in the list; which list it is */

        SeenSlot slot;
        bool set_started, set_created, removal_owed, touched;
        bool in_sequence;         /* PrepareForSnapshot may be sent: no veto was known before (C14) */
        bool require, post;       /* C14; the first PostSnapshot was sent (C15) */
        uint64_t hold_limit_usec; /* C8, as DoSnapshotSet was told */
        uint32_t n_volumes, keys, deleted;
        char snapshots[OBSERVER_VOLUMES_MAX][CONTRACT_ID_MAX];
        char new_snapshot[CONTRACT_ID_MAX];
        bool all_frozen; /* COMMIT's answer */
        bool writable;   /* C24: as LOCK was told */
        ContractStep step;
        uint32_t delete_one;                            /* DELETE: 0 all, else the volume's index + 1 */
        bool orphan;                                    /* nobody waits for that step */
        bool abort_step, abort_asked_for, delete_asked; /* ABORT, and DELETE at release, were asked for */
        uint32_t steps;                                 /* done in this DoSnapshotSet, a bit each */
        bool signal_abort, signal_shutdown;             /* C25: owed */
        ContractOutcome abort_outcome;                  /* as the Abort events had it */

        /* As last told by STATE_CHANGED. */
        ContractState shown_state;
        ContractCall shown_running;
        const char *shown_phase;
        size_t shown_volumes;
} SeenSession;

typedef enum SeenPurpose { FOR_ANSWER, FOR_LEVEL, FOR_SLOT, FOR_DARK } SeenPurpose;

/* What is expected of the one input that is being fed. */
typedef struct Expected {
        bool decided; /* the call must be answered at once, with `error` */
        ContractError error;
        bool unchanged; /* nothing but a reply may come of it, and nothing may change */
        uint64_t rearm; /* C30: told too early, must be armed again */
        /* C28: of the writer that the input concerns; all others stay as they are. */
        uint64_t session;
        uint32_t writer; /* or NOBODY */
        bool writer_changes;
        ContractWriterState state;
        ContractFailure failure;
        bool ignored; /* C30: its answer came late or twice and is counted */
        /* C30: an event was sent just now, its limit must follow. */
        SeenWriter *sent_to;
        uint64_t sent_session, sent_limit_usec;
        uint32_t sent_writer;
} Expected;

typedef struct Observer {
        Contract *contract;
        ContractConfig config;
        uint64_t now_usec;
        SeenSession sessions[OBSERVER_SESSIONS_MAX];
        struct {
                uint64_t token, session;
                ContractCall call;   /* NONE: the administrator's ReleaseSession */
                bool decided;        /* it is answered at once, or when the dark is over, with … */
                ContractError error; /* … this */
        } tokens[OBSERVER_TOKENS_MAX];
        size_t n_tokens;
        struct {
                uint64_t id, at_usec, session;
                uint32_t writer; /* or NOBODY */
                SeenPurpose purpose;
        } deadlines[OBSERVER_DEADLINES_MAX];
        size_t n_deadlines;
        uint64_t opened; /* a bit per handle */
        bool dark;
        uint64_t window;                         /* handle; from LOCK or the first Freeze to WINDOW_END */
        uint64_t waiting[OBSERVER_SESSIONS_MAX]; /* for the slot, in order */
        size_t n_waiting;
        uint64_t n_effects;
        uint64_t digest; /* of the contract, after the last input that might change it */
        bool unproven;   /* that those after it have changed nothing */
        Expected expected;
        void (*history)(const void *userdata); /* prints how it came to this */
        const void *userdata;
} Observer;

/* rules.c */
void observer_init(Observer *observer, const ContractConfig *config);
const ContractEffects *observer_feed(Observer *observer, const ContractInput *input);
/* That what was refused since the last change has changed nothing; else it is checked with the next change.
 */
void observer_prove(Observer *observer);
void observer_print_input(FILE *stream, const ContractInput *input);
void observer_print_effect(FILE *stream, const ContractEffect *effect);
uint64_t observer_hash(const Observer *observer);
/* The same of one session alone, with what it waits for. */
uint64_t observer_hash_session(const Observer *observer, const SeenSession *session);
/* What of it other sessions can notice: whether it owns the slot or waits, and who is in its freeze window.
 */
uint64_t observer_hash_outside(const Observer *observer, const SeenSession *session);
SeenSession *observer_session(Observer *observer, uint64_t handle);
/* Whether what a bus would bring may come now: in the dark, only while the session has no call unanswered.
 */
ContractConsistency observer_consistency(const SeenSession *session);
bool observer_may_call(const Observer *observer, const SeenSession *session);
bool observer_owns_slot(const SeenSession *session);

#define RULE(observer, name, condition)                                                \
        do {                                                                           \
                if (!(condition))                                                      \
                        observer_fail(observer, name, #condition, __FILE__, __LINE__); \
        } while (0)

_Noreturn void observer_fail(const Observer *observer, const char *rule, const char *condition,
                             const char *file, int line);

static inline bool was_sent(const SeenWriter *writer, ContractEvent event) {
        return writer->sent & (1u << event);
}

/* It will be told of the end (C21, C27); it has been. */
static inline bool was_begun(const SeenWriter *writer) {
        return was_sent(writer, CONTRACT_EVENT_PREPARE_FOR_BACKUP) ||
               was_sent(writer, CONTRACT_EVENT_PRE_RESTORE);
}

static inline bool ends_session(ContractEvent event) {
        return event == CONTRACT_EVENT_BACKUP_SHUTDOWN || event == CONTRACT_EVENT_SESSION_CLOSED;
}

static inline bool was_ended(const SeenWriter *writer) {
        return was_sent(writer, CONTRACT_EVENT_BACKUP_SHUTDOWN) ||
               was_sent(writer, CONTRACT_EVENT_SESSION_CLOSED);
}

static inline bool seen_has_writers(const SeenSession *session) {
        return session->kind == CONTRACT_RESTORE || session->context == CONTRACT_CONTEXT_BACKUP ||
               session->context == CONTRACT_CONTEXT_APP_ROLLBACK;
}

static inline bool seen_is_auto_release(const SeenSession *session) {
        return session->context == CONTRACT_CONTEXT_BACKUP ||
               session->context == CONTRACT_CONTEXT_FILE_SHARE_BACKUP;
}

static inline bool step_was_done(const SeenSession *session, ContractStep step) {
        return session->steps & (1u << step);
}

/* rules-input.c: what an input means, and what must be answered to it at once */
void note_input(Observer *observer, const ContractInput *input);
void give_up(Observer *observer, SeenSession *session, ContractError error);

/* rules-call.c: the same of calls */
void note_call(Observer *observer, SeenSession *session, const ContractInput *input);
void owe_aborts(SeenSession *session);
void note_release(Observer *observer, SeenSession *session, ContractCause cause, const ContractInput *input);

/* rules-component.c: the same of calls on components */
ContractError note_component(SeenWriter *writer, const ContractInput *input, bool *ret_changes);
bool lacks_component(const SeenWriter *writer);

/* rules-effect.c: what may be done */
void check_effect(Observer *observer, const ContractEffect *effect);

/* rules-reply.c: how calls end */
void check_reply(Observer *observer, const ContractEffect *effect);
void check_gone(Observer *observer, SeenSession *session);
