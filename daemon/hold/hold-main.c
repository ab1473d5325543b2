/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiesced-hold: owns the held moment of one snapshot set, and nothing else.
 *
 * Started by quiesced-hold.socket with the connection as standard input, in a unit of its own, so that
 * nothing that happens to quiesced reaches it. It promises: whatever dies, fails or does not answer, every
 * volume of the set that answers I/O is let go by the deadline.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "daemon/hold/hold-session.h"
#include "util/error.h"
#include "util/macro.h"

/* Standard input becomes an ordinary descriptor that no child would inherit. */
static int take_connection(void) {
        _cleanup_close_ int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
        _cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        if (fd < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0)
                return error_origin(-errno);
        return TAKE_FD(fd);
}

static int run(void) {
        _cleanup_close_ int fd = take_connection();

        if (fd < 0)
                return error_trace(fd);
        return error_trace(hold_session_run(fd));
}

int main(int argc, char **argv) {
        int r;

        if (argc > 1 && streq(argv[1], "--version")) {
                printf("quiesced-hold " PACKAGE_VERSION "\n");
                return EXIT_SUCCESS;
        }
        if (argc > 1) {
                (void) fprintf(stderr,
                               "quiesced-hold: takes no arguments, quiesced-hold.socket starts it\n");
                return EXIT_FAILURE;
        }
        r = run();
        if (r < 0)
                (void) fprintf(stderr, "quiesced-hold: %s\n", strerrordesc_np(-r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
