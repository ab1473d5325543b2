/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiesced-let-go: resumes and thaws what the journal of a quiesced that is gone names.
 *
 * Its unit runs it when quiesced has ended, however that was (ExecStopPost=): so what it held is let go even
 * if it is never started again, and both processes of the hold are dead, too. It does not wait for a hold
 * that lives, which lets go by itself; what must be thawed after that is left to the next quiesced.
 */

#include <getopt.h>

#include "daemon/sets/letting-go.h"
#include "util/error.h"
#include "util/log.h"

static void print_help(void) {
        (void) puts(
                "quiesced-let-go [OPTION]…\n"
                "\n"
                "Resume and thaw what a quiesced that is gone held. Its unit runs it; see quiesced-let-go(8).\n"
                "\n"
                "  --help                 show this\n"
                "  --version              show the version\n"
                "  --runtime-dir=DIR      instead of /run/quiesced");
}

/* Return: 1 go on, 0 done, -EINVAL wrong usage. */
static int parse_arguments(int argc, char **argv, const char **runtime_dir) {
        static const struct option options[] = {
                {"help", no_argument, NULL, 'h'},
                {"version", no_argument, NULL, 'V'},
                {"runtime-dir", required_argument, NULL, 'r'},
                {},
        };
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        print_help();
                        return 0;
                case 'V':
                        (void) puts("quiesced-let-go " PACKAGE_VERSION);
                        return 0;
                case 'r':
                        *runtime_dir = optarg;
                        break;
                default: /* getopt_long() has said what is wrong */
                        return -EINVAL;
                }
        if (optind < argc) {
                (void) fprintf(stderr, "quiesced-let-go: there are no arguments besides options.\n");
                return -EINVAL;
        }
        return 1;
}

int main(int argc, char **argv) {
        const char *runtime_dir = "/run/quiesced";
        int r;

        r = parse_arguments(argc, argv, &runtime_dir);
        if (r <= 0)
                return r < 0 ? 2 : EXIT_SUCCESS;
        r = let_go_held(runtime_dir);
        if (r == LET_GO_E_HELD)
                log_notice("A quiesced-hold still lets go; what it leaves is let go by the next quiesced.");
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
