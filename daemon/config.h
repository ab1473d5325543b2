/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What quiesced is configured to do: quiesced.conf(5) and the command line.
 *
 * Files are read at start, and again when that is asked for. The first quiesced.conf of /etc/quiesced,
 * /run/quiesced and /usr/lib/quiesced counts; files in quiesced.conf.d of the same places add to it, in the
 * order of their names. At start a line that is not understood is logged and has no effect: a typing error
 * never keeps the daemon from starting, because recovery must run. When they are read again, one such line
 * leaves all as it was.
 */

#include <stdio.h>

#include "contract/contract.h"
#include "daemon/config-value.h"
#include "daemon/keeping/keeping.h"
#include "daemon/providers/lvm-placement.h"
#include "daemon/writers/writers.h"
#include "util/log.h"

typedef struct Config {
        ContractConfig contract;
        uint64_t launch_limit_usec;
        unsigned sessions_max_per_user;
        unsigned calls_max_per_user;
        unsigned cow_percent;
        unsigned snapshots_max;
        uint64_t space_check_usec;
        unsigned warn_percent, grow_percent, grow_by_percent, drop_percent; /* of room; 100: never */
        uint64_t growth_usec;        /* over how long growth is measured */
        uint64_t keeping_check_usec; /* how often sets are looked at by the rules */
        KeepingRules keeping;
        LvmPlacements placements; /* of COW stores */
        LvmPlacements dm_stores;  /* of provider dm */
        bool dm_plaintext_stores;
        uint64_t lvm_wait_usec; /* at the start, for LVM's first answer */
        bool expedite_rcu;
        int log_level;                      /* of syslog(3), of all modules */
        int module_levels[LOG_MODULES_MAX]; /* -1: log_level */
        uint64_t external_limit_usec; /* the longest that a requester may take over a snapshot elsewhere */
        /* For tests and developers; quiesced(8). NULL: where the system has it. */
        const char *runtime_dir;
        const char *state_dir; /* of what outlives a reboot */
        const char *writers_dir;
        const char *test_provider_dir;
        const char *hold_socket_path;
        WritersLauncher launcher;
        const char *const *dirs; /* of the files; NULL-terminated */
        /* Reading again: nothing is ignored, but the first thing that is wrong is told here. */
        bool is_strict, is_wrong;
        char *wrong; /* NULL also if there was no memory for it */
} Config;

void config_default(Config *config);
void config_parse(Config *config, FILE *stream, const char *path);
int config_load(Config *config);
int config_load_again(Config *config, char **ret_wrong);
void config_apply_log(const Config *config);
void config_done(Config *config);
