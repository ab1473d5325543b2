/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl script: the verbs of Windows' diskshadow, from a file or standard input.
 */

#include "ctl/script-run.h"

static const char usage[] = "\nUsage:\n"
                            " quiescectl script [options] FILE|-\n"
                            "\n"
                            "Carry out a script of diskshadow's verbs; - reads standard input.\n"
                            "\n"
                            "Options:\n"
                            " -n, --dry-run  check the script, and do nothing of it\n"
                            " -w, --wait     wait while another snapshot set is being made\n"
                            " -q, --quiet    tell nothing but results and errors\n"
                            " -h, --help     display this help\n"
                            " -V, --version  display version\n"
                            "\n"
                            "For more details see quiesce-script(5) and quiescectl(1).\n";

static const struct option long_options[] = {
        {"dry-run", no_argument, NULL, 'n'},
        {"wait", no_argument, NULL, 'w'},
        OPTIONS_HOST,
        OPTIONS_QUIET,
        OPTIONS_ALWAYS,
        {},
};

/* Return: 0 or CTL_E_SAID. */
static int read_text(const char *file, char **ret, size_t *ret_size) {
        _cleanup_fclose_ FILE *f = streq(file, "-") ? fdopen(dup(STDIN_FILENO), "r") : fopen(file, "re");
        _cleanup_free_ char *text = malloc(PROGRAM_SIZE_MAX + 1);

        if (!f || !text) {
                say("%s: %s", file, strerror(errno));
                return CTL_E_SAID;
        }
        *ret_size = fread(text, 1, PROGRAM_SIZE_MAX + 1, f);
        if (ferror(f)) {
                say("%s: %s", file, strerror(errno));
                return CTL_E_SAID;
        }
        *ret = TAKE_PTR(text);
        return 0;
}

static const char *environment(const char *name) {
        return getenv(name);
}

/* Return: as said in script-run.h. */
static int read_program(ScriptRun *run, const char *file, Program **ret) {
        char error[PROGRAM_ERROR_MAX] = "";
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = read_text(file, &text, &size);
        if (r != 0)
                return r;
        run->file = streq(file, "-") ? "standard input" : file;
        r = program_parse(ret, text, size, environment, error);
        if (r == PROGRAM_E_INVALID) {
                say("%s:%s; nothing was done", run->file, error);
                return CTL_E_SAID;
        }
        if (r < 0)
                return error_trace(r);
        run->program = *ret;
        return program_check(*ret, run->file);
}

/**
 * verb_script() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: the exit status, or a negative errno.
 */
int verb_script(int argc, char **argv) {
        _cleanup_(program_freep) Program *program = NULL;
        Options options = {};
        ScriptRun run = {};
        bool dry = false;
        int c, r;

        while ((c = getopt_long(argc, argv, "nwH:qhV", long_options, NULL)) >= 0) {
                if (c == 'n')
                        dry = true;
                else if (c == 'w')
                        run.options.wait = true;
                else if ((r = options_take(&options, c, usage)) != 0)
                        return r == OPTIONS_E_DONE ? EXIT_SUCCESS : usage_hint("script");
        }
        if (options_refuse_host(&options, "script", "FILE") != 0)
                return EXIT_FAILURE;
        if (argc - optind != 1)
                return usage_error("script", "one FILE is needed, or - for standard input");
        run.options.scripted = true;
        run.options.quiet = options.quiet;
        (void) sigprocmask(SIG_SETMASK, NULL, &run.signal_mask);
        r = read_program(&run, argv[optind], &program);
        if (r != 0)
                return r == CTL_E_SAID ? EXIT_FAILURE : r;
        return dry ? EXIT_SUCCESS : script_run(&run);
}
