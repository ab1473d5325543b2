/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl begin: starts the resident requester in a transient unit, and ends when the set is there.
 *
 * A unit of its own, because a hook's processes end with the hook or with its service, and the resident must
 * not. Root's is made by PID 1, others' by their own service manager, which needs no right. The unit is of
 * type notify: the end of its start job tells everything, also that the program could not even be run. The
 * resident fetches standard output and error from here over a socket; see handover.c.
 *
 * Promise: exit status 0 and the id on standard output, or another status, the reason on standard error, and
 * nothing left; whatever kills us before the resident knows that we know makes it give up.
 */

#include <fcntl.h>
#include <sys/socket.h>
#include <systemd/sd-id128.h>

#include "bus/transient-exec.h"
#include "ctl/resident.h"
#include "util/utf8.h"

#define SYSTEMD      "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define MANAGER      "org.freedesktop.systemd1.Manager"
/* Release waits for the writers' BackupShutdown, and AbortBackup before it for their Abort. */
#define STOP_TIMEOUT_USEC (5 * 60 * USEC_PER_SEC)

typedef struct Starter {
        sd_event *event;
        sd_bus *manager;
        char unit[64], socket_name[48];
        char *socket_path;
        int listen_fd, fd; /* fd: the resident */
        sd_event_source *listen_source;
        char *job, *result;
        char *manager_name; /* PID 1's unique name on the system bus; NULL: a connection of its own */
        int signal;
} Starter;

static void stop_listening(Starter *starter) {
        starter->listen_source = sd_event_source_disable_unref(starter->listen_source);
        starter->listen_fd = fd_close(starter->listen_fd);
        if (starter->socket_path)
                (void) unlink(starter->socket_path);
        free(starter->socket_path);
        starter->socket_path = NULL;
}

static int on_connection(sd_event_source *source, int listen_fd, uint32_t revents, void *userdata) {
        Starter *starter = userdata;
        struct ucred peer;
        socklen_t n_peer = sizeof(peer);
        int r;

        starter->fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (starter->fd < 0)
                return 0;
        if (getsockopt(starter->fd, SOL_SOCKET, SO_PEERCRED, &peer, &n_peer) < 0 || peer.uid != geteuid()) {
                starter->fd = fd_close(starter->fd);
                return 0;
        }
        r = handover_send_outputs(starter->fd);
        if (r < 0)
                say("cannot pass standard output on: %s", strerror(-r));
        stop_listening(starter);
        return 0;
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Starter *starter = userdata;
        const char *job, *unit, *result;
        int r;

        r = sd_bus_message_read(m, "uoss", NULL, &job, &unit, &result);
        /* Anybody may send a signal of that kind; sd-bus does not compare a sender that is no unique name.
         */
        if (r < 0 || !starter->job || !streq(job, starter->job) ||
            !streq_ptr(sd_bus_message_get_sender(m), starter->manager_name))
                return 0;
        starter->result = strdup(result);
        return sd_event_exit(starter->event, 0);
}

/* The resident gives up when its connection ends, and with it the job; a second signal does not wait. */
static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        Starter *starter = userdata;

        if (starter->signal)
                _exit(128 + starter->signal);
        starter->signal = (int) info->ssi_signo;
        stop_listening(starter);
        if (starter->fd >= 0)
                (void) shutdown(starter->fd, SHUT_WR);
        return 0;
}

static int say_no_manager(const sd_bus_error *error, int r) {
        say("no service manager answers, and begin leaves its resident requester in a unit of one: %s; "
            "--foreground makes it stay in the foreground instead%s",
            sd_bus_error_is_set(error) ? error->message : strerror(-r),
            geteuid() == 0 ? "" : ", 'loginctl enable-linger' gives you a service manager of your own");
        return CTL_E_SAID;
}

/* A user's own service manager: its private socket is there even where no bus of the user's is. */
static int open_user_manager(sd_bus **ret) {
        _cleanup_free_ char *address = NULL, *path = NULL;
        const char *own = getenv("XDG_RUNTIME_DIR");
        int r;

        r = own && *own ? asprintf(&path, "%s", own) : asprintf(&path, "/run/user/%u", geteuid());
        if (r < 0 || asprintf(&address, "unix:path=%s/systemd/private", path) < 0)
                return error_origin(-ENOMEM);
        r = sd_bus_new(ret);
        if (r >= 0)
                r = sd_bus_set_address(*ret, address);
        return r >= 0 ? sd_bus_start(*ret) : r;
}

static int open_manager(Starter *starter) {
        int r;

        r = geteuid() == 0 ? sd_bus_open_system(&starter->manager) : open_user_manager(&starter->manager);
        if (r < 0)
                return say_no_manager(NULL, r);
        (void) sd_bus_set_exit_on_disconnect(starter->manager, true);
        r = sd_bus_attach_event(starter->manager, starter->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_match_signal(starter->manager, NULL, geteuid() == 0 ? SYSTEMD : NULL,
                                        SYSTEMD_PATH, MANAGER, "JobRemoved", on_job_removed, starter);
        return r < 0 ? say_no_manager(NULL, r) : 0;
}

static int listen_for_resident(Starter *starter) {
        _cleanup_free_ char *directory = NULL;
        sd_id128_t id;
        int r;

        r = sd_id128_randomize(&id);
        if (r < 0)
                return error_origin(r);
        (void) snprintf(starter->unit, sizeof(starter->unit),
                        "quiescectl-begin-" SD_ID128_FORMAT_STR ".service", SD_ID128_FORMAT_VAL(id));
        (void) snprintf(starter->socket_name, sizeof(starter->socket_name), ".begin-" SD_ID128_FORMAT_STR,
                        SD_ID128_FORMAT_VAL(id));
        r = resident_socket_directory(&directory, true);
        if (r == 0)
                r = resident_socket_listen(directory, starter->socket_name, &starter->listen_fd,
                                           &starter->socket_path);
        if (r == 0)
                r = sd_event_add_io(starter->event, &starter->listen_source, starter->listen_fd, EPOLLIN,
                                    on_connection, starter);
        return error_trace(r);
}

static int append_command(sd_bus_message *m, const char *verb, char *const *arguments, size_t n_arguments) {
        const char **argv;
        char program[4096];
        ssize_t n;
        int r;

        n = readlink("/proc/self/exe", program, sizeof(program) - 1);
        if (n < 0)
                return error_origin(-errno);
        program[n] = '\0';
        argv = calloc(n_arguments + 4, sizeof(*argv));
        if (!argv)
                return error_origin(-ENOMEM);
        argv[0] = "quiescectl";
        argv[1] = verb;
        argv[2] = "--foreground";
        r = 0;
        for (size_t i = 0; i < n_arguments; i++) {
                argv[3 + i] = arguments[i];
                if (r == 0 && !utf8_is_valid(arguments[i])) {
                        say("%s: no UTF-8, and a service manager takes no other names; --foreground makes %s "
                            "stay in the foreground instead of a unit",
                            arguments[i], verb);
                        r = CTL_E_SAID;
                }
        }
        if (r == 0)
                r = transient_exec_append(m, "ExecStart", program, argv);
        free(argv);
        return error_trace(r);
}

/* The host's mounts are to be seen, so nothing that would give the unit mounts of its own. */
static int append_properties(Starter *starter, sd_bus_message *m) {
        _cleanup_free_ char *variable = NULL, *directory = NULL;
        const char *given = getenv("QUIESCECTL_RUNTIME_DIR");
        int r;

        if (asprintf(&variable, HANDOVER_VARIABLE "=%s", starter->socket_path) < 0 ||
            asprintf(&directory, "QUIESCECTL_RUNTIME_DIR=%s", given ? given : "") < 0)
                return error_origin(-ENOMEM);
        r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)(sv)(sv)(sv)", "Description", "s",
                                  "Backup session of quiescectl begin", "Type", "s", "notify",
                                  "NotifyAccess", "s", "main", "CollectMode", "s", "inactive-or-failed",
                                  "TimeoutStartUSec", "t", USEC_INFINITY, "TimeoutStopUSec", "t",
                                  (uint64_t) STOP_TIMEOUT_USEC, "Environment", "as", 2, variable, directory,
                                  "NoNewPrivileges", "b", 1);
        /* At shutdown it is stopped before those it needs for releasing. */
        if (r >= 0 && geteuid() == 0)
                r = sd_bus_message_append(m, "(sv)", "After", "as", 2, "quiesced.service", "dbus.service");
        return error_trace(r < 0 ? r : 0);
}

static int start_unit(Starter *starter, const char *verb, char *const *arguments, size_t n_arguments) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *job;
        int r;

        r = sd_bus_message_new_method_call(starter->manager, &call, SYSTEMD, SYSTEMD_PATH, MANAGER,
                                           "StartTransientUnit");
        if (r >= 0)
                r = sd_bus_message_append(call, "ss", starter->unit, "fail");
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "(sv)");
        if (r >= 0)
                r = append_properties(starter, call);
        if (r >= 0)
                r = append_command(call, verb, arguments, n_arguments);
        if (r == CTL_E_SAID)
                return r;
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        if (r >= 0)
                r = sd_bus_message_append(call, "a(sa(sv))", 0);
        if (r < 0)
                return error_trace(r);
        r = sd_bus_call_method(starter->manager, SYSTEMD, SYSTEMD_PATH, MANAGER, "Subscribe", &error, NULL,
                               "");
        if (r < 0 && !sd_bus_error_has_name(&error, SYSTEMD ".AlreadySubscribed"))
                return say_no_manager(&error, r);
        sd_bus_error_free(&error);
        r = sd_bus_call(starter->manager, call, 0, &error, &reply);
        if (r < 0)
                return say_bus_error("the unit for begin's resident requester cannot be started", &error, r);
        r = sd_bus_message_read(reply, "o", &job);
        if (r < 0)
                return error_origin(r);
        starter->job = strdup(job);
        if (sd_bus_message_get_sender(reply)) {
                starter->manager_name = strdup(sd_bus_message_get_sender(reply));
                if (!starter->manager_name)
                        return error_origin(-ENOMEM);
        }
        return starter->job ? 0 : error_origin(-ENOMEM);
}

/* Return: the exit status. */
static int finish(Starter *starter) {
        unsigned char failed[2] = {};

        if (starter->result && streq(starter->result, "done") && starter->fd >= 0 && !starter->signal &&
            send(starter->fd, (char[]){HANDOVER_TAKEN}, 1, MSG_NOSIGNAL) == 1)
                return EXIT_SUCCESS;
        if (starter->signal)
                return 128 + starter->signal;
        if (starter->fd >= 0 && recv(starter->fd, failed, sizeof(failed), MSG_DONTWAIT) == sizeof(failed) &&
            failed[0] == HANDOVER_FAILED)
                return failed[1];
        say("%s ended before the snapshot set was there (%s): 'journalctl -u %s' tells more; nothing is left",
            starter->unit, starter->result ? starter->result : "its service manager has gone",
            starter->unit);
        return EXIT_FAILURE;
}

/* What is not there cannot be sent. */
static void open_missing_outputs(void) {
        for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
                if (fcntl(fd, F_GETFD) < 0) {
                        int null = open("/dev/null", O_WRONLY);

                        if (null >= 0 && null != fd) {
                                (void) dup2(null, fd);
                                (void) close(null);
                        }
                }
}

/**
 * begin_in_unit() - leave a resident requester behind
 * @verb:           begin or freeze
 * @arguments:      of it in the unit, all but --foreground; paths are absolute
 * @n_arguments:    how many
 *
 * Return: the exit status, or a negative errno.
 */
int begin_in_unit(const char *verb, char *const *arguments, size_t n_arguments) {
        Starter starter = {.listen_fd = -EBADF, .fd = -EBADF};
        int r;

        open_missing_outputs();
        r = sd_event_new(&starter.event);
        if (r >= 0)
                r = signals_catch(starter.event, on_signal, &starter);
        if (r >= 0)
                r = open_manager(&starter);
        if (r == 0)
                r = listen_for_resident(&starter);
        if (r == 0)
                r = start_unit(&starter, verb, arguments, n_arguments);
        if (r == 0) {
                r = sd_event_loop(starter.event);
                r = r < 0 ? r : finish(&starter);
        } else if (r == CTL_E_SAID)
                r = EXIT_FAILURE;
        stop_listening(&starter);
        fd_close(starter.fd);
        free(starter.job);
        free(starter.manager_name);
        free(starter.result);
        sd_bus_flush_close_unref(starter.manager);
        sd_event_unref(starter.event);
        return r;
}
