/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Carrying out common actions; see act.h. A file is waited for with inotify: nobody has to guess or poll. */

#include "script/act.h"

#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "util/error.h"

struct ScriptWait {
        sd_event_source *source;
        char *path;
        int fd; /* of a FIFO */
        ScriptWaitDone done;
        void *userdata;
};

/**
 * script_wait_free() - wait no longer
 * @wait:       it or NULL; its callback is not called any more
 *
 * Return: NULL.
 */
ScriptWait *script_wait_free(ScriptWait *wait) {
        if (!wait)
                return NULL;
        (void) sd_event_source_disable_unref(wait->source);
        (void) fd_close(wait->fd);
        free(wait->path);
        free(wait);
        return NULL;
}

static void wait_over(ScriptWait *wait) {
        wait->source = sd_event_source_disable_unref(wait->source);
        wait->done(wait->userdata);
}

static int on_fifo(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        wait_over(userdata);
        return 0;
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata) {
        wait_over(userdata);
        return 0;
}

static int on_directory(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        ScriptWait *wait = userdata;

        if (access(wait->path, F_OK) == 0)
                wait_over(wait);
        return 0;
}

/**
 * script_parse_usec() - a time
 * @text:       a number and "us", "ms", "s" or "min"; without a unit: seconds
 * @ret:        in µs
 *
 * Return: 0; -EINVAL.
 */
int script_parse_usec(const char *text, uint64_t *ret) {
        static const struct {
                const char *name;
                uint64_t usec;
        } units[] = {{"us", 1},
                     {"ms", USEC_PER_MSEC},
                     {"s", USEC_PER_SEC},
                     {"", USEC_PER_SEC},
                     {"min", 60 * USEC_PER_SEC}};
        char *end;
        unsigned long long n;

        if (text[0] < '0' || text[0] > '9')
                return -EINVAL;
        errno = 0;
        n = strtoull(text, &end, 10);
        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                if (streq(end, units[i].name) && errno == 0 && n < 1000000000)
                        return *ret = n * units[i].usec, 0;
        return -EINVAL;
}

static int mark(const char *path) {
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);

        if (fd < 0)
                return error_origin(-errno);
        (void) fd_close(fd);
        return 0;
}

/* The watch stands before the file is looked for, so that it cannot come unseen. */
static int wait_file(ScriptWait *wait, sd_event *event) {
        _cleanup_free_ char *folder = strdup(wait->path);
        struct stat st;
        int r;

        if (!folder)
                return error_origin(-ENOMEM);
        if (stat(wait->path, &st) == 0 && S_ISFIFO(st.st_mode)) {
                /* For reading and writing, so that it neither blocks nor hangs up. */
                wait->fd = open(wait->path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
                if (wait->fd < 0)
                        return error_origin(-errno);
                r = sd_event_add_io(event, &wait->source, wait->fd, EPOLLIN, on_fifo, wait);
                return r < 0 ? error_origin(r) : 1;
        }
        r = sd_event_add_inotify(event, &wait->source, dirname(folder), IN_CREATE | IN_MOVED_TO | IN_ATTRIB,
                                 on_directory, wait);
        if (r < 0)
                return error_origin(r);
        return access(wait->path, F_OK) < 0;
}

static int wait_time(ScriptWait *wait, sd_event *event, const char *text) {
        uint64_t usec;
        int r;

        r = script_parse_usec(text, &usec);
        if (r < 0)
                return r;
        r = sd_event_add_time_relative(event, &wait->source, CLOCK_BOOTTIME, usec, 1, on_time, wait);
        return r < 0 ? error_origin(r) : 1;
}

/**
 * script_act() - carry out an action, if it is a common one
 * @ret:        what waits, if 1 is returned; end with script_wait_free(), also in or after the callback
 * @event:      loop
 * @directory:  what files are relative to
 * @action:     its words
 * @done:       called when it is over
 * @userdata:   for @done
 *
 * Return: as act.h says.
 */
int script_act(ScriptWait **ret, sd_event *event, const char *directory, char *const *action,
               ScriptWaitDone done, void *userdata) {
        _cleanup_(script_wait_freep) ScriptWait *wait = NULL;
        const char *argument = action[1];
        int r;

        if (streq(action[0], "die"))
                return kill(getpid(), SIGKILL) < 0 ? error_origin(-errno) : 0;
        if (!streq(action[0], "wait") && !streq(action[0], "delay") && !streq(action[0], "mark"))
                return -ENOENT;
        if (!argument || action[2])
                return -EINVAL;
        wait = calloc(1, sizeof(*wait));
        if (!wait)
                return error_origin(-ENOMEM);
        wait->fd = -EBADF;
        wait->done = done;
        wait->userdata = userdata;
        if (asprintf(&wait->path, "%s%s%s", argument[0] == '/' ? "" : directory,
                     argument[0] == '/' ? "" : "/", argument) < 0) {
                wait->path = NULL;
                return error_origin(-ENOMEM);
        }
        if (streq(action[0], "mark"))
                return mark(wait->path);
        r = streq(action[0], "delay") ? wait_time(wait, event, argument) : wait_file(wait, event);
        if (r > 0)
                *ret = TAKE_PTR(wait);
        return r;
}
