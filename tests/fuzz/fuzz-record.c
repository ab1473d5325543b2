/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Records of sessions (/run/quiesced/sessions) of any bytes: never a crash, and what is taken is complete.
 */

#include <stddef.h>
#include <stdint.h>

#include "daemon/records/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        SessionRecord record = {};

        if (record_parse(&record, (const char *) data, size) == 0) {
                if (strlen(record.id) != CONTRACT_ID_MAX - 1 || record.n_writers > CONTRACT_WRITERS_MAX)
                        abort();
                for (size_t i = 0; i < record.n_writers; i++)
                        if (!record.writers[i].name || strlen(record.writers[i].name) >= CONTRACT_NAME_MAX)
                                abort();
        }
        record_done(&record);
        return 0;
}
