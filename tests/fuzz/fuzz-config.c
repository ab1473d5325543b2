/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* quiesced.conf of any bytes: never a crash, and whatever it says, values stay within their limits. */

#include <stddef.h>
#include <stdint.h>

#include "daemon/config.h"
#include "util/macro.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
        config_done(&config);
        return 0;
}
