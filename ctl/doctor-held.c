/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The doctor looks at what stands still right now: suspended devices, by device-mapper; and what quiesced
 * has written down before it froze or suspended anything.
 *
 * Whether a file system is frozen cannot be asked: the kernel tells it only to who freezes it again, and
 * that would hold its writers. So what is told is who has written down that it may be.
 */

#include "ctl/doctor.h"

#include <dirent.h>

#define RUNTIME_DIRECTORY "/run/quiesced"
#define LET_GO            "if it stays so, run " LIBEXECDIR "/quiesced-let-go: it resumes and thaws what is noted"

static void closedirp(DIR **directory) {
        if (*directory)
                (void) closedir(*directory);
}

static bool has_prefix(const char *name, const char *prefix) {
        return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool has_suffix(const char *name, const char *suffix) {
        size_t n = strlen(name), m = strlen(suffix);

        return n >= m && streq(name + n - m, suffix);
}

/* Held for a set that is being made it is as it should be. */
static void add_held(Doctor *doctor, const char *remedy, const char *what, const char *name) {
        doctor_add(doctor, doctor->creating ? DOCTOR_NOTE : DOCTOR_PROBLEM, doctor->creating ? NULL : remedy,
                   "%s%s%s", what, name, doctor->creating ? ": a set is being made just now" : "");
}

/* "NAME\tSuspended\tBoth", see dmsetup(8). */
static void look_at_device(Doctor *doctor, const char *line, size_t *n_suspended) {
        char name[256], suspended[32] = "", tables[32] = "";

        if (sscanf(line, "%255[^\t]\t%31[^\t]\t%31[^\t]", name, suspended, tables) < 2)
                return;
        if (streq(suspended, "Suspended")) {
                (*n_suspended)++;
                add_held(doctor, "if nobody is at it: dmsetup resume NAME",
                         "writes are held by a suspended device: ", name);
        } else if (streq(tables, "Both"))
                doctor_add(doctor, DOCTOR_NOTE,
                           doctor->creating ? NULL : "if nobody is at it: dmsetup clear NAME",
                           "a table is staged for %s, and would come into force with a suspend", name);
}

static void look_at_devices(Doctor *doctor) {
        static const char *const argv[] = {"dmsetup",     "info", "-c", "--noheadings",
                                           "--separator", "\t",   "-o", "name,suspended,tables_loaded",
                                           NULL};
        _cleanup_doctor_command_ DoctorCommand command = {};
        size_t n_suspended = 0;
        char *rest, *line;

        doctor_command(&command, argv);
        if (command.status != 0) {
                doctor_command_failed(doctor, &command, argv, "which devices are suspended");
                return;
        }
        rest = command.output;
        while ((line = strsep(&rest, "\n")))
                look_at_device(doctor, line, &n_suspended);
        if (n_suspended == 0)
                doctor_add(doctor, DOCTOR_OK, NULL, "no device is suspended");
}

static size_t list_length(const json_t *journal, const char *name) {
        return json_array_size(json_object_get(journal, name));
}

static void look_at_journal(Doctor *doctor, const char *name) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        json_t *journal, *mount;
        size_t i;

        if (asprintf(&path, RUNTIME_DIRECTORY "/%s", name) < 0)
                return;
        journal = json_load_file(path, 0, NULL);
        if (asprintf(&text, ": %zu volumes may be suspended, %zu file systems frozen",
                     list_length(journal, "volumes"), list_length(journal, "mounts")) >= 0)
                add_held(doctor, LET_GO, name,
                         journal ? text : " cannot be read: what may be held is not known");
        json_array_foreach(json_object_get(journal, "mounts"), i, mount)
                add_held(doctor, "if writes to it hang: fsfreeze --unfreeze MOUNTPOINT",
                         "this file system may be frozen: ",
                         json_string_value(json_object_get(mount, "mount-point")) ?: "?");
        json_decref(journal);
}

/* Return: whether it was something. */
static bool look_at_note(Doctor *doctor, const char *name) {
        static const struct {
                const char *prefix, *what;
        } notes[] = {
                {"suspending-", "an LVM command suspends, or suspended, a volume: "},
                {"suspended-", "a volume is, or was, suspended: "},
                {"trial-", "a file system is, or was, frozen for a trial: "},
                {"rcu-expedited", "the kernel's RCU is expedited: "},
        };

        if (has_prefix(name, "held") && has_suffix(name, ".unread"))
                doctor_add(doctor, DOCTOR_WARNING,
                           "look into it for what may be held ('dmsetup info', fsfreeze(8)), then remove it",
                           RUNTIME_DIRECTORY "/%s is the journal of a set that quiesced could not read",
                           name);
        else if (has_prefix(name, "held") && has_suffix(name, ".json"))
                look_at_journal(doctor, name);
        else {
                for (size_t i = 0; i < ELEMENTSOF(notes); i++)
                        if (has_prefix(name, notes[i].prefix) && !streq(name, "trial.lock")) {
                                add_held(doctor, LET_GO, notes[i].what, name);
                                return true;
                        }
                return false;
        }
        return true;
}

static void look_at_notes(Doctor *doctor) {
        _cleanup_(closedirp) DIR *directory = opendir(RUNTIME_DIRECTORY);
        const struct dirent *entry;
        bool any = false;

        if (!directory && errno == ENOENT) {
                doctor_add(doctor, DOCTOR_OK, NULL,
                           "quiesced holds nothing: it has not run since the machine was started");
                return;
        }
        if (!directory) {
                doctor_add(doctor, DOCTOR_UNKNOWN, DOCTOR_AS_ROOT,
                           "what quiesced may hold is not known: " RUNTIME_DIRECTORY ": %s",
                           strerror(errno));
                return;
        }
        while ((entry = readdir(directory)))
                any = look_at_note(doctor, entry->d_name) || any;
        if (!any)
                doctor_add(
                        doctor, DOCTOR_OK, NULL,
                        "quiesced holds nothing frozen or suspended: there is no journal of a set. What others "
                        "froze cannot be asked of the kernel without freezing it");
}

/**
 * doctor_look_at_held() - the area
 * @doctor:     gets the findings; whether a set is being made is known
 */
void doctor_look_at_held(Doctor *doctor) {
        doctor->area = "held";
        look_at_devices(doctor);
        look_at_notes(doctor);
}
