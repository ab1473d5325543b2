/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl: the command line to quiesced. This file knows the verbs; each is a file of its own.
 */

#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>

#include "ctl/ctl.h"
#include "ctl/screen.h"

static const Verb verbs[] = {
        {"run", verb_run, "PATH... -- COMMAND...", "run a backup command on snapshots of PATHs"},
        {"begin", verb_begin, "PATH...", "make a snapshot set for a later complete, abort and end"},
        {"complete", verb_end, "ID", "tell the writers that a begun backup is complete"},
        {"abort", verb_end, "ID", "give a begun backup up"},
        {"end", verb_end, "ID", "release a begun backup, its snapshots go"},
        {"freeze", verb_freeze, "PATH... -- COMMAND...", "freeze while a command snapshots elsewhere"},
        {"thaw", verb_thaw, "[ID]", "thaw what freeze --detach left frozen"},
        {"create", verb_create, "PATH...", "make a snapshot set that stays"},
        {"list", verb_list, "[snapshots|sets|writers|providers|sessions|volumes]", "list what there is"},
        {"show", verb_show, "ID...", "show a snapshot, set or session"},
        {"plot", verb_plot, "ID", "draw what happened when in a set, as SVG"},
        {"describe", verb_describe, "ID", "name a set, note, label or lock it"},
        {"restore", verb_restore, "ID [PATH...]", "bring files back from a set's snapshots"},
        {"revert", verb_revert, "ID", "make volumes what a set's snapshots are"},
        {"export", verb_export, "ID", "print a set's backup document"},
        {"break", verb_break, "ID", "make a set's snapshots ordinary volumes"},
        {"delete", verb_delete, "ID...", "delete snapshots or sets"},
        {"prune", verb_prune, "", "delete what rules and limits have go"},
        {"storage", verb_storage, "", "show what space snapshots take up"},
        {"release", verb_release, "ID...", "end sessions, whoever owns them"},
        {"exec", verb_exec, "ID... -- COMMAND...", "run a command that sees a set's snapshots in place"},
        {"mount", verb_mount, "ID DIR", "mount a snapshot"},
        {"umount", verb_umount, "ID|DIR...", "unmount a snapshot"},
        {"previous-versions", verb_previous_versions, "PATH|VOLUME DIR",
         "show a volume's snapshots in a directory"},
        {"explain", verb_explain, "[WORD...]", "explain errors, causes and states"},
        {"monitor", verb_monitor, "", "follow what happens, live"},
        {"log-level", verb_log_level, "[MODULE] [LEVEL]", "show or set what quiesced logs"},
        {"doctor", verb_doctor, "", "look for what is wrong on this machine"},
        {"script", verb_script, "FILE", "carry out a script of diskshadow's verbs"},
};

static void print_help(void) {
        printf("\nUsage:\n"
               " quiescectl VERB [options] [argument...]\n"
               "\n"
               "Take application-consistent snapshot sets and back up from them.\n"
               "\n"
               "Verbs:\n");
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                printf(" %-17s %s\n", verbs[i].name, verbs[i].summary);
        printf("\n"
               "Options:\n"
               " -h, --help     display this help; after a verb, the verb's\n"
               " -V, --version  display version\n"
               "\n"
               "For more details see quiescectl(1).\n");
}

static const Verb *verb_find(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (streq(name, verbs[i].name))
                        return &verbs[i];
        return NULL;
}

/* What was printed has to have come where it was to go. A reader who has gone wants no more, and no word of
 * it. */
static int output_end(int r) {
        struct pollfd output = {.fd = STDOUT_FILENO};

        errno = 0;
        if (fflush(stdout) == 0 && !ferror(stdout))
                return r;
        if (poll(&output, 1, 0) > 0 && output.revents & POLLERR)
                return r < 0 ? EXIT_FAILURE : r;
        say("standard output: %s", errno > 0            ? strerror(errno)
                                   : r < 0 && r != -EIO ? strerror(-r)
                                                        : "not all could be written");
        return r <= 0 ? EXIT_FAILURE : r;
}

int main(int argc, char **argv) {
        const Verb *verb;
        char title[64];
        int r;

        (void) setlocale(LC_ALL, "");
        /* Whoever started us may have had its own mind about these. */
        (void) signal(SIGPIPE, SIG_IGN);
        (void) signal(SIGCHLD, SIG_DFL);
        if (argc < 2)
                return usage_error(NULL, "no verb given");
        if (streq(argv[1], "--help") || streq(argv[1], "-h")) {
                print_help();
                return EXIT_SUCCESS;
        }
        if (streq(argv[1], "--version") || streq(argv[1], "-V")) {
                printf("quiescectl from %s\n", PACKAGE_STRING);
                return EXIT_SUCCESS;
        }
        verb = verb_find(argv[1]);
        if (!verb && argv[1][0] == '-')
                return usage_error(NULL, "%s: the verb comes first, then its options", argv[1]);
        if (!verb)
                return usage_error(NULL, "%s: no such verb", argv[1]);
        /* What getopt(3) finds wrong begins with it; the verb itself is its last word. */
        (void) snprintf(title, sizeof(title), "quiescectl %s", verb->name);
        argv[1] = title;
        r = verb->run(argc - 1, argv + 1);
        /* Who leaves the pager early has read enough. */
        if (screen_close()) {
                if (r == -EPIPE || r == -EIO)
                        r = EXIT_SUCCESS;
        } else
                r = output_end(r);
        if (r < 0)
                say("%s failed: %s", verb->name, reason_to_string(r));
        return r < 0 ? EXIT_FAILURE : r;
}
