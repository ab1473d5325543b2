/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Progress on stderr; see progress.h. Each line is written whole and at once, so that it can be waited for.
 */

#include "ctl/progress.h"

#include <stdarg.h>
#include <sys/ioctl.h>
#include <time.h>

#include "ctl/ctl.h"
#include "util/utf8.h"

/**
 * now_usec() - CLOCK_BOOTTIME in µs
 *
 * Return: the time.
 */
uint64_t now_usec(void) {
        struct timespec now;

        (void) clock_gettime(CLOCK_BOOTTIME, &now);
        return (uint64_t) now.tv_sec * USEC_PER_SEC + (uint64_t) now.tv_nsec / NSEC_PER_USEC;
}

/**
 * progress_init() - begin
 * @progress:   it
 * @quiet:      show nothing
 */
void progress_init(Progress *progress, bool quiet) {
        *progress = (Progress){.quiet = quiet, .terminal = isatty(STDERR_FILENO)};
}

/* A line that is wider than the terminal could not be drawn over. */
static int terminal_room(void) {
        const int taken = (int) strlen("quiescectl:  ... ");
        struct winsize size;

        if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
                size.ws_col = 80;
        return size.ws_col > taken ? size.ws_col - taken : 0;
}

static void progress_draw(Progress *progress, const char *text) {
        if (progress->quiet || streq(text, progress->last))
                return;
        (void) snprintf(progress->last, sizeof(progress->last), "%s", text);
        if (progress->terminal)
                (void) fprintf(stderr, "\r\033[Kquiescectl: %.*s ...", terminal_room(), text);
        else
                (void) fprintf(stderr, "quiescectl: %s\n", text);
        (void) fflush(stderr);
        progress->drawn = progress->terminal;
}

/**
 * progress_step() - the next thing is being done
 * @progress:   it
 * @format:     what, in a few words
 */
void progress_step(Progress *progress, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        (void) vsnprintf(progress->step, sizeof(progress->step), format, arguments);
        va_end(arguments);
        utf8_clean(progress->step, SIZE_MAX);
        if (progress->n_steps < PROGRESS_STEPS_MAX) {
                ProgressStep *step = &progress->steps[progress->n_steps++];

                (void) snprintf(step->text, sizeof(step->text), "%.90s", progress->step);
                step->begin_usec = now_usec();
        }
        progress_draw(progress, progress->step);
}

/**
 * progress_part() - say what happens in the step that was begun last
 * @progress:   it
 * @part:       the part of a backup
 */
void progress_part(Progress *progress, ProgressPart part) {
        if (progress->n_steps > 0)
                progress->steps[progress->n_steps - 1].part = part;
}

/**
 * progress_phase() - quiesced says how far that thing is
 * @progress:   it
 * @phase:      quiesced's word for it; "" and "idle" say nothing
 *
 * On a terminal only: elsewhere each would be a line of its own.
 */
void progress_phase(Progress *progress, const char *phase) {
        char text[sizeof(progress->last)];

        if (!progress->terminal || !*phase || streq(phase, "idle") || !*progress->step)
                return;
        (void) snprintf(text, sizeof(text), "%s: %.48s", progress->step, phase);
        progress_draw(progress, text);
}

/**
 * progress_clear() - take the line off the terminal
 * @progress:   it
 */
void progress_clear(Progress *progress) {
        if (progress->drawn)
                (void) fputs("\r\033[K", stderr);
        progress->drawn = false;
        progress->last[0] = '\0';
        (void) fflush(stderr);
}

/**
 * progress_say() - tell a result, unless quiet
 * @progress:   it
 * @format:     one line without its end
 */
void progress_say(Progress *progress, const char *format, ...) {
        char text[512];
        va_list arguments;

        progress_clear(progress);
        if (progress->quiet)
                return;
        va_start(arguments, format);
        (void) vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        say("%s", text);
}
