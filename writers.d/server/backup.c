/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The instances of one backup; see backup.h. */

#include "util/error.h"
#include "writers.d/server/backup-internal.h"
#include "writers.d/server/discover.h"
#include "writers.d/server/judge.h"
#include "writers.d/server/remembered.h"

#define END_USEC (10 * USEC_PER_SEC)

/**
 * backups_new() - no backup yet
 * @ret:        it
 * @event:      loop
 * @engine:     the kind of server
 * @config:     outlives it
 *
 * Return: 0, or -ENOMEM.
 */
int backups_new(Backups **ret, sd_event *event, const Engine *engine, const ServerConfig *config) {
        Backups *backups = calloc(1, sizeof(*backups));

        if (!backups)
                return error_origin(-ENOMEM);
        backups->event = sd_event_ref(event);
        backups->engine = engine;
        backups->config = config;
        *ret = backups;
        return 0;
}

/**
 * backups_remember() - know what an earlier process knew, and keep it for a later one
 * @backups:    all
 * @directory:  where; may be written to
 *
 * What was kept and is no good is told, and forgotten.
 *
 * Return: 0, or -ENOMEM.
 */
int backups_remember(Backups *backups, const char *directory) {
        int r;

        if (asprintf(&backups->remembered, "%s/known.json", directory) < 0) {
                backups->remembered = NULL;
                return error_origin(-ENOMEM);
        }
        r = remembered_load(&backups->known, backups->remembered);
        if (r < 0 && r != -ENOENT)
                (void) fprintf(stderr,
                               "%s cannot be read (%s): where servers that are down have their files is not "
                               "known until they are asked again\n",
                               backups->remembered, strerror(-r));
        return r == -ENOMEM ? error_trace(r) : 0;
}

/**
 * backups_free() - let all go
 * @backups:    it or NULL
 *
 * Return: NULL.
 */
Backups *backups_free(Backups *backups) {
        if (!backups)
                return NULL;
        while (backups->first)
                (void) backup_free(backups->first);
        known_done(&backups->known);
        free(backups->remembered);
        sd_event_unref(backups->event);
        free(backups);
        return NULL;
}

/* ── One backup ── */

/**
 * backup_new() - of an event's session
 * @backups:    all
 * @ret:        it, without instances
 * @event:      the event
 *
 * Return: 0, or a negative errno.
 */
int backup_new(Backups *backups, Backup **ret, const QuiesceWriterEvent *event) {
        Backup *backup = calloc(1, sizeof(*backup));
        int r;

        if (!backup)
                return error_origin(-ENOMEM);
        backup->backups = backups;
        backup->next = backups->first;
        backups->first = backup;
        backup->session = strdup(quiesce_writer_event_get_session(event));
        r = backup->session ? crew_new(&backup->crew, backups->event, backups->engine)
                            : error_origin(-ENOMEM);
        if (r < 0) {
                (void) backup_free(backup);
                return error_trace(r);
        }
        *ret = backup;
        return 0;
}

/**
 * backup_free() - everybody lets go in his own time
 * @backup:     the backup
 *
 * Who waits for it is answered: by nobody else.
 *
 * Return: NULL.
 */
Backup *backup_free(Backup *backup) {
        QuiesceWriterEvent *waiting = backup->waiting;
        bool ending = backup->ending;

        for (Backup **b = &backup->backups->first; *b; b = &(*b)->next)
                if (*b == backup) {
                        *b = backup->next;
                        break;
                }
        backup->crew = crew_free(backup->crew);
        free(backup->session);
        free(backup);
        if (waiting && ending)
                quiesce_writer_event_answer(waiting, 0);
        else if (waiting)
                quiesce_writer_event_answer(waiting,
                                            quiesce_writer_event_fail(waiting, QUIESCE_FAILURE_RETRYABLE,
                                                                      "the backup was aborted"));
        return NULL;
}

static Backup *backup_find(const Backups *backups, const QuiesceWriterEvent *event) {
        const char *session = quiesce_writer_event_get_session(event);

        for (Backup *b = backups->first; b; b = b->next)
                if (b->session[0] && streq(b->session, session))
                        return b;
        return NULL;
}

/**
 * backup_begin() - have all do a step for an event
 * @backup:     the backup
 * @event:      waits; the same one for the second step of an event
 * @step:       the step
 * @wish_usec:  how long it should take
 * @done:       called with the backup
 *
 * Return: QUIESCE_WRITER_PENDING, or a negative errno.
 */
int backup_begin(Backup *backup, QuiesceWriterEvent *event, ServerStep step, uint64_t wish_usec,
                 CrewDone done) {
        uint64_t now = now_usec();
        int r;

        if (backup->waiting != event)
                backup->until_usec = now + quiesce_writer_event_get_limit_usec(event) / 2;
        r = crew_begin(backup->crew, step, wish_usec,
                       backup->until_usec > now ? backup->until_usec - now : 1, done, backup);
        if (r < 0)
                return error_trace(r);
        backup->waiting = event;
        return QUIESCE_WRITER_PENDING;
}

/**
 * backup_answer() - answer the event that waits
 * @backup:     the backup
 * @r:          as the callback's
 */
void backup_answer(Backup *backup, int r) {
        QuiesceWriterEvent *event = TAKE_PTR(backup->waiting);

        quiesce_writer_event_answer(event, r);
}

/**
 * server_failure() - whether a server's last step has failed
 * @server:     the server
 * @ret:        what to answer
 *
 * Return: why; NULL: it has not.
 */
const char *server_failure(const Server *server, QuiesceFailure *ret) {
        *ret = QUIESCE_FAILURE_TIMEOUT;
        if (server->lost)
                return "the server did not answer in time";
        if (server->result >= 0)
                return NULL;
        *ret = server->report.failure ? server->report.failure : QUIESCE_FAILURE_RETRYABLE;
        return server->report.failure ? server->report.text : strerror(-server->result);
}

/* The answer of a step that all took part in: 0 or what quiesce_writer_event_fail() returns. */
static int collect(Backup *backup) {
        QuiesceFailure failure = 0, first = 0;
        char text[REPORT_TEXT_MAX] = "";

        for (size_t i = 0; i < backup->crew->n_servers; i++) {
                const Server *server = backup->crew->servers[i];
                const char *why = server_failure(server, &failure);

                if (!server->lost && server->report.warning[0])
                        text_join(backup->warning, "%s: %s", server->instance->name, server->report.warning);
                if (!why)
                        continue;
                text_join(text, "%s: %s", server->instance->name, why);
                first = first ? first : failure;
        }
        if (backup->warning[0])
                (void) quiesce_writer_event_warn(backup->waiting, "%s", backup->warning);
        return first ? quiesce_writer_event_fail(backup->waiting, first, "%s", text) : 0;
}

static void on_step_done(Crew *crew, void *userdata) {
        Backup *backup = userdata;

        backup_answer(backup, collect(backup));
}

/* ── Which instances ── */

/**
 * is_chosen() - whether the requester chose an instance
 * @event:      an event that tells of components
 * @name:       the instance's
 *
 * Return: whether it did.
 */
bool is_chosen(const QuiesceWriterEvent *event, const char *name) {
        QuiesceSelection selected = {.size = sizeof(selected)};

        for (size_t i = 0; quiesce_writer_event_get_component(event, i, &selected) == 0; i++)
                if (selected.logical_path[0] == '\0' && streq(selected.name, name))
                        return true;
        return false;
}

/* What was chosen and is there no more is missing in the set as much as what lies elsewhere. */
static int check_chosen(QuiesceWriterEvent *event, const Instances *instances) {
        QuiesceSelection selected = {.size = sizeof(selected)};

        for (size_t i = 0; quiesce_writer_event_get_component(event, i, &selected) == 0; i++)
                if (selected.logical_path[0] == '\0' && !instances_find(instances, selected.name))
                        return quiesce_writer_event_fail(event, QUIESCE_FAILURE_INCONSISTENT_SNAPSHOT,
                                                         "%s does not run, and no section names it",
                                                         selected.name);
        return 0;
}

/**
 * backup_add_instances() - find out who may take part
 * @backup:     gets a server for each
 * @event:      Identify or PrepareForSnapshot
 *
 * Return: 0, or what the callback returns.
 */
int backup_add_instances(Backup *backup, QuiesceWriterEvent *event) {
        bool by_choice = backup->session[0] && quiesce_writer_event_is_component_mode(event);
        _cleanup_(discovery_done) Discovery discovery = {};
        int r;

        r = discover(&discovery, backup->backups->config, backup->backups->engine);
        if (r == -E2BIG)
                return quiesce_writer_event_fail(event, QUIESCE_FAILURE_NON_RETRYABLE,
                                                 "there are more than %u instances", INSTANCES_MAX);
        if (r == 0 && by_choice)
                r = check_chosen(event, &discovery.instances);
        for (size_t i = 0; r == 0 && i < discovery.instances.n_items; i++)
                if (!by_choice || is_chosen(event, discovery.instances.items[i]->name))
                        r = crew_add(backup->crew, discovery.instances.items[i]);
        if (r == -EAGAIN)
                return quiesce_writer_event_fail(event, QUIESCE_FAILURE_OUT_OF_RESOURCES,
                                                 "too many servers have not answered earlier events");
        if (r == 0 && discovery.problem)
                text_join(backup->warning, "%s", discovery.problem);
        return r;
}

/* ── PrepareForSnapshot ── */

typedef struct Vetoes {
        QuiesceFailure failure; /* of the first; 0: none */
        char text[REPORT_TEXT_MAX];
} Vetoes;

static void veto(Vetoes *vetoes, const Server *server, QuiesceFailure failure, const char *why) {
        if (!vetoes->failure)
                vetoes->failure = failure;
        text_join(vetoes->text, "%s: %s", server->instance->name, why);
}

/* One that could not be asked, of which nothing is known. */
static void judge_stranger(Backup *backup, const Server *server, Vetoes *vetoes, QuiesceFailure failure,
                           const char *why) {
        const Instance *instance = server->instance;

        if (!instance->discovered || is_chosen(backup->waiting, instance->name))
                veto(vetoes, server, failure, why);
        else if (!socket_is_dead(instance->found))
                text_join(backup->warning, "%s is not backed up application-consistently: %s",
                          instance->name, why);
}

/* Return: whether it takes part. */
static bool judge_server(Backup *backup, Server *server, Vetoes *vetoes) {
        const Facts *facts = known_find(&backup->backups->known, server->instance);
        bool must = quiesce_writer_event_is_component_mode(backup->waiting);
        char text[REPORT_TEXT_MAX] = "";
        QuiesceFailure failure;
        const char *why = server_failure(server, &failure);
        int verdict;

        if (!why)
                facts = &server->facts;
        if (!facts) {
                judge_stranger(backup, server, vetoes, failure, why);
                return false;
        }
        verdict = judge(backup->waiting, facts, must, text);
        if (verdict == VERDICT_NONE)
                return false;
        if (why)
                veto(vetoes, server, failure, why);
        else if (verdict == VERDICT_MISSING)
                veto(vetoes, server, QUIESCE_FAILURE_INCONSISTENT_SNAPSHOT, text);
        else if (verdict != VERDICT_WHOLE)
                veto(vetoes, server, QUIESCE_FAILURE_NON_RETRYABLE, text[0] ? text : strerror(-verdict));
        else
                server->chosen = true;
        return true;
}

static void on_prepared(Crew *crew, void *userdata) {
        Backup *backup = userdata;
        int r = collect(backup);

        if (r == 0) {
                backup_answer(backup, 0);
                return;
        }
        /* No Freeze follows: nobody holds anything until an Abort comes, which may be never. */
        backup_answer(backup, r);
        (void) backup_free(backup);
}

static void on_looked(Crew *crew, void *userdata) {
        Backup *backup = userdata;
        QuiesceWriterEvent *event = backup->waiting;
        Vetoes vetoes = {};
        int r;

        for (size_t i = 0; i < crew->n_servers;) {
                Server *server = crew->servers[i];

                if (!judge_server(backup, server, &vetoes)) {
                        crew_drop(crew, i);
                        continue;
                }
                if (!server->lost && server->report.warning[0])
                        text_join(backup->warning, "%s: %s", server->instance->name, server->report.warning);
                i++;
        }
        if (backup->warning[0])
                (void) quiesce_writer_event_warn(event, "%s", backup->warning);
        if (vetoes.failure)
                r = quiesce_writer_event_fail(event, vetoes.failure, "%s", vetoes.text);
        else
                r = backup_begin(backup, event, SERVER_STEP_PREPARE, USEC_INFINITY, on_prepared);
        if (r == QUIESCE_WRITER_PENDING)
                return;
        backup_answer(backup, r);
        (void) backup_free(backup);
}

/**
 * backups_prepare() - PrepareForSnapshot: find, ask, judge and prepare the instances
 * @backups:    all
 * @event:      the event
 *
 * Return: the callback's.
 */
int backups_prepare(Backups *backups, QuiesceWriterEvent *event) {
        Backup *backup = backup_find(backups, event);
        int r;

        if (backup)
                (void) backup_free(backup);
        r = backup_new(backups, &backup, event);
        if (r < 0)
                return error_trace(r);
        r = backup_add_instances(backup, event);
        if (r == 0)
                r = backup_begin(backup, event, SERVER_STEP_OPEN, LOOK_USEC, on_looked);
        if (r != QUIESCE_WRITER_PENDING)
                (void) backup_free(backup);
        return r;
}

/* ── The rest ── */

/**
 * backups_freeze() - Freeze: what each server does for it
 * @backups:    all
 * @event:      the event
 *
 * Return: the callback's.
 */
int backups_freeze(Backups *backups, QuiesceWriterEvent *event) {
        Backup *backup = backup_find(backups, event);

        if (!backup)
                return quiesce_writer_event_fail(event, QUIESCE_FAILURE_NON_RETRYABLE,
                                                 "Freeze came without PrepareForSnapshot");
        if (backup->crew->n_servers == 0)
                return 0;
        return backup_begin(backup, event, SERVER_STEP_FREEZE, USEC_INFINITY, on_step_done);
}

/**
 * backups_thaw() - Thaw: all let go
 * @backups:    all
 * @event:      the event
 *
 * Return: the callback's.
 */
int backups_thaw(Backups *backups, QuiesceWriterEvent *event) {
        Backup *backup = backup_find(backups, event);

        if (!backup || backup->crew->n_servers == 0)
                return 0;
        return backup_begin(backup, event, SERVER_STEP_THAW, USEC_INFINITY, on_step_done);
}

static void on_noted(Crew *crew, void *userdata) {
        Backup *backup = userdata;
        int r = collect(backup);

        for (size_t i = 0; i < crew->n_servers && r >= 0; i++) {
                const Server *server = crew->servers[i];

                if (!server->lost && server->n_notes > 0 &&
                    is_chosen(backup->waiting, server->instance->name))
                        r = quiesce_writer_event_set_backup_metadata(backup->waiting, "",
                                                                     server->instance->name, server->notes);
        }
        backup_answer(backup, r);
        (void) backup_free(backup);
}

/* Where the engine writes into the snapshot. That there is none is the engine's to tell. */
static int open_snapshot(Server *server, QuiesceWriterEvent *event, const Engine *engine) {
        const char *folder = engine->folder_in_snapshot ? engine->folder_in_snapshot(server) : NULL;
        _cleanup_free_ char *path = NULL;
        int r;

        if (!folder)
                return 0;
        r = instance_map_path(server->instance, folder, &path);
        if (r < 0)
                return error_trace(r);
        server->snapshot_error = quiesce_writer_event_open_in_snapshot(event, path, &server->snapshot_fd);
        return 0;
}

/**
 * backups_note() - PostSnapshot: say what a restore will have to know, and let the servers go
 * @backups:    all
 * @event:      the event
 *
 * Return: the callback's.
 */
int backups_note(Backups *backups, QuiesceWriterEvent *event) {
        Backup *backup = backup_find(backups, event);
        int r = 0;

        if (!backup)
                return 0;
        for (size_t i = 0; i < backup->crew->n_servers && r == 0; i++)
                if (!backup->crew->servers[i]->lost)
                        r = open_snapshot(backup->crew->servers[i], event, backups->engine);
        if (r == 0)
                r = backup_begin(backup, event, SERVER_STEP_NOTE, LOOK_USEC, on_noted);
        if (r != QUIESCE_WRITER_PENDING)
                (void) backup_free(backup);
        return r;
}

static void on_ended(Crew *crew, void *userdata) {
        (void) backup_free(userdata);
}

/**
 * backups_end() - Abort or BackupShutdown: all let go and close
 * @backups:    all
 * @event:      the event
 *
 * Return: the callback's.
 */
int backups_end(Backups *backups, QuiesceWriterEvent *event) {
        uint64_t half = quiesce_writer_event_get_limit_usec(event) / 2;
        Backup *backup = backup_find(backups, event);
        QuiesceWriterEvent *waiting;
        int r;

        if (!backup || backup->ending)
                return 0;
        waiting = TAKE_PTR(backup->waiting);
        backup->ending = true;
        r = crew_end(backup->crew, half < END_USEC ? half : END_USEC, on_ended, backup);
        if (r >= 0)
                backup->waiting = event;
        if (waiting)
                quiesce_writer_event_answer(waiting,
                                            quiesce_writer_event_fail(waiting, QUIESCE_FAILURE_RETRYABLE,
                                                                      "the backup was aborted"));
        if (r >= 0)
                return QUIESCE_WRITER_PENDING;
        (void) backup_free(backup);
        return error_trace(r);
}
