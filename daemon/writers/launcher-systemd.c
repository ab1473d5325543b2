/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The launcher on a real machine: each writer in a unit of its own.
 *
 * A static unit that came with the writer is started as it is; Exec= and Hook= become a transient unit with
 * the sandbox of unit-properties.c. All is asked of PID 1 over the system bus and nothing is waited for: the
 * jobs' ends come as JobRemoved, a process's end as the unit's ActiveState. Who a process is, is told by its
 * control group, which only root can choose.
 */

#include <assert.h>
#include <systemd/sd-login.h>

#include "bus/dictionary.h"
#include "daemon/writers/launcher.h"
#include "daemon/writers/unit-properties.h"
#include "daemon/writers/words.h"
#include "util/error.h"
#include "util/log.h"
#include "util/macro.h"
#include "util/texts.h"
#include "util/trust.h"

#define SYSTEMD      "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define MANAGER      "org.freedesktop.systemd1.Manager"
#define RETRY_USEC   (100 * USEC_PER_MSEC)
#define RETRIES_MAX  50u

typedef struct SystemdProcess SystemdProcess;

typedef struct SystemdLauncher {
        Launcher launcher;
        sd_event *event;
        char *socket_path;
        sd_bus *bus;
        char *manager; /* PID 1's unique name, as its last answer came from it; NULL: none has come */
        sd_bus_slot *job_slot, *removed_slot, *subscribe_slot;
        SystemdProcess *processes;
} SystemdLauncher;

typedef enum ProcessState {
        PROCESS_STARTING,
        PROCESS_RUNNING,
        PROCESS_STOPPING,
        PROCESS_ENDED,
} ProcessState;

struct SystemdProcess {
        Process process;
        SystemdProcess *next;
        SystemdLauncher *launcher;
        Descriptor *descriptor;
        ProcessState state;
        unsigned n_retries;
        char *job;  /* object path of the job waited for, start or stop */
        char *text; /* why it ended */
        sd_bus_slot *call_slot, *state_slot, *properties_slot;
        sd_event_source *retry, *end;
        ProcessEnded ended;
        void *userdata;
};

static int call_start(SystemdProcess *p);

static const char *unit_of(const SystemdProcess *p) {
        return p->descriptor->unit;
}

/* From an answer, which nobody can forge: its call was PID 1's. It has another name after daemon-reexec. */
static void note_manager(SystemdLauncher *launcher, sd_bus_message *m) {
        const char *sender = sd_bus_message_get_sender(m);
        char *copy;

        if (!sender || sender[0] != ':' || streq_ptr(launcher->manager, sender))
                return;
        copy = strdup(sender);
        if (!copy)
                return;
        free(launcher->manager);
        launcher->manager = copy;
}

/* Anybody may send us a signal of that kind; sd-bus does not compare a sender that is no unique name. */
static bool is_managers(const SystemdLauncher *launcher, sd_bus_message *m) {
        return launcher->manager && streq_ptr(sd_bus_message_get_sender(m), launcher->manager);
}

static Process *systemd_process_free(Process *process) {
        SystemdProcess *p = (SystemdProcess *) process;

        if (!p)
                return NULL;
        for (SystemdProcess **i = &p->launcher->processes; *i; i = &(*i)->next)
                if (*i == p) {
                        *i = p->next;
                        break;
                }
        /* Nobody will stop it later. */
        if (p->state != PROCESS_ENDED && p->launcher->bus)
                (void) sd_bus_call_method_async(p->launcher->bus, NULL, SYSTEMD, SYSTEMD_PATH, MANAGER,
                                                "StopUnit", NULL, NULL, "ss", unit_of(p), "replace");
        sd_bus_slot_unref(p->call_slot);
        sd_bus_slot_unref(p->state_slot);
        sd_bus_slot_unref(p->properties_slot);
        sd_event_source_disable_unref(p->retry);
        sd_event_source_disable_unref(p->end);
        descriptor_unref(p->descriptor);
        free(p->job);
        free(p->text);
        free(p);
        return NULL;
}

static void process_freep(SystemdProcess **p) {
        (void) systemd_process_free((Process *) *p);
}

static int on_end(sd_event_source *source, void *userdata) {
        SystemdProcess *p = userdata;

        p->ended(&p->process, p->text, p->userdata);
        return 0;
}

/* It has ended; told from the event loop, once. */
static void _printf_(2, 3) end(SystemdProcess *p, const char *format, ...) {
        va_list arguments;

        if (p->state == PROCESS_ENDED)
                return;
        p->state = PROCESS_ENDED;
        if (format) {
                va_start(arguments, format);
                if (vasprintf(&p->text, format, arguments) < 0)
                        p->text = NULL;
                va_end(arguments);
        }
        (void) sd_event_add_defer(p->launcher->event, &p->end, on_end, p);
}

/* Why a unit could not be started, as exactly as can be told. */
static void end_not_started(SystemdProcess *p, const char *result) {
        char **arguments = NULL;
        int error = 0;

        if (p->descriptor->kind == DESCRIPTOR_SERVICE) {
                end(p, "starting %s, named by %s, ended with \"%s\"; see journalctl -u %s", unit_of(p),
                    p->descriptor->path, result, unit_of(p));
                return;
        }
        /* Only now that PID 1 has failed to: the program is on root's own file systems. */
        if (launcher_arguments(&arguments, p->descriptor) == 0) {
                const char *program = p->descriptor->hook ? p->descriptor->hook : arguments[0];

                error = access(program, X_OK) < 0 ? errno : 0;
                end(p, "%s, the program of %s, could not be started: %s; see journalctl -u %s", program,
                    p->descriptor->path, error ? strerror(error) : result, unit_of(p));
        } else
                end(p, "%s could not be started: %s", unit_of(p), result);
        texts_free(arguments);
}

static int on_state(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        SystemdProcess *p = userdata;
        const char *state;

        p->state_slot = sd_bus_slot_unref(p->state_slot);
        if (p->state != PROCESS_RUNNING && p->state != PROCESS_STOPPING)
                return 0;
        /* If PID 1 is too busy to answer, nothing is known. */
        if (sd_bus_message_is_method_error(m, SD_BUS_ERROR_NO_REPLY))
                log_debug("PID 1 does not tell the state of %s", unit_of(p));
        else if (sd_bus_message_is_method_error(m, NULL))
                end(p, NULL);
        else if (sd_bus_message_read(m, "v", "s", &state) >= 0 &&
                 (streq(state, "inactive") || streq(state, "failed")))
                end(p, NULL);
        return 0;
}

static char *unit_path(const SystemdProcess *p) {
        char *path = NULL;

        return sd_bus_path_encode(SYSTEMD_PATH "/unit", unit_of(p), &path) < 0 ? NULL : path;
}

/* Whether it runs still is asked for. */
static void check_state(SystemdProcess *p) {
        _cleanup_free_ char *path = unit_path(p);

        p->state_slot = sd_bus_slot_unref(p->state_slot);
        if (path)
                (void) sd_bus_call_method_async(p->launcher->bus, &p->state_slot, SYSTEMD, path,
                                                "org.freedesktop.DBus.Properties", "Get", on_state, p, "ss",
                                                "org.freedesktop.systemd1.Unit", "ActiveState");
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        SystemdLauncher *launcher = userdata;
        const char *job, *unit, *result;
        int r;

        if (!is_managers(launcher, m))
                return 0;
        r = sd_bus_message_read(m, "uoss", NULL, &job, &unit, &result);
        if (r < 0)
                return 0;
        for (SystemdProcess *p = launcher->processes; p; p = p->next) {
                if (!streq_ptr(p->job, job))
                        continue;
                free(p->job);
                p->job = NULL;
                if (p->state == PROCESS_STOPPING)
                        end(p, NULL);
                else if (p->state == PROCESS_STARTING && !streq(result, "done"))
                        end_not_started(p, result);
                else if (p->state == PROCESS_STARTING) {
                        /* It may have ended before this was told. */
                        p->state = PROCESS_RUNNING;
                        check_state(p);
                }
                break;
        }
        return 0;
}

/* daemon-reload, which each installation of a package makes, tells this of every unit, whether it runs or
 * not. */
static int on_unit_removed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        SystemdLauncher *launcher = userdata;
        const char *unit;

        if (!is_managers(launcher, m) || sd_bus_message_read(m, "so", &unit, NULL) < 0)
                return 0;
        for (SystemdProcess *p = launcher->processes; p; p = p->next)
                if (streq(unit_of(p), unit) && (p->state == PROCESS_RUNNING || p->state == PROCESS_STOPPING))
                        check_state(p);
        return 0;
}

static int on_properties(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        SystemdProcess *p = userdata;
        const char *state = "";
        const DictionaryField fields[] = {{.key = "ActiveState", .type = "s", .value = &state}};

        if (is_managers(p->launcher, m) && p->state == PROCESS_RUNNING && sd_bus_message_skip(m, "s") >= 0 &&
            dictionary_read(m, fields, ELEMENTSOF(fields)) >= 0 &&
            (streq(state, "inactive") || streq(state, "failed")))
                end(p, NULL);
        return 0;
}

static int note_job(SystemdProcess *p, sd_bus_message *m) {
        const char *job;
        int r;

        r = sd_bus_message_read_basic(m, 'o', &job);
        if (r < 0)
                return error_trace(r);
        free(p->job);
        p->job = strdup(job);
        return p->job ? 0 : error_origin(-ENOMEM);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        SystemdProcess *p = userdata;

        p->retry = sd_event_source_disable_unref(p->retry);
        if (call_start(p) < 0)
                end_not_started(p, "out of memory");
        return 0;
}

/* A unit of that name is left over from before: stop it, try again shortly. */
static void retry_start(SystemdProcess *p, const char *text) {
        int r;

        if (p->n_retries++ >= RETRIES_MAX) {
                end_not_started(p, text);
                return;
        }
        (void) sd_bus_call_method_async(p->launcher->bus, NULL, SYSTEMD, SYSTEMD_PATH, MANAGER, "StopUnit",
                                        NULL, NULL, "ss", unit_of(p), "replace");
        (void) sd_bus_call_method_async(p->launcher->bus, NULL, SYSTEMD, SYSTEMD_PATH, MANAGER,
                                        "ResetFailedUnit", NULL, NULL, "s", unit_of(p));
        r = sd_event_add_time_relative(p->launcher->event, &p->retry, CLOCK_BOOTTIME, RETRY_USEC, 0,
                                       on_retry, p);
        if (r < 0)
                end_not_started(p, text);
}

static int on_started(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        SystemdProcess *p = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(m);

        p->call_slot = sd_bus_slot_unref(p->call_slot);
        note_manager(p->launcher, m);
        if (p->state != PROCESS_STARTING)
                return 0;
        if (e && streq(e->name, "org.freedesktop.systemd1.UnitExists"))
                retry_start(p, e->message);
        else if (e && p->descriptor->kind == DESCRIPTOR_SERVICE)
                end(p, "%s, named by %s, cannot be started: %s", unit_of(p), p->descriptor->path,
                    e->message);
        else if (e)
                end_not_started(p, e->message);
        else if (note_job(p, m) < 0)
                end_not_started(p, "unexpected answer of PID 1");
        return 0;
}

/* A unit that runs already belongs to a quiesced that is gone and will not connect again: it is restarted.
 */
static int call_start(SystemdProcess *p) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        bool transient = p->descriptor->kind != DESCRIPTOR_SERVICE;
        int r;

        r = sd_bus_message_new_method_call(p->launcher->bus, &m, SYSTEMD, SYSTEMD_PATH, MANAGER,
                                           transient ? "StartTransientUnit" : "RestartUnit");
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", unit_of(p), "replace");
        if (r >= 0 && transient)
                r = unit_properties_append(m, p->descriptor, p->launcher->socket_path);
        if (r >= 0)
                r = sd_bus_call_async(p->launcher->bus, &p->call_slot, m, on_started, p, 0);
        return error_trace(r < 0 ? r : 0);
}

/* PID 1 would execute it with the rights of User=, whoever can change it. A hook's adaptor looks at the hook
 * itself. Return: whether it may be started; else it has ended. */
static bool check_program(SystemdProcess *p) {
        char text[CONTRACT_TEXT_MAX];
        int r;

        if (p->descriptor->kind != DESCRIPTOR_EXEC)
                return true;
        r = trust_check(p->descriptor->exec[0], text, sizeof(text));
        if (r == TRUST_E_REFUSED)
                end(p, "%s, the program of %s, is not started: %s", p->descriptor->exec[0],
                    p->descriptor->path, text);
        else if (r < 0 && r != -ENOENT) /* PID 1 says that it is not there */
                end(p, "%s, the program of %s, is not started: %s", p->descriptor->exec[0],
                    p->descriptor->path, strerror(-r));
        return p->state != PROCESS_ENDED;
}

static int watch_unit(SystemdProcess *p) {
        _cleanup_free_ char *path = unit_path(p);

        if (!path)
                return error_origin(-ENOMEM);
        return error_trace(sd_bus_match_signal_async(p->launcher->bus, &p->properties_slot, SYSTEMD, path,
                                                     "org.freedesktop.DBus.Properties", "PropertiesChanged",
                                                     on_properties, NULL, p));
}

static int systemd_start(Launcher *l, Process **ret, const Descriptor *descriptor, ProcessEnded ended,
                         void *userdata) {
        SystemdLauncher *launcher = (SystemdLauncher *) l;
        _cleanup_(process_freep) SystemdProcess *p = NULL;
        int r;

        p = calloc(1, sizeof(*p));
        if (!p)
                return error_origin(-ENOMEM);
        *p = (SystemdProcess){.process.launcher = l,
                              .launcher = launcher,
                              .next = launcher->processes,
                              .ended = ended,
                              .userdata = userdata};
        p->descriptor = descriptor_ref((Descriptor *) descriptor);
        launcher->processes = p;
        if (!launcher->bus) {
                end(p, "there is no system bus to start %s with", unit_of(p));
        } else if (check_program(p)) {
                r = watch_unit(p);
                if (r >= 0)
                        r = call_start(p);
                if (r < 0) {
                        p->state = PROCESS_ENDED;
                        return error_trace(r);
                }
        }
        *ret = &TAKE_PTR(p)->process;
        return 0;
}

static int on_stopped(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        SystemdProcess *p = userdata;

        p->call_slot = sd_bus_slot_unref(p->call_slot);
        note_manager(p->launcher, m);
        if (p->state != PROCESS_STOPPING)
                return 0;
        /* No such unit: gone already. */
        if (sd_bus_message_is_method_error(m, NULL) || note_job(p, m) < 0)
                end(p, NULL);
        return 0;
}

static void systemd_stop(Process *process) {
        SystemdProcess *p = (SystemdProcess *) process;
        int r;

        if (p->state == PROCESS_STOPPING || p->state == PROCESS_ENDED)
                return;
        p->state = PROCESS_STOPPING;
        p->retry = sd_event_source_disable_unref(p->retry);
        p->call_slot = sd_bus_slot_unref(p->call_slot);
        free(p->job);
        p->job = NULL;
        r = p->launcher->bus ? sd_bus_call_method_async(p->launcher->bus, &p->call_slot, SYSTEMD,
                                                        SYSTEMD_PATH, MANAGER, "StopUnit", on_stopped, p,
                                                        "ss", unit_of(p), "replace")
                             : -ENOTCONN;
        if (r < 0)
                end(p, NULL);
}

static bool systemd_owns(Process *process, pid_t pid) {
        SystemdProcess *p = (SystemdProcess *) process;
        _cleanup_free_ char *unit = NULL;

        return sd_pid_get_unit(pid, &unit) >= 0 && streq(unit, unit_of(p));
}

static void systemd_stop_other(Launcher *l, const char *unit, pid_t pid) {
        SystemdLauncher *launcher = (SystemdLauncher *) l;

        if (!unit)
                log_warning("process %d is in no unit of the system's that could be stopped, ignoring", pid);
        else if (launcher->bus)
                (void) sd_bus_call_method_async(launcher->bus, NULL, SYSTEMD, SYSTEMD_PATH, MANAGER,
                                                "StopUnit", NULL, NULL, "ss", unit, "replace");
}

static void drop_bus(SystemdLauncher *launcher) {
        for (SystemdProcess *p = launcher->processes; p; p = p->next) {
                p->call_slot = sd_bus_slot_unref(p->call_slot);
                p->state_slot = sd_bus_slot_unref(p->state_slot);
                p->properties_slot = sd_bus_slot_unref(p->properties_slot);
                /* Jobs' ends will not be told. What runs shows by its connection. */
                if (p->state == PROCESS_STARTING || p->state == PROCESS_STOPPING)
                        end(p, "the system bus was lost");
        }
        launcher->job_slot = sd_bus_slot_unref(launcher->job_slot);
        launcher->removed_slot = sd_bus_slot_unref(launcher->removed_slot);
        launcher->subscribe_slot = sd_bus_slot_unref(launcher->subscribe_slot);
        launcher->bus = sd_bus_unref(launcher->bus);
        free(launcher->manager);
        launcher->manager = NULL;
}

static int on_subscribed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const sd_bus_error *e = sd_bus_message_get_error(m);

        note_manager(userdata, m);
        if (e && !streq(e->name, "org.freedesktop.systemd1.AlreadySubscribed"))
                log_warning("PID 1 does not tell of units' ends: %s", e->message);
        return 0;
}

static int systemd_set_bus(Launcher *l, sd_bus *bus) {
        SystemdLauncher *launcher = (SystemdLauncher *) l;
        int r;

        drop_bus(launcher);
        if (!bus)
                return 0;
        launcher->bus = sd_bus_ref(bus);
        r = sd_bus_match_signal_async(bus, &launcher->job_slot, SYSTEMD, SYSTEMD_PATH, MANAGER, "JobRemoved",
                                      on_job_removed, NULL, launcher);
        if (r >= 0)
                r = sd_bus_match_signal_async(bus, &launcher->removed_slot, SYSTEMD, SYSTEMD_PATH, MANAGER,
                                              "UnitRemoved", on_unit_removed, NULL, launcher);
        if (r >= 0)
                r = sd_bus_call_method_async(bus, &launcher->subscribe_slot, SYSTEMD, SYSTEMD_PATH, MANAGER,
                                             "Subscribe", on_subscribed, launcher, NULL);
        return error_trace(r < 0 ? r : 0);
}

static Launcher *systemd_free(Launcher *l) {
        SystemdLauncher *launcher = (SystemdLauncher *) l;

        if (!launcher)
                return NULL;
        drop_bus(launcher);
        sd_event_unref(launcher->event);
        free(launcher->socket_path);
        free(launcher);
        return NULL;
}

static const LauncherOps systemd_ops = {
        .start = systemd_start,
        .stop = systemd_stop,
        .owns = systemd_owns,
        .process_free = systemd_process_free,
        .stop_other = systemd_stop_other,
        .set_bus = systemd_set_bus,
        .free = systemd_free,
};

/**
 * launcher_systemd_new() - the launcher that starts units
 * @ret: the launcher, freed by its ops
 * @event: the loop, referenced
 * @socket_path: where writers connect to
 *
 * Until it is given the system bus nothing can be started.
 *
 * Return: 0 or -ENOMEM.
 */
int launcher_systemd_new(Launcher **ret, sd_event *event, const char *socket_path) {
        SystemdLauncher *launcher;

        launcher = calloc(1, sizeof(*launcher));
        if (!launcher)
                return error_origin(-ENOMEM);
        launcher->launcher.ops = &systemd_ops;
        launcher->event = sd_event_ref(event);
        launcher->socket_path = strdup(socket_path);
        if (!launcher->socket_path) {
                (void) systemd_free(&launcher->launcher);
                return error_origin(-ENOMEM);
        }
        *ret = &launcher->launcher;
        return 0;
}
