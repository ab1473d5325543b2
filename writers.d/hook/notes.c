/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Notes of what is owed to the application, and the process that reads them when we have died.
 *
 * $RUNTIME_DIRECTORY/frozen has a line "SESSION tab ARGUMENT tab SCRIPT" for each script to be run, in the
 * order of freeze. It is written before a freeze is run and after a thaw has ended, so a thaw may be
 * repeated but never be missing. It is in /run, which nobody freezes. PID 1 runs "quiesced-hook --thaw"
 * after each end of the unit (ExecStopPost=), when all of ours is dead, and removes the directory
 * afterwards.
 */

#include "writers.d/hook/notes.h"

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <systemd/sd-event.h>

#include "util/error.h"
#include "util/texts.h"
#include "writers.d/hook/environment.h"
#include "writers.d/hook/processes.h"
#include "writers.d/hook/script.h"

#define RESCUE_LIMIT     (25 * USEC_PER_SEC) /* of the 30 s that PID 1 waits, see unit-properties.c */
#define RESCUE_LIMIT_MIN (1 * USEC_PER_SEC)

typedef struct Rescue {
        sd_event *event;
        char *text;
        char **lines; /* into text */
        size_t n_lines;
        bool failed;
} Rescue;

static bool notes_path(char *buffer, size_t size, const char *suffix) {
        const char *directory = getenv("RUNTIME_DIRECTORY");

        return directory && snprintf(buffer, size, "%s/frozen%s", directory, suffix) < (int) size;
}

/* Replaces the file; no text: removes it. */
static int write_text(const char *text, size_t n) {
        _cleanup_close_ int fd = -EBADF;
        char path[PATH_MAX], draft[PATH_MAX];

        if (!notes_path(path, sizeof(path), "") || !notes_path(draft, sizeof(draft), ".new"))
                return 0;
        if (n == 0)
                return unlink(path) < 0 && errno != ENOENT ? error_origin(-errno) : 0;
        fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return error_origin(-errno);
        for (size_t at = 0; at < n;) {
                ssize_t k = write(fd, text + at, n - at);

                if (k < 0 && errno != EINTR)
                        return error_origin(-errno);
                at += k > 0 ? (size_t) k : 0;
        }
        return rename(draft, path) < 0 ? error_origin(-errno) : 0;
}

/**
 * notes_write() - note what is owed now
 * @sessions: all backups
 *
 * Without $RUNTIME_DIRECTORY nothing is noted.
 *
 * Return: 0 or a negative errno: the notes are as they were.
 */
int notes_write(const Session *sessions) {
        _cleanup_free_ char *text = NULL;
        size_t n = 0;
        FILE *f;

        f = open_memstream(&text, &n);
        if (!f)
                return error_origin(-errno);
        for (const Session *s = sessions; s; s = s->next)
                for (size_t i = 0; i < s->parts.n_items; i++)
                        if (session_owes(s, &s->parts.items[i]))
                                (void) fprintf(f, "%s\t%s\t%s\n", s->id, session_undo_argument(s, true),
                                               s->parts.items[i].thaw_path);
        if (fclose(f) != 0)
                return error_origin(-ENOMEM);
        return error_trace(write_text(text, n));
}

static int rescue_read(Rescue *rescue) {
        _cleanup_fclose_ FILE *f = NULL;
        char path[PATH_MAX];
        size_t size = 0;
        ssize_t n;

        if (!notes_path(path, sizeof(path), ""))
                return 0;
        f = fopen(path, "re");
        if (!f)
                return errno == ENOENT ? 0 : error_origin(-errno);
        n = getdelim(&rescue->text, &size, 0, f);
        if (n < 0)
                return ferror(f) ? error_origin(-errno) : 0;
        for (char *line = strtok(rescue->text, "\n"); line; line = strtok(NULL, "\n")) {
                char **grown = reallocarray(rescue->lines, rescue->n_lines + 1, sizeof(*grown));

                if (!grown)
                        return error_origin(-ENOMEM);
                rescue->lines = grown;
                rescue->lines[rescue->n_lines++] = line;
        }
        return 0;
}

static void on_rescued(const ScriptResult *result, void *userdata) {
        Rescue *rescue = userdata;

        (void) fputs(result->errors, stderr);
        if (result->exit_status != 0)
                rescue->failed = true;
        (void) sd_event_exit(rescue->event, 0);
}

/* What was written by notes_write(): session, argument, script. */
static int rescue_one(Rescue *rescue, char *line, uint64_t limit) {
        char *session = strsep(&line, "\t"), *argument = strsep(&line, "\t");
        const char *arguments[] = {line, argument, NULL};
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        char **environment = NULL;
        Script *script;
        int r;

        if (!line || line[0] != '/')
                return error_origin(-EBADMSG);
        r = sd_event_new(&event);
        if (r < 0)
                return error_trace(r);
        rescue->event = event;
        r = environment_new_rescue(&environment, session, argument);
        if (!r)
                r = script_run(&script, event, arguments, (const char *const *) environment, limit,
                               on_rescued, rescue);
        if (!r)
                r = sd_event_loop(event);
        texts_free(environment);
        return error_trace(r);
}

static int rescue_all(Rescue *rescue) {
        uint64_t now, end = 0;
        int r, first = 0;

        for (size_t left = rescue->n_lines; left > 0; left--) {
                struct timespec ts;
                uint64_t share;

                (void) clock_gettime(CLOCK_BOOTTIME, &ts);
                now = (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / NSEC_PER_USEC;
                end = end ? end : now + RESCUE_LIMIT;
                share = now < end ? (end - now) / left : 0;
                r = rescue_one(rescue, rescue->lines[left - 1],
                               share > RESCUE_LIMIT_MIN ? share : RESCUE_LIMIT_MIN);
                if (r < 0 && !first)
                        first = r;
        }
        r = write_text("", 0);
        return error_trace(first ? first : r);
}

/**
 * notes_rescue() - undo what a process that has died left frozen
 *
 * SIGCHLD must be blocked. Each script gets its share of the time that is left, so that none keeps another
 * from being run.
 *
 * Return: 0; -EREMOTEIO: a script failed; another negative errno: not all could be run.
 */
int notes_rescue(void) {
        Rescue rescue = {};
        int r;

        r = rescue_read(&rescue);
        if (!r)
                r = rescue_all(&rescue);
        free(rescue.lines);
        free(rescue.text);
        return error_trace(r < 0 ? r : rescue.failed ? -EREMOTEIO : 0);
}
