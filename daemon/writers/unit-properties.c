/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The transient unit of Exec= and Hook=.
 *
 * The sandbox is strict because most writers need little: to talk to their application over a socket. It
 * sees the whole file system and may write only its runtime directory and its own /tmp; it has no
 * capability, no device and no new privilege. A writer that needs more ships a unit of its own (Service=).
 * Scripts of other tools (Flavor=) are what they are: theirs is wide.
 */

#include "daemon/writers/unit-properties.h"

#include <assert.h>
#include <sys/socket.h>

#include "bus/transient-exec.h"
#include "daemon/writers/launcher.h"
#include "daemon/writers/words.h"
#include "util/error.h"
#include "util/texts.h"

#define STOP_TIMEOUT (30 * USEC_PER_SEC)

static int append_bool(sd_bus_message *m, const char *property) {
        return sd_bus_message_append(m, "(sv)", property, "b", 1);
}

static int append_commands(sd_bus_message *m, const Descriptor *d) {
        char **arguments = NULL, **end = NULL;
        int r;

        r = launcher_arguments(&arguments, d);
        if (!r)
                r = launcher_end_arguments(&end, d);
        if (!r)
                r = transient_exec_append(m, "ExecStart", arguments[0], (const char *const *) arguments);
        if (!r && end)
                r = transient_exec_append(m, "ExecStopPost", end[0], (const char *const *) end);
        /* The adaptor itself is to stop its freezes, and no thaw is to be stopped. */
        if (!r && end)
                r = sd_bus_message_append(m, "(sv)", "KillMode", "s", "mixed");
        texts_free(arguments);
        texts_free(end);
        return error_trace(r);
}

static int append_what(sd_bus_message *m, const Descriptor *d, const char *socket_path) {
        _cleanup_free_ char *description = NULL, *name = NULL, *socket = NULL, *directory = NULL;
        int r;

        if (asprintf(&description, "quiesced writer %s", d->name) < 0 ||
            asprintf(&name, "QUIESCE_WRITER_NAME=%s", d->name) < 0 ||
            asprintf(&socket, "QUIESCE_WRITERS_SOCKET=%s", socket_path) < 0 ||
            asprintf(&directory, "quiesced-writer-%s", d->name) < 0)
                return error_origin(-ENOMEM);
        r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)(sv)(sv)(sv)", "Description", "s", description,
                                  "Slice", "s", "quiesced-writers.slice", "Type", "s", "exec", "CollectMode",
                                  "s", "inactive-or-failed", "User", "s", d->user, "Environment", "as", 2,
                                  name, socket, "RuntimeDirectory", "as", 1, directory, "TimeoutStopUSec",
                                  "t", (uint64_t) STOP_TIMEOUT);
        return error_trace(r < 0 ? r : append_commands(m, d));
}

static int append_flags(sd_bus_message *m, const char *const *flags) {
        int r = 0;

        for (; r >= 0 && *flags; flags++)
                r = append_bool(m, *flags);
        return error_trace(r < 0 ? r : 0);
}

static int append_sandbox(sd_bus_message *m) {
        static const char *const flags[] = {"NoNewPrivileges",
                                            "PrivateTmp",
                                            "PrivateDevices",
                                            "ProtectKernelTunables",
                                            "ProtectKernelModules",
                                            "ProtectKernelLogs",
                                            "ProtectControlGroups",
                                            "ProtectClock",
                                            "ProtectHostname",
                                            "LockPersonality",
                                            "RestrictRealtime",
                                            "RestrictSUIDSGID",
                                            NULL};
        int r;

        r = append_flags(m, flags);
        if (r >= 0)
                r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)", "ProtectSystem", "s", "strict",
                                          "ProtectHome", "s", "read-only", "CapabilityBoundingSet", "t",
                                          UINT64_C(0), "RestrictNamespaces", "t", UINT64_C(0), "UMask", "u",
                                          077u);
        if (r >= 0)
                r = sd_bus_message_append(m, "(sv)(sv)(sv)", "SystemCallArchitectures", "as", 1, "native",
                                          "SystemCallFilter", "(bas)", 1, 1, "@system-service",
                                          "RestrictAddressFamilies", "(bas)", 1, 3, "AF_UNIX", "AF_INET",
                                          "AF_INET6");
        return error_trace(r < 0 ? r : 0);
}

/* Others' scripts know nothing of our sandbox: they log to /var/log, keep a FIFO in /run, become their
 * database's user. They get what the tool gives them that they were written for, but for what nobody needs
 * to stop an application. */
static int append_others_sandbox(sd_bus_message *m) {
        static const char *const flags[] = {"ProtectKernelModules", "ProtectKernelLogs", "ProtectClock",
                                            "LockPersonality",      "RestrictRealtime",  NULL};

        return error_trace(append_flags(m, flags));
}

/**
 * unit_properties_append() - the rest of a StartTransientUnit call
 * @m: the call, its unit's name and mode appended
 * @descriptor: of kind exec or hook
 * @socket_path: where the writer connects to
 *
 * Return: 0 or a negative errno.
 */
int unit_properties_append(sd_bus_message *m, const Descriptor *descriptor, const char *socket_path) {
        int r;

        assert(descriptor->kind != DESCRIPTOR_SERVICE);

        r = sd_bus_message_open_container(m, 'a', "(sv)");
        if (r >= 0)
                r = append_what(m, descriptor, socket_path);
        if (r >= 0)
                r = descriptor->flavor == HOOK_FLAVOR_NONE ? append_sandbox(m) : append_others_sandbox(m);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_append(m, "a(sa(sv))", 0);
        return error_trace(r < 0 ? r : 0);
}
