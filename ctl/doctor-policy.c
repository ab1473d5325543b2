/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The doctor looks at who may do what: the bus' policy, polkit and its actions, the group backup.
 */

#include "ctl/doctor.h"

#include <grp.h>

#define POLKIT      "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define AUTHORITY   POLKIT ".Authority"

static const char *const actions[] = {"org.quiesce1.backup", "org.quiesce1.restore",
                                      "org.quiesce1.administer", "org.quiesce1.register-writer"};

static void look_at_bus_policy(Doctor *doctor) {
        static const char *const paths[] = {"/etc/dbus-1/system.d/org.quiesce1.conf",
                                            DBUSPOLICYDIR "/org.quiesce1.conf"};

        for (size_t i = 0; i < ELEMENTSOF(paths); i++)
                if (access(paths[i], F_OK) == 0) {
                        doctor_add(doctor, DOCTOR_OK, NULL, "the bus' policy is installed");
                        return;
                }
        doctor_add(doctor, DOCTOR_PROBLEM, "install " DBUSPOLICYDIR "/org.quiesce1.conf, and reload dbus",
                   "the bus' policy is not installed: quiesced cannot have its name");
}

/* Reads one a(ssssssuuua{ss}). Return: 1: it is `action`; 0: another or the end; or a negative errno. */
static int action_read(sd_bus_message *reply, const char *action, bool *ret_end) {
        const char *id;
        int r;

        r = sd_bus_message_enter_container(reply, 'r', "ssssssuuua{ss}");
        *ret_end = r <= 0;
        if (r <= 0)
                return r;
        r = sd_bus_message_read(reply, "s", &id);
        if (r >= 0)
                r = sd_bus_message_skip(reply, "sssssuuua{ss}");
        if (r >= 0)
                r = sd_bus_message_exit_container(reply);
        return r < 0 ? r : streq(id, action);
}

/* Return: 1 if polkit knows it, 0 if not, or a negative errno. */
static int action_is_known(sd_bus_message *reply, const char *action) {
        bool end = false;
        int r;

        r = sd_bus_message_rewind(reply, true);
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "(ssssssuuua{ss})");
        while (r >= 0 && !end) {
                r = action_read(reply, action, &end);
                if (r > 0)
                        return 1;
        }
        return r < 0 ? r : 0;
}

static void look_at_actions(Doctor *doctor) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        size_t n = 0;
        int r;

        r = doctor_call(doctor, POLKIT, POLKIT_PATH, AUTHORITY, "EnumerateActions", &error, &reply, "s", "");
        if (r < 0) {
                doctor_add(doctor, DOCTOR_PROBLEM,
                           "'systemctl status polkit'; until then only root may do anything",
                           "polkit does not answer: %s", error.message ?: strerror(-r));
                return;
        }
        for (size_t i = 0; i < ELEMENTSOF(actions); i++)
                if (action_is_known(reply, actions[i]) == 1)
                        n++;
                else
                        doctor_add(doctor, DOCTOR_PROBLEM,
                                   "install org.quiesce1.policy among polkit's actions",
                                   "polkit does not know the action %s: it is denied", actions[i]);
        if (n == ELEMENTSOF(actions))
                doctor_add(doctor, DOCTOR_OK, NULL, "polkit answers, and knows the actions of quiesced");
}

static void look_at_polkit(Doctor *doctor) {
        if (!doctor->bus)
                doctor_add(doctor, DOCTOR_UNKNOWN, NULL, "without the system bus polkit cannot be asked");
        else if (doctor_bus_has_owner(doctor, POLKIT))
                look_at_actions(doctor);
        else
                doctor_add(doctor, DOCTOR_NOTE, "install polkit, and start it, if others are to back up",
                           "polkit is not running: if it cannot be started, only root may do anything");
}

static void look_at_group(Doctor *doctor) {
        const struct group *group = getgrnam("backup");
        char names[256] = "";
        size_t n = 0;

        for (char **member = group ? group->gr_mem : NULL; member && *member; member++)
                if (n < sizeof(names))
                        n += (size_t) snprintf(names + n, sizeof(names) - n, "%s%s", n ? ", " : "", *member);
        if (!group)
                doctor_add(doctor, DOCTOR_NOTE, "systemd-sysusers makes it", "there is no group backup");
        else
                doctor_add(doctor, DOCTOR_OK, NULL, "members of the group backup may back up: %s",
                           *names ? names : "there are none");
}

/* Of who asks. */
static void look_at_own_right(Doctor *doctor) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        const char *name = NULL;
        int granted, challenge;

        if (geteuid() == 0 || !doctor->bus || !doctor_bus_has_owner(doctor, POLKIT) ||
            sd_bus_get_unique_name(doctor->bus, &name) < 0)
                return;
        if (doctor_call(doctor, POLKIT, POLKIT_PATH, AUTHORITY, "CheckAuthorization", NULL, &reply,
                        "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s", name, actions[0], 0, 0,
                        "") < 0 ||
            sd_bus_message_enter_container(reply, 'r', "bba{ss}") < 0 ||
            sd_bus_message_read(reply, "bb", &granted, &challenge) < 0)
                return;
        doctor_add(doctor, granted ? DOCTOR_OK : DOCTOR_NOTE, NULL, "you may %s",
                   granted     ? "back up"
                   : challenge ? "back up after you have given a password"
                               : "not back up");
}

/**
 * doctor_look_at_policy() - the area
 * @doctor:     gets the findings
 */
void doctor_look_at_policy(Doctor *doctor) {
        doctor->area = "policy";
        look_at_bus_policy(doctor);
        look_at_polkit(doctor);
        look_at_group(doctor);
        look_at_own_right(doctor);
}
