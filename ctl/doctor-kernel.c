/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The doctor looks at the kernel: what snapshots are made of. That a module is there is asked of modprobe,
 * which knows what is built in and what is not, without loading anything.
 */

#include "ctl/doctor.h"

#include <sys/utsname.h>

/* The oldest that this was made for, README.md; and from where on freezes of one file system nest. */
#define KERNEL_NEEDED  6001u
#define KERNEL_NESTING 6006u

static void look_at_version(Doctor *doctor) {
        struct utsname system;
        unsigned major, minor;

        if (uname(&system) < 0 || sscanf(system.release, "%u.%u", &major, &minor) != 2) {
                doctor_add(doctor, DOCTOR_UNKNOWN, NULL, "the kernel does not tell its version");
                return;
        }
        if (major * 1000 + minor < KERNEL_NEEDED)
                doctor_add(doctor, DOCTOR_WARNING, "use Linux 6.1 or later",
                           "Linux %s is older than what quiesced is made for", system.release);
        else
                doctor_add(doctor, DOCTOR_OK, NULL, "Linux %s", system.release);
        if (major * 1000 + minor < KERNEL_NESTING)
                doctor_add(
                        doctor, DOCTOR_NOTE, NULL,
                        "freezes do not nest before Linux 6.6: a file system that somebody else holds frozen "
                        "refuses its set, and device-mapper freezes ext4 and xfs instead of FIFREEZE");
        else
                doctor_add(doctor, DOCTOR_OK, NULL,
                           "freezes nest: LVM's and quiesced's of one file system do not meet");
}

static bool file_has_word(const char *path, const char *word) {
        _cleanup_fclose_ FILE *file = fopen(path, "re");
        char name[128];

        while (file && fscanf(file, "%*s %127s", name) == 1)
                if (streq(name, word))
                        return true;
        return false;
}

static bool module_is_there(const char *module, DoctorCommand *command) {
        const char *const argv[] = {"modprobe", "--dry-run", "--quiet", module, NULL};

        doctor_command(command, argv);
        return command->status == 0;
}

static bool target_is_loaded(const char *targets, const char *target) {
        size_t n = strlen(target);

        for (const char *line = targets; line; line = strchr(line, '\n')) {
                line += strspn(line, "\n");
                if (strncmp(line, target, n) == 0 && line[n] == ' ')
                        return true;
                if (!*line)
                        break;
        }
        return false;
}

/* targets: what device-mapper has, or NULL: only root may ask it. */
static void look_at_target(Doctor *doctor, const char *targets, const char *target, const char *module,
                           DoctorResult if_not, const char *cannot) {
        _cleanup_doctor_command_ DoctorCommand command = {};

        if (targets && target_is_loaded(targets, target))
                doctor_add(doctor, DOCTOR_OK, NULL, "device-mapper has the target %s", target);
        else if (module_is_there(module, &command))
                doctor_add(doctor, DOCTOR_OK, NULL, "device-mapper's target %s can be loaded (%s)", target,
                           module);
        else if (command.status < 0)
                doctor_add(doctor, DOCTOR_UNKNOWN, NULL,
                           "modprobe could not be asked whether device-mapper's target %s is there: %s",
                           target, strerror(-command.status));
        else
                doctor_add(
                        doctor, if_not,
                        "install the modules of the kernel that runs; after an update of the kernel, restart",
                        "device-mapper's target %s is neither loaded nor a module (%s): no %s", target,
                        module, cannot);
}

/**
 * doctor_look_at_kernel() - the area
 * @doctor:     gets the findings
 */
void doctor_look_at_kernel(Doctor *doctor) {
        static const char *const argv[] = {"dmsetup", "targets", NULL};
        _cleanup_doctor_command_ DoctorCommand targets = {}, module = {};

        doctor->area = "kernel";
        look_at_version(doctor);
        if (!file_has_word("/proc/misc", "device-mapper") && !module_is_there("dm-mod", &module)) {
                doctor_add(
                        doctor, DOCTOR_PROBLEM, "load dm-mod, or use a kernel with device-mapper",
                        "the kernel has no device-mapper, and there is no module of it: there can be no LVM");
                return;
        }
        if (geteuid() == 0)
                doctor_command(&targets, argv);
        look_at_target(doctor, geteuid() == 0 && targets.status == 0 ? targets.output : NULL, "snapshot",
                       "dm-snapshot", DOCTOR_PROBLEM, "snapshots of thick volumes");
        look_at_target(doctor, geteuid() == 0 && targets.status == 0 ? targets.output : NULL, "thin-pool",
                       "dm-thin-pool", DOCTOR_WARNING, "snapshots of thin volumes");
}
