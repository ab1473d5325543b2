/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Programs that the doctor asks, each with a deadline: LVM waits while volumes are held, and nothing can be
 * started from a volume that is suspended. Who does not end in time is killed and left behind: if it hangs
 * in the kernel it dies when that lets it go.
 */

#include "ctl/doctor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#define COMMAND_LIMIT_MSEC 10000
#define COMMAND_AGAIN_MSEC 2000 /* where one has hung the next mostly does, too */
#define COMMAND_OUTPUT_MAX (8 * 1024 * 1024)

static int limit_msec = COMMAND_LIMIT_MSEC;

static char *fd_read_all(int fd) {
        off_t size = lseek(fd, 0, SEEK_END);
        ssize_t n;
        char *text;

        if (size < 0 || size > COMMAND_OUTPUT_MAX)
                return NULL;
        text = calloc(1, (size_t) size + 1);
        n = text ? pread(fd, text, (size_t) size, 0) : 0;
        if (n != size) {
                free(text);
                return NULL;
        }
        return text;
}

_Noreturn static void child_run(const char *const *argv, int output, int error) {
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

        (void) setpgid(0, 0);
        (void) signal(SIGPIPE, SIG_DFL);
        (void) setenv("LC_ALL", "C", 1);
        (void) setenv("LVM_SUPPRESS_FD_WARNINGS", "1", 1);
        if (dup2(null, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
            dup2(error, STDERR_FILENO) < 0)
                _exit(126);
        (void) execvp(argv[0], (char *const *) argv);
        _exit(errno == ENOENT ? 127 : 126);
}

/* Return: the exit status, or a negative errno. */
static int child_wait(pid_t pid) {
        _cleanup_close_ int pidfd = pidfd_open(pid, 0);
        struct pollfd ended = {.fd = pidfd, .events = POLLIN};
        int status;

        if (pidfd < 0 || poll(&ended, 1, limit_msec) <= 0) {
                limit_msec = COMMAND_AGAIN_MSEC;
                (void) kill(-pid, SIGKILL);
                (void) kill(pid, SIGKILL);
                (void) waitpid(pid, NULL, WNOHANG);
                return -ETIMEDOUT;
        }
        if (waitpid(pid, &status, 0) < 0)
                return -errno;
        if (!WIFEXITED(status))
                return -EIO;
        return WEXITSTATUS(status) == 127 ? -ENOENT : WEXITSTATUS(status);
}

/**
 * doctor_command() - run a program
 * @ret:        how it ended and what it printed; doctor_command_done() it
 * @argv:       NULL-terminated; looked for in $PATH
 */
void doctor_command(DoctorCommand *ret, const char *const *argv) {
        _cleanup_close_ int output = memfd_create("output", MFD_CLOEXEC);
        _cleanup_close_ int error = memfd_create("error", MFD_CLOEXEC);
        pid_t pid;

        *ret = (DoctorCommand){};
        /* Not posix_spawn(): that waits for the exec, which hangs on a suspended volume. */
        pid = output < 0 || error < 0 ? -1 : fork();
        if (pid < 0) {
                ret->status = -errno;
                return;
        }
        if (pid == 0)
                child_run(argv, output, error);
        ret->status = child_wait(pid);
        ret->output = fd_read_all(output);
        ret->error = fd_read_all(error);
        if (!ret->output || !ret->error)
                ret->status = ret->status < 0 ? ret->status : -EIO;
}

/**
 * doctor_command_done() - forget it
 * @command:    it
 */
void doctor_command_done(DoctorCommand *command) {
        free(command->output);
        free(command->error);
        *command = (DoctorCommand){};
}

/**
 * doctor_command_failed() - add that a program told nothing
 * @doctor:     gets the finding
 * @command:    how it ended
 * @argv:       what was run
 * @what:       what it should have told: "which thin pools are full"
 */
void doctor_command_failed(Doctor *doctor, const DoctorCommand *command, const char *const *argv,
                           const char *what) {
        const char *said = command->error ? command->error : "";

        if (command->status == -ETIMEDOUT)
                doctor_add(
                        doctor, DOCTOR_WARNING,
                        "if no set is being made, look for suspended devices with 'dmsetup info', and at what else "
                        "uses LVM",
                        "%s does not end: it cannot be told %s", argv[0], what);
        else if (command->status == -ENOENT)
                doctor_add(doctor, DOCTOR_UNKNOWN, NULL, "%s is not there: it cannot be told %s", argv[0],
                           what);
        else if (geteuid() != 0)
                doctor_add(doctor, DOCTOR_UNKNOWN, DOCTOR_AS_ROOT, "%s tells only root %s", argv[0], what);
        else
                doctor_add(doctor, DOCTOR_UNKNOWN, NULL, "%s failed, so it cannot be told %s: %.*s", argv[0],
                           what, (int) strcspn(said, "\n"), said);
}
