/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl freeze: its command line; see freeze.h.
 *
 * The first "--" divides it, as run's: what stands before is ours, what follows is the command's.
 */

#include "ctl/command.h"
#include "ctl/format.h"
#include "ctl/freeze.h"

static const char usage[] = "\nUsage:\n"
                            " quiescectl freeze [options] PATH|VOLUME... -- COMMAND [argument...]\n"
                            " quiescectl freeze --detach [options] PATH|VOLUME...\n"
                            "\n"
                            "Freeze writers and file systems, and let COMMAND take a snapshot elsewhere.\n"
                            "\n"
                            "Options:\n"
                            " -d, --detach                print an id and stay frozen until \"thaw ID\"\n"
                            " -f, --foreground            likewise, but stay in the foreground\n"
                            " -L, --limit TIME            thaw after this time (default: quiesced's, 10s)\n"
                            " -a, --all                   all file systems that lie on a block device\n"
                            " -A, --applications-only     the caller holds the file systems still itself\n"
                            " -x, --one-file-system       leave out what is mounted below a PATH\n"
                            " -s, --success-status LIST   exit statuses that mean success (default: 0)\n"
                            " -I, --id TEXT               what the snapshot is called elsewhere\n"
                            " -O, --id-output             that is the last line of COMMAND's output\n"
                            " -c, --complete              success means that the data is safe, too\n"
                            " -i, --ignore-writer NAME    go on if this writer fails; may be repeated\n"
                            " -t, --type full|copy        kind of backup (default: copy)\n"
                            " -w, --wait                  wait while another snapshot set is being made\n"
                            " -q, --quiet                 tell nothing but errors\n"
                            " -h, --help                  display this help\n"
                            " -V, --version               display version\n"
                            "\n"
                            "For more details see quiescectl(1).\n";

static const struct option long_options[] = {
        {"detach", no_argument, NULL, 'd'},
        {"foreground", no_argument, NULL, 'f'},
        {"limit", required_argument, NULL, 'L'},
        {"all", no_argument, NULL, 'a'},
        {"applications-only", no_argument, NULL, 'A'},
        {"one-file-system", no_argument, NULL, 'x'},
        {"success-status", required_argument, NULL, 's'},
        {"id", required_argument, NULL, 'I'},
        {"id-output", no_argument, NULL, 'O'},
        {"complete", no_argument, NULL, 'c'},
        {"ignore-writer", required_argument, NULL, 'i'},
        {"type", required_argument, NULL, 't'},
        {"wait", no_argument, NULL, 'w'},
        OPTIONS_QUIET,
        OPTIONS_ALWAYS,
        {},
};

static int take_success(FreezeOptions *options, const char *text) {
        int *success, r;

        r = parse_statuses(text, &success, &options->n_success);
        if (r == -EINVAL)
                return usage_error("freeze", "--success-status: %s is no list of exit statuses such as 0,1",
                                   text);
        if (r < 0)
                return error_trace(r);
        free(options->success);
        options->success = success;
        return 0;
}

static int take_limit(FreezeOptions *options, const char *text) {
        return parse_duration(text, &options->limit_usec) == 0 && options->limit_usec > 0
                       ? 0
                       : usage_error("freeze", "--limit: %s is no time such as 20s", text);
}

static int take_all(FreezeOptions *options) {
        options->begin.plan.lenient = true;
        return options_append_path(&options->begin.plan.paths, &options->begin.plan.n_paths, "/");
}

/* Return: 0, another positive number or a negative errno: wrong. */
static int take_option(FreezeOptions *options, int c) {
        BackupOptions *backup = &options->begin.backup;

        switch (c) {
        case 'd':
                options->detach = true;
                return 0;
        case 'f':
                options->begin.foreground = true;
                return 0;
        case 'L':
                return take_limit(options, optarg);
        case 'a':
                return take_all(options);
        case 'A':
                backup->applications_only = true;
                return 0;
        case 'x':
                options->begin.plan.one_file_system = true;
                return 0;
        case 's':
                return take_success(options, optarg);
        case 'I':
                options->id = optarg;
                return 0;
        case 'O':
                options->id_output = true;
                return 0;
        case 'c':
                options->complete = true;
                return 0;
        case 'i':
                return options_append(&options->begin.ignore, &options->begin.n_ignore, strdup(optarg));
        case 't':
                backup->type = optarg;
                return streq(optarg, "full") || streq(optarg, "copy")
                               ? 0
                               : usage_error("freeze", "--type: %s is neither full nor copy", optarg);
        case 'w':
                backup->wait = true;
                return 0;
        default:
                return usage_hint("freeze");
        }
}

static int check(const FreezeOptions *options) {
        bool resident = options->detach || options->begin.foreground;

        if (options->begin.plan.n_paths + options->begin.n_names == 0)
                return usage_error("freeze", "no PATH given");
        if (!resident && !options->command)
                return usage_error("freeze", "no command given: it stands after --, or --detach is said");
        if (resident && options->command)
                return usage_error("freeze", "--detach has no command: it is thawed with quiescectl thaw");
        if (options->id_output && !options->command)
                return usage_error("freeze", "--id-output is of a command");
        return 0;
}

/* Return: 0, OPTIONS_E_… or a negative errno. */
static int parse(FreezeOptions *options, int border, char **argv) {
        BeginOptions *begin = &options->begin;
        Options common = {};
        int c, r;

        r = take_success(options, "0");
        while (r == 0 && (c = getopt_long(border, argv, "dfL:aAxs:I:Oci:t:wqhV", long_options, NULL)) >= 0) {
                r = options_take(&common, c, usage);
                if (r == OPTIONS_E_DONE)
                        return r;
                r = r == OPTIONS_E_UNKNOWN ? take_option(options, c) : 0;
        }
        for (int i = optind; r == 0 && i < border; i++)
                r = begin_take_operand(begin, argv[i]);
        if (r == 0)
                r = check(options);
        begin->plan.no_view = true;
        begin->backup.quiet = common.quiet;
        begin->backup.elsewhere = true;
        begin->backup.provider = "external";
        begin->backup.ignore_writers = (const char *const *) begin->ignore;
        return r > 0 ? OPTIONS_E_UNKNOWN : r;
}

/**
 * verb_freeze() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: the exit status, or a negative errno.
 */
int verb_freeze(int argc, char **argv) {
        FreezeOptions options = {.begin.backup.type = "copy"};
        int border = 1, r;

        options.begin.freeze = &options;
        (void) sigprocmask(SIG_SETMASK, NULL, &options.signal_mask);
        while (border < argc && !streq(argv[border], "--"))
                border++;
        options.command = border + 1 < argc ? argv + border + 1 : NULL;
        r = parse(&options, border, argv);
        if (r != 0)
                r = r == OPTIONS_E_DONE ? EXIT_SUCCESS : EXIT_OURS;
        else if (options.command)
                r = freeze_command(&options);
        else
                r = options.begin.foreground ? resident_run(&options.begin)
                                             : begin_in_background("freeze", &options.begin, argv, optind);
        begin_options_done(&options.begin);
        free(options.success);
        return r;
}
