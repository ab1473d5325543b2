/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who may call what when: C4's table, and the way of every call through it.
 *
 * A call is first checked against its row; what is not legal changes nothing and is told which calls would
 * be. Then it goes to the file of its subject.
 */

#include "contract/machine.h"

#include "contract/names.h"

#include <assert.h>

#define INITIALISED    (1u << CONTRACT_INITIALISED)
#define GATHERED       (1u << CONTRACT_GATHERED)
#define OPEN           (1u << CONTRACT_OPEN)
#define PREPARED       (1u << CONTRACT_PREPARED)
#define CREATING       (1u << CONTRACT_CREATING)
#define CREATED        (1u << CONTRACT_CREATED)
#define COMPLETED      (1u << CONTRACT_COMPLETED)
#define FAILED         (1u << CONTRACT_FAILED)
#define ABORTED        (1u << CONTRACT_ABORTED)
#define LOST           (1u << CONTRACT_LOST)
#define RELEASED       (1u << CONTRACT_RELEASED)
#define PRE_RESTORED   (1u << CONTRACT_PRE_RESTORED)
#define POST_RESTORED  (1u << CONTRACT_POST_RESTORED)
#define ALL            ((1u << _CONTRACT_STATE_MAX) - 1)
#define BEFORE_RELEASE (ALL & ~RELEASED)

typedef enum RuleFlag {
        WHILE_RUNNING = 1 << 0, /* may come while another call runs */
        ONCE_CONTEXT = 1 << 1,  /* only once in a session */
} RuleFlag;

typedef struct Rule {
        uint32_t backup;      /* states in which it is legal in a backup with writers */
        uint32_t no_writers;  /* … in a context without writers */
        uint32_t restore;     /* … in a restore */
        uint32_t with_set;    /* of these, those in which a set must have been started */
        uint32_t without_set; /* … in which none may have been */
        unsigned flags;
        void (*handle)(Contract *contract, Session *session, const ContractInput *input);
} Rule;

static void release_call(Contract *contract, Session *session, const ContractInput *input) {
        session_release(contract, session, CONTRACT_CAUSE_RELEASED, CONTRACT_CALL_RELEASE, input->token);
}

/* clang-format off */
static const Rule rules[_CONTRACT_CALL_MAX] = {
#define RULE(call, ...) [CONTRACT_CALL_##call] = { __VA_ARGS__ }
        RULE(SET_CONTEXT,
             .backup = INITIALISED, .no_writers = INITIALISED, .flags = ONCE_CONTEXT, .handle = setup_call),
        RULE(ENABLE_WRITERS,
             .backup = INITIALISED, .no_writers = INITIALISED, .restore = INITIALISED, .handle = setup_call),
        RULE(DISABLE_WRITERS,
             .backup = INITIALISED, .no_writers = INITIALISED, .restore = INITIALISED, .handle = setup_call),
        RULE(GATHER_WRITER_METADATA,
             .backup = INITIALISED, .restore = INITIALISED, .handle = gather_begin),
        RULE(SET_BACKUP_STATE,
             .backup = INITIALISED | GATHERED | OPEN, .no_writers = INITIALISED | OPEN, .handle = setup_call),
        RULE(ADD_COMPONENT,
             .backup = GATHERED | OPEN, .handle = component_call),
        RULE(SET_BACKUP_OPTIONS,
             .backup = GATHERED | OPEN, .handle = component_call),
        RULE(SET_PREVIOUS_BACKUP_STAMP,
             .backup = GATHERED | OPEN, .handle = component_call),
        RULE(START_SNAPSHOT_SET,
             .backup = GATHERED, .no_writers = INITIALISED, .handle = slot_call),
        RULE(IS_VOLUME_SUPPORTED,
             .backup = BEFORE_RELEASE, .no_writers = BEFORE_RELEASE, .restore = BEFORE_RELEASE,
             .handle = volume_call),
        RULE(ADD_TO_SNAPSHOT_SET,
             .backup = OPEN, .no_writers = OPEN, .handle = volume_call),
        RULE(PREPARE_FOR_BACKUP,
             .backup = GATHERED | OPEN, .handle = round_begin),
        RULE(DO_SNAPSHOT_SET,
             .backup = PREPARED, .with_set = PREPARED, .no_writers = OPEN, .handle = snapshot_set_begin),
        RULE(GET_SNAPSHOT_PROPERTIES, /* in creating it answers ObjectNotFound */
             .backup = CREATING | CREATED | COMPLETED | LOST, .no_writers = CREATING | CREATED | COMPLETED | LOST,
             .flags = WHILE_RUNNING, .handle = volume_call),
        RULE(SET_BACKUP_SUCCEEDED,
             .backup = CREATED | PREPARED, .without_set = PREPARED, .handle = component_call),
        RULE(BACKUP_COMPLETE,
             .backup = CREATED | PREPARED, .without_set = PREPARED, .handle = round_begin),
        RULE(DELETE_SNAPSHOTS,
             .backup = CREATED | COMPLETED | ABORTED, .no_writers = CREATED | COMPLETED | ABORTED,
             .handle = volume_call),
        RULE(ABORT_BACKUP,
             .backup = BEFORE_RELEASE & ~LOST, .no_writers = BEFORE_RELEASE & ~LOST, .flags = WHILE_RUNNING,
             .handle = abort_call),
        RULE(SAVE_DOCUMENT,
             .backup = PREPARED | CREATING | CREATED | COMPLETED | FAILED | ABORTED,
             .no_writers = CREATING | CREATED | COMPLETED | FAILED | ABORTED,
             .restore = PRE_RESTORED | POST_RESTORED, .flags = WHILE_RUNNING, .handle = setup_call),
        RULE(GATHER_WRITER_STATUS,
             .backup = BEFORE_RELEASE, .no_writers = BEFORE_RELEASE, .restore = BEFORE_RELEASE,
             .flags = WHILE_RUNNING, .handle = setup_call),
        RULE(GET_WRITER_METADATA,
             .backup = BEFORE_RELEASE, .no_writers = BEFORE_RELEASE, .restore = BEFORE_RELEASE,
             .flags = WHILE_RUNNING, .handle = component_call),
        RULE(GET_WRITER_COMPONENTS,
             .backup = BEFORE_RELEASE, .no_writers = BEFORE_RELEASE, .restore = BEFORE_RELEASE,
             .flags = WHILE_RUNNING, .handle = component_call),
        RULE(CANCEL,
             .backup = BEFORE_RELEASE, .no_writers = BEFORE_RELEASE, .restore = BEFORE_RELEASE,
             .flags = WHILE_RUNNING, .handle = cancel_call),
        RULE(RELEASE,
             .backup = BEFORE_RELEASE, .no_writers = BEFORE_RELEASE, .restore = BEFORE_RELEASE,
             .flags = WHILE_RUNNING, .handle = release_call),
        RULE(SET_SELECTED_FOR_RESTORE,
             .restore = GATHERED, .handle = component_call),
        RULE(SET_RESTORE_OPTIONS,
             .restore = GATHERED, .handle = component_call),
        RULE(PRE_RESTORE,
             .restore = GATHERED, .handle = round_begin),
        RULE(SET_FILE_RESTORE_STATUS,
             .restore = PRE_RESTORED, .handle = component_call),
        RULE(POST_RESTORE,
             .restore = PRE_RESTORED, .handle = round_begin),
#undef RULE
};
/* clang-format on */

/**
 * call_is_legal() - look a call up in C4's table
 * @session:    the session, in the state it is in
 * @call:       the call
 *
 * Return: whether it is legal now, other calls aside.
 */
bool call_is_legal(const Session *session, ContractCall call) {
        const Rule *rule = &rules[call];
        uint32_t state = 1u << session->state, states = session->kind == CONTRACT_RESTORE ? rule->restore
                                                        : session_has_writers(session)    ? rule->backup
                                                                                          : rule->no_writers;

        if (!(states & state))
                return false;
        if ((rule->with_set & state) && !session->set_started)
                return false;
        if ((rule->without_set & state) && session->set_started)
                return false;
        return !((rule->flags & ONCE_CONTEXT) && session->context_set);
}

static size_t append(char *text, size_t size, size_t length, const char *word) {
        size_t n = strnlen(word, size - length - 1);

        memcpy(text + length, word, n);
        text[length + n] = '\0';
        return length + n;
}

/* "A, B and C": the calls legal now. */
static void list_legal(const Session *session, char *text, size_t size) {
        size_t n = 0, listed = 0, length = 0;

        for (ContractCall call = CONTRACT_CALL_NONE + 1; call < _CONTRACT_CALL_MAX; call++)
                n += call_is_legal(session, call);
        text[0] = '\0';
        for (ContractCall call = CONTRACT_CALL_NONE + 1; call < _CONTRACT_CALL_MAX; call++)
                if (call_is_legal(session, call)) {
                        length = append(text, size, length,
                                        listed == 0       ? ""
                                        : listed + 1 == n ? " and "
                                                          : ", ");
                        length = append(text, size, length, contract_call_to_string(call));
                        listed++;
                }
}

/* Why a call may be refused though its name stands in a row of this state, for the text. */
static const char *call_reason(const Session *session, ContractCall call) {
        if (session->kind == CONTRACT_RESTORE && !rules[call].restore)
                return " of a restore";
        if (session->kind == CONTRACT_BACKUP && !rules[call].backup)
                return " of a backup";
        if (!session_has_writers(session) && !rules[call].no_writers)
                return ", because its context has no writers";
        if (call == CONTRACT_CALL_SET_CONTEXT && session->context_set)
                return ", because the context is set already";
        if ((rules[call].with_set & (1u << session->state)) && !session->set_started)
                return ", because no snapshot set was started";
        if ((rules[call].without_set & (1u << session->state)) && session->set_started)
                return ", because its snapshot set is not created yet";
        return "";
}

/**
 * call_refuse() - answer BadState, naming the state and the calls legal there (C4)
 * @contract:   the machine
 * @session:    the session; nothing in it changes
 * @input:      the call
 */
void call_refuse(Contract *contract, Session *session, const ContractInput *input) {
        char legal[CONTRACT_TEXT_MAX];

        if (session->state == CONTRACT_LOST) {
                effect_reply(contract, session, input->call, input->token, CONTRACT_ERROR_SESSION_LOST,
                             "%s is not possible any more: quiesced was restarted and this session was lost "
                             "with it. Its snapshots can still be read; then Release it and open a new one.",
                             contract_call_to_string(input->call));
                return;
        }
        list_legal(session, legal, sizeof(legal));
        effect_reply(contract, session, input->call, input->token, CONTRACT_ERROR_BAD_STATE,
                     "%s is not legal in state %s%s. Legal now: %s.", contract_call_to_string(input->call),
                     contract_state_to_string(session->state), call_reason(session, input->call), legal);
}

/**
 * session_running() - what runs, as a caller sees it
 * @session:    the session
 *
 * Return: the call, or CONTRACT_CALL_NONE.
 */
ContractCall session_running(const Session *session) {
        if (session_is_releasing(session) || session->gone)
                return CONTRACT_CALL_RELEASE;
        if (session->phase == PHASE_ABORT)
                return CONTRACT_CALL_ABORT_BACKUP;
        return session->running; /* which an AbortBackup or a Release has stopped and waits for, perhaps */
}

/* An owner that let the slot go idle is told so once (C3); what ends the session is no news to it. */
static bool call_hears_slot_lost(const Session *session, ContractCall call) {
        return session->slot_lost && call != CONTRACT_CALL_RELEASE && call != CONTRACT_CALL_ABORT_BACKUP &&
               call != CONTRACT_CALL_CANCEL && !(rules[call].flags & WHILE_RUNNING);
}

/**
 * session_call() - one call of the requester
 * @contract:   the machine
 * @session:    the session
 * @input:      the call; it is answered now or by a later input, exactly once
 */
void session_call(Contract *contract, Session *session, const ContractInput *input) {
        const Rule *rule = &rules[input->call];

        session->idle_since_usec = contract->now_usec;
        if (!(rule->flags & WHILE_RUNNING) && session_running(session) != CONTRACT_CALL_NONE) {
                effect_reply(contract, session, input->call, input->token, CONTRACT_ERROR_BAD_STATE,
                             "%s has to wait: %s is still running in this session (state %s). Legal now: "
                             "%sCancel, GatherWriterStatus and Release.",
                             contract_call_to_string(input->call),
                             contract_call_to_string(session_running(session)),
                             contract_state_to_string(session->state),
                             session->kind == CONTRACT_BACKUP ? "AbortBackup, " : "");
                return;
        }
        if (call_hears_slot_lost(session, input->call)) {
                session->slot_lost = false;
                effect_reply(contract, session, input->call, input->token, CONTRACT_ERROR_SLOT_LOST,
                             "This session made no call for too long while it owned the machine's only "
                             "snapshot set in creation; the set was given up. Release the session and begin "
                             "again.");
                return;
        }
        if (!call_is_legal(session, input->call)) {
                call_refuse(contract, session, input);
                return;
        }
        rule->handle(contract, session, input);
}

/**
 * call_begin() - a call that is answered by a later input
 * @session:    the session
 * @input:      the call
 * @phase:      what it waits for
 */
void call_begin(Session *session, const ContractInput *input, Phase phase) {
        assert(session->running == CONTRACT_CALL_NONE && session->phase == PHASE_IDLE);
        session->running = input->call;
        session->token = input->token;
        session_set_phase(session, phase);
        session->result = (Result){};
}

/**
 * call_end() - answer the running call
 * @contract:   the machine
 * @session:    the session; what it waited for is over
 * @error:      CONTRACT_OK or what went wrong
 * @text:       with an error, for people
 */
void call_end(Contract *contract, Session *session, ContractError error, const char *text) {
        ContractCall call = session->running;
        uint64_t token = session->token;

        session->running = CONTRACT_CALL_NONE;
        session->token = 0;
        session_set_phase(session, PHASE_IDLE);
        if (text && text[0])
                effect_reply(contract, session, call, token, error, "%s", text);
        else
                effect_reply(contract, session, call, token, error, "%s failed: %s.",
                             contract_call_to_string(call), contract_error_to_string(error));
}

/**
 * session_phase_to_string() - one word for what is going on, for the progress display
 * @session:    the session
 *
 * Return: a static string.
 */
const char *session_phase_to_string(const Session *session) {
        static const char *const words[_PHASE_MAX] = {
                [PHASE_IDLE] = "idle",
                [PHASE_DRAIN] = "identify",
                [PHASE_LAUNCH] = "start-writers",
                [PHASE_IDENTIFY] = "identify",
                [PHASE_SLOT] = "wait-for-slot",
                [PHASE_QUERY] = "query",
                [PHASE_BEGIN_PREPARE] = "begin-prepare",
                [PHASE_PREPARE_FOR_BACKUP] = "prepare-for-backup",
                [PHASE_GIVE_UP] = "give-up",
                [PHASE_BACKUP_COMPLETE] = "backup-complete",
                [PHASE_DELETE] = "delete",
                [PHASE_PRE_RESTORE] = "pre-restore",
                [PHASE_POST_RESTORE] = "post-restore",
                [PHASE_ABORT] = "abort",
                [PHASE_RELEASE_DRAIN] = "release",
                [PHASE_RELEASE] = "release",
        };

        return session->phase == PHASE_SEQUENCE ? snapshot_set_phase(session) : words[session->phase];
}

/**
 * session_progress() - how far the running call is
 * @session:    the session
 *
 * Return: percent; 0 while nothing runs that can be measured.
 */
uint32_t session_progress(const Session *session) {
        return session->phase == PHASE_SEQUENCE ? snapshot_set_progress(session) : 0;
}
