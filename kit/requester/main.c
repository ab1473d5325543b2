/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The test requester's command line; see requester.h and quiesce-test-requester(1). */

#include "requester.h"

#include <getopt.h>
#include <libgen.h>

#include "util/error.h"

static void help(void) {
        printf("quiesce-test-requester [OPTION]... [CALL=ACTION]... [VOLUME]...\n\n"
               "Makes the calls of a backup or restore session as a script says, and tells what came of each.\n"
               "Without a script: one whole backup of the volumes. A developer's tool: see\n"
               "quiesce-test-requester(1) and quiesce-test-script(5).\n\n"
               "  -s, --script=FILE    the steps; - is standard input\n"
               "  -c, --command=STEP   a step; may be given several times\n"
               "  -k, --keep-going     go on after a call that did not end as expected\n"
               "  -h, --help           this text\n"
               "  -V, --version        version\n\n"
               "CALL=ACTION is done before each such call, first:N:ACTION before the first N:\n"
               "  skip  repeat:N  wait:FILE  delay:TIME  mark:FILE  die\n\n"
               "Exit status: 0 all ended as expected, 1 something did not, 2 it could not be tried\n");
}

static int complain(const char *what, const char *why) {
        (void) fprintf(stderr, "quiesce-test-requester: %s: %s\n", what, why);
        return -EINVAL;
}

/* A step of the command line is a script of one line. */
static int add_step(Script *steps, const char *text) {
        _cleanup_(script_unrefp) Script *step = NULL;
        char why[SCRIPT_ERROR_MAX];

        if (script_parse(&step, text, strlen(text), why) < 0)
                return complain(text, why);
        for (size_t i = 0; i < step->n_lines; i++)
                if (script_add(steps, (const char *const *) step->lines[i].words, step->lines[i].n_words) <
                    0)
                        return complain(text, "out of memory");
        return 0;
}

static int add_words(Script *steps, const char *call, const char *argument) {
        const char *words[] = {call, argument};

        return script_add(steps, words, argument ? 2 : 1);
}

/* The built-in script. */
static int add_backup(Script *steps, char *const *volumes, size_t n_volumes) {
        static const char *const after[] = {"PrepareForBackup", "DoSnapshotSet", "BackupComplete",
                                            "Release"};
        int r;

        r = add_words(steps, "OpenBackup", NULL);
        if (r >= 0)
                r = add_words(steps, "GatherWriterMetadata", NULL);
        if (r >= 0)
                r = add_words(steps, "StartSnapshotSet", NULL);
        for (size_t i = 0; i < n_volumes && r >= 0; i++)
                r = add_words(steps, "AddToSnapshotSet", volumes[i]);
        for (size_t i = 0; i < ELEMENTSOF(after) && r >= 0; i++)
                r = add_words(steps, after[i], NULL);
        return r < 0 ? complain("steps", strerror(-r)) : 0;
}

static int add_rule(Script *rules, const char *text) {
        _cleanup_free_ char *call = strndup(text, strcspn(text, "="));
        char why[SCRIPT_ERROR_MAX];

        if (!call || !call_is_known(call))
                return complain(text, "no such call, and no volume");
        return script_add_short(rules, text, why) < 0 ? complain(text, why) : 0;
}

static bool is_rule(const char *word) {
        return word[0] != '/' && strchr(word, '=');
}

/* Rules and volumes, in any order. */
static int read_words(Requester *requester, char **words, bool has_steps) {
        size_t n_volumes = 0;

        for (size_t i = 0; words[i]; i++) {
                if (is_rule(words[i])) {
                        if (add_rule(requester->rules, words[i]) < 0)
                                return -EINVAL;
                } else
                        words[n_volumes++] = words[i];
        }
        if (has_steps)
                return n_volumes > 0 ? complain(words[0], "volumes belong into the script") : 0;
        return add_backup(requester->steps, words, n_volumes);
}

/* Return: 1 to go on, 0: that was all, -EINVAL. */
static int read_arguments(Requester *requester, int argc, char **argv, char **directory) {
        static const struct option options[] = {
                {"script", required_argument, NULL, 's'}, {"command", required_argument, NULL, 'c'},
                {"keep-going", no_argument, NULL, 'k'},   {"help", no_argument, NULL, 'h'},
                {"version", no_argument, NULL, 'V'},      {}};
        char why[SCRIPT_ERROR_MAX];
        bool has_steps = false;
        int c;

        while ((c = getopt_long(argc, argv, "s:c:khV", options, NULL)) >= 0)
                switch (c) {
                case 's':
                        if (has_steps)
                                return complain(optarg, "one script, before all commands");
                        has_steps = true;
                        requester->steps = script_unref(requester->steps);
                        if (script_read(&requester->steps, optarg, why) < 0)
                                return complain("script", why);
                        if (strchr(optarg, '/'))
                                *directory = dirname(optarg);
                        break;
                case 'c':
                        has_steps = true;
                        if (add_step(requester->steps, optarg) < 0)
                                return -EINVAL;
                        break;
                case 'k':
                        requester->keep_going = true;
                        break;
                case 'h':
                        help();
                        return 0;
                case 'V':
                        printf("quiesce-test-requester (" PACKAGE_NAME ") " PACKAGE_VERSION "\n");
                        return 0;
                default:
                        return -EINVAL;
                }
        return read_words(requester, argv + optind, has_steps) < 0 ? -EINVAL : 1;
}

int main(int argc, char **argv) {
        Requester requester = {};
        char why[SCRIPT_ERROR_MAX], *directory = (char *) ".";
        int r, status = 2;

        r = script_parse(&requester.steps, "", 0, why);
        if (r >= 0)
                r = script_parse(&requester.rules, "", 0, why);
        if (r >= 0)
                r = read_arguments(&requester, argc, argv, &directory);
        if (r > 0) {
                requester.directory = directory;
                r = sd_event_default(&requester.event);
                if (r >= 0)
                        r = sd_bus_open_system(&requester.bus);
                if (r >= 0)
                        r = sd_bus_attach_event(requester.bus, requester.event, 0);
                if (r < 0)
                        (void) complain("the system bus cannot be reached", strerror(-r));
                else
                        status = run(&requester);
        } else if (r == 0)
                status = 0;
        requester_clear(&requester);
        return status;
}
