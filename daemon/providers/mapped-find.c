/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Finding snapshots of provider dm again, and judging what could be an origin: by sysfs alone, which tells
 * the names and uuids of all devices of device-mapper, and what lies on what.
 */

#include <dirent.h>
#include <sys/sysmacros.h>

#include "daemon/providers/lvm-dm.h"
#include "daemon/providers/mapped-provider.h"
#include "util/error.h"

#define BLOCK_DIRECTORY "/sys/block"
#define HOLDERS_MAX     16u

/* The snapshot of these ids among those found, which may be made larger for it. */
static MappedSnapshot *snapshot_of(MappedSnapshot **list, size_t *n, const MappedIds *ids) {
        MappedSnapshot *more;

        for (size_t i = 0; i < *n; i++)
                if (streq((*list)[i].ids.snapshot, ids->snapshot))
                        return &(*list)[i];
        more = reallocarray(*list, *n + 1, sizeof(*more));
        if (!more)
                return NULL;
        *list = more;
        more[*n] = (MappedSnapshot){.ids = *ids};
        return &more[(*n)++];
}

static int device_note(const char *kernel_name, MappedSnapshot **list, size_t *n) {
        _cleanup_free_ char *path = NULL;
        char uuid[MAPPED_UUID_SIZE + 8], name[MAPPED_NAME_SIZE + 8];
        unsigned minor_number = 0;
        MappedSnapshot *snapshot;
        char number[32];
        unsigned major_number = 0;
        _cleanup_fclose_ FILE *file = NULL;
        MappedPart part;
        MappedIds ids;
        dev_t device;

        if (asprintf(&path, BLOCK_DIRECTORY "/%s/dev", kernel_name) < 0) {
                path = NULL;
                return error_origin(-ENOMEM);
        }
        file = fopen(path, "re");
        if (!file || !fgets(number, sizeof(number), file) ||
            sscanf(number, "%u:%u", &major_number, &minor_number) != 2)
                return 0;
        device = makedev(major_number, minor_number);
        if (!mapped_device_read(device, "dm/uuid", uuid, sizeof(uuid)) ||
            !mapped_device_read(device, "dm/name", name, sizeof(name)) ||
            !mapped_uuid_parse(uuid, &ids, &part))
                return 0;
        snapshot = snapshot_of(list, n, &ids);
        if (!snapshot)
                return error_origin(-ENOMEM);
        snapshot->parts[part] = true;
        if (part == MAPPED_COW)
                snapshot->marked = mapped_mark_parse(name, &snapshot->mark);
        return 0;
}

/**
 * mapped_snapshots_find() - what there is of snapshots of ours
 * @ret:        a row of them; free() it
 * @ret_n:      how many
 *
 * Return: 0, or a negative errno.
 */
int mapped_snapshots_find(MappedSnapshot **ret, size_t *ret_n) {
        _cleanup_free_ MappedSnapshot *list = NULL;
        DIR *directory = opendir(BLOCK_DIRECTORY);
        size_t n = 0;
        int r = 0;

        for (struct dirent *entry; directory && r == 0 && (entry = readdir(directory));)
                if (strncmp(entry->d_name, "dm-", 3) == 0)
                        r = device_note(entry->d_name, &list, &n);
        if (directory)
                (void) closedir(directory);
        if (r < 0)
                return error_trace(r);
        for (size_t i = 0; i < n; i++) {
                list[i].whole = true;
                for (MappedPart part = 0; part < _MAPPED_PART_MAX; part++)
                        list[i].whole = list[i].whole && list[i].parts[part];
        }
        *ret = TAKE_PTR(list);
        *ret_n = n;
        return 0;
}

/* What lies on the device below it, and is no part of the snapshot. Return: whether there is one. */
static bool origin_find(const char *real_uuid, dev_t *ret, char uuid[static MAPPED_UUID_SIZE]) {
        dev_t real, holders[HOLDERS_MAX];
        size_t n;

        if (lvm_dm_device(real_uuid, &real) != 0)
                return false;
        n = mapped_device_list(real, "holders", holders, HOLDERS_MAX);
        for (size_t i = 0; i < n && i < HOLDERS_MAX; i++)
                if (mapped_device_read(holders[i], "dm/uuid", uuid, MAPPED_UUID_SIZE) &&
                    !mapped_uuid_is_ours(uuid)) {
                        *ret = holders[i];
                        return true;
                }
        return false;
}

static uint64_t size_of(dev_t device) {
        char text[32];

        return mapped_device_read(device, "size", text, sizeof(text)) ? 512 * strtoull(text, NULL, 10) : 0;
}

/**
 * provider_dm_adopt() - a snapshot found again
 * @volume:     filled in: ops, name, key, device, size, snapshot_id, data; the rest is the caller's
 * @snapshot:   marked and whole
 *
 * If its origin is gone, name and key are the snapshot's own.
 *
 * Return: 0, or a negative errno.
 */
int provider_dm_adopt(ProviderVolume *volume, const MappedSnapshot *snapshot) {
        char uuid[MAPPED_UUID_SIZE] = "", name[MAPPED_NAME_SIZE], origin_name[MAPPED_NAME_SIZE];
        MappedData *data;
        bool has_origin;
        dev_t origin = 0;
        int r;

        r = mapped_data_new(&data, volume->provider, &snapshot->ids, "");
        if (r < 0)
                return error_trace(r);
        volume->data = data;
        volume->ops = &provider_dm_ops;
        data->attempted = true;
        memcpy(volume->snapshot_id, snapshot->ids.snapshot, sizeof(volume->snapshot_id));
        r = mapped_name(name, volume->snapshot_id, MAPPED_SNAPSHOT);
        if (r < 0)
                return error_trace(r);
        has_origin = origin_find(data->uuids[MAPPED_REAL], &origin, uuid) &&
                     mapped_device_read(origin, "dm/name", origin_name, sizeof(origin_name));
        if (has_origin)
                memcpy(data->origin_uuid, uuid, sizeof(data->origin_uuid));
        else if (lvm_dm_device(data->uuids[MAPPED_SNAPSHOT], &origin) != 0)
                origin = 0;
        volume->size = size_of(origin);
        volume->name = strdup(has_origin ? origin_name : name);
        volume->key = strdup(has_origin ? uuid : data->uuids[MAPPED_SNAPSHOT]);
        if (asprintf(&volume->device, "/dev/mapper/%s", name) < 0)
                volume->device = NULL;
        return volume->name && volume->key && volume->device ? 0 : error_origin(-ENOMEM);
}

typedef struct Removal {
        MappedRemoved done;
        void *userdata;
} Removal;

static void on_removed(ContractError error, const char *text, const char *told, void *userdata) {
        _cleanup_free_ Removal *removal = userdata;

        removal->done(error, text, removal->userdata);
}

/**
 * provider_dm_remove() - remove what is left of a snapshot (recovery; a set uses ABORT and DELETE)
 * @provider:   whose queue
 * @ids:        as mapped_snapshots_find() found them
 * @done:       called once, from the event loop
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno.
 */
int provider_dm_remove(Provider *provider, const MappedIds *ids, MappedRemoved done, void *userdata) {
        _cleanup_free_ Removal *removal = malloc(sizeof(*removal));
        MappedArgument argument = {
                .removal = {.ids = *ids, .lock_path = provider->lock_path, .patiently = true}};
        int r;

        if (!removal)
                return error_origin(-ENOMEM);
        *removal = (Removal){.done = done, .userdata = userdata};
        r = mapped_work_new(NULL, provider, mapped_job_remove, &argument, on_removed, removal);
        if (r < 0)
                return error_trace(r);
        TAKE_PTR(removal);
        return 0;
}

/* What mapped_target_is_plain() would tell of the table, as far as the uuid of who made it does. */
static bool has_state(const char *dm_uuid) {
        static const char *const prefixes[] = {"mpath-", "CRYPT-VERITY-", "CRYPT-INTEGRITY-", "DMRAID-"};

        for (size_t i = 0; i < ELEMENTSOF(prefixes); i++)
                if (strncmp(dm_uuid, prefixes[i], strlen(prefixes[i])) == 0)
                        return true;
        return false;
}

/**
 * mapped_volume_is_supported() - can a device be an origin, as far as its uuid tells
 * @dm_uuid:    of a device of device-mapper, or NULL
 * @ret_reason: why not, a static text that follows the volume's name; NULL: nobody should see it
 *
 * Return: whether.
 */
bool mapped_volume_is_supported(const char *dm_uuid, const char **ret_reason) {
        *ret_reason = NULL;
        /* Also what was opened of snapshots of others: encrypted ones, copies. */
        if (dm_uuid && strncmp(dm_uuid, OUR_UUID_PREFIX, strlen(OUR_UUID_PREFIX)) == 0)
                return false;
        if (!dm_uuid)
                *ret_reason = "its device has no uuid, by which it could be found again under another name; "
                              "give it one (dmsetup rename NAME --setuuid UUID)";
        else if (strncmp(dm_uuid, "LVM-", 4) == 0)
                *ret_reason = "it is a logical volume, or a part of one, which the providers lvm-cow and "
                              "lvm-thin are for";
        else if (has_state(dm_uuid))
                *ret_reason = "its target has a state of its own, which two tables at a time would spoil; a "
                              "linear device over it can be a volume";
        return !*ret_reason;
}
