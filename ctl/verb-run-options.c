/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The command line of quiescectl run; see verb-run.h.
 *
 * The first "--" divides it: what stands before is ours, what follows is the command's and never looked at.
 */

#include <limits.h>
#include <sys/stat.h>

#include "ctl/format.h"
#include "ctl/verb-run.h"

static const char usage[] =
        "\nUsage:\n"
        " quiescectl run [options] PATH... -- COMMAND [argument...]\n"
        " quiescectl run --dry-run [options] PATH...\n"
        "\n"
        "Snapshot the volumes of PATHs and run COMMAND, which sees them in their places.\n"
        "\n"
        "Options:\n"
        " -x, --one-file-system       leave out what is mounted below a PATH\n"
        " -l, --live PATH             keep PATH live and writable; may be repeated\n"
        " -m, --mount DIR             show the snapshots below DIR instead\n"
        " -s, --success-status LIST   exit statuses that mean success (default: 0)\n"
        " -i, --ignore-writer NAME    go on if this writer fails; may be repeated\n"
        " -t, --type full|copy        kind of backup (default: copy)\n"
        " -c, --cow-size SIZE         store of each thick snapshot (default: quiesced's)\n"
        " -S, --store-on DEVICE       make these on this device; may be repeated\n"
        " -P, --provider NAME         provider of all snapshots (default: what fits)\n"
        " -w, --wait                  wait while another snapshot set is being made\n"
        "     --dry-run               tell what would be frozen, freeze nothing\n"
        " -J, --json                  with --dry-run: use JSON output format\n"
        " -T, --timeline              tell at the end what took how long\n"
        " -q, --quiet                 tell nothing but errors\n"
        " -h, --help                  display this help\n"
        " -V, --version               display version\n"
        "\n"
        "For more details see quiescectl(1).\n";

enum {
        OPTION_DRY_RUN = OPTION_VERB,
};

static const struct option long_options[] = {
        {"one-file-system", no_argument, NULL, 'x'},
        {"live", required_argument, NULL, 'l'},
        {"mount", required_argument, NULL, 'm'},
        {"success-status", required_argument, NULL, 's'},
        {"ignore-writer", required_argument, NULL, 'i'},
        {"type", required_argument, NULL, 't'},
        {"cow-size", required_argument, NULL, 'c'},
        {"store-on", required_argument, NULL, 'S'},
        {"provider", required_argument, NULL, 'P'},
        {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
        {"json", no_argument, NULL, OPTION_JSON},
        {"timeline", no_argument, NULL, 'T'},
        {"wait", no_argument, NULL, 'w'},
        OPTIONS_HOST,
        OPTIONS_QUIET,
        OPTIONS_ALWAYS,
        {},
};

static int wrong(const char *format, const char *what) {
        (void) usage_error("run", format, what);
        return RUN_OPTIONS_E_WRONG;
}

static int append_path(char ***strings, size_t *n_strings, const char *path) {
        int r = options_append_path(strings, n_strings, path);

        return r == CTL_E_SAID ? RUN_OPTIONS_E_WRONG : r;
}

static int take_success(RunOptions *options, const char *text) {
        int *success, r;

        r = parse_statuses(text, &success, &options->n_success);
        if (r == -EINVAL)
                return wrong("--success-status: %s is no list of exit statuses such as 0,1", text);
        if (r < 0)
                return error_trace(r);
        free(options->success);
        options->success = success;
        return 0;
}

static int take_directory(RunOptions *options, const char *path) {
        struct stat st;

        free(options->directory);
        options->directory = realpath(path, NULL);
        if (!options->directory || stat(options->directory, &st) < 0) {
                say("--mount: %s: %s", path, strerror(errno));
                return RUN_OPTIONS_E_WRONG;
        }
        return S_ISDIR(st.st_mode) ? 0 : wrong("--mount: %s is no directory", path);
}

static int take_option(RunOptions *options, int c) {
        switch (c) {
        case 'x':
                options->plan.one_file_system = true;
                return 0;
        case 'l':
                return append_path(&options->plan.live, &options->plan.n_live, optarg);
        case 'm':
                return take_directory(options, optarg);
        case 's':
                return take_success(options, optarg);
        case 'i':
                return options_append(&options->ignore, &options->n_ignore, strdup(optarg));
        case 't':
                options->backup.type = optarg;
                return streq(optarg, "full") || streq(optarg, "copy")
                               ? 0
                               : wrong("--type: %s is neither full nor copy", optarg);
        case 'c':
                return parse_size(optarg, &options->backup.cow_size) == 0
                               ? 0
                               : wrong("--cow-size: %s is no size such as 512M", optarg);
        case 'S':
                return options_append(&options->store_on, &options->n_store_on, strdup(optarg));
        case 'P':
                options->backup.provider = optarg;
                return 0;
        case OPTION_DRY_RUN:
                options->dry = true;
                return 0;
        case 'T':
                options->timeline = true;
                return 0;
        case 'w':
                options->backup.wait = true;
                return 0;
        default:
                return RUN_OPTIONS_E_WRONG;
        }
}

static int take_options(RunOptions *options, int argc, char **argv) {
        Options common = {};
        int c, r;

        while ((c = getopt_long(argc, argv, "xl:m:s:i:t:c:P:TwH:JqhV", long_options, NULL)) >= 0) {
                r = options_take(&common, c, usage);
                if (r == OPTIONS_E_DONE)
                        return RUN_OPTIONS_E_DONE;
                if (r == OPTIONS_E_UNKNOWN && c == '?') {
                        (void) usage_hint("run");
                        return RUN_OPTIONS_E_WRONG;
                }
                if (r == OPTIONS_E_UNKNOWN)
                        r = take_option(options, c);
                if (r != 0)
                        return r;
        }
        if (options_refuse_host(&common, "run", "PATH... -- COMMAND...") != 0)
                return RUN_OPTIONS_E_WRONG;
        if (common.json && !options->dry)
                return wrong("%s is for --dry-run: else the output is the command's", "--json");
        options->json = common.json;
        options->backup.quiet = common.quiet;
        options->backup.elsewhere = options->directory;
        return 0;
}

static int take_paths(RunOptions *options, int argc, char **argv) {
        int r = 0;

        if (optind >= argc)
                return wrong("no PATH given%s", "");
        for (int i = optind; r == 0 && i < argc; i++)
                r = append_path(&options->plan.paths, &options->plan.n_paths, argv[i]);
        return r;
}

/**
 * run_options_parse() - read the command line
 * @options:    filled; run_options_done() it in any case
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: 0, RUN_OPTIONS_E_…, or a negative errno.
 */
int run_options_parse(RunOptions *options, int argc, char **argv) {
        int border = 1, r;

        options->backup.type = "copy";
        (void) sigprocmask(SIG_SETMASK, NULL, &options->signal_mask);
        while (border < argc && !streq(argv[border], "--"))
                border++;
        r = take_success(options, "0");
        if (r == 0)
                r = take_options(options, border, argv);
        if (r != 0)
                return r;
        if (border + 1 >= argc && !options->dry)
                return wrong("no command given: it stands after %s", "--");
        options->command = border + 1 < argc ? argv + border + 1 : NULL;
        options->backup.store_on = (const char *const *) options->store_on;
        options->backup.ignore_writers = (const char *const *) options->ignore;
        return take_paths(options, border, argv);
}

/**
 * run_options_done() - free what the options hold
 * @options:    they
 */
void run_options_done(RunOptions *options) {
        quiesce_strv_free(options->plan.paths);
        quiesce_strv_free(options->plan.live);
        quiesce_strv_free(options->ignore);
        quiesce_strv_free(options->store_on);
        free(options->directory);
        free(options->success);
}
