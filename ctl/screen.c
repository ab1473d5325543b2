/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Pager and colours; see screen.h.
 */

#include "ctl/screen.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

static pid_t pager;
static int terminal = -1; /* whether standard output was one before the pager took it; -1: not looked at */

static bool output_is_terminal(void) {
        if (terminal < 0)
                terminal = isatty(STDOUT_FILENO);
        return terminal;
}

/* Who has more rights than his user must not give them to a shell. */
static bool is_secure_mode(void) {
        return geteuid() != getuid() || getegid() != getgid();
}

/* Return: a command line, NULL: the usual ones; "": none is wanted. */
static const char *pager_command(void) {
        static const char *const names[] = {"QUIESCE_PAGER", "SYSTEMD_PAGER", "PAGER"};

        for (size_t i = 0; i < ELEMENTSOF(names) && !is_secure_mode(); i++) {
                const char *value = getenv(names[i]);

                if (value)
                        return streq(value, "cat") ? "" : value;
        }
        return NULL;
}

_Noreturn static void pager_run(const char *command, int input) {
        static const char *const usual[] = {"less", "more", "cat"};
        const char *less = getenv("SYSTEMD_LESS");

        (void) dup2(input, STDIN_FILENO);
        (void) signal(SIGPIPE, SIG_DFL);
        (void) setenv("LESS", less && !is_secure_mode() ? less : "FRSXMK", 1);
        if (is_secure_mode())
                (void) setenv("LESSSECURE", "1", 1);
        if (command)
                (void) execl("/bin/sh", "sh", "-c", command, NULL);
        for (size_t i = 0; i < ELEMENTSOF(usual); i++)
                (void) execlp(usual[i], usual[i], NULL);
        _exit(127);
}

/**
 * screen_open() - what is printed from now on goes through a pager, on a terminal
 * @options:    not with json, nor with no_pager
 *
 * Without one it goes to standard output as it is.
 */
void screen_open(const Options *options) {
        const char *command = pager_command(), *type = getenv("TERM");
        int fds[2];

        if (!output_is_terminal() || options->json || options->no_pager || pager != 0 ||
            (command && !*command) || !type || streq(type, "dumb") || pipe2(fds, O_CLOEXEC) < 0)
                return;
        (void) fflush(stdout);
        pager = fork();
        if (pager == 0)
                pager_run(command, fds[0]);
        if (pager > 0)
                (void) dup2(fds[1], STDOUT_FILENO);
        else
                pager = 0;
        fd_close(fds[0]);
        fd_close(fds[1]);
}

/**
 * screen_close() - wait until the user has read it
 *
 * Return: whether there was a pager, whose user may have read less than was printed.
 */
bool screen_close(void) {
        if (pager == 0)
                return false;
        (void) fclose(stdout);
        while (waitpid(pager, NULL, 0) < 0 && errno == EINTR)
                ;
        pager = 0;
        return true;
}

static int boolean_of(const char *name) {
        const char *value = getenv(name);

        if (!value || !*value)
                return -1;
        return !streq(value, "0") && !streq(value, "no") && !streq(value, "false") && !streq(value, "off");
}

/**
 * screen_has_colors() - whether colours are wanted
 *
 * Return: true if so.
 */
bool screen_has_colors(void) {
        const char *none = getenv("NO_COLOR"), *type = getenv("TERM");
        int wanted = boolean_of("QUIESCE_COLORS");

        if (wanted < 0)
                wanted = boolean_of("SYSTEMD_COLORS");
        if (wanted >= 0)
                return wanted;
        return output_is_terminal() && !(none && *none) && type && !streq(type, "dumb");
}

/**
 * screen_color() - what begins a colour, or ends it (normal)
 * @color:      which
 *
 * Return: an escape sequence, or "".
 */
const char *screen_color(ScreenColor color) {
        static const char *const sequences[_SCREEN_COLOR_MAX] = {
                [SCREEN_NORMAL] = "\033[0m", [SCREEN_GOOD] = "\033[32m", [SCREEN_EYE] = "\033[33m",
                [SCREEN_BAD] = "\033[31m",   [SCREEN_TITLE] = "\033[1m",
        };

        return screen_has_colors() ? sequences[color] : "";
}

/**
 * screen_color_name() - the same for libsmartcols
 * @color:      which
 *
 * Return: the name; NULL: none.
 */
const char *screen_color_name(ScreenColor color) {
        static const char *const names[_SCREEN_COLOR_MAX] = {
                [SCREEN_GOOD] = "green",
                [SCREEN_EYE] = "brown", /* which is yellow on today's terminals */
                [SCREEN_BAD] = "red",
                [SCREEN_TITLE] = "bold",
        };

        return names[color];
}

/**
 * screen_color_of() - how good a word is
 * @word:       a state, an outcome, a consistency
 *
 * Return: its colour; what is not known is normal.
 */
ScreenColor screen_color_of(const char *word) {
        static const struct {
                const char *word;
                ScreenColor color;
        } words[] = {
                {"created", SCREEN_GOOD}, {"completed", SCREEN_GOOD}, {"application", SCREEN_GOOD},
                {"stable", SCREEN_GOOD},  {"ok", SCREEN_GOOD},        {"preparing", SCREEN_EYE},
                {"creating", SCREEN_EYE}, {"deleting", SCREEN_EYE},   {"file-system", SCREEN_EYE},
                {"crash", SCREEN_EYE},    {"warning", SCREEN_EYE},    {"not-completed", SCREEN_EYE},
                {"invalid", SCREEN_BAD},  {"failed", SCREEN_BAD},     {"aborted", SCREEN_BAD},
                {"lost", SCREEN_BAD},     {"none", SCREEN_BAD},       {"problem", SCREEN_BAD},
        };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (streq(words[i].word, word))
                        return words[i].color;
        if (strncmp(word, "waiting-for-", 12) == 0)
                return SCREEN_EYE;
        return strncmp(word, "failed-at-", 10) == 0 ? SCREEN_BAD : SCREEN_NORMAL;
}
