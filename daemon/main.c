/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiesced: has every writer and file system hold still, takes snapshots of all volumes at one instant,
 * thaws, and keeps all told how it ended.
 */

#include <getopt.h>
#include <unistd.h>

#include "daemon/entries.h"
#include "daemon/manager.h"

#include "util/error.h"
#include "util/log.h"

static void print_help(void) {
        (void) puts("quiesced [OPTION]…\n"
                    "\n"
                    "The snapshot service. systemd starts it; see quiesced(8) and quiesced.conf(5).\n"
                    "\n"
                    "  --help                 show this\n"
                    "  --version              show the version\n"
                    "\n"
                    "For developers and tests:\n"
                    "  --config-dir=DIR       read quiesced.conf and quiesced.conf.d from DIR only\n"
                    "  --runtime-dir=DIR      instead of /run/quiesced, and of " STATEDIR "\n"
                    "  --state-dir=DIR        instead of " STATEDIR "\n"
                    "  --writers-dir=DIR      read writers' descriptors from DIR only\n"
                    "  --hold-socket=PATH     where quiesced-hold listens\n"
                    "  --launcher=fork        start writers as child processes, not as units\n"
                    "  --test-provider=DIR    have the provider \"test\", whose volumes are files in DIR");
}

enum {
        ARG_CONFIG_DIR = 256,
        ARG_RUNTIME_DIR,
        ARG_STATE_DIR,
        ARG_WRITERS_DIR,
        ARG_HOLD_SOCKET,
        ARG_LAUNCHER,
        ARG_TEST_PROVIDER,
};

static int parse_launcher(Config *config, const char *name) {
        if (streq(name, "systemd"))
                config->launcher = WRITERS_LAUNCHER_SYSTEMD;
        else if (streq(name, "fork"))
                config->launcher = WRITERS_LAUNCHER_FORK;
        else {
                (void) fprintf(stderr, "quiesced: --launcher=%s: there are systemd and fork.\n", name);
                return -EINVAL;
        }
        return 0;
}

static int apply_option(int c, Config *config, const char **config_dirs) {
        switch (c) {
        case ARG_CONFIG_DIR:
                config_dirs[0] = optarg;
                config_dirs[1] = NULL;
                return 0;
        case ARG_RUNTIME_DIR:
                config->runtime_dir = config->state_dir = optarg;
                return 0;
        case ARG_STATE_DIR:
                config->state_dir = optarg;
                return 0;
        case ARG_WRITERS_DIR:
                config->writers_dir = optarg;
                return 0;
        case ARG_HOLD_SOCKET:
                config->hold_socket_path = optarg;
                return 0;
        case ARG_LAUNCHER:
                return parse_launcher(config, optarg);
        case ARG_TEST_PROVIDER:
                config->test_provider_dir = optarg;
                return 0;
        default: /* getopt_long() has said what is wrong */
                return -EINVAL;
        }
}

/* Return: 1 go on, 0 done, -EINVAL wrong usage. */
static int parse_arguments(int argc, char **argv, Config *config, const char **config_dirs) {
        static const struct option options[] = {
                {"help", no_argument, NULL, 'h'},
                {"version", no_argument, NULL, 'V'},
                {"config-dir", required_argument, NULL, ARG_CONFIG_DIR},
                {"runtime-dir", required_argument, NULL, ARG_RUNTIME_DIR},
                {"state-dir", required_argument, NULL, ARG_STATE_DIR},
                {"writers-dir", required_argument, NULL, ARG_WRITERS_DIR},
                {"hold-socket", required_argument, NULL, ARG_HOLD_SOCKET},
                {"launcher", required_argument, NULL, ARG_LAUNCHER},
                {"test-provider", required_argument, NULL, ARG_TEST_PROVIDER},
                {},
        };
        int c, r;

        while ((c = getopt_long(argc, argv, "hV", options, NULL)) >= 0) {
                if (c == 'h') {
                        print_help();
                        return 0;
                }
                if (c == 'V') {
                        (void) puts(PACKAGE_STRING);
                        return 0;
                }
                r = apply_option(c, config, config_dirs);
                if (r < 0)
                        return r;
        }
        if (optind < argc) {
                (void) fprintf(stderr, "quiesced: there are no arguments besides options.\n");
                return -EINVAL;
        }
        return 1;
}

static int run(Config *config) {
        _cleanup_(manager_freep) Manager *manager = NULL;
        int r;

        r = manager_new(&manager, config);
        if (r == 0)
                r = manager_start(manager);
        if (r < 0) {
                log_error("quiesced cannot start: %s", strerror(-r));
                return EXIT_FAILURE;
        }
        r = sd_event_loop(manager->event);
        return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv) {
        const char *config_dirs[] = {SYSCONFDIR "/quiesced", "/run/quiesced", VENDORDIR, NULL};
        Config config;
        int r;

        entries_begin();
        config_default(&config);
        config.dirs = config_dirs;
        r = parse_arguments(argc, argv, &config, config_dirs);
        if (r <= 0)
                return r < 0 ? 2 : EXIT_SUCCESS;
        r = config_load(&config);
        if (r < 0) {
                log_error("quiesced cannot read its configuration: %s", strerror(-r));
                return EXIT_FAILURE;
        }
        config_apply_log(&config);
        r = run(&config);
        config_done(&config);
        return r;
}
