/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Where stores go. A store is written for each first change of its origin, and read for all that has
 * changed: on a disk of its own it costs the origin least, and only the administrator knows which that is.
 * Names are checked for their form alone; whether a group has that physical volume LVM knows.
 */

#include "daemon/providers/lvm-placement.h"

#include <fnmatch.h>

#include "util/error.h"
#include "util/texts.h"

/**
 * lvm_device_name_is_valid() - may LVM be given this as a physical volume
 * @name:       a device's path, as lvcreate(8) takes it: extents may follow
 *
 * Return: whether it is an absolute path below /dev.
 */
bool lvm_device_name_is_valid(const char *name) {
        return strncmp(name, "/dev/", strlen("/dev/")) == 0 && strlen(name) < LVM_PLACEMENT_DEVICE_MAX;
}

static void placement_done(LvmPlacement *placement) {
        (void) texts_free(placement->devices);
        free(placement->group);
        *placement = (LvmPlacement){};
}

static int placement_add_word(LvmPlacement *placement, size_t *n_devices, const char *word) {
        if (!placement->group) {
                placement->group = strdup(word);
                return placement->group ? 0 : error_origin(-ENOMEM);
        }
        if (*n_devices >= LVM_PLACEMENT_DEVICES_MAX || !lvm_device_name_is_valid(word))
                return -EINVAL;
        placement->devices[*n_devices] = strdup(word);
        if (!placement->devices[*n_devices])
                return error_origin(-ENOMEM);
        (*n_devices)++;
        return 0;
}

static int placement_parse(LvmPlacement *placement, const char *text) {
        _cleanup_free_ char *words = strdup(text);
        size_t n_devices = 0;
        char *rest = NULL;
        int r = 0;

        placement->devices = calloc(LVM_PLACEMENT_DEVICES_MAX + 1, sizeof(char *));
        if (!words || !placement->devices)
                return error_origin(-ENOMEM);
        for (char *word = strtok_r(words, " \t", &rest); word && r >= 0; word = strtok_r(NULL, " \t", &rest))
                r = placement_add_word(placement, &n_devices, word);
        return r < 0 ? r : n_devices > 0 ? 0 : -EINVAL;
}

/**
 * lvm_placements_add() - one more group's; one that was told before is replaced
 * @placements: changed
 * @text:       "GROUP DEVICE…"
 *
 * Return: 0; -EINVAL: no group, no device, too many, or one that is no path below /dev; -ENOMEM.
 */
int lvm_placements_add(LvmPlacements *placements, const char *text) {
        LvmPlacement placement = {}, *items;
        int r;

        r = placement_parse(&placement, text);
        for (size_t i = 0; r == 0 && i < placements->n_items; i++)
                if (streq(placements->items[i].group, placement.group)) {
                        placement_done(&placements->items[i]);
                        placements->items[i] = placement;
                        return 0;
                }
        items = r == 0 ? reallocarray(placements->items, placements->n_items + 1, sizeof(*items)) : NULL;
        if (!items) {
                placement_done(&placement);
                return r < 0 ? r : error_origin(-ENOMEM);
        }
        placements->items = items;
        items[placements->n_items++] = placement;
        return 0;
}

/**
 * lvm_placements_find() - where a group's stores go
 * @placements: all, or NULL
 * @group:      its name
 *
 * Return: devices, NULL-terminated, the placements'; NULL: where LVM likes.
 */
const char *const *lvm_placements_find(const LvmPlacements *placements, const char *group) {
        for (size_t i = 0; placements && i < placements->n_items; i++)
                if (streq(placements->items[i].group, group))
                        return (const char *const *) placements->items[i].devices;
        return NULL;
}

/**
 * lvm_placements_match() - likewise, by patterns
 * @placements: all, or NULL
 * @name:       of a device
 *
 * Return: the devices of the first whose group fits as in fnmatch(3), NULL-terminated, the placements';
 * NULL: none does.
 */
const char *const *lvm_placements_match(const LvmPlacements *placements, const char *name) {
        for (size_t i = 0; placements && i < placements->n_items; i++)
                if (fnmatch(placements->items[i].group, name, 0) == 0)
                        return (const char *const *) placements->items[i].devices;
        return NULL;
}

/**
 * lvm_placements_done() - forget all
 * @placements: empty after it
 */
void lvm_placements_done(LvmPlacements *placements) {
        for (size_t i = 0; i < placements->n_items; i++)
                placement_done(&placements->items[i]);
        free(placements->items);
        *placements = (LvmPlacements){};
}
