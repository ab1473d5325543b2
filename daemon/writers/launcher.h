/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The launcher: starts and stops a writer's process, and says whether a process is that writer's.
 *
 * One small interface with two files: launcher-systemd.c (units) and launcher-fork.c (children, for tests on
 * machines without systemd as PID 1); and launcher-bus.c for services on the system bus, which are nobody's
 * to start but the bus's. All are asynchronous: `ended` comes from the event loop, exactly once
 * for each start that returned 0, unless the process is freed before.
 */

#include <sys/types.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "daemon/writers/descriptor.h"
#include "util/macro.h"

typedef struct Launcher Launcher;
typedef struct Process Process;

/* Nothing of it runs any more, or it could not be started: text says why (NULL: it just ended). */
typedef void (*ProcessEnded)(Process *process, const char *text, void *userdata);

typedef struct LauncherOps {
        int (*start)(Launcher *launcher, Process **ret, const Descriptor *descriptor, ProcessEnded ended,
                     void *userdata);
        /* Asks it to end and sees to it that it does; `ended` follows. */
        void (*stop)(Process *process);
        /* Whether a process that has just connected is this one, or belongs to it. */
        bool (*owns)(Process *process, pid_t pid);
        Process *(*process_free)(Process *process);
        /* Asks a service that it did not start to end; unit: that runs it, or NULL. NULL: cannot. */
        void (*stop_other)(Launcher *launcher, const char *unit, pid_t pid);
        int (*set_bus)(Launcher *launcher, sd_bus *bus);
        Launcher *(*free)(Launcher *launcher);
} LauncherOps;

struct Launcher {
        const LauncherOps *ops;
};

struct Process {
        Launcher *launcher;
};

int launcher_fork_new(Launcher **ret, sd_event *event, const char *socket_path);
int launcher_systemd_new(Launcher **ret, sd_event *event, const char *socket_path);
int launcher_bus_new(Launcher **ret, sd_event *event);

int launcher_arguments(char ***ret, const Descriptor *descriptor);
/* What is run when its process has ended, whichever way. */
int launcher_end_arguments(char ***ret, const Descriptor *descriptor);
