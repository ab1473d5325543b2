/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Devices of device-mapper that are volumes by themselves: neither logical volumes nor parts of them, and
 * neither on nor below one.
 */

#include <assert.h>

#include "daemon/volumes/lvm-name.h"
#include "daemon/volumes/world.h"

static bool carries_logical(const VolumeWorld *world, const Device *device, unsigned layer) {
        for (size_t i = 0; i < world->n_devices && layer < LAYERS_MAX; i++) {
                const Device *upper = &world->devices[i];

                if (upper != device && world_lies_directly_on(world, upper, device) &&
                    (upper->vg || carries_logical(world, upper, layer + 1)))
                        return true;
        }
        return false;
}

static bool device_is_mapped(const VolumeWorld *world, const Device *device) {
        if (!device->dm_name || device->vg ||
            (device->dm_uuid && strncmp(device->dm_uuid, LVM_UUID_PREFIX, strlen(LVM_UUID_PREFIX)) == 0))
                return false;
        return volume_world_find_logical(world, device->number) == device->number &&
               !carries_logical(world, device, 0);
}

/**
 * volume_world_count_mapped() - how many there are
 * @world:      the world
 *
 * Return: their number.
 */
size_t volume_world_count_mapped(const VolumeWorld *world) {
        size_t n = 0;

        for (size_t i = 0; i < world->n_devices; i++)
                n += device_is_mapped(world, &world->devices[i]);
        return n;
}

/**
 * volume_world_get_mapped() - one of them
 * @world:      the world
 * @index:      0 … volume_world_count_mapped() - 1
 *
 * Return: device number.
 */
dev_t volume_world_get_mapped(const VolumeWorld *world, size_t index) {
        for (size_t i = 0; i < world->n_devices; i++)
                if (device_is_mapped(world, &world->devices[i]) && index-- == 0)
                        return world->devices[i].number;
        assert_not_reached("the index is below their number");
}
