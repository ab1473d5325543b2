/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The words of the contract: states, calls, events, inputs and effects. Names are VSS's where VSS has one.
 * Each enum has a table of strings (contract/names.h); those strings are what stands on the bus and in
 * documents.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTRACT_ID_MAX         37u  /* UUID text with its NUL */
#define CONTRACT_NAME_MAX       128u /* a writer's name, a volume's key */
#define CONTRACT_TEXT_MAX       512u
#define CONTRACT_PATH_MAX       256u /* a component's logical path */
#define CONTRACT_VOLUMES_MAX    64u
#define CONTRACT_WRITERS_MAX    256u
#define CONTRACT_SESSIONS_MAX   512u
#define CONTRACT_COMPONENTS_MAX 1024u /* of one writer */

typedef enum ContractKind {
        CONTRACT_BACKUP,
        CONTRACT_RESTORE,
} ContractKind;

typedef enum ContractState {
        CONTRACT_INITIALISED,
        CONTRACT_GATHERED,
        CONTRACT_OPEN,
        CONTRACT_PREPARED,
        CONTRACT_CREATING,
        CONTRACT_CREATED,
        CONTRACT_COMPLETED,
        CONTRACT_FAILED,
        CONTRACT_ABORTED,
        CONTRACT_LOST,
        CONTRACT_RELEASED,
        CONTRACT_PRE_RESTORED,
        CONTRACT_POST_RESTORED,
        _CONTRACT_STATE_MAX,
} ContractState;

typedef enum ContractContext {
        CONTRACT_CONTEXT_BACKUP,            /* auto-release, writers */
        CONTRACT_CONTEXT_FILE_SHARE_BACKUP, /* auto-release, no writers */
        CONTRACT_CONTEXT_NAS_ROLLBACK,      /* persistent, no writers */
        CONTRACT_CONTEXT_APP_ROLLBACK,      /* persistent, writers */
        _CONTRACT_CONTEXT_MAX,
} ContractContext;

typedef enum ContractLevel {
        CONTRACT_LEVEL_FRONT_END,
        CONTRACT_LEVEL_BACK_END,
        CONTRACT_LEVEL_SYSTEM,
        _CONTRACT_LEVEL_MAX,
} ContractLevel;

typedef enum ContractCall {
        CONTRACT_CALL_NONE,
        CONTRACT_CALL_SET_CONTEXT,
        CONTRACT_CALL_ENABLE_WRITERS,
        CONTRACT_CALL_DISABLE_WRITERS,
        CONTRACT_CALL_SET_BACKUP_STATE,
        CONTRACT_CALL_GATHER_WRITER_METADATA,
        CONTRACT_CALL_ADD_COMPONENT,
        CONTRACT_CALL_SET_BACKUP_OPTIONS,
        CONTRACT_CALL_SET_PREVIOUS_BACKUP_STAMP,
        CONTRACT_CALL_START_SNAPSHOT_SET,
        CONTRACT_CALL_IS_VOLUME_SUPPORTED,
        CONTRACT_CALL_ADD_TO_SNAPSHOT_SET,
        CONTRACT_CALL_PREPARE_FOR_BACKUP,
        CONTRACT_CALL_DO_SNAPSHOT_SET,
        CONTRACT_CALL_GET_SNAPSHOT_PROPERTIES,
        CONTRACT_CALL_SET_BACKUP_SUCCEEDED,
        CONTRACT_CALL_BACKUP_COMPLETE,
        CONTRACT_CALL_DELETE_SNAPSHOTS,
        CONTRACT_CALL_ABORT_BACKUP,
        CONTRACT_CALL_SAVE_DOCUMENT,
        CONTRACT_CALL_GATHER_WRITER_STATUS,
        CONTRACT_CALL_GET_WRITER_METADATA,
        CONTRACT_CALL_GET_WRITER_COMPONENTS,
        CONTRACT_CALL_CANCEL,
        CONTRACT_CALL_RELEASE,
        CONTRACT_CALL_SET_SELECTED_FOR_RESTORE,
        CONTRACT_CALL_SET_RESTORE_OPTIONS,
        CONTRACT_CALL_PRE_RESTORE,
        CONTRACT_CALL_SET_FILE_RESTORE_STATUS,
        CONTRACT_CALL_POST_RESTORE,
        _CONTRACT_CALL_MAX,
} ContractCall;

typedef enum ContractEvent {
        CONTRACT_EVENT_NONE,
        CONTRACT_EVENT_IDENTIFY,
        CONTRACT_EVENT_PREPARE_FOR_BACKUP,
        CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT,
        CONTRACT_EVENT_FREEZE,
        CONTRACT_EVENT_THAW,
        CONTRACT_EVENT_POST_SNAPSHOT,
        CONTRACT_EVENT_BACKUP_COMPLETE,
        CONTRACT_EVENT_ABORT,
        CONTRACT_EVENT_BACKUP_SHUTDOWN,
        CONTRACT_EVENT_PRE_RESTORE,
        CONTRACT_EVENT_POST_RESTORE,
        CONTRACT_EVENT_SESSION_CLOSED,
        _CONTRACT_EVENT_MAX,
} ContractEvent;

/* What providers and the hold are asked to do. Each STEP effect is answered by exactly one STEP_DONE input.
 */
typedef enum ContractStep {
        CONTRACT_STEP_NONE,
        CONTRACT_STEP_BEGIN_PREPARE, /* of one volume: find it, choose a provider, check it can be done */
        CONTRACT_STEP_END_PREPARE,   /* of the set: all slow work: the snapshot LVs are made */
        CONTRACT_STEP_LOCK,       /* no LVM command of ours runs any more; LVM's locks; staged and checked */
        CONTRACT_STEP_PRE_COMMIT, /* syncfs; the hold is armed */
        CONTRACT_STEP_COMMIT,     /* suspend all, commit all, resume all */
        CONTRACT_STEP_POST_COMMIT,  /* the hold ends, locks are free */
        CONTRACT_STEP_FINAL_COMMIT, /* checked again, final tag, reported */
        CONTRACT_STEP_SEAL,   /* of a set whose snapshots writers could write into in PostSnapshot: from now
                               * on nobody can */
        CONTRACT_STEP_ABORT,  /* give the set up: let writes go first, then remove all of it; may overtake a
                                 step */
        CONTRACT_STEP_DELETE, /* snapshots of a created set: one (snapshot) or all */
        CONTRACT_STEP_IS_VOLUME_SUPPORTED, /* the question of that call; VOLUME_NOT_SUPPORTED means no */
        _CONTRACT_STEP_MAX,
} ContractStep;

/* VSS_WRITER_STATE, vss-semantics section 6, kept per writer and session. */
typedef enum ContractWriterState {
        CONTRACT_WRITER_UNKNOWN,
        CONTRACT_WRITER_STABLE,
        CONTRACT_WRITER_WAITING_FOR_FREEZE,
        CONTRACT_WRITER_WAITING_FOR_THAW,
        CONTRACT_WRITER_WAITING_FOR_POST_SNAPSHOT,
        CONTRACT_WRITER_WAITING_FOR_BACKUP_COMPLETE,
        CONTRACT_WRITER_FAILED_AT_IDENTIFY,
        CONTRACT_WRITER_FAILED_AT_PREPARE_BACKUP,
        CONTRACT_WRITER_FAILED_AT_PREPARE_SNAPSHOT,
        CONTRACT_WRITER_FAILED_AT_FREEZE,
        CONTRACT_WRITER_FAILED_AT_THAW,
        CONTRACT_WRITER_FAILED_AT_POST_SNAPSHOT,
        CONTRACT_WRITER_FAILED_AT_BACKUP_COMPLETE,
        CONTRACT_WRITER_FAILED_AT_PRE_RESTORE,
        CONTRACT_WRITER_FAILED_AT_POST_RESTORE,
        CONTRACT_WRITER_FAILED_AT_BACKUPSHUTDOWN,
        _CONTRACT_WRITER_STATE_MAX,
} ContractWriterState;

/* A writer's failure: the five a writer may answer, then those quiesced finds itself. */
typedef enum ContractFailure {
        CONTRACT_FAILURE_NONE,
        CONTRACT_FAILURE_INCONSISTENT_SNAPSHOT,
        CONTRACT_FAILURE_OUT_OF_RESOURCES,
        CONTRACT_FAILURE_TIMEOUT,
        CONTRACT_FAILURE_RETRYABLE,
        CONTRACT_FAILURE_NON_RETRYABLE,
        CONTRACT_FAILURE_NOT_RESPONDING, /* died, hung, or answered nonsense */
        _CONTRACT_FAILURE_MAX,
} ContractFailure;

/* How a call ends. Names on the bus are org.quiesce1.Error.<name>; 0 is success. */
typedef enum ContractError {
        CONTRACT_OK,
        CONTRACT_ERROR_BAD_STATE,
        CONTRACT_ERROR_INVALID_ARGUMENT,
        CONTRACT_ERROR_NOT_SUPPORTED,
        CONTRACT_ERROR_ACCESS_DENIED,
        CONTRACT_ERROR_LIMITS_EXCEEDED,
        CONTRACT_ERROR_OBJECT_NOT_FOUND,
        CONTRACT_ERROR_OBJECT_ALREADY_EXISTS,
        CONTRACT_ERROR_SNAPSHOT_SET_IN_PROGRESS,
        CONTRACT_ERROR_SLOT_LOST,
        CONTRACT_ERROR_SESSION_LOST,
        CONTRACT_ERROR_ABORTED,
        CONTRACT_ERROR_CANCELLED,
        CONTRACT_ERROR_RELEASED,
        CONTRACT_ERROR_WRITER_VETO,
        CONTRACT_ERROR_WRITER_TIMEOUT,
        CONTRACT_ERROR_WRITER_NOT_RESPONDING,
        CONTRACT_ERROR_WRITER_INFRASTRUCTURE,
        CONTRACT_ERROR_VOLUME_NOT_SUPPORTED,
        CONTRACT_ERROR_VOLUME_NOT_SUPPORTED_BY_PROVIDER,
        CONTRACT_ERROR_VOLUME_BUSY,
        CONTRACT_ERROR_MAXIMUM_NUMBER_OF_VOLUMES_REACHED,
        CONTRACT_ERROR_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED,
        CONTRACT_ERROR_INSUFFICIENT_STORAGE,
        CONTRACT_ERROR_PROVIDER_NOT_REGISTERED,
        CONTRACT_ERROR_PROVIDER_VETO,
        CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR,
        CONTRACT_ERROR_FLUSH_WRITES_TIMEOUT,
        CONTRACT_ERROR_HOLD_WRITES_TIMEOUT,
        CONTRACT_ERROR_UNSUPPORTED_CONTEXT,
        CONTRACT_ERROR_INVALID_DOCUMENT,
        CONTRACT_ERROR_UNEXPECTED,
        _CONTRACT_ERROR_MAX,
} ContractError;

/* What became of an event that was sent to a writer. */
typedef enum ContractAnswer {
        CONTRACT_ANSWER_NONE,      /* it was not sent */
        CONTRACT_ANSWER_PENDING,   /* not answered yet */
        CONTRACT_ANSWER_DONE,      /* it was answered well, perhaps with a warning */
        CONTRACT_ANSWER_FAILED,    /* with a failure */
        CONTRACT_ANSWER_LATE,      /* not within its limit */
        CONTRACT_ANSWER_GONE,      /* the process was gone, or ended before it had answered */
        CONTRACT_ANSWER_OVERTAKEN, /* Abort was sent before it was answered */
        _CONTRACT_ANSWER_MAX,
} ContractAnswer;

typedef enum ContractConsistency {
        CONTRACT_CONSISTENCY_NONE,
        CONTRACT_CONSISTENCY_CRASH,
        CONTRACT_CONSISTENCY_FILE_SYSTEM,
        CONTRACT_CONSISTENCY_APPLICATION,
        _CONTRACT_CONSISTENCY_MAX,
} ContractConsistency;

typedef enum ContractOutcome {
        CONTRACT_OUTCOME_COMPLETED,
        CONTRACT_OUTCOME_ABORTED,
        CONTRACT_OUTCOME_NOT_COMPLETED,
        _CONTRACT_OUTCOME_MAX,
} ContractOutcome;

typedef enum ContractCause {
        CONTRACT_CAUSE_RELEASED,
        CONTRACT_CAUSE_REQUESTER_VANISHED,
        CONTRACT_CAUSE_ADMINISTRATOR,
        CONTRACT_CAUSE_DAEMON_RESTARTED,
        _CONTRACT_CAUSE_MAX,
} ContractCause;

/* Limits, all in µs; contract_config_default() fills in C30's. */
typedef struct ContractConfig {
        uint64_t event_limit_usec[_CONTRACT_EVENT_MAX]; /* FREEZE: default window; THAW unused (the same
                                                           again) */
        uint64_t hold_limit_usec;
        uint64_t thaw_level_delay_usec; /* C7: 2 s */
        uint64_t slot_idle_usec;        /* C3: 30 min */
        uint64_t slot_idle_waited_usec; /* C3: 3 min */
} ContractConfig;

void contract_config_default(ContractConfig *config);

/* ── Inputs
 * ─────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef enum ContractInputType {
        CONTRACT_INPUT_OPEN,           /* a requester opens a session: session, kind, id */
        CONTRACT_INPUT_CALL,           /* a method of the requester: session, call, token, arguments */
        CONTRACT_INPUT_WRITERS,        /* answers LAUNCH_WRITERS: who is there */
        CONTRACT_INPUT_WRITER_ANSWER,  /* answers EVENT */
        CONTRACT_INPUT_WRITER_GONE,    /* the process that took part in this session is gone */
        CONTRACT_INPUT_STEP_DONE,      /* answers STEP */
        CONTRACT_INPUT_DEADLINE,       /* an armed deadline has passed */
        CONTRACT_INPUT_OWNER_VANISHED, /* the requester's bus name is gone */
        CONTRACT_INPUT_ADMINISTRATOR_RELEASE, /* Manager.ReleaseSession by somebody else: session, token */
        CONTRACT_INPUT_RECOVERED,             /* a session of a daemon that died, from its record (C32) */
        _CONTRACT_INPUT_MAX,
} ContractInputType;

typedef struct ContractWriterSpec {
        const char *name;
        ContractLevel level;
        bool available; /* false: could not be started or did not register; see text */
        const char *text;
        uint64_t freeze_window_usec; /* 0: the default */
        bool writable_snapshots;     /* C24: it wants to write into the snapshots in PostSnapshot */
        bool was_prepared;           /* RECOVERED only: it was sent PrepareForBackup, or PreRestore */
} ContractWriterSpec;

/* What is known of a component's backup when it is to be restored. */
typedef enum ContractBackedUp {
        CONTRACT_BACKED_UP_UNKNOWN, /* no document says */
        CONTRACT_BACKED_UP_BY_ITSELF,
        CONTRACT_BACKED_UP_WITH_ANOTHER, /* as part of another's component set */
        CONTRACT_NOT_BACKED_UP,
        _CONTRACT_BACKED_UP_MAX,
} ContractBackedUp;

/* A component as its writer declares it. It is known by its logical path ("" or words joined by '/') and its
 * name; what lies below it in the logical path belongs to its component set. */
typedef struct ContractComponentSpec {
        const char *logical_path;
        const char *name;
        bool selectable;             /* for backup */
        bool selectable_for_restore; /* also if it was backed up as part of another's component set */
        ContractBackedUp backed_up;  /* restores */
} ContractComponentSpec;

typedef struct ContractInput {
        ContractInputType type;
        uint64_t now_usec; /* CLOCK_BOOTTIME */
        uint64_t session;  /* handle, given by the user in OPEN or RECOVERED, never 0, never used again */

        /* OPEN, RECOVERED */
        ContractKind kind;
        const char *id; /* the session's UUID */

        /* CALL, ADMINISTRATOR_RELEASE */
        ContractCall call;
        uint64_t token;          /* comes back in REPLY; never 0 */
        ContractContext context; /* SET_CONTEXT, RECOVERED */
        bool component_mode;     /* SET_BACKUP_STATE */
        const char *const
                *names; /* ENABLE_/DISABLE_WRITERS; DO_SNAPSHOT_SET: writers excepted from `require` */
        size_t n_names;
        const char *fresh_id; /* START_SNAPSHOT_SET: the set's UUID; ADD_TO_SNAPSHOT_SET: the snapshot's */
        bool wait;            /* START_SNAPSHOT_SET: queue for the slot */
        bool require_writers; /* PREPARE_FOR_BACKUP, DO_SNAPSHOT_SET: C14's require-writers=all */
        uint64_t hold_limit_usec; /* DO_SNAPSHOT_SET: of this set, if no volume is suspended; 0: the
                                     configured one */
        const char *snapshot;     /* DELETE_SNAPSHOTS, GET_SNAPSHOT_PROPERTIES: set or snapshot id */
        const char *writer_name;  /* GET_WRITER_…, and with the next two the calls on a component */
        const char *logical_path, *component;
        bool selected; /* SET_SELECTED_FOR_RESTORE */

        /* WRITERS, RECOVERED */
        const ContractWriterSpec *writers;
        size_t n_writers;
        const char *set_id; /* RECOVERED: of a created set, or NULL */
        bool was_completed; /* RECOVERED: BackupComplete had been sent, or PostRestore had ended */
        bool was_aborted;   /* RECOVERED: AbortBackup had been called before that */

        /* WRITER_ANSWER, WRITER_GONE */
        uint32_t writer; /* index in this session, in the order of WRITERS */
        ContractEvent event;
        ContractFailure failure; /* NONE: good */
        const char *text;        /* failure's or warning's text; also STEP_DONE's */
        bool placed; /* IDENTIFY: all its components lie on the volumes named in `names` (keys) */
        const ContractComponentSpec *components; /* IDENTIFY */
        size_t n_components;
        bool never_restored; /* IDENTIFY: it takes part in no restore */

        /* STEP_DONE */
        ContractStep step;
        uint32_t volume;     /* BEGIN_PREPARE: which */
        ContractError error; /* OK: done; also in WRITERS: starting them failed as a whole */
        const char *key; /* BEGIN_PREPARE: what names this volume (dm uuid); the same volume, the same key */
        bool file_systems_frozen; /* COMMIT: every file system of the set was frozen */
        uint32_t n_deleted;       /* DELETE */
        const char *first_left;   /* DELETE: id of the first that could not be deleted */

        /* DEADLINE */
        uint64_t deadline;
} ContractInput;

/* ── Effects
 * ────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef enum ContractEffectType {
        CONTRACT_EFFECT_REPLY, /* answer the call `token`: error, text; the rest is read with the getters */
        CONTRACT_EFFECT_LAUNCH_WRITERS, /* start what is enabled (names: C9's enabled or disabled list);
                                           answered by WRITERS */
        CONTRACT_EFFECT_EVENT, /* send a writer an event; answered by WRITER_ANSWER (or GONE); ABORT and
                                * BACKUP_SHUTDOWN carry outcome and cause; by_name as C21 says */
        CONTRACT_EFFECT_STEP,  /* answered by STEP_DONE */
        CONTRACT_EFFECT_ARM,   /* tell DEADLINE(deadline) when CLOCK_BOOTTIME reaches at_usec; USEC_INFINITY:
                                * never */
        CONTRACT_EFFECT_DISARM,
        CONTRACT_EFFECT_DARK_BEGIN, /* nothing on the system bus, no file, no log from here … */
        CONTRACT_EFFECT_DARK_END,   /* … to here */
        CONTRACT_EFFECT_WINDOW_END, /* the last Thaw is answered: LVM commands may run again, writers start
                                       again */
        CONTRACT_EFFECT_SIGNAL, /* broadcast Abort or BackupShutdown (event, set_id, outcome, cause), C25 */
        CONTRACT_EFFECT_STATE_CHANGED, /* the session's properties changed; before the reply that belongs to
                                          it */
        CONTRACT_EFFECT_SET_CREATED,   /* the set's objects appear */
        CONTRACT_EFFECT_SET_REMOVED,
        CONTRACT_EFFECT_STOP_WRITER,  /* C30: it did not answer Abort or BackupShutdown: stop its unit */
        CONTRACT_EFFECT_SESSION_GONE, /* released in full: forget it, let its writers go */
        _CONTRACT_EFFECT_MAX,
} ContractEffectType;

typedef struct ContractEffect {
        ContractEffectType type;
        uint64_t session;
        uint64_t token;      /* REPLY; STEP: of the call it belongs to, or 0 */
        ContractCall call;   /* REPLY: of which call */
        ContractError error; /* REPLY */
        const char *text;    /* REPLY with an error: for people */
        uint32_t writer;     /* EVENT, STOP_WRITER; REPLY of a call on a writer or a component */
        uint32_t component;  /* REPLY of a call on a component: which of its writer's */
        ContractEvent event; /* EVENT, SIGNAL */
        uint64_t limit_usec; /* EVENT: how long the writer has, for its information; the contract arms the
                                deadline */
        bool by_name; /* EVENT: to whatever process of that writer is there, started again if need be */
        ContractOutcome outcome; /* EVENT, SIGNAL: BACKUP_SHUTDOWN, ABORT, SESSION_CLOSED */
        ContractCause cause;
        const char *set_id; /* EVENT, SIGNAL: what they carry; the null id where none is owed (C22) */
        ContractStep step;  /* STEP */
        /* STEP BEGIN_PREPARE, REPLY of ADD_TO_SNAPSHOT_SET: the volume's index; other steps: how many
         * volumes the set has (one whose call was cancelled is not in it). */
        uint32_t volume;
        const char *snapshot; /* STEP DELETE: one snapshot's id, or NULL: the set; BEGIN_PREPARE: new id */
        bool system_writers;  /* STEP LOCK: a writer at level system will freeze file systems, and has found
                               * none that somebody else holds frozen: what is frozen then is ours to thaw */
        bool auto_release;    /* STEP DELETE at release: wait no longer than C5 says for what is open */
        bool writable;        /* STEP LOCK: a writer may want to write into the snapshots, SEAL will follow;
                               * FINAL_COMMIT: one will, in PostSnapshot */
        const char *const *names; /* LAUNCH_WRITERS */
        size_t n_names;
        bool names_enabled; /* LAUNCH_WRITERS: names are the only ones enabled; false: names are disabled */
        uint64_t deadline;  /* ARM, DISARM */
        uint64_t at_usec;   /* ARM */
        bool after_dark; /* ARM: it is of an answer that may come over the system bus, which nobody reads in
                          * the dark: one that passes then is told when that is over, after what came */
        uint32_t n_deleted; /* REPLY of DELETE_SNAPSHOTS */
        const char *first_left;
        ContractConsistency consistency; /* SET_CREATED, REPLY of DO_SNAPSHOT_SET; STEP SEAL; STEP
                                          * FINAL_COMMIT: unless a writer fails at PostSnapshot, which
                                          * comes later */
} ContractEffect;

typedef struct ContractEffects {
        const ContractEffect *items;
        size_t n_items;
} ContractEffects;

/* ── Reading
 * ────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct ContractSessionInfo {
        uint64_t session;
        const char *id;
        ContractKind kind;
        ContractState state;
        ContractContext context;
        ContractCall running; /* NONE: no call runs */
        const char *phase;    /* a word for the progress display: "freeze", "commit" … */
        uint32_t progress_percent;
        const char *set_id; /* NULL: none */
        ContractConsistency consistency;
        ContractOutcome outcome; /* as BackupShutdown would tell it now */
        /* CLOCK_BOOTTIME; 0: not yet */
        uint64_t opened_usec, freeze_begin_usec, freeze_end_usec, dark_begin_usec, dark_end_usec;
        uint64_t step_begin_usec[_CONTRACT_STEP_MAX],
                step_end_usec[_CONTRACT_STEP_MAX]; /* likewise: its last */
        size_t n_writers;
        size_t n_volumes;
        bool component_mode;
} ContractSessionInfo;

typedef struct ContractWriterInfo {
        const char *name;
        ContractLevel level;
        ContractWriterState state;
        ContractFailure failure;
        const char *text; /* failure's or warning's, or NULL */
        bool takes_part;
        ContractEvent last_event;
        uint64_t sent_usec[_CONTRACT_EVENT_MAX];     /* CLOCK_BOOTTIME */
        uint64_t duration_usec[_CONTRACT_EVENT_MAX]; /* 0: not sent or not answered */
        uint64_t limit_usec[_CONTRACT_EVENT_MAX];
        ContractAnswer answers[_CONTRACT_EVENT_MAX];
        uint32_t n_ignored; /* answers that came late or twice */
} ContractWriterInfo;

typedef struct ContractComponentInfo {
        const char *logical_path;
        const char *name;
        bool selectable, selectable_for_restore;
        bool selected; /* by itself; what lies below it is included with it */
} ContractComponentInfo;
