/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which volumes there are, and which key names the one below a path.
 */

#include <assert.h>

#include "daemon/providers/mapped.h"
#include "daemon/providers/test.h"
#include "daemon/sets/sets-internal.h"
#include "util/error.h"

typedef struct ListRequest {
        Sets *sets;
        VolumesListed done;
        void *userdata;
} ListRequest;

/**
 * sets_volume_key_of_path() - which volume a path lies on
 * @sets:       where
 * @path:       absolute; compared with mount points, never opened
 * @ret_key:    to be freed
 *
 * Return: 0, -ENODEV if it lies on no volume, or another negative errno.
 */
int sets_volume_key_of_path(Sets *sets, const char *path, char **ret_key) {
        _cleanup_(volume_world_freep) VolumeWorld *world = NULL;
        _cleanup_(volume_freep) Volume *volume = NULL;
        dev_t device;
        int r;

        assert(sets && path && ret_key);
        if (sets->test_provider && provider_test_key_of_path(sets->test_provider, path, ret_key) == 0)
                return 0;
        r = volume_world_new(&world, NULL);
        if (r < 0)
                return error_trace(r);
        r = volume_world_find_path(world, path, &device);
        if (r > 0)
                return -ENODEV;
        if (r < 0)
                return error_trace(r);
        r = volume_new(&volume, world, volume_world_find_logical(world, device));
        if (r < 0)
                return error_trace(r);
        *ret_key = TAKE_PTR(volume->key);
        return 0;
}

/* Return: the volume if it is active, NULL if not. */
static Volume *find_active(VolumeWorld *world, const char *key) {
        size_t n = volume_world_count_logical(world);

        for (size_t i = 0; i < n; i++) {
                _cleanup_(volume_freep) Volume *volume = NULL;

                if (volume_new(&volume, world, volume_world_get_logical(world, i)) >= 0 &&
                    streq(volume->key, key))
                        return TAKE_PTR(volume);
        }
        return NULL;
}

static void listing_fill_active(VolumeListing *listing, const Volume *volume) {
        listing->file_system = volume->file_system ?: "";
        listing->mount_points = (const char *const *) volume->mount_points;
        listing->n_mount_points = volume->n_mount_points;
        if (volume->swap) {
                listing->provider = "";
                listing->reason = "it is used as swap space";
        }
}

static void listing_fill(VolumeListing *listing, const LvmVolume *lv, const Volume *volume) {
        const char *reason = NULL;
        const ProviderOps *ops = lvm_volume_get_provider(lv, &reason);

        *listing = (VolumeListing){.name = lv->name,
                                   .key = lv->key,
                                   .device = lv->path,
                                   .provider = ops ? ops->name : "",
                                   .reason = ops ? "" : reason,
                                   .size = lv->size,
                                   .file_system = ""};
        if (volume)
                listing_fill_active(listing, volume);
}

/* Return: false: nobody should see it. */
static bool listing_fill_mapped(VolumeListing *listing, const Volume *volume) {
        const char *reason = NULL;
        bool supported = mapped_volume_is_supported(volume->dm_uuid, &reason);

        if (!supported && !reason)
                return false;
        *listing = (VolumeListing){.name = volume->name,
                                   .key = volume->key,
                                   .device = volume->path,
                                   .provider = supported ? PROVIDER_DM_NAME : "",
                                   .reason = supported ? "" : reason,
                                   .size = volume->size};
        listing_fill_active(listing, volume);
        return true;
}

/* Return: how many more there are. */
static size_t listings_add_mapped(VolumeListing *listings, Volume **volumes, VolumeWorld *world) {
        size_t n = 0, n_mapped = volume_world_count_mapped(world);

        for (size_t i = 0; i < n_mapped; i++) {
                if (volume_new(&volumes[n], world, volume_world_get_mapped(world, i)) < 0)
                        continue;
                if (listing_fill_mapped(&listings[n], volumes[n]))
                        n++;
                else
                        volumes[n] = volume_free(volumes[n]);
        }
        return n;
}

static void listings_tell(const ListRequest *request, const LvmReport *report, VolumeWorld *world) {
        size_t n = 0, max = report->n_volumes + volume_world_count_mapped(world) + 1;
        _cleanup_free_ VolumeListing *listings = calloc(max, sizeof(*listings));
        _cleanup_free_ Volume **volumes = calloc(max, sizeof(*volumes));

        if (!listings || !volumes) {
                request->done(-ENOMEM, NULL, 0, request->userdata);
                return;
        }
        for (size_t i = 0; i < report->n_volumes; i++) {
                const LvmVolume *lv = &report->volumes[i];
                const char *reason = NULL;

                if (!lvm_volume_get_provider(lv, &reason) && !reason)
                        continue;
                volumes[n] = find_active(world, lv->key);
                listing_fill(&listings[n], lv, volumes[n]);
                n++;
        }
        if (request->sets->dm_provider)
                n += listings_add_mapped(listings + n, volumes + n, world);
        request->done(0, listings, n, request->userdata);
        for (size_t i = 0; i < n; i++)
                (void) volume_free(volumes[i]);
}

static void on_listed(int r, const LvmReport *report, const char *text, void *userdata) {
        _cleanup_(volume_world_freep) VolumeWorld *world = NULL;
        _cleanup_free_ ListRequest *request = userdata;

        if (r >= 0)
                r = volume_world_new(&world, NULL);
        if (r < 0) {
                request->done(r, NULL, 0, request->userdata);
                return;
        }
        listings_tell(request, report, world);
}

/**
 * sets_list_volumes() - all volumes for users: logical ones, and those of provider dm
 * @sets:       where
 * @done:       called once, from the event loop; what it gets lives during the call only
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno, and @done is not called then.
 */
int sets_list_volumes(Sets *sets, VolumesListed done, void *userdata) {
        ListRequest *request = calloc(1, sizeof(*request));
        int r;

        assert(sets && done);
        if (!request)
                return error_origin(-ENOMEM);
        *request = (ListRequest){.sets = sets, .done = done, .userdata = userdata};
        r = lvm_list(sets->lvm, NULL, on_listed, request);
        if (r < 0)
                free(request);
        return error_trace(r);
}
