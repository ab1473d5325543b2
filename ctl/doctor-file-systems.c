/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The doctor looks at mounted file systems: whether each can be in a set, and who would freeze it. From the
 * mount table alone; no file system is touched, as one may hang.
 */

#include "ctl/doctor.h"
#include "ctl/mounts.h"
#include "quiesce/requester.h"

/* Those of the kernel that implement a freeze; all others are tried by the writer, in each session. */
static bool type_freezes(const char *type) {
        static const char *const types[] = {"ext2", "ext3",   "ext4", "xfs",      "btrfs",
                                            "f2fs", "nilfs2", "jfs",  "reiserfs", "gfs2"};

        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                if (streq(type, types[i]))
                        return true;
        return false;
}

static bool list_has(char **list, const char *word) {
        for (; list && *list; list++)
                if (streq(*list, word))
                        return true;
        return false;
}

static const Dict *find_volume(const Doctor *doctor, const char *mount_point) {
        for (size_t i = 0; i < doctor->volumes.n_dicts; i++) {
                const DictItem *points = dict_get(&doctor->volumes.dicts[i], "mount-points");

                if (points && points->type == DICT_LIST && list_has(points->list, mount_point))
                        return &doctor->volumes.dicts[i];
        }
        return NULL;
}

static const char *who_freezes(const Doctor *doctor, const Mount *mount) {
        if (!doctor->writers_known)
                return "who freezes it is not known";
        if (!doctor->fsfreeze)
                return "nobody freezes it: the writer fsfreeze is not there";
        return type_freezes(mount->type)
                       ? "the writer fsfreeze freezes it"
                       : "whether it can be frozen the writer fsfreeze tries in each session";
}

static void look_at_mount(Doctor *doctor, const Mount *mount) {
        const Dict *volume = find_volume(doctor, mount->point);
        bool nobody = doctor->writers_known && !doctor->fsfreeze;

        if (!volume)
                doctor_add(doctor, DOCTOR_NOTE, NULL, "%s (%s) is on no logical volume: %s%s", mount->point,
                           mount->type,
                           doctor->volumes_known ? "it can be frozen for a snapshot elsewhere alone; "
                                                 : "or quiesced has not told; ",
                           who_freezes(doctor, mount));
        else if (*dict_get_string(volume, "reason"))
                doctor_add(doctor, DOCTOR_NOTE, NULL, "%s (%s, %s) cannot be in a set: %s", mount->point,
                           mount->type, dict_get_string(volume, "name"), dict_get_string(volume, "reason"));
        else
                doctor_add(doctor, nobody ? DOCTOR_WARNING : DOCTOR_OK,
                           nobody ? "unmask or install the writer fsfreeze" : NULL,
                           "%s (%s, %s) is snapshotted by %s; %s", mount->point, mount->type,
                           dict_get_string(volume, "name"), dict_get_string(volume, "provider"),
                           who_freezes(doctor, mount));
}

static bool seen_before(const MountTable *table, size_t at) {
        for (size_t i = 0; i < at; i++)
                if (table->mounts[i].device == table->mounts[at].device)
                        return true;
        return false;
}

static void read_volumes(Doctor *doctor) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r;

        r = doctor_call(doctor, QUIESCE_BUS_NAME, QUIESCE_BUS_PATH, QUIESCE_BUS_MANAGER, "GetVolumes",
                        &error, &reply, "a{sv}", 0);
        if (r >= 0)
                r = dict_array_read(&doctor->volumes, reply);
        doctor->volumes_known = r >= 0;
        if (r < 0)
                doctor_add(doctor, DOCTOR_UNKNOWN, geteuid() != 0 ? DOCTOR_AS_ROOT : NULL,
                           "quiesced does not tell what can be in a set: %s", error.message ?: strerror(-r));
}

/**
 * doctor_look_at_file_systems() - the area
 * @doctor:     gets the findings; writers were looked at
 */
void doctor_look_at_file_systems(Doctor *doctor) {
        _cleanup_(mount_table_freep) MountTable *table = NULL;

        doctor->area = "file-systems";
        if (doctor->quiesced)
                read_volumes(doctor);
        else
                doctor_add(doctor, DOCTOR_UNKNOWN, NULL, "what can be in a set only quiesced tells");
        if (mount_table_new(&table, NULL) < 0) {
                doctor_add(doctor, DOCTOR_UNKNOWN, NULL, "the mount table cannot be read");
                return;
        }
        for (size_t i = 0; i < table->n_mounts; i++)
                if (mount_is_block(&table->mounts[i]) && !seen_before(table, i))
                        look_at_mount(doctor, &table->mounts[i]);
}
