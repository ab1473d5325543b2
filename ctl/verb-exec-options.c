/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The command line of quiescectl exec; see exec.h. As run's, the first "--" divides it.
 */

#include <limits.h>
#include <sys/stat.h>

#include "ctl/exec.h"

static const char usage[] =
        "\nUsage:\n"
        " quiescectl exec [options] ID... -- COMMAND [argument...]\n"
        "\n"
        "Run COMMAND, which sees the snapshots of a set where their volumes are mounted.\n"
        "The set's name does for its ID.\n"
        "\n"
        "Options:\n"
        " -a, --at VOLUME=DIR  show the snapshot of VOLUME at DIR; may be repeated\n"
        " -l, --live PATH      keep PATH live and writable; may be repeated\n"
        " -q, --quiet          tell nothing but errors\n"
        " -h, --help           display this help\n"
        " -V, --version        display version\n"
        "\n"
        "For more details see quiescectl(1).\n";

static const struct option long_options[] = {
        {"at", required_argument, NULL, 'a'},
        {"live", required_argument, NULL, 'l'},
        OPTIONS_HOST,
        OPTIONS_QUIET,
        OPTIONS_ALWAYS,
        {},
};

static int wrong(const char *format, const char *what) {
        (void) usage_error("exec", format, what);
        return EXEC_OPTIONS_E_WRONG;
}

/* VOLUME=DIR. Text is main()'s, and cut in two. */
static int take_place(ExecOptions *options, char *text) {
        char *directory = strchr(text, '=');
        ExecPlace *more;
        struct stat st;

        if (!directory || directory == text || !directory[1])
                return wrong("--at: %s is not VOLUME=DIR", text);
        *directory++ = '\0';
        more = reallocarray(options->places, options->n_places + 1, sizeof(*more));
        if (!more)
                return error_origin(-ENOMEM);
        options->places = more;
        more[options->n_places] = (ExecPlace){.of = text, .path = realpath(directory, NULL)};
        if (!more[options->n_places].path || stat(more[options->n_places].path, &st) < 0) {
                say("--at: %s: %s", directory, strerror(errno));
                free(more[options->n_places].path);
                return EXEC_OPTIONS_E_WRONG;
        }
        options->n_places++;
        return S_ISDIR(st.st_mode) ? 0 : wrong("--at: %s is no directory", directory);
}

static int take_live(ExecOptions *options, const char *path) {
        int r = options_append_path(&options->plan.live, &options->plan.n_live, path);

        return r == CTL_E_SAID ? EXEC_OPTIONS_E_WRONG : r;
}

static int take_options(ExecOptions *options, int argc, char **argv) {
        Options common = {};
        int c, r;

        while ((c = getopt_long(argc, argv, "a:l:H:qhV", long_options, NULL)) >= 0) {
                r = options_take(&common, c, usage);
                if (r == OPTIONS_E_DONE)
                        return EXEC_OPTIONS_E_DONE;
                if (r == OPTIONS_E_UNKNOWN && c == 'a')
                        r = take_place(options, optarg);
                else if (r == OPTIONS_E_UNKNOWN && c == 'l')
                        r = take_live(options, optarg);
                else if (r == OPTIONS_E_UNKNOWN) {
                        (void) usage_hint("exec");
                        r = EXEC_OPTIONS_E_WRONG;
                }
                if (r != 0)
                        return r;
        }
        if (options_refuse_host(&common, "exec", "ID... -- COMMAND...") != 0)
                return EXEC_OPTIONS_E_WRONG;
        options->backup.quiet = common.quiet;
        return 0;
}

/**
 * exec_options_parse() - read the command line
 * @options:    filled; exec_options_done() it in any case
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: 0, EXEC_OPTIONS_E_…, or a negative errno.
 */
int exec_options_parse(ExecOptions *options, int argc, char **argv) {
        int border = 1, r;

        (void) sigprocmask(SIG_SETMASK, NULL, &options->signal_mask);
        while (border < argc && !streq(argv[border], "--"))
                border++;
        r = take_options(options, border, argv);
        if (r != 0)
                return r;
        if (border + 1 >= argc)
                return wrong("no command given: it stands after %s", "--");
        if (optind >= border)
                return wrong("no ID given%s", "");
        options->command = argv + border + 1;
        options->ids = argv + optind;
        options->n_ids = (size_t) (border - optind);
        return 0;
}

/**
 * exec_options_done() - free what the options hold
 * @options:    they
 */
void exec_options_done(ExecOptions *options) {
        for (size_t i = 0; i < options->n_places; i++)
                free(options->places[i].path);
        free(options->places);
        quiesce_strv_free(options->plan.live);
}
