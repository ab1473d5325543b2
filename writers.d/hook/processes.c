/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Ending a script with all that it has started.
 *
 * We are the subreaper (PR_SET_CHILD_SUBREAPER, prctl(2)): whatever a script leaves behind becomes our
 * child, whether it has a session, a process group or an environment of its own. So what descends from us is
 * all there is, and only which script an orphan comes from must be found out: by the mark in its
 * environment, or if it has emptied that, by its age: it is not older than the script.
 *
 * Not a control group of its own: the unit's is PID 1's to manage and read-only in its sandbox. It is what
 * ends the rest, our own death included.
 */

#include "writers.d/hook/processes.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "util/error.h"
#include "util/macro.h"
#include "writers.d/hook/script.h"

#define ROUNDS_MAX 64u

typedef struct Process {
        pid_t pid, parent;
        unsigned long long started; /* in ticks since boot */
        bool dead;                  /* a zombie */
        bool killed;
} Process;

typedef struct Table {
        Process *items;
        size_t n_items;
} Table;

static void table_donep(Table *table) {
        free(table->items);
}

/**
 * processes_adopt_orphans() - become the parent of what scripts leave behind
 *
 * Return: 0 or a negative errno.
 */
int processes_adopt_orphans(void) {
        return prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ? error_origin(-errno) : 0;
}

/* Return: the number of bytes; <= 0: it is gone, or not ours to see. */
static ssize_t read_proc(pid_t pid, const char *name, char *buffer, size_t size) {
        _cleanup_close_ int fd = -EBADF;
        char path[64];

        (void) snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        return fd < 0 ? -1 : read(fd, buffer, size);
}

static bool read_process(pid_t pid, Process *ret) {
        char text[1024], state;
        const char *after;
        ssize_t n;
        Process p = {.pid = pid};

        n = read_proc(pid, "stat", text, sizeof(text) - 1);
        if (n <= 0)
                return false;
        text[n] = 0;
        /* The name is between parentheses and may hold any. */
        after = strrchr(text, ')');
        if (!after ||
            sscanf(after, ") %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                   &state, &p.parent, &p.started) != 3)
                return false;
        p.dead = strchr("ZX", state);
        *ret = p;
        return true;
}

/* All processes; a short table if memory runs out. What was killed before stays marked so. */
static void table_read(Table *table) {
        Table old = *table;
        struct dirent *entry;
        size_t space = 0;
        DIR *proc;

        *table = (Table){};
        proc = opendir("/proc");
        while (proc && (entry = readdir(proc))) {
                Process p, *grown;

                if (!isdigit((unsigned char) entry->d_name[0]) ||
                    !read_process((pid_t) atoi(entry->d_name), &p))
                        continue;
                if (table->n_items == space) {
                        space = space ? 2 * space : 256;
                        grown = reallocarray(table->items, space, sizeof(*grown));
                        if (!grown)
                                break;
                        table->items = grown;
                }
                for (size_t i = 0; i < old.n_items; i++)
                        if (old.items[i].pid == p.pid && old.items[i].started == p.started)
                                p.killed = old.items[i].killed;
                table->items[table->n_items++] = p;
        }
        if (proc)
                (void) closedir(proc);
        table_donep(&old);
}

static const Process *find(const Table *table, pid_t pid) {
        for (size_t i = 0; i < table->n_items; i++)
                if (table->items[i].pid == pid)
                        return &table->items[i];
        return NULL;
}

/* The child of ours that it descends from; NULL: none. */
static const Process *ancestor(const Table *table, const Process *process) {
        pid_t self = getpid();

        for (size_t i = 0; process && i < table->n_items; i++) {
                if (process->parent == self)
                        return process;
                process = find(table, process->parent);
        }
        return NULL;
}

/* Whether an orphan comes from the script. */
static bool comes_from(const Process *orphan, const char *mark, unsigned long long started,
                       bool (*is_script)(pid_t pid)) {
        char environment[65536];
        ssize_t n;

        if (is_script(orphan->pid))
                return false;
        n = read_proc(orphan->pid, "environ", environment, sizeof(environment));
        if (n > 0 && memmem(environment, (size_t) n, mark, strlen(mark)))
                return true;
        if (n > 0 && memmem(environment, (size_t) n, SCRIPT_MARK, strlen(SCRIPT_MARK)))
                return false;
        return orphan->started >= started;
}

/**
 * processes_kill() - end a script and all that it has started
 * @script: its process, not waited for yet; a group's leader
 * @mark: SCRIPT_MARK and what follows in its environment
 * @is_script: tells the other scripts' processes
 *
 * A process that SIGKILL was sent to makes no new ones: when nobody new is found, all are dead or dying.
 */
void processes_kill(pid_t script, const char *mark, bool (*is_script)(pid_t pid)) {
        _cleanup_(table_donep) Table table = {};
        Process self;
        bool more = true;

        (void) kill(-script, SIGKILL);
        if (!read_process(script, &self))
                return;
        for (unsigned round = 0; more && round < ROUNDS_MAX; round++) {
                more = false;
                table_read(&table);
                for (size_t i = 0; i < table.n_items; i++) {
                        Process *p = &table.items[i];
                        const Process *top = p->killed || p->dead ? NULL : ancestor(&table, p);

                        if (!top || (top->pid != script && !comes_from(top, mark, self.started, is_script)))
                                continue;
                        (void) kill(p->pid, SIGKILL);
                        p->killed = more = true;
                }
        }
}

/**
 * processes_reap() - wait for orphans that have ended
 * @is_script: tells the scripts' processes, which are left alone
 */
void processes_reap(bool (*is_script)(pid_t pid)) {
        _cleanup_(table_donep) Table table = {};

        table_read(&table);
        for (size_t i = 0; i < table.n_items; i++)
                if (table.items[i].parent == getpid() && table.items[i].dead &&
                    !is_script(table.items[i].pid))
                        (void) waitpid(table.items[i].pid, NULL, WNOHANG);
}
