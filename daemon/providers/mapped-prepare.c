/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * BEGIN_PREPARE of provider dm: what can be told of a volume without looking at its disk, the stores that
 * are named for it, and the job that looks at table and stores (mapped-look-child.c).
 */

#include <sys/sysmacros.h>

#include "daemon/providers/mapped-provider.h"
#include "util/error.h"

static void store_take(MappedData *data, dev_t store) {
        data->store = store;
        data->next_taker = data->provider->takers;
        data->provider->takers = data;
}

static bool is_among(const char *name, const char *const *names) {
        for (; names && *names; names++)
                if (streq(name, *names))
                        return true;
        return false;
}

/* A store is overwritten: who is not root may wish for one that the administrator has named for it. */
static bool check_wished(const ProviderVolume *volume, char text[static CONTRACT_TEXT_MAX]) {
        for (char **name = volume->wished_devices; name && *name; name++)
                if (volume->set && volume->set->owner_uid != 0 &&
                    !is_among(*name, lvm_placements_match(volume->provider->config.stores,
                                                          volume->origin->dm_name))) {
                        (void) snprintf(text, CONTRACT_TEXT_MAX,
                                        "%.128s is no store for %.128s: one that Store= of [Dm] in "
                                        "quiesced.conf does not name only root may name.",
                                        *name, volume->name);
                        return false;
                }
        return true;
}

static ContractError check_volume(const ProviderVolume *volume, char text[static CONTRACT_TEXT_MAX]) {
        const Volume *origin = volume->origin;
        const char *reason = NULL;

        text[0] = '\0';
        if (!origin || !origin->dm_name)
                (void) snprintf(text, CONTRACT_TEXT_MAX,
                                "%.200s is no device of device-mapper, so that provider dm cannot take a "
                                "snapshot of it.",
                                volume->name);
        else if (!mapped_volume_is_supported(origin->dm_uuid, &reason))
                (void) snprintf(text, CONTRACT_TEXT_MAX, "No snapshot can be taken of %.200s: %s.",
                                origin->name,
                                reason ?: "quiesced has made it of a snapshot; name its origin");
        else if (origin->swap)
                (void) snprintf(text, CONTRACT_TEXT_MAX,
                                "%.200s is a swap area in use: while its writes are held the machine may "
                                "stand still for ever. Leave it out.",
                                volume->name);
        if (text[0])
                return CONTRACT_ERROR_VOLUME_NOT_SUPPORTED;
        if (volume->set && volume->set->persistent) {
                (void) snprintf(text, CONTRACT_TEXT_MAX,
                                "%.200s is of provider dm, whose snapshots cannot be persistent: after a "
                                "restart its device is written to before anybody could go on copying what "
                                "changes. Use context backup or file-share-backup, or put LVM below it.",
                                volume->name);
                return CONTRACT_ERROR_NOT_SUPPORTED;
        }
        if (origin->suspended) {
                (void) snprintf(text, CONTRACT_TEXT_MAX,
                                "The device of %.200s is suspended by somebody. Find out by whom (dmsetup "
                                "info), and resume it.",
                                volume->name);
                return CONTRACT_ERROR_VOLUME_BUSY;
        }
        return check_wished(volume, text) ? CONTRACT_OK : CONTRACT_ERROR_ACCESS_DENIED;
}

/* "MAJOR:MINOR BYTES ROOM" */
static void on_looked(ContractError error, const char *text, const char *told, void *userdata) {
        unsigned major_number, minor_number;
        unsigned long long size, room;
        ProviderVolume *volume = userdata;
        MappedData *data = mapped_data_of(volume);

        if (error == CONTRACT_OK &&
            sscanf(told, "%u:%u %llu %llu", &major_number, &minor_number, &size, &room) != 4) {
                error = CONTRACT_ERROR_UNEXPECTED;
                text = "It was not told which store there is.";
        }
        if (error == CONTRACT_OK) {
                volume->store_size = data->store_size = size;
                volume->store_room = room;
                volume->store_device = makedev(major_number, minor_number);
                if (volume->set)
                        store_take(data, volume->store_device);
        }
        mapped_operation_end(volume, error, text);
}

/**
 * mapped_volume_begin_prepare() - BEGIN_PREPARE
 * @volume:     a device of device-mapper, in a set or as a question
 * @done:       gets why not
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno.
 */
int mapped_volume_begin_prepare(ProviderVolume *volume, ProviderDone done, void *userdata) {
        char text[CONTRACT_TEXT_MAX];
        MappedArgument argument = {};
        ContractError error;
        MappedIds ids;
        int r;

        error = check_volume(volume, text);
        if (error != CONTRACT_OK) {
                done(volume, error, text, userdata);
                return 0;
        }
        mapped_volume_done(volume);
        memcpy(ids.snapshot, volume->snapshot_id, sizeof(ids.snapshot));
        if (volume->set) {
                memcpy(ids.set, volume->set->id, sizeof(ids.set));
                memcpy(ids.session, volume->set->session_id, sizeof(ids.session));
        }
        r = mapped_data_new((MappedData **) &volume->data, volume->provider, volume->set ? &ids : NULL,
                            volume->origin->dm_uuid);
        if (r < 0)
                return error_trace(r);
        argument.look = (MappedLook){.origin = volume->origin,
                                     .for_set = volume->set,
                                     .wished_size = volume->cow_size,
                                     .percent = volume->provider->config.cow_percent,
                                     .allow_plaintext = volume->provider->config.allow_plaintext,
                                     .names = (const char *const *) volume->wished_devices,
                                     .stores = volume->provider->config.stores,
                                     .takers = (const MappedData *const *) &volume->provider->takers};
        return error_trace(
                mapped_operation_begin(volume, mapped_job_look, &argument, on_looked, done, userdata));
}
