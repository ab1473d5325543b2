/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* quiesced.conf of any bytes: never a crash, and whatever it says, values stay within their limits. Rules of
 * any file never remove what is locked, nor all of what has a label. */

#include <stddef.h>
#include <stdint.h>

#include "daemon/config.h"
#include "util/macro.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Sets with the label of a rule, an hour apart. */
static void try_rule(const KeepingRules *rules, KeepingRule *rule) {
        char *labels[] = {rule->label, NULL};
        const KeepingVolume volume = {.name = "vg/lv"};
        KeepingRemoval *removals = NULL;
        KeepingSet sets[8];
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(sets); i++)
                sets[i] = (KeepingSet){.id = "id",
                                       .instant_usec = i * 3600 * USEC_PER_SEC,
                                       .labels = labels,
                                       .volumes = &volume,
                                       .n_volumes = 1,
                                       .locked = i == 0};
        if (keeping_plan(rules, sets, ELEMENTSOF(sets), 8 * 3600 * USEC_PER_SEC, &removals, &n) < 0)
                return;
        for (size_t i = 0; i < n; i++)
                if (removals[i].set == 0 || (removals[i].reason == KEEPING_RETENTION &&
                                             n == ELEMENTSOF(sets) - 1 && rules->n_limits == 0))
                        abort();
        free(removals);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_fclose_ FILE *stream = NULL;
        Config config, defaults;

        config_default(&config);
        config_default(&defaults);
        stream = size > 0 ? fmemopen((void *) (uintptr_t) data, size, "r") : NULL;
        if (!stream)
                return 0;
        config_parse(&config, stream, "fuzz.conf");
        if (config.contract.hold_limit_usec == 0 || config.contract.hold_limit_usec > 10 * USEC_PER_SEC ||
            config.sessions_max_per_user < 1 || config.sessions_max_per_user > CONTRACT_SESSIONS_MAX ||
            config.calls_max_per_user < 1 || config.cow_percent < 1 || config.cow_percent > 100 ||
            config.snapshots_max < 1 || config.launch_limit_usec == 0)
                abort();
        for (unsigned i = 0; i < _CONTRACT_EVENT_MAX; i++)
                if (config.contract.event_limit_usec[i] == 0 && defaults.contract.event_limit_usec[i] != 0)
                        abort();
        for (size_t i = 0; i < config.placements.n_items; i++)
                for (char **device = config.placements.items[i].devices; *device; device++)
                        if (!lvm_device_name_is_valid(*device))
                                abort();
        for (size_t i = 0; i < config.keeping.n_rules; i++)
                try_rule(&config.keeping, &config.keeping.rules[i]);
        config_done(&config);
        return 0;
}
