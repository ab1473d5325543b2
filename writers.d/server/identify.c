/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Identify: each instance is a component, with its files; its databases are below it, for people.
 *
 * One that cannot be asked is no failure yet: whether it matters, the backup will show.
 */

#include "util/error.h"
#include "writers.d/server/backup-internal.h"
#include "writers.d/server/discover.h"
#include "writers.d/server/mounts.h"
#include "writers.d/server/remembered.h"

#define COMPONENTS_MAX 1000u /* quiesced takes a few more of one writer */

/* On no volume: a writer that says so is asked in every backup. */
#define PATH_NOWHERE "/proc"

/* Only files of file groups may be told with the folders below. */
static const char *type_of(const Facts *facts) {
        for (size_t i = 0; i < facts->n_paths; i++)
                if (facts->paths[i].recursive)
                        return "filegroup";
        return "database";
}

/* What cannot be told is on no volume. */
static int declare_place(const char *path, void *userdata) {
        int r = quiesce_writer_event_add_path(userdata, path);

        return r == -EINVAL ? quiesce_writer_event_add_path(userdata, PATH_NOWHERE) : r;
}

/* Where the files really are, as quiesced follows no links, and what is mounted among them: a set that has
 * nothing else of the instance is one that this writer has to refuse. */
static int declare_places(QuiesceWriterEvent *event, const char *path, bool recursive) {
        _cleanup_free_ char *real = realpath(path, NULL);
        int r = 0;

        if (!real)
                return 0; /* what is wrong with it, the backup will show */
        if (!streq(real, path))
                r = declare_place(real, event);
        return r >= 0 && recursive ? mounts_below(real, declare_place, event) : r;
}

static int declare_instance(QuiesceWriterEvent *event, const Engine *engine, const Server *server,
                            const char *problem) {
        const char *name = server->instance->name;
        const Facts *facts = &server->facts;
        QuiesceComponent component = {
                .size = sizeof(component), .type = type_of(facts), .name = name, .selectable = 1};
        char caption[256];
        int r;

        (void) snprintf(caption, sizeof(caption), "%s%s%s", engine->product, problem ? "; " : " ",
                        problem          ? "cannot be asked"
                        : facts->version ? facts->version
                                         : "");
        component.caption = caption;
        r = quiesce_writer_event_add_component(event, &component);
        for (size_t i = 0; i < facts->n_paths && r >= 0 && !problem; i++) {
                r = quiesce_writer_event_add_files(event, "", name, facts->paths[i].path,
                                                   facts->paths[i].pattern, facts->paths[i].recursive);
                if (r >= 0)
                        r = declare_places(event, facts->paths[i].path, facts->paths[i].recursive);
        }
        return r;
}

static int declare_databases(QuiesceWriterEvent *event, const Server *server, size_t *n) {
        int r = 0;

        for (size_t i = 0; i < server->facts.n_databases && *n < COMPONENTS_MAX && r >= 0; i++, (*n)++) {
                QuiesceComponent component = {.size = sizeof(component),
                                              .type = "database",
                                              .logical_path = server->instance->name,
                                              .name = server->facts.databases[i]};

                r = quiesce_writer_event_add_component(event, &component);
        }
        return r;
}

/* Return: whether it is to be a component. */
static bool pass(Backup *backup, const Server *server, const char *problem) {
        const Instance *instance = server->instance;

        if (!problem)
                return true;
        if (!instance->discovered)
                text_join(backup->warning, "%s: %s", instance->name, problem);
        else if (!socket_is_dead(instance->found))
                text_join(backup->warning, "%s is not backed up application-consistently: %s",
                          instance->name, problem);
        return !instance->discovered;
}

/* Return: what the callback does. */
static int declare_all(Backup *backup, QuiesceWriterEvent *event) {
        const Crew *crew = backup->crew;
        size_t n = crew->n_servers;
        QuiesceFailure failure;
        int r = 0;

        for (size_t i = 0; i < crew->n_servers && r >= 0; i++) {
                const Server *server = crew->servers[i];
                const char *problem = server_failure(server, &failure);

                if (!pass(backup, server, problem))
                        continue;
                r = declare_instance(event, crew->engine, server, problem);
                if (r >= 0 && problem)
                        r = quiesce_writer_event_add_path(event, PATH_NOWHERE);
                if (r < 0)
                        r = quiesce_writer_event_fail(event, QUIESCE_FAILURE_NON_RETRYABLE,
                                                      "%s cannot be a component: %s", server->instance->name,
                                                      strerror(-r));
                if (r >= 0 && !server->lost && server->report.warning[0])
                        text_join(backup->warning, "%s: %s", server->instance->name, server->report.warning);
        }
        for (size_t i = 0; i < crew->n_servers && r >= 0; i++)
                if (!crew->servers[i]->lost)
                        r = declare_databases(event, crew->servers[i], &n);
        if (backup->warning[0])
                (void) quiesce_writer_event_warn(event, "%s", backup->warning);
        return r;
}

static void on_identified(Crew *crew, void *userdata) {
        Backup *backup = userdata;
        QuiesceFailure failure;
        int r;

        r = declare_all(backup, backup->waiting);
        for (size_t i = 0; i < crew->n_servers; i++)
                if (!server_failure(crew->servers[i], &failure))
                        known_learn(&backup->backups->known, crew->servers[i]->instance,
                                    &crew->servers[i]->facts);
        if (backup->backups->remembered) {
                int q = remembered_save(&backup->backups->known, backup->backups->remembered);

                if (q < 0)
                        (void) fprintf(stderr, "%s cannot be written: %s\n", backup->backups->remembered,
                                       strerror(-q));
        }
        backup_answer(backup, r);
        (void) backup_free(backup);
}

/**
 * backups_identify() - Identify: say which instances there are
 * @backups:    all
 * @event:      the event
 *
 * Return: the callback's.
 */
int backups_identify(Backups *backups, QuiesceWriterEvent *event) {
        const Engine *engine = backups->engine;
        Backup *backup = NULL;
        char text[128];
        int r;

        (void) snprintf(text, sizeof(text), "%s servers", engine->product);
        r = quiesce_writer_event_set_description(event, text);
        if (r >= 0)
                r = quiesce_writer_event_set_restore_method(event, "stop-restore-start", 0);
        if (r >= 0)
                r = backup_new(backups, &backup, event);
        if (r < 0)
                return error_trace(r);
        r = backup_add_instances(backup, event);
        if (r == 0)
                r = backup_begin(backup, event, SERVER_STEP_OPEN, LOOK_USEC, on_identified);
        if (r != QUIESCE_WRITER_PENDING)
                (void) backup_free(backup);
        return r;
}
