/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The doctor looks at what is installed and runs: units, quiesced itself, its version, what it is doing, and
 * the udev rule.
 */

#include "ctl/doctor.h"
#include "ctl/table.h"
#include "quiesce/requester.h"

#define SYSTEMD      "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define UNIT         SYSTEMD ".Unit"
#define UDEV_RULE    "12-quiesced.rules"

/* Return: the unit's object, the caller's; NULL: it could not be had. */
static char *unit_path(Doctor *doctor, const char *unit) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        const char *path;

        if (doctor_call(doctor, SYSTEMD, SYSTEMD_PATH, SYSTEMD ".Manager", "LoadUnit", NULL, &reply, "s",
                        unit) < 0 ||
            sd_bus_message_read(reply, "o", &path) < 0)
                return NULL;
        return strdup(path);
}

static void look_at_socket(Doctor *doctor, const char *unit, const char *if_not) {
        _cleanup_free_ char *path = unit_path(doctor, unit), *load = NULL, *active = NULL;

        if (path) {
                load = doctor_get_string(doctor, SYSTEMD, path, UNIT, "LoadState");
                active = doctor_get_string(doctor, SYSTEMD, path, UNIT, "ActiveState");
        }
        if (!load || !active)
                doctor_add(doctor, DOCTOR_UNKNOWN, NULL, "systemd does not tell whether %s is there", unit);
        else if (streq(load, "masked"))
                doctor_add(doctor, DOCTOR_PROBLEM, "systemctl unmask it, then start it", "%s is masked: %s",
                           unit, if_not);
        else if (!streq(load, "loaded"))
                doctor_add(doctor, DOCTOR_PROBLEM, "install quiesced, then 'systemctl daemon-reload'",
                           "%s is not there (%s): %s", unit, load, if_not);
        else if (!streq(active, "active"))
                doctor_add(doctor, DOCTOR_PROBLEM, "systemctl enable --now it",
                           "%s does not listen (%s): %s", unit, active, if_not);
        else
                doctor_add(doctor, DOCTOR_OK, NULL, "%s listens", unit);
}

static void look_at_service(Doctor *doctor) {
        _cleanup_free_ char *path = unit_path(doctor, "quiesced.service"), *load = NULL, *active = NULL;

        if (path) {
                load = doctor_get_string(doctor, SYSTEMD, path, UNIT, "LoadState");
                active = doctor_get_string(doctor, SYSTEMD, path, UNIT, "ActiveState");
        }
        if (!load || !active)
                return;
        if (streq(load, "masked"))
                doctor_add(doctor, DOCTOR_PROBLEM, "systemctl unmask quiesced",
                           "quiesced.service is masked");
        else if (!streq(load, "loaded"))
                doctor_add(doctor, DOCTOR_PROBLEM, "install quiesced, then 'systemctl daemon-reload'",
                           "quiesced.service is not there (%s)", load);
        else if (streq(active, "failed"))
                doctor_add(doctor, DOCTOR_PROBLEM,
                           "'journalctl -u quiesced' tells why; 'systemctl restart quiesced'",
                           "quiesced has failed");
}

static void look_at_udev_rule(Doctor *doctor) {
        char target[32];
        ssize_t n = readlink("/etc/udev/rules.d/" UDEV_RULE, target, sizeof(target) - 1);

        if (n > 0 && strncmp(target, "/dev/null", (size_t) n) == 0)
                doctor_add(
                        doctor, DOCTOR_WARNING, "remove /etc/udev/rules.d/" UDEV_RULE,
                        "the udev rule of snapshots is masked: they may take over the links of their origins in "
                        "/dev/disk");
        else if (access("/etc/udev/rules.d/" UDEV_RULE, F_OK) < 0 &&
                 access(UDEVRULESDIR "/" UDEV_RULE, F_OK) < 0)
                doctor_add(
                        doctor, DOCTOR_WARNING, "install " UDEVRULESDIR "/" UDEV_RULE,
                        "the udev rule of snapshots is not there: they may take over the links of their origins "
                        "in /dev/disk");
        else
                doctor_add(doctor, DOCTOR_OK, NULL, "the udev rule of snapshots is installed");
}

static void look_at_version(Doctor *doctor) {
        _cleanup_free_ char *version = doctor_get_string(doctor, QUIESCE_BUS_NAME, QUIESCE_BUS_PATH,
                                                         QUIESCE_BUS_MANAGER, "Version");

        if (!version)
                doctor_add(doctor, DOCTOR_PROBLEM,
                           "'journalctl -u quiesced'; if it hangs, 'systemctl restart quiesced'",
                           "quiesced runs, but does not answer");
        else if (!streq(version, PACKAGE_VERSION))
                doctor_add(
                        doctor, DOCTOR_WARNING,
                        "'systemctl restart quiesced' when no session is there ('quiescectl list sessions')",
                        "quiesced is version %s, quiescectl " PACKAGE_VERSION, version);
        else
                doctor_add(doctor, DOCTOR_OK, NULL, "quiesced runs, version %s", version);
}

static void look_at_sessions(Doctor *doctor) {
        _cleanup_(dict_array_done) DictArray sessions = {};
        _cleanup_message_ sd_bus_message *reply = NULL;

        if (doctor_call(doctor, QUIESCE_BUS_NAME, QUIESCE_BUS_PATH, "org.freedesktop.DBus.ObjectManager",
                        "GetManagedObjects", NULL, &reply, "") < 0 ||
            objects_take(&sessions, reply, QUIESCE_BUS_SESSION) < 0)
                return;
        for (size_t i = 0; i < sessions.n_dicts; i++) {
                const char *state = dict_get_string(&sessions.dicts[i], "State");

                doctor->creating |= streq(state, "creating");
                doctor_add(doctor, DOCTOR_NOTE, NULL, "session %s is %s",
                           dict_get_string(&sessions.dicts[i], "Id"), state);
        }
}

static void look_at_sets_known(Doctor *doctor) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        int known;

        if (doctor_call(doctor, QUIESCE_BUS_NAME, QUIESCE_BUS_PATH, "org.freedesktop.DBus.Properties", "Get",
                        NULL, &reply, "ss", QUIESCE_BUS_MANAGER, "SetsKnown") == 0 &&
            sd_bus_message_read(reply, "v", "b", &known) >= 0 && !known)
                doctor_add(doctor, DOCTOR_PROBLEM, "'journalctl -u quiesced' tells what LVM said",
                           "LVM has not told quiesced which snapshot sets there are");
}

/**
 * doctor_look_at_units() - the area
 * @doctor:     gets the findings, and whether quiesced runs and makes a set
 */
void doctor_look_at_units(Doctor *doctor) {
        doctor->area = "units";
        if (!doctor->bus)
                doctor_add(doctor, DOCTOR_PROBLEM, "start dbus, or quiesced cannot be called",
                           "the system bus cannot be reached");
        else if (!doctor_bus_has_owner(doctor, SYSTEMD))
                doctor_add(doctor, DOCTOR_UNKNOWN, NULL,
                           "systemd is not on the bus: units are not looked at");
        else {
                look_at_socket(doctor, "quiesced-hold.socket", "no set can be made");
                look_at_socket(doctor, "quiesced.socket", "no writer can take part");
                look_at_service(doctor);
        }
        look_at_udev_rule(doctor);
        doctor->quiesced = doctor_bus_has_owner(doctor, QUIESCE_BUS_NAME);
        if (!doctor->quiesced) {
                doctor_add(doctor, DOCTOR_NOTE, "'systemctl start quiesced', and ask the doctor again",
                           "quiesced is not running: what it alone knows is not looked at");
                return;
        }
        look_at_version(doctor);
        look_at_sets_known(doctor);
        look_at_sessions(doctor);
}
