/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The doctor looks at room: pools and stores that are nearly full, groups without any room; and at what is
 * not well or left over among LVM's volumes.
 */

#include "ctl/doctor.h"

#define FULL_WARNING 80.0 /* percent: as WarnPercent=, and its second mark */
#define FULL_PROBLEM 95.0

#define TAG_UNFINISHED "quiesced.unfinished"
#define TAG_FINAL      "quiesced.final"

static const char *field(const json_t *row, const char *name) {
        return json_string_value(json_object_get(row, name)) ?: "";
}

static bool has_tag(const json_t *row, const char *tag) {
        const char *tags = field(row, "lv_tags");
        size_t n = strlen(tag);

        for (const char *at = tags; (at = strstr(at, tag)); at += n)
                if ((at == tags || at[-1] == ',') && (at[n] == ',' || at[n] == '\0'))
                        return true;
        return false;
}

static void look_at_full(Doctor *doctor, const char *what, const json_t *row, const char *name,
                         const char *remedy) {
        double full = strtod(field(row, name), NULL);

        if (!*field(row, name))
                return;
        doctor_add(doctor,
                   full >= FULL_PROBLEM   ? DOCTOR_PROBLEM
                   : full >= FULL_WARNING ? DOCTOR_WARNING
                                          : DOCTOR_OK,
                   full >= FULL_WARNING ? remedy : NULL, "%s %s/%s is %.0f %% full", what,
                   field(row, "vg_name"), field(row, "lv_name"), full);
}

static void look_at_volume(Doctor *doctor, const json_t *row) {
        const char *attributes = field(row, "lv_attr"), *health = field(row, "lv_health_status");

        if (*health)
                doctor_add(doctor, DOCTOR_PROBLEM, "see lvmthin(7) or lvmraid(7), and the disks' own state",
                           "%s/%s is not well: %s", field(row, "vg_name"), field(row, "lv_name"), health);
        if (attributes[0] == 't') {
                look_at_full(doctor, "the thin pool", row, "data_percent",
                             "extend it (lvextend), or delete snapshots in it");
                look_at_full(doctor, "the metadata of thin pool", row, "metadata_percent",
                             "extend it (lvextend --poolmetadatasize)");
        } else if (has_tag(row, TAG_FINAL) && (attributes[0] == 's' || attributes[0] == 'S'))
                look_at_full(doctor, "the store of snapshot", row, "data_percent",
                             "leave room in its group, or delete it before it is lost");
        if (attributes[0] == 'O')
                doctor_add(doctor, DOCTOR_NOTE, "let the merge end: it goes on at the next activation",
                           "a snapshot is being merged into %s/%s: it cannot be in a set until that is over",
                           field(row, "vg_name"), field(row, "lv_name"));
        if (has_tag(row, TAG_UNFINISHED))
                doctor_add(doctor, doctor->creating ? DOCTOR_NOTE : DOCTOR_WARNING,
                           doctor->creating
                                   ? NULL
                                   : "'systemctl restart quiesced' removes it, if no session is there",
                           "%s/%s is a snapshot that was never finished%s", field(row, "vg_name"),
                           field(row, "lv_name"), doctor->creating ? ": a set is being made just now" : "");
}

static void look_at_group(Doctor *doctor, const json_t *row) {
        const char *attributes = field(row, "vg_attr");
        double free = strtod(field(row, "vg_free"), NULL), size = strtod(field(row, "vg_size"), NULL);

        if (strtod(field(row, "vg_missing_pv_count"), NULL) > 0)
                doctor_add(doctor, DOCTOR_PROBLEM, "bring the disk back, or see vgreduce(8)",
                           "a physical volume of group %s is missing", field(row, "vg_name"));
        if (*field(row, "vg_lock_type") && !streq(field(row, "vg_lock_type"), "none"))
                doctor_add(doctor, DOCTOR_NOTE, NULL,
                           "group %s is shared with other machines (%s): its volumes cannot be in a set",
                           field(row, "vg_name"), field(row, "vg_lock_type"));
        else if (attributes[0] == 'r' || attributes[2] == 'x')
                doctor_add(doctor, DOCTOR_NOTE, NULL, "group %s is %s: its volumes cannot be in a set",
                           field(row, "vg_name"), attributes[0] == 'r' ? "read-only" : "exported");
        else
                doctor_add(
                        doctor, free > 0 ? DOCTOR_OK : DOCTOR_WARNING,
                        free > 0 ? NULL
                                 : "extend it (vgextend), or have its volumes in a thin pool that has room",
                        "group %s has %.0f %% of its room free%s", field(row, "vg_name"),
                        size > 0 ? 100 * free / size : 0,
                        free > 0 ? "" : ": none for the stores of thick snapshots");
}

static size_t look_at_report(Doctor *doctor, const char *const *argv, const char *list,
                             void (*look)(Doctor *doctor, const json_t *row), const char *what) {
        _cleanup_doctor_command_ DoctorCommand command = {};
        json_t *document = NULL, *row;
        const json_t *rows;
        size_t i, n = 0;

        doctor_command(&command, argv);
        if (command.status == 0)
                document = json_loads(command.output, 0, NULL);
        if (!document) {
                if (command.status != -ENOENT) /* told in the area lvm */
                        doctor_command_failed(doctor, &command, argv, what);
                return 1;
        }
        rows = json_object_get(json_array_get(json_object_get(document, "report"), 0), list);
        json_array_foreach(rows, i, row) {
                look(doctor, row);
                n++;
        }
        json_decref(document);
        return n;
}

/**
 * doctor_look_at_space() - the area
 * @doctor:     gets the findings; whether a set is being made is known
 */
void doctor_look_at_space(Doctor *doctor) {
        static const char *const groups[] = {
                "vgs",
                "--reportformat",
                "json",
                "--units",
                "b",
                "--nosuffix",
                "--readonly",
                "-o",
                "vg_name,vg_attr,vg_size,vg_free,vg_lock_type,vg_missing_pv_count",
                NULL};
        static const char *const volumes[] = {
                "lvs",
                "-a",
                "--reportformat",
                "json",
                "-o",
                "vg_name,lv_name,lv_attr,data_percent,metadata_percent,lv_health_status,lv_tags",
                NULL};

        doctor->area = "space";
        if (look_at_report(doctor, groups, "vg", look_at_group, "which volume groups have room") == 0)
                doctor_add(doctor, DOCTOR_NOTE, NULL, "there is no volume group");
        (void) look_at_report(doctor, volumes, "lv", look_at_volume, "how full pools and stores are");
}
