/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The launcher for services on the system bus: asks the bus to start who owns BusName=, and waits.
 *
 * The bus answers when the name is owned: at once if the service runs, later if it is activated. It answers
 * with an error if it cannot start it, dbus-daemon also if it runs: then it is asked who owns the name. Who
 * runs already registers by itself, for quiesced may just have been started; that
 * has no time of its own here, whoever wants the writer has (the launch limit, the event's limit). Nothing
 * is stopped: a service that quiesced did not make is not quiesced's to end.
 */

#include <assert.h>

#include "daemon/writers/launcher.h"
#include "util/error.h"
#include "util/macro.h"

#define BUS_NAME "org.freedesktop.DBus"
#define BUS_PATH "/org/freedesktop/DBus"

typedef struct BusLauncher {
        Launcher launcher;
        sd_event *event;
        sd_bus *bus; /* NULL: there is none */
} BusLauncher;

typedef struct BusProcess {
        Process process;
        Descriptor *descriptor;
        sd_bus_slot *slot;
        sd_event_source *end;
        char *text; /* why it did not come */
        ProcessEnded ended;
        void *userdata;
} BusProcess;

static Process *bus_process_free(Process *process) {
        BusProcess *p = (BusProcess *) process;

        if (!p)
                return NULL;
        sd_bus_slot_unref(p->slot);
        sd_event_source_disable_unref(p->end);
        descriptor_unref(p->descriptor);
        free(p->text);
        free(p);
        return NULL;
}

static void process_freep(BusProcess **p) {
        (void) bus_process_free((Process *) *p);
}

static int on_end(sd_event_source *source, void *userdata) {
        BusProcess *p = userdata;

        p->ended(&p->process, p->text, p->userdata);
        return 0;
}

/* It is not waited for any longer; told from the event loop, once. */
static int end(BusProcess *p) {
        BusLauncher *launcher = (BusLauncher *) p->process.launcher;

        p->slot = sd_bus_slot_unref(p->slot);
        return p->end ? 0 : error_trace(sd_event_add_defer(launcher->event, &p->end, on_end, p));
}

static void set_text(BusProcess *p, const char *what) {
        free(p->text);
        if (asprintf(
                    &p->text,
                    "nobody owns %s, the BusName= of %s, on the system bus, and the bus cannot start it: %s. "
                    "Start its service",
                    p->descriptor->bus_name, p->descriptor->path, what) < 0)
                p->text = NULL;
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BusProcess *p = userdata;

        p->slot = sd_bus_slot_unref(p->slot);
        return sd_bus_message_is_method_error(m, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ? end(p) : 0;
}

static int on_started(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BusProcess *p = userdata;
        BusLauncher *launcher = (BusLauncher *) p->process.launcher;
        const sd_bus_error *e = sd_bus_message_get_error(m);

        p->slot = sd_bus_slot_unref(p->slot);
        if (!e)
                return 0;
        set_text(p, e->message ? e->message : e->name);
        if (sd_bus_call_method_async(launcher->bus, &p->slot, BUS_NAME, BUS_PATH, BUS_NAME, "GetNameOwner",
                                     on_owner, p, "s", p->descriptor->bus_name) < 0)
                return end(p);
        return 0;
}

static int bus_start(Launcher *l, Process **ret, const Descriptor *descriptor, ProcessEnded ended,
                     void *userdata) {
        BusLauncher *launcher = (BusLauncher *) l;
        _cleanup_(process_freep) BusProcess *p = NULL;
        int r;

        assert(descriptor->kind == DESCRIPTOR_BUS);

        p = calloc(1, sizeof(*p));
        if (!p)
                return error_origin(-ENOMEM);
        *p = (BusProcess){.process.launcher = l, .ended = ended, .userdata = userdata};
        p->descriptor = descriptor_ref((Descriptor *) descriptor);
        if (launcher->bus)
                r = sd_bus_call_method_async(launcher->bus, &p->slot, BUS_NAME, BUS_PATH, BUS_NAME,
                                             "StartServiceByName", on_started, p, "su", descriptor->bus_name,
                                             0);
        else {
                set_text(p, "there is none");
                r = end(p);
        }
        if (r < 0)
                return error_trace(r);
        *ret = &TAKE_PTR(p)->process;
        return 0;
}

static void bus_stop(Process *process) {
        (void) end((BusProcess *) process);
}

/* On the private socket it would be a stranger. */
static bool bus_owns(Process *process, pid_t pid) {
        return false;
}

static int bus_set_bus(Launcher *l, sd_bus *bus) {
        BusLauncher *launcher = (BusLauncher *) l;

        sd_bus_unref(launcher->bus);
        launcher->bus = sd_bus_ref(bus);
        return 0;
}

static Launcher *bus_free(Launcher *l) {
        BusLauncher *launcher = (BusLauncher *) l;

        if (!launcher)
                return NULL;
        sd_bus_unref(launcher->bus);
        sd_event_unref(launcher->event);
        free(launcher);
        return NULL;
}

static const LauncherOps bus_ops = {
        .start = bus_start,
        .stop = bus_stop,
        .owns = bus_owns,
        .process_free = bus_process_free,
        .set_bus = bus_set_bus,
        .free = bus_free,
};

/**
 * launcher_bus_new() - the launcher for services on the system bus
 * @ret: the launcher, freed by its ops
 * @event: the loop, referenced
 *
 * Return: 0 or -ENOMEM.
 */
int launcher_bus_new(Launcher **ret, sd_event *event) {
        BusLauncher *launcher;

        launcher = calloc(1, sizeof(*launcher));
        if (!launcher)
                return error_origin(-ENOMEM);
        launcher->launcher.ops = &bus_ops;
        launcher->event = sd_event_ref(event);
        *ret = &launcher->launcher;
        return 0;
}
