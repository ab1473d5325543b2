/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The doctor looks at writers: what quiesced says of each, which is all that is wrong with a descriptor and
 * its program; and at descriptors that are masked or stand in the place of another, which quiesced takes as
 * they are.
 */

#include "ctl/doctor.h"
#include "quiesce/requester.h"

#include <dirent.h>
#include <sys/stat.h>

#define SUFFIX ".writer"

static const char *const directories[] = {SYSCONFDIR "/quiesced/writers.d", "/run/quiesced/writers.d",
                                          VENDORDIR "/writers.d"};

static void look_at_writer(Doctor *doctor, const Dict *writer) {
        const char *name = dict_get_string(writer, "name"), *error = dict_get_string(writer, "error");
        const DictItem *registered = dict_get(writer, "registered");

        if (*error)
                doctor_add(doctor, DOCTOR_PROBLEM, "mend it, or mask its descriptor; then restart quiesced",
                           "the writer %s takes part in nothing: %s", name, error);
        else if (registered && !registered->number)
                doctor_add(doctor, DOCTOR_OK, NULL,
                           "the writer %s is a service on the bus, and started by the next session", name);
        else
                doctor_add(doctor, DOCTOR_OK, NULL, "the writer %s is in order", name);
        doctor->fsfreeze |= streq(name, "fsfreeze") && !*error;
}

static void look_at_what_quiesced_says(Doctor *doctor) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_(dict_array_done) DictArray writers = {};
        int r;

        r = doctor_call(doctor, QUIESCE_BUS_NAME, QUIESCE_BUS_PATH, QUIESCE_BUS_MANAGER, "GetWriters",
                        &error, &reply, "a{sv}", 0);
        if (r >= 0)
                r = dict_array_read(&writers, reply);
        if (r < 0) {
                doctor_add(doctor, DOCTOR_UNKNOWN, geteuid() != 0 ? DOCTOR_AS_ROOT : NULL,
                           "quiesced does not tell which writers there are: %s",
                           error.message ?: strerror(-r));
                return;
        }
        doctor->writers_known = true;
        for (size_t i = 0; i < writers.n_dicts; i++)
                look_at_writer(doctor, &writers.dicts[i]);
        if (writers.n_dicts == 0)
                doctor_add(doctor, DOCTOR_WARNING, "install writers; quiesced.writer(5)",
                           "there is no writer: no application and no file system is frozen");
}

static bool is_descriptor(const char *name) {
        size_t n = strlen(name), m = strlen(SUFFIX);

        return name[0] != '.' && n > m && streq(name + n - m, SUFFIX);
}

static bool is_masked(const char *path) {
        struct stat file, null;

        return stat(path, &file) == 0 && stat("/dev/null", &null) == 0 && S_ISCHR(file.st_mode) &&
               file.st_rdev == null.st_rdev;
}

/* Return: the first directory after `at` that has it, or NULL. */
static const char *found_behind(size_t at, const char *name) {
        for (size_t i = at + 1; i < ELEMENTSOF(directories); i++) {
                _cleanup_free_ char *path = NULL;

                if (asprintf(&path, "%s/%s", directories[i], name) >= 0 && access(path, F_OK) == 0)
                        return directories[i];
        }
        return NULL;
}

static void look_at_descriptor(Doctor *doctor, size_t at, const char *name) {
        _cleanup_free_ char *path = NULL;
        const char *behind = found_behind(at, name);
        int length = (int) (strlen(name) - strlen(SUFFIX));

        if (asprintf(&path, "%s/%s", directories[at], name) < 0)
                return;
        if (is_masked(path))
                doctor_add(doctor, DOCTOR_NOTE, NULL, "the writer %.*s is masked by %s", length, name, path);
        else if (behind)
                doctor_add(doctor, DOCTOR_NOTE, NULL, "%s counts instead of that in %s", path, behind);
}

static void look_at_directory(Doctor *doctor, size_t at) {
        struct dirent **entries = NULL;
        int n = scandir(directories[at], &entries, NULL, alphasort);

        if (n < 0 && errno != ENOENT)
                doctor_add(doctor, DOCTOR_UNKNOWN, NULL, "%s cannot be looked into: %s", directories[at],
                           strerror(errno));
        for (int i = 0; i < n; i++) {
                if (is_descriptor(entries[i]->d_name))
                        look_at_descriptor(doctor, at, entries[i]->d_name);
                free(entries[i]);
        }
        free(entries);
}

/**
 * doctor_look_at_writers() - the area
 * @doctor:     gets the findings, and whether the writer of file systems is in order
 */
void doctor_look_at_writers(Doctor *doctor) {
        doctor->area = "writers";
        if (doctor->quiesced)
                look_at_what_quiesced_says(doctor);
        else
                doctor_add(doctor, DOCTOR_UNKNOWN, NULL, "whether writers are in order only quiesced tells");
        for (size_t i = 0; i < ELEMENTSOF(directories); i++)
                look_at_directory(doctor, i);
}
