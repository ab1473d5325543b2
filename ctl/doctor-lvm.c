/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The doctor looks at LVM: that it is there, and at the settings of lvm.conf(5) that matter to snapshots, as
 * LVM itself has put them together from all its files.
 */

#include "ctl/doctor.h"

#include <ctype.h>

#define LVM_NEEDED_MAJOR 2u
#define LVM_NEEDED_MINOR 3u
#define LVM_NEEDED_PATCH 16u

typedef struct Setting {
        const char *name; /* section/key */
        const char *bad;  /* the value that is told of; NULL: any */
        DoctorResult result;
        const char *text;
        const char *remedy;
} Setting;

static const Setting settings[] = {
        {"global/metadata_read_only", "1", DOCTOR_PROBLEM,
         "LVM may change nothing, so it makes no snapshots",
         "set global/metadata_read_only to 0 in lvm.conf(5)"},
        {"global/wait_for_locks", "0", DOCTOR_WARNING,
         "LVM commands fail instead of waiting while a set is being made, those of quiesced while others run, "
         "too",
         "set global/wait_for_locks to 1 in lvm.conf(5)"},
        {"global/use_lvmlockd", "1", DOCTOR_NOTE,
         "LVM shares volume groups with other machines: volumes of shared groups cannot be in a set", NULL},
        {"global/use_lvmpolld", "0", DOCTOR_NOTE,
         "pvmove and merges are polled by the commands themselves, and stop when those are killed", NULL},
        {"global/event_activation", "0", DOCTOR_NOTE,
         "volumes of disks that come late are not activated by udev, and snapshots on them not found until they "
         "are",
         NULL},
        {"activation/volume_list", NULL, DOCTOR_WARNING,
         "LVM activates only the volumes that volume_list names: a snapshot that it does not name cannot be made",
         "have activation/volume_list name the groups whose volumes are backed up"},
        {"activation/read_only_volume_list", NULL, DOCTOR_NOTE, "some volumes are activated read-only",
         NULL},
        {"activation/monitoring", "0", DOCTOR_NOTE,
         "dmeventd watches nothing: thin pools are extended by quiesced alone, and only while there are snapshots of "
         "its",
         NULL},
        {"activation/thin_pool_autoextend_threshold", "100", DOCTOR_NOTE,
         "thin pools are never extended by themselves: one that is filled by snapshots has quiesced give them up",
         "set activation/thin_pool_autoextend_threshold in lvm.conf(5) to 70, for example, and leave room in the "
         "group"},
        {"devices/issue_discards", "1", DOCTOR_NOTE,
         "LVM discards what a removed volume had at once: it is gone for good, and removing snapshots makes the disks "
         "work",
         NULL},
};

static void look_at_version(Doctor *doctor, const char *output) {
        const char *line = strstr(output, "LVM version:");
        unsigned major, minor, patch;

        if (!line || sscanf(line, "LVM version: %u.%u.%u", &major, &minor, &patch) != 3)
                doctor_add(doctor, DOCTOR_UNKNOWN, NULL, "LVM does not tell its version");
        else if (major * 1000000 + minor * 1000 + patch <
                 LVM_NEEDED_MAJOR * 1000000 + LVM_NEEDED_MINOR * 1000 + LVM_NEEDED_PATCH)
                doctor_add(doctor, DOCTOR_WARNING, "use LVM 2.03.16 or later",
                           "LVM %u.%02u.%u is older than what quiesced is made for", major, minor, patch);
        else
                doctor_add(doctor, DOCTOR_OK, NULL, "LVM %u.%02u.%u", major, minor, patch);
}

static const Setting *setting_find(const char *section, const char *key) {
        for (size_t i = 0; i < ELEMENTSOF(settings); i++) {
                size_t n = strlen(section);

                if (strncmp(settings[i].name, section, n) == 0 && settings[i].name[n] == '/' &&
                    streq(settings[i].name + n + 1, key))
                        return &settings[i];
        }
        return NULL;
}

/* "\tkey=value", or "section {", as lvmconfig prints them; section: of the lines before. */
static size_t look_at_line(Doctor *doctor, const char *line, char section[static 64]) {
        char key[64], value[256];
        const Setting *setting;

        if (sscanf(line, "%63[a-z_] {", key) == 1 && strchr(line, '{')) {
                (void) snprintf(section, 64, "%s", key);
                return 0;
        }
        if (!isspace((unsigned char) line[0]) || sscanf(line, " %63[a-z_]=%255[^\n]", key, value) != 2)
                return 0;
        setting = setting_find(section, key);
        if (setting && (!setting->bad || streq(setting->bad, value)))
                doctor_add(doctor, setting->result, setting->remedy, "%s (%s=%s)", setting->text,
                           setting->name, value);
        return 1;
}

static void look_at_config(Doctor *doctor) {
        static const char *const argv[] = {"lvm", "lvmconfig", "--type", "full", NULL};
        _cleanup_doctor_command_ DoctorCommand command = {};
        char section[64] = "", *rest, *line;
        size_t n = 0, before = doctor->n_findings;

        doctor_command(&command, argv);
        if (command.status != 0) {
                doctor_command_failed(doctor, &command, argv, "how LVM is configured");
                return;
        }
        rest = command.output;
        while ((line = strsep(&rest, "\n")))
                n += look_at_line(doctor, line, section);
        if (n == 0)
                doctor_add(doctor, DOCTOR_UNKNOWN, NULL, "LVM does not tell how it is configured");
        else if (doctor->n_findings == before)
                doctor_add(doctor, DOCTOR_OK, NULL, "no setting of LVM stands in the way");
}

/**
 * doctor_look_at_lvm() - the area
 * @doctor:     gets the findings
 */
void doctor_look_at_lvm(Doctor *doctor) {
        static const char *const argv[] = {"lvm", "version", NULL};
        _cleanup_doctor_command_ DoctorCommand command = {};

        doctor->area = "lvm";
        doctor_command(&command, argv);
        if (command.status == -ENOENT) {
                doctor_add(doctor, DOCTOR_PROBLEM, "install LVM (package lvm2)",
                           "LVM is not there: only snapshots elsewhere can be taken ('quiescectl freeze')");
                return;
        }
        if (command.status != 0)
                doctor_command_failed(doctor, &command, argv, "which version it is");
        else
                look_at_version(doctor, command.output);
        look_at_config(doctor);
}
