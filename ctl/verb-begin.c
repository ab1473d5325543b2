/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl begin: a snapshot set for callers that are two processes, a "before" and an "after" hook.
 *
 * This file reads the command line. The session is held by a resident requester (resident.h), which is this
 * program again with --foreground, in a unit of its own (begin-unit.c).
 */

#include <limits.h>
#include <sys/stat.h>

#include "ctl/format.h"
#include "ctl/resident.h"

static const char usage[] =
        "\nUsage:\n"
        " quiescectl begin [options] PATH|VOLUME...\n"
        "\n"
        "Make a snapshot set, print its session's id, and hold it until \"end ID\".\n"
        "\n"
        "Options:\n"
        " -x, --one-file-system       leave out what is mounted below a PATH\n"
        " -m, --mount DIR             mount the snapshots below DIR on the host\n"
        " -e, --ttl TIME              release it after this time (default: 24h)\n"
        " -f, --foreground            stay in the foreground instead of in a unit\n"
        " -n, --no-writers            freeze no applications, file systems only\n"
        " -i, --ignore-writer NAME    go on if this writer fails; may be repeated\n"
        " -t, --type full|copy        kind of backup (default: copy)\n"
        " -c, --cow-size SIZE         store of each thick snapshot (default: quiesced's)\n"
        " -S, --store-on DEVICE       make these on this device; may be repeated\n"
        " -P, --provider NAME         provider of all snapshots (default: what fits)\n"
        " -w, --wait                  wait while another snapshot set is being made\n"
        " -J, --json                  print session, set and snapshots as JSON\n"
        " -q, --quiet                 tell nothing but errors and what is left out\n"
        " -h, --help                  display this help\n"
        " -V, --version               display version\n"
        "\n"
        "For more details see quiescectl(1).\n";

static const struct option long_options[] = {
        {"one-file-system", no_argument, NULL, 'x'},
        {"mount", required_argument, NULL, 'm'},
        {"ttl", required_argument, NULL, 'e'},
        {"foreground", no_argument, NULL, 'f'},
        {"no-writers", no_argument, NULL, 'n'},
        {"ignore-writer", required_argument, NULL, 'i'},
        {"type", required_argument, NULL, 't'},
        {"cow-size", required_argument, NULL, 'c'},
        {"store-on", required_argument, NULL, 'S'},
        {"provider", required_argument, NULL, 'P'},
        {"wait", no_argument, NULL, 'w'},
        {"json", no_argument, NULL, OPTION_JSON},
        OPTIONS_QUIET,
        OPTIONS_ALWAYS,
        {},
};

static int take_directory(BeginOptions *options, const char *path) {
        struct stat st;

        free(options->directory);
        options->directory = realpath(path, NULL);
        if (!options->directory || stat(options->directory, &st) < 0)
                return usage_error("begin", "--mount: %s: %s", path, strerror(errno));
        return S_ISDIR(st.st_mode) ? 0 : usage_error("begin", "--mount: %s is no directory", path);
}

static int take_ttl(BeginOptions *options, const char *text) {
        return parse_duration(text, &options->ttl_usec) == 0 && options->ttl_usec > 0
                       ? 0
                       : usage_error("begin", "--ttl: %s is no time such as 90s, 30m, 12h or 2d", text);
}

static int take_option(BeginOptions *options, int c) {
        switch (c) {
        case 'x':
                options->plan.one_file_system = true;
                return 0;
        case 'm':
                return take_directory(options, optarg);
        case 'e':
                return take_ttl(options, optarg);
        case 'f':
                options->foreground = true;
                return 0;
        case 'n':
                options->backup.without_writers = true;
                return 0;
        case 'i':
                return options_append(&options->ignore, &options->n_ignore, strdup(optarg));
        case 't':
                options->backup.type = optarg;
                return streq(optarg, "full") || streq(optarg, "copy")
                               ? 0
                               : usage_error("begin", "--type: %s is neither full nor copy", optarg);
        case 'c':
                return parse_size(optarg, &options->backup.cow_size) == 0
                               ? 0
                               : usage_error("begin", "--cow-size: %s is no size such as 512M", optarg);
        case 'S':
                return options_append(&options->store_on, &options->n_store_on, strdup(optarg));
        case 'P':
                options->backup.provider = optarg;
                return 0;
        case 'w':
                options->backup.wait = true;
                return 0;
        default:
                return usage_hint("begin");
        }
}

/**
 * begin_take_operand() - take a PATH or VOLUME
 * @options:    where it is noted
 * @operand:    a directory or file stands for the volumes seen there; a device, and what is no path here,
 * for itself
 *
 * Return: 0, CTL_E_SAID or a negative errno.
 */
int begin_take_operand(BeginOptions *options, const char *operand) {
        struct stat st;

        if (stat(operand, &st) < 0 && (operand[0] == '/' || operand[0] == '.')) {
                say("%s: %s", operand, strerror(errno));
                return CTL_E_SAID;
        }
        if (operand[0] == '-') {
                say("%s: no such path, and no volume has such a name", operand);
                return CTL_E_SAID;
        }
        if (stat(operand, &st) == 0 && !S_ISBLK(st.st_mode))
                return error_trace(
                        options_append_path(&options->plan.paths, &options->plan.n_paths, operand));
        if (options->directory) {
                say("%s is no path, and --mount can show only what is mounted: leave one of the two out",
                    operand);
                return CTL_E_SAID;
        }
        return error_trace(options_append(&options->names, &options->n_names, strdup(operand)));
}

/* Return: 0, OPTIONS_E_… or a negative errno. */
static int take_all(BeginOptions *options, int argc, char **argv) {
        Options common = {};
        int c, r;

        while ((c = getopt_long(argc, argv, "xm:e:fni:t:c:P:wJqhV", long_options, NULL)) >= 0) {
                r = options_take(&common, c, usage);
                if (r == OPTIONS_E_DONE)
                        return r;
                if (r == OPTIONS_E_UNKNOWN && (r = take_option(options, c)) != 0)
                        return r < 0 ? r : OPTIONS_E_UNKNOWN;
        }
        options->json = common.json;
        options->backup.quiet = common.quiet;
        options->backup.elsewhere = true;
        options->backup.store_on = (const char *const *) options->store_on;
        options->backup.ignore_writers = (const char *const *) options->ignore;
        if (options->backup.without_writers)
                options->backup.context = "file-share-backup";
        if (optind >= argc) {
                (void) usage_error("begin", "no PATH given");
                return OPTIONS_E_UNKNOWN;
        }
        for (int i = optind; i < argc; i++) {
                r = begin_take_operand(options, argv[i]);
                if (r != 0)
                        return r < 0 ? r : OPTIONS_E_UNKNOWN;
        }
        return 0;
}

/**
 * begin_in_background() - the same command line for the unit, which has another working directory
 * @verb:       the verb
 * @options:    what was read of it; the last --mount counts
 * @argv:       of the verb
 * @n_options:  how many of these are no operands
 *
 * Return: the exit status, or a negative errno.
 */
int begin_in_background(const char *verb, BeginOptions *options, char **argv, int n_options) {
        static char mount_option[] = "--mount";
        size_t n = 0, max = (size_t) n_options + options->plan.n_paths + options->n_names + 2;
        _cleanup_free_ char **arguments = calloc(max, sizeof(*arguments));

        if (!arguments)
                return error_origin(-ENOMEM);
        for (int i = 1; i < n_options; i++)
                if (i + 1 < n_options || !streq(argv[i], "--"))
                        arguments[n++] = argv[i];
        if (options->directory) {
                arguments[n++] = mount_option;
                arguments[n++] = options->directory;
        }
        for (size_t i = 0; i < options->plan.n_paths; i++)
                arguments[n++] = options->plan.paths[i];
        for (size_t i = 0; i < options->n_names; i++)
                arguments[n++] = options->names[i];
        return error_trace(begin_in_unit(verb, arguments, n));
}

/**
 * begin_options_done() - free what the options hold
 * @options:    they
 */
void begin_options_done(BeginOptions *options) {
        quiesce_strv_free(options->plan.paths);
        quiesce_strv_free(options->names);
        quiesce_strv_free(options->ignore);
        quiesce_strv_free(options->store_on);
        free(options->directory);
}

/**
 * verb_begin() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: the exit status, or a negative errno.
 */
int verb_begin(int argc, char **argv) {
        BeginOptions options = {.backup.type = "copy", .ttl_usec = RESIDENT_TTL_USEC};
        int r;

        r = take_all(&options, argc, argv);
        if (r == OPTIONS_E_DONE)
                r = EXIT_SUCCESS;
        else if (r > 0)
                r = EXIT_FAILURE;
        else if (r == 0)
                r = options.foreground ? resident_run(&options)
                                       : begin_in_background("begin", &options, argv, optind);
        begin_options_done(&options);
        return r;
}
