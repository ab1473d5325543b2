/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * libFuzzer drives the contract's world: each byte is a choice (see tests/contract/world.h). Whatever it
 * chooses, every rule must hold, and in the end everything must be over.
 */

#include "tests/contract/world.h"

typedef struct Bytes {
        const uint8_t *data;
        size_t size;
} Bytes;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t byte_choice(void *userdata, uint32_t n) {
        Bytes *bytes = userdata;

        if (bytes->size == 0)
                return n - 1;
        bytes->size--;
        return *bytes->data++ % n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Bytes bytes = {data, size};
        WorldStatistics statistics = {};
        World *world = world_new(byte_choice, &bytes, &statistics);

        while (bytes.size > 0)
                world_step(world);
        world_end(world);
        world_free(world);
        return 0;
}
