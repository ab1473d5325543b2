/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A server's thread; see server.h. */

#include "writers.d/server/server.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "util/error.h"
#include "util/utf8.h"

#define THREADS_MAX 256u

static atomic_uint n_threads;

/**
 * now_usec() - the time by which deadlines are meant
 *
 * Return: µs of CLOCK_BOOTTIME.
 */
uint64_t now_usec(void) {
        struct timespec now;

        (void) clock_gettime(CLOCK_BOOTTIME, &now);
        return (uint64_t) now.tv_sec * USEC_PER_SEC + (uint64_t) now.tv_nsec / NSEC_PER_USEC;
}

static void server_lock(Server *server) {
        (void) pthread_mutex_lock(&server->mutex);
}

static void server_unlock(Server *server) {
        (void) pthread_mutex_unlock(&server->mutex);
}

/* By whoever needs it last. */
static void server_unref(Server *server) {
        bool last;

        server_lock(server);
        last = --server->n_references == 0;
        server_unlock(server);
        if (!last)
                return;
        (void) pthread_mutex_destroy(&server->mutex);
        (void) pthread_cond_destroy(&server->cond);
        facts_done(&server->facts);
        (void) fd_close(server->snapshot_fd);
        (void) instance_free(server->instance);
        free(server->state);
        free(server->notes);
        free(server);
}

/* ── The thread ── */

static void hang_up(Server *server) {
        if (!server->is_open)
                return;
        server->is_open = false;
        server->engine->close(server);
        server_set_socket(server, -1);
}

static int open_and_look(Server *server) {
        const Engine *engine = server->engine;
        int r;

        facts_done(&server->facts);
        server->is_open = true; /* if it fails half-way, it is closed as well */
        r = engine->open(server, &server->report);
        if (r >= 0)
                r = engine->look(server, &server->facts, &server->report);
        if (r < 0)
                hang_up(server);
        return r;
}

static int let_go(Server *server) {
        bool owed = server->owes;

        server->owes = false;
        return owed && server->engine->thaw ? server->engine->thaw(server, &server->report) : 0;
}

static int carry_out(Server *server, ServerStep step) {
        const Engine *engine = server->engine;
        int r;

        server->report = (Report){};
        switch (step) {
        case SERVER_STEP_OPEN:
                return open_and_look(server);
        case SERVER_STEP_PREPARE:
                server->owes = true;
                return engine->prepare ? engine->prepare(server, &server->report) : 0;
        case SERVER_STEP_FREEZE:
                server->owes = true;
                return engine->freeze ? engine->freeze(server, &server->report) : 0;
        case SERVER_STEP_THAW:
                return let_go(server);
        case SERVER_STEP_NOTE:
                r = engine->note ? engine->note(server, &server->report) : 0;
                server->snapshot_fd = fd_close(server->snapshot_fd);
                return r;
        case SERVER_STEP_END:
                r = let_go(server);
                hang_up(server);
                return r;
        case SERVER_STEP_NONE:
        default:
                return 0;
        }
}

static void wake_up(Server *server) {
        uint64_t one = 1;

        if (server->wakeup >= 0)
                (void) !write(server->wakeup, &one, sizeof(one)); /* full is as good */
}

static void *serve(void *userdata) {
        Server *server = userdata;

        server_lock(server);
        for (;;) {
                ServerStep step;
                int r;

                while (server->queued == SERVER_STEP_NONE && !server->quit)
                        (void) pthread_cond_wait(&server->cond, &server->mutex);
                step = server->queued;
                if (step == SERVER_STEP_NONE)
                        break;
                server->queued = SERVER_STEP_NONE;
                server_unlock(server);
                r = carry_out(server, step);
                server_lock(server);
                server->result = r;
                server->busy = server->queued != SERVER_STEP_NONE;
                if (!server->busy)
                        wake_up(server);
        }
        server_unlock(server);
        (void) carry_out(server, SERVER_STEP_END);
        server_unref(server);
        atomic_fetch_sub(&n_threads, 1);
        return NULL;
}

static int start_thread(Server *server) {
        sigset_t all, before;
        pthread_t thread;
        int r;

        /* Signals are the main thread's. */
        (void) sigfillset(&all);
        (void) pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(&thread, NULL, serve, server);
        (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (r != 0)
                return error_origin(-r);
        (void) pthread_detach(thread);
        return 0;
}

/* ── The main thread ── */

/**
 * server_new() - a thread for an instance
 * @ret:        server_release() it
 * @engine:     its kind
 * @instance:   copied
 * @wakeup:     an eventfd that tells the end of each step
 *
 * Return: 0; -EAGAIN: there are too many threads already; -ENOMEM.
 */
int server_new(Server **ret, const Engine *engine, const Instance *instance, int wakeup) {
        Server *server;
        int r;

        if (atomic_fetch_add(&n_threads, 1) >= THREADS_MAX) {
                atomic_fetch_sub(&n_threads, 1);
                return error_origin(-EAGAIN);
        }
        server = calloc(1, sizeof(*server));
        if (!server) {
                atomic_fetch_sub(&n_threads, 1);
                return error_origin(-ENOMEM);
        }
        (void) pthread_mutex_init(&server->mutex, NULL);
        (void) pthread_cond_init(&server->cond, NULL);
        server->engine = engine;
        server->snapshot_fd = -EBADF;
        server->n_references = 1;
        server->wakeup = wakeup;
        server->fd = -1;
        r = instance_copy(&server->instance, instance);
        server->facts.instance = server->instance;
        server->state = calloc(1, engine->state_size ? engine->state_size : 1);
        server->notes = calloc(1, SERVER_NOTES_MAX + 1);
        if (r == 0 && (!server->state || !server->notes))
                r = error_origin(-ENOMEM);
        if (r == 0) {
                server->n_references++;
                r = start_thread(server);
                if (r < 0)
                        server->n_references--;
        }
        if (r < 0) {
                atomic_fetch_sub(&n_threads, 1);
                server_unref(server);
                return error_trace(r);
        }
        *ret = server;
        return 0;
}

/**
 * server_begin() - begin a step
 * @server:     not busy; but SERVER_STEP_END may come at any time, and interrupts what is being done
 * @step:       the step
 * @deadline_usec: what the step is told by server_remaining_usec()
 */
void server_begin(Server *server, ServerStep step, uint64_t deadline_usec) {
        if (step == SERVER_STEP_END && server_is_busy(server))
                server_interrupt(server);
        server_lock(server);
        assert(!server->busy || step == SERVER_STEP_END);
        server->queued = step;
        server->busy = true;
        server->deadline_usec = deadline_usec;
        (void) pthread_cond_signal(&server->cond);
        server_unlock(server);
}

/**
 * server_is_busy() - whether its step is still being carried out
 * @server:     the server
 *
 * Return: whether it is.
 */
bool server_is_busy(Server *server) {
        bool busy;

        server_lock(server);
        busy = server->busy;
        server_unlock(server);
        return busy;
}

/**
 * server_interrupt() - take its connection away, for good
 * @server:     the server
 *
 * Whatever waits for the connection fails, in the thread and in the server itself.
 */
void server_interrupt(Server *server) {
        server_lock(server);
        server->interrupted = true;
        if (server->fd >= 0)
                (void) shutdown(server->fd, SHUT_RDWR);
        server_unlock(server);
}

/**
 * server_release() - let it end in its own time
 * @server:     it or NULL
 *
 * Return: NULL.
 */
Server *server_release(Server *server) {
        if (!server)
                return NULL;
        server_lock(server);
        server->wakeup = -1;
        server->quit = true;
        if (server->busy && server->fd >= 0 && server->queued != SERVER_STEP_END)
                (void) shutdown(server->fd, SHUT_RDWR);
        server->interrupted = server->interrupted || server->busy;
        if (!server->busy)
                server->deadline_usec = now_usec() + INSTANCE_LIMIT_USEC;
        (void) pthread_cond_signal(&server->cond);
        server_unlock(server);
        server_unref(server);
        return NULL;
}

/* ── What steps call, see engine.h ── */

/**
 * server_instance() - as configured or discovered
 * @server:     the server
 *
 * Return: its instance.
 */
const Instance *server_instance(const Server *server) {
        return server->instance;
}

/**
 * server_state() - the engine's own
 * @server:     the server
 *
 * Return: Engine.state_size bytes, zero at first.
 */
void *server_state(Server *server) {
        return server->state;
}

/**
 * server_remaining_usec() - how much of the step's time is left
 * @server:     the server
 *
 * Return: µs; 0: it is over.
 */
uint64_t server_remaining_usec(const Server *server) {
        Server *mutable = (Server *) server; /* its mutex */
        uint64_t now = now_usec(), deadline;

        server_lock(mutable);
        deadline = server->deadline_usec;
        server_unlock(mutable);
        return deadline > now ? deadline - now : 0;
}

/**
 * server_remaining_sec() - the same for those who count in seconds
 * @server:     the server
 *
 * Return: seconds, rounded up, at least 1.
 */
unsigned server_remaining_sec(const Server *server) {
        uint64_t seconds = (server_remaining_usec(server) + USEC_PER_SEC - 1) / USEC_PER_SEC;

        return seconds < 1 ? 1 : seconds > 86400 ? 86400 : (unsigned) seconds;
}

/**
 * server_set_socket() - by which descriptor the connection can be interrupted
 * @server:     the server
 * @fd:         it, or -1
 */
void server_set_socket(Server *server, int fd) {
        server_lock(server);
        server->fd = fd;
        if (fd >= 0 && server->interrupted)
                (void) shutdown(fd, SHUT_RDWR);
        server_unlock(server);
}

/**
 * server_is_chosen() - whether it takes part in the backup
 * @server:     the server
 *
 * Return: whether it does; false before it is judged.
 */
bool server_is_chosen(const Server *server) {
        return server->chosen;
}

/* PasswordFile= is a path, or the name of a credential (LoadCredential=). */
static int open_password(const Server *server, Report *report) {
        const char *name = server->instance->password_file, *folder = getenv("CREDENTIALS_DIRECTORY");
        _cleanup_free_ char *path = NULL;
        int fd;

        if (name[0] != '/' && !folder)
                return report_fail(report, QUIESCE_FAILURE_NON_RETRYABLE,
                                   "PasswordFile=%s is neither a path nor a credential of the unit", name);
        if (asprintf(&path, "%s%s%s", name[0] == '/' ? "" : folder, name[0] == '/' ? "" : "/", name) < 0)
                return error_origin(-ENOMEM);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return report_fail(report, QUIESCE_FAILURE_NON_RETRYABLE, "%s cannot be read: %s", path,
                                   strerror(errno));
        return fd;
}

/**
 * server_read_password() - the password, from its file
 * @server:     the server
 * @report:     of the step
 * @ret:        free() it; NULL: there is no such file in the configuration
 *
 * Return: 0; -ECANCELED: it cannot be read, as reported; -ENOMEM.
 */
int server_read_password(const Server *server, Report *report, char **ret) {
        char text[INSTANCE_PASSWORD_MAX + 1];
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        ssize_t n;

        *ret = NULL;
        if (!server->instance->password_file)
                return 0;
        fd = open_password(server, report);
        if (fd < 0)
                return fd;
        n = read(fd, text, sizeof(text));
        if (n < 0 || (size_t) n == sizeof(text) || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return report_fail(report, QUIESCE_FAILURE_NON_RETRYABLE,
                                   "PasswordFile=%s has no password in it", server->instance->password_file);
        if (st.st_mode & S_IROTH)
                (void) report_warn(report, "PasswordFile=%s can be read by everybody",
                                   server->instance->password_file);
        text[n] = '\0';
        n = (ssize_t) strcspn(text, "\r\n");
        text[n] = '\0';
        *ret = strdup(text);
        explicit_bzero(text, sizeof(text));
        return *ret ? 0 : error_origin(-ENOMEM);
}

/* As in a C string, without its quotes. Bytes that are no UTF-8 as octal numbers. */
static size_t escape(char *to, size_t size, const char *from) {
        bool utf8 = utf8_is_valid(from);
        size_t n = 0;

        for (; *from && n + 5 < size; from++) {
                unsigned char c = (unsigned char) *from;

                if (c == '\\' || c == '\n' || c == '\t')
                        n += (size_t) snprintf(to + n, size - n, "\\%c",
                                               c == '\n'   ? 'n'
                                               : c == '\t' ? 't'
                                                           : c);
                else if (c < ' ' || c == 127 || (c > 127 && !utf8))
                        n += (size_t) snprintf(to + n, size - n, "\\%03o", (unsigned) c);
                else
                        to[n++] = (char) c;
        }
        to[n] = '\0';
        return *from ? size : n;
}

/**
 * server_note() - what a restore will have to know
 * @server:     the server
 * @key:        a word; letters, digits and dashes
 * @format:     like printf: the value
 *
 * Return: 0; -E2BIG: there is no room for it, it is left out; -ENOMEM.
 */
int server_note(Server *server, const char *key, const char *format, ...) {
        size_t room = SERVER_NOTES_MAX - server->n_notes, n_key = strlen(key) + 1, n;
        char *to = server->notes + server->n_notes;
        _cleanup_free_ char *value = NULL;
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = vasprintf(&value, format, arguments);
        va_end(arguments);
        if (r < 0) {
                value = NULL;
                return error_origin(-ENOMEM);
        }
        if (n_key + 2 > room)
                return error_origin(-E2BIG);
        n = escape(to + n_key, room - n_key - 1, value);
        if (n >= room - n_key - 1) {
                *to = '\0';
                return error_origin(-E2BIG);
        }
        (void) memcpy(to, key, n_key - 1);
        to[n_key - 1] = '=';
        to[n_key + n] = '\n';
        to[n_key + n + 1] = '\0';
        server->n_notes += n_key + n + 1;
        return 0;
}

/**
 * server_snapshot_fd() - where note() may write into the snapshot
 * @server:     in note()
 * @ret_why:    static, if there is none
 *
 * Return: an O_PATH descriptor of the frame's, closed after the step; -EBADF: there is none.
 */
int server_snapshot_fd(const Server *server, const char **ret_why) {
        switch (server->snapshot_error) {
        case -ENODATA:
                *ret_why = "the writer's descriptor lacks WritableSnapshots=yes";
                break;
        case -EXDEV:
                *ret_why = "its file system has no snapshot that can be written into";
                break;
        case 0:
                *ret_why = "none was asked for";
                break;
        default:
                *ret_why = strerrordesc_np(-server->snapshot_error);
                break;
        }
        return server->snapshot_fd;
}
