/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What writers of database servers remember of servers, of any bytes: never a crash, all of it or nothing,
 * and what is taken can be written down again. */

#include <stddef.h>
#include <stdint.h>

#include "writers.d/server/remembered.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Known known = {};

        if (remembered_parse(&known, (const char *) data, size) < 0 && known.instances.n_items > 0)
                abort();
        for (size_t i = 0; i < known.instances.n_items; i++) {
                if (!instance_name_is_good(known.instances.items[i]->name) ||
                    known.instances.items[i]->port > 65535)
                        abort();
                for (size_t j = 0; j < known.facts[i].n_paths; j++)
                        if (known.facts[i].paths[j].path[0] != '/')
                                abort();
        }
        if (remembered_save(&known, "/dev/null/known.json") == 0)
                abort();
        known_done(&known);
        return 0;
}
