/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Making and ending the manager; see manager.h.
 */

#include "daemon/manager.h"

#include <signal.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "daemon/bus/access.h"
#include "daemon/bus/call.h"
#include "daemon/bus/publish.h"
#include "daemon/bus/register-bus.h"
#include "daemon/inhibitor.h"
#include "daemon/keeper.h"
#include "daemon/records/set-store.h"
#include "daemon/session-object.h"

#include "util/error.h"
#include "util/log.h"

static int signal_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        manager_stop(userdata);
        return 0;
}

static int signal_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        manager_reload_by_signal(userdata);
        return 0;
}

static int manager_make_event(Manager *manager) {
        sigset_t mask;
        int r;

        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGTERM);
        (void) sigaddset(&mask, SIGINT);
        (void) sigaddset(&mask, SIGHUP);
        (void) sigaddset(&mask, SIGCHLD);
        (void) signal(SIGPIPE, SIG_IGN);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return error_origin(-errno);
        r = sd_event_default(&manager->event);
        if (r >= 0)
                r = sd_event_add_signal(manager->event, &manager->signal_sources[0], SIGTERM, signal_stop,
                                        manager);
        if (r >= 0)
                r = sd_event_add_signal(manager->event, &manager->signal_sources[1], SIGINT, signal_stop,
                                        manager);
        if (r >= 0)
                r = sd_event_add_signal(manager->event, &manager->signal_sources[2], SIGHUP, signal_reload,
                                        manager);
        if (r < 0)
                return error_origin(r);
        if (sd_watchdog_enabled(0, &manager->watchdog_usec) <= 0)
                manager->watchdog_usec = 0;
        else
                (void) sd_event_set_watchdog(manager->event, true);
        return 0;
}

/* The listening socket of quiesced.socket, or -1: none was passed. */
static int find_listen_fd(void) {
        int n = sd_listen_fds(true);

        for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++)
                if (sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) > 0)
                        return fd;
        return -1;
}

static int manager_make_writers(Manager *manager) {
        const Config *config = manager->config;
        _cleanup_free_ char *socket_path = NULL, *runtime = NULL;
        const char *dirs[4] = {config->writers_dir};
        WritersConfig writers = {
                .descriptor_dirs = dirs,
                .listen_fd = find_listen_fd(),
                .launcher = config->launcher,
                .launch_limit_usec = config->launch_limit_usec,
                .launched = writers_launched,
                .answered = writers_answered,
                .gone = writers_gone,
                .userdata = manager,
        };

        if (asprintf(&socket_path, "%s/writers", config->runtime_dir) < 0 ||
            asprintf(&runtime, "%s/writers.d", config->runtime_dir) < 0)
                return error_origin(-ENOMEM);
        writers.socket_path = socket_path;
        if (!config->writers_dir) {
                dirs[0] = SYSCONFDIR "/quiesced/writers.d";
                dirs[1] = runtime;
                dirs[2] = VENDORDIR "/writers.d";
        }
        return error_trace(writers_new(&manager->writers, manager->event, &writers));
}

/**
 * manager_sets_config() - what the configuration says of snapshot sets
 * @manager:    the manager
 *
 * Return: it; what it points to is the configuration's.
 */
SetsConfig manager_sets_config(Manager *manager) {
        const Config *config = manager->config;

        return (SetsConfig){
                .hold_socket_path = config->hold_socket_path,
                .runtime_dir = config->runtime_dir,
                .test_provider_dir = config->test_provider_dir,
                .hold_limit_usec = config->contract.hold_limit_usec,
                .expedite_rcu = config->expedite_rcu,
                .cow_percent = config->cow_percent,
                .snapshots_max = config->snapshots_max,
                .placements = &config->placements,
                .dm_stores = &config->dm_stores,
                .dm_plaintext_stores = config->dm_plaintext_stores,
                .space_check_usec = config->space_check_usec,
                .growth_usec = config->growth_usec,
                .warn_percent = config->warn_percent,
                .grow_percent = config->grow_percent,
                .grow_by_percent = config->grow_by_percent,
                .drop_percent = config->drop_percent,
                .space_low = sets_space_low,
                .invalid = sets_invalid,
                .removed = sets_removed,
                .userdata = manager,
        };
}

static int manager_make_sets(Manager *manager) {
        SetsConfig sets = manager_sets_config(manager);

        return error_trace(sets_new(&manager->sets, manager->event, &sets));
}

/**
 * manager_new() - the rooms, not yet on the bus
 * @ret:        the manager
 * @config:     lives as long as the manager, which may read it again
 *
 * Return: 0, or a negative errno.
 */
int manager_new(Manager **ret, Config *config) {
        _cleanup_(manager_freep) Manager *manager = NULL;
        int r;

        manager = calloc(1, sizeof(*manager));
        if (!manager)
                return error_origin(-ENOMEM);
        manager->config = config;
        manager->instance_fd = -EBADF;
        manager->queue_end = &manager->queue;
        if (mkdir(config->runtime_dir, 0755) < 0 && errno != EEXIST) {
                log_error("%s cannot be made: %s", config->runtime_dir, strerror(errno));
                return error_origin(-errno);
        }
        r = manager_make_event(manager);
        if (r == 0)
                r = contract_new(&manager->contract, &config->contract);
        if (r == 0)
                r = manager_make_sets(manager);
        if (r == 0)
                r = keeper_new(&manager->keeper, manager);
        if (r == 0)
                r = manager_make_writers(manager);
        if (r == 0)
                r = set_store_new(&manager->set_store, manager->event, config->state_dir, SET_STORE_RECORDS,
                                  SET_STORE_LIMIT_USEC);
        if (r == 0)
                r = set_store_new(&manager->document_store, manager->event, config->state_dir,
                                  SET_STORE_DOCUMENTS, SET_STORE_LIMIT_USEC);
        if (r < 0)
                return error_trace(r);
        *ret = TAKE_PTR(manager);
        return 0;
}

/**
 * manager_free() - end everything
 * @manager:    the manager, or NULL
 *
 * Return: NULL.
 */
Manager *manager_free(Manager *manager) {
        if (!manager)
                return NULL;
        manager->accesses = accesses_free(manager->accesses);
        registrations_free(manager);
        while (manager->calls)
                (void) bus_call_free(manager->calls);
        manager->inhibitor = inhibitor_free(manager->inhibitor);
        manager->deadlines = deadlines_free(manager->deadlines);
        manager->set_store = set_store_free(manager->set_store);
        manager->keeper = keeper_free(manager->keeper);
        manager->document_store = set_store_free(manager->document_store);
        (void) sets_free(manager->sets);
        (void) writers_free(manager->writers);
        manager->steps = pending_steps_free(manager->steps);
        while (manager->sessions)
                (void) session_object_free(manager->sessions);
        manager->published = published_free_all(manager->published);
        while (manager->kept_calls)
                (void) kept_call_free(manager->kept_calls);
        (void) contract_free(manager->contract);
        bus_disconnect(manager);
        sd_event_source_disable_unref(manager->start_timer);
        sd_event_source_unref(manager->signal_sources[0]);
        sd_event_source_unref(manager->signal_sources[1]);
        sd_event_source_unref(manager->signal_sources[2]);
        sd_event_unref(manager->event);
        (void) fd_close(manager->instance_fd);
        free(manager);
        return NULL;
}
