/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Where the data of a set's volumes is found: devices that lie on them, mount points, and for volumes that
 * are no devices (the test provider's) folders. Writers judge by it whether a file of theirs is in the set
 * (VSS: CVssWriter::IsPathAffected).
 */

#include <assert.h>

#include "daemon/sets/sets-internal.h"
#include "util/error.h"
#include "util/texts.h"

static int device_add(SetPlaces *places, dev_t device) {
        uint64_t *grown;

        for (size_t i = 0; i < places->n_devices; i++)
                if (places->devices[i] == device)
                        return 0;
        grown = reallocarray(places->devices, places->n_devices + 1, sizeof(*grown));
        if (!grown)
                return error_origin(-ENOMEM);
        grown[places->n_devices++] = device;
        places->devices = grown;
        return 0;
}

static int text_add_once(char ***list, size_t *n, const char *text) {
        for (size_t i = 0; i < *n; i++)
                if (streq((*list)[i], text))
                        return 0;
        return error_trace(texts_add(list, n, text));
}

/* A mount in another namespace has a path through /proc that is of no use to writers. */
static int mount_point_add(SetPlaces *places, const char *mount_point) {
        if (strncmp(mount_point, "/proc/", strlen("/proc/")) == 0)
                return 0;
        return text_add_once(&places->mount_points, &places->n_mount_points, mount_point);
}

static int origin_add(SetPlaces *places, const Volume *origin) {
        int r = 0;

        for (size_t i = 0; i < origin->n_above && r == 0; i++)
                r = device_add(places, origin->above[i]);
        /* btrfs has a number of its own, which no device has. */
        for (size_t i = 0; i < origin->n_mounts && r == 0; i++)
                r = device_add(places, origin->mounts[i].device);
        for (size_t i = 0; i < origin->n_mount_points && r == 0; i++)
                r = mount_point_add(places, origin->mount_points[i]);
        for (size_t i = 0; i < origin->n_mounts && r == 0; i++)
                r = mount_point_add(places, origin->mounts[i].mount_point);
        return error_trace(r);
}

static int directory_add(SetPlaces *places, const ProviderVolume *given) {
        _cleanup_free_ char *path = NULL;
        int r;

        r = given->ops->find_origin_path(given, &path);
        return r < 0 ? error_trace(r) : text_add_once(&places->directories, &places->n_directories, path);
}

/**
 * snapshot_set_find_places() - where the set's data is found
 * @set:        the set
 * @ret:        as it was when the volumes were added; set_places_done() it
 *
 * Reads memory alone, so that it may be asked in the dark.
 *
 * Return: 0, or -ENOMEM.
 */
int snapshot_set_find_places(const SnapshotSet *set, SetPlaces *ret) {
        SetPlaces places = {};
        int r = 0;

        assert(set && ret);
        for (size_t i = 0; i < set->n_volumes && r == 0; i++) {
                const ProviderVolume *given = &set->volumes[i]->given;

                if (given->origin)
                        r = origin_add(&places, given->origin);
                else if (given->ops && given->ops->find_origin_path)
                        r = directory_add(&places, given);
        }
        if (r < 0) {
                set_places_done(&places);
                return error_trace(r);
        }
        *ret = places;
        return 0;
}

/**
 * set_places_done() - free what snapshot_set_find_places() gave
 * @places:     emptied
 */
void set_places_done(SetPlaces *places) {
        texts_free(places->mount_points);
        texts_free(places->directories);
        free(places->devices);
        *places = (SetPlaces){};
}
