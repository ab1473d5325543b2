/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl previous-versions: shows the persistent snapshots of a volume below a directory for as long as
 * it runs, and follows sets that come and go. For quiesced-previous-versions@.service.
 */

#include <fcntl.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "ctl/ctl.h"
#include "ctl/mounts.h"
#include "ctl/previous-versions.h"
#include "quiesce/requester.h"

static const char usage[] =
        "\nUsage:\n"
        " quiescectl previous-versions [options] PATH|VOLUME DIR\n"
        "\n"
        "Show the persistent snapshots of a volume as read-only directories in DIR, named\n"
        "after their instant, until it is stopped: what Samba's shadow_copy2 wants.\n"
        "\n"
        "Options:\n"
        " -n, --nfs CLIENT  export each by NFS, too: a host as in exports(5), or '*'\n"
        " -q, --quiet       tell nothing but errors\n"
        " -h, --help        display this help\n"
        " -V, --version     display version\n"
        "\n"
        "For more details see quiesced-previous-versions(8).\n";

static const struct option long_options[] = {
        {"nfs", required_argument, NULL, 'n'}, OPTIONS_HOST, OPTIONS_QUIET, OPTIONS_ALWAYS, {},
};

#define FLUSH_USEC (4 * USEC_PER_SEC)

typedef struct Showing {
        PreviousVersions versions;
        sd_event *event;
        sd_event_source *update; /* oneshot: something may have changed */
        sd_event_source *mounts; /* by NFS: what is unmounted is to be let go by the server at once */
        int mountinfo_fd;
        sd_event_source *flush; /* by NFS: oneshot, after the last change */
        size_t n;
        bool quiet, stopped;
        int result; /* of having stopped */
} Showing;

static void showing_done(Showing *showing) {
        (void) sd_event_source_disable_unref(showing->update);
        (void) sd_event_source_disable_unref(showing->mounts);
        (void) fd_close(showing->mountinfo_fd);
        (void) sd_event_source_disable_unref(showing->flush);
        previous_versions_done(&showing->versions);
        (void) sd_event_unref(showing->event);
}

static void tell_count(const Showing *showing) {
        (void) sd_notifyf(0, "STATUS=%zu versions of %s", showing->n, showing->versions.volume);
        if (!showing->quiet)
                say("%zu versions of %s in %s", showing->n, showing->versions.volume,
                    showing->versions.directory);
}

static int on_flush(sd_event_source *source, uint64_t usec, void *userdata) {
        nfs_export_flush();
        return 0;
}

/* Sooner than quiesced gives up waiting for who has open what it deletes. */
static void flush_later(Showing *showing) {
        int r;

        if (!showing->versions.flush)
                return;
        showing->versions.flush = false;
        showing->flush = sd_event_source_disable_unref(showing->flush);
        r = sd_event_add_time_relative(showing->event, &showing->flush, CLOCK_MONOTONIC, FLUSH_USEC, 0,
                                       on_flush, NULL);
        if (r < 0)
                nfs_export_flush();
}

static int on_update(sd_event_source *source, void *userdata) {
        Showing *showing = userdata;
        size_t before = showing->n;
        int r;

        r = previous_versions_update(&showing->versions, false, &showing->n);
        flush_later(showing);
        if (r < 0)
                say("%s cannot be brought up to date: %s", showing->versions.directory, strerror(-r));
        if (r == 0 && showing->n != before)
                tell_count(showing);
        return 0;
}

/* What it tells of is looked at later, when all that has come is read. */
static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        Showing *showing = userdata;
        const char *name, *before, *after;

        /* It is not started by its end being seen. */
        if (sd_bus_message_is_signal(m, "org.freedesktop.DBus", "NameOwnerChanged") &&
            (sd_bus_message_read(m, "sss", &name, &before, &after) < 0 || !*after))
                return 0;
        (void) sd_event_source_set_enabled(showing->update, SD_EVENT_ONESHOT);
        return 0;
}

/* quiesced unmounts what it deletes, and waits for the NFS server, too: before it tells of anything. */
static int on_mounts(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        Showing *showing = userdata;

        return sd_event_source_set_enabled(showing->update, SD_EVENT_ONESHOT);
}

static int watch_mounts(Showing *showing) {
        if (showing->versions.nfs.n_clients == 0)
                return 0;
        showing->mountinfo_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
        if (showing->mountinfo_fd < 0)
                return error_origin(-errno);
        return error_trace(sd_event_add_io(showing->event, &showing->mounts, showing->mountinfo_fd, EPOLLPRI,
                                           on_mounts, showing));
}

/* While the loop still runs: its end closes the connection. */
static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        Showing *showing = userdata;

        (void) sd_notify(0, "STOPPING=1");
        showing->stopped = true;
        showing->result = previous_versions_update(&showing->versions, true, &showing->n);
        return sd_event_exit(showing->event, EXIT_SUCCESS);
}

static int listen_to_quiesced(Showing *showing) {
        static const char *const rules[] = {
                "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
                "member='NameOwnerChanged',arg0='" QUIESCE_BUS_NAME "'",
                "type='signal',sender='" QUIESCE_BUS_NAME "',interface='org.freedesktop.DBus.ObjectManager'",
                "type='signal',sender='" QUIESCE_BUS_NAME "',member='PropertiesChanged',"
                "interface='org.freedesktop.DBus.Properties',arg0='" QUIESCE_BUS_SNAPSHOT "'",
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(rules); i++)
                r = sd_bus_add_match(showing->versions.bus, NULL, rules[i], on_signal, showing);
        return error_trace(r);
}

/* Of a path what it lies on, of a device itself. Return: 0 or CTL_E_SAID. */
static int find_volume(PreviousVersions *versions) {
        _cleanup_(mount_table_freep) MountTable *table = NULL;
        _cleanup_free_ char *path = NULL;
        const Mount *mount;
        struct stat st;

        /* As quiesced names them: vg/lv, or test:name. */
        if (versions->volume[0] != '/' && strpbrk(versions->volume, "/:"))
                return 0;
        path = realpath(versions->volume, NULL);
        if (!path || stat(path, &st) < 0) {
                say("%s: it is no volume (vg/lv), and no path: %s", versions->volume, strerror(errno));
                return CTL_E_SAID;
        }
        if (S_ISBLK(st.st_mode)) {
                versions->device = st.st_rdev;
                return 0;
        }
        mount = mount_table_new(&table, NULL) < 0 ? NULL : mount_table_resolve(table, path);
        if (!mount || !mount_is_block(mount)) {
                say("%s: it is on no file system on a block device, so there are no snapshots of it",
                    versions->volume);
                return CTL_E_SAID;
        }
        versions->device = mount->device;
        return 0;
}

/* Return: 0 or CTL_E_SAID. */
static int open_directory(PreviousVersions *versions) {
        _cleanup_free_ char *path = strdup(versions->directory);

        for (char *end = path && *path ? strchr(path + 1, '/') : NULL; end; end = strchr(end + 1, '/')) {
                *end = '\0';
                (void) mkdir(path, 0755);
                *end = '/';
        }
        if (mkdir(versions->directory, 0755) >= 0 || errno == EEXIST)
                versions->directory_fd = open(versions->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (versions->directory_fd >= 0 && versions->nfs.n_clients > 0)
                versions->path = realpath(versions->directory, NULL);
        if (versions->directory_fd >= 0 && (versions->path || versions->nfs.n_clients == 0))
                return 0;
        say("%s: %s", versions->directory, strerror(errno));
        return CTL_E_SAID;
}

static int prepare(Showing *showing) {
        int r;

        r = find_volume(&showing->versions);
        if (r == 0)
                r = open_directory(&showing->versions);
        if (r == 0)
                r = bus_open(&showing->versions.bus, NULL);
        if (r != 0)
                return r;
        r = sd_event_new(&showing->event);
        if (r >= 0)
                r = signals_catch(showing->event, on_stop, showing);
        if (r >= 0)
                r = sd_event_add_defer(showing->event, &showing->update, on_update, showing);
        if (r >= 0)
                r = sd_event_source_set_enabled(showing->update, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_source_set_priority(showing->update, SD_EVENT_PRIORITY_IDLE);
        if (r >= 0)
                r = listen_to_quiesced(showing);
        if (r >= 0)
                r = watch_mounts(showing);
        if (r >= 0)
                r = sd_bus_attach_event(showing->versions.bus, showing->event, SD_EVENT_PRIORITY_NORMAL);
        return r < 0 ? error_trace(r) : 0;
}

static int show(Showing *showing) {
        int r;

        r = prepare(showing);
        if (r == 0)
                r = previous_versions_update(&showing->versions, false, &showing->n);
        if (r != 0)
                return r;
        (void) sd_bus_set_exit_on_disconnect(showing->versions.bus, true);
        tell_count(showing);
        (void) sd_notify(0, "READY=1");
        r = sd_event_loop(showing->event);
        if (showing->stopped)
                return showing->result;
        if (r < 0)
                return error_trace(r);
        say("the connection to the bus is lost");
        return CTL_E_SAID;
}

/**
 * verb_previous_versions() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Mirrors what the Shadow Copies of Shared Folders of Windows show to clients.
 *
 * Return: the exit status, or a negative errno.
 */
int verb_previous_versions(int argc, char **argv) {
        _cleanup_(showing_done) Showing showing = {.versions.directory_fd = -EBADF, .mountinfo_fd = -EBADF};
        Options options = {};
        int c, r;

        while ((c = getopt_long(argc, argv, "n:H:qhV", long_options, NULL)) >= 0) {
                r = options_take(&options, c, usage);
                if (r == OPTIONS_E_UNKNOWN && c == 'n') {
                        r = nfs_export_add_client(&showing.versions.nfs, optarg);
                        if (r == -EINVAL)
                                return usage_error("previous-versions",
                                                   "--nfs: %s is no client as 'host' or 'host(options)', "
                                                   "without fsid",
                                                   optarg);
                        if (r < 0)
                                return error_trace(r);
                        continue;
                }
                if (r != 0)
                        return r == OPTIONS_E_DONE ? EXIT_SUCCESS : usage_hint("previous-versions");
        }
        if (options_refuse_host(&options, "previous-versions", "PATH|VOLUME DIR") != 0)
                return EXIT_FAILURE;
        if (argc - optind != 2)
                return usage_error("previous-versions", "a PATH or VOLUME and a DIR are needed");
        showing.quiet = options.quiet;
        showing.versions.volume = argv[optind];
        showing.versions.directory = argv[optind + 1];
        r = show(&showing);
        return r == CTL_E_SAID ? EXIT_FAILURE : r;
}
