/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The session's frame: event loop, signals, the bus, and the calls that begin it; see backup.h.
 */

#include "ctl/backup.h"

#include <signal.h>

static int signal_received(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        Backup *backup = userdata;
        int number = (int) info->ssi_signo;

        /* The session is being ended already. The bus connection ends with us, and quiesced does the rest.
         */
        if (backup->ending && backup->signal)
                _exit(128 + number);
        if (backup->signalled)
                backup->signalled(number, info->ssi_code == SI_KERNEL, backup->userdata);
        if (!backup->signal)
                backup->signal = number;
        return 0;
}

/**
 * backup_interrupt() - as if a signal had asked us to end
 * @backup:     it
 * @number:     the signal
 */
void backup_interrupt(Backup *backup, int number) {
        if (!backup->signal)
                backup->signal = number;
}

/**
 * backup_wait() - wait for an answer, a QuiesceWait
 * @userdata:   the backup
 *
 * Return: 0; -EINTR after a signal; else a negative errno.
 */
int backup_wait(void *userdata) {
        Backup *backup = userdata;
        int r;

        if (backup->signal && !backup->ending)
                return -EINTR;
        r = sd_event_run(backup->event, UINT64_MAX);
        if (r < 0)
                return error_trace(r);
        return backup->signal && !backup->ending ? -EINTR : 0;
}

static int session_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_(dict_done) Dict dict = {};
        Backup *backup = userdata;
        const char *interface;
        const DictItem *phase;

        if (sd_bus_message_read(m, "s", &interface) < 0 || dict_read(&dict, m) < 0)
                return 0;
        phase = dict_get(&dict, "Phase");
        if (streq(interface, QUIESCE_BUS_SESSION) && phase && phase->type == DICT_STRING)
                progress_phase(&backup->progress, phase->string);
        return 0;
}

static int owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name, *old_owner, *new_owner;
        Backup *backup = userdata;

        /* Anybody may send us such a signal; sd-bus does not compare a sender that is no unique name. */
        if (!streq_ptr(sd_bus_message_get_sender(m), "org.freedesktop.DBus") ||
            sd_bus_message_read(m, "sss", &name, &old_owner, &new_owner) < 0 || !*old_owner)
                return 0;
        if (backup->lost || !quiesce_backup_get_path(backup->session))
                return 0;
        backup->lost = true;
        if (backup->ending)
                return 0; /* the call that ends it tells */
        progress_clear(&backup->progress);
        say("quiesced has ended or was restarted: the backup session is lost");
        return 0;
}

static int bus_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Backup *backup = userdata;

        if (!backup->lost && !backup->ending && quiesce_backup_get_path(backup->session)) {
                progress_clear(&backup->progress);
                say("the connection to the system bus has ended: the backup session is lost");
        }
        backup->lost = backup->disconnected = true;
        return 0;
}

static int backup_watch_bus(Backup *backup) {
        int r;

        (void) sd_bus_set_exit_on_disconnect(backup->bus, false);
        r = sd_bus_attach_event(backup->bus, backup->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_add_match_async(backup->bus, NULL,
                                           "type='signal',sender='org.freedesktop.DBus',"
                                           "interface='org.freedesktop.DBus',member='NameOwnerChanged',"
                                           "arg0='" QUIESCE_BUS_NAME "'",
                                           owner_changed, NULL, backup);
        if (r >= 0)
                r = sd_bus_match_signal_async(backup->bus, NULL, "org.freedesktop.DBus.Local",
                                              "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
                                              "Disconnected", bus_disconnected, NULL, backup);
        return error_trace(r < 0 ? r : 0);
}

/**
 * backup_init() - get ready: signals, event loop, bus
 * @backup:     filled; backup_done() it in any case
 * @options:    must outlive @backup
 *
 * Return: as said in backup.h.
 */
int backup_init(Backup *backup, const BackupOptions *options) {
        int r;

        *backup = (Backup){.options = options};
        progress_init(&backup->progress, options->quiet);
        r = sd_event_new(&backup->event);
        if (r >= 0)
                r = signals_catch(backup->event, signal_received, backup);
        if (r < 0)
                return error_trace(r);
        r = bus_open(&backup->bus, options->host);
        if (r != 0)
                return r;
        r = backup_watch_bus(backup);
        if (r >= 0)
                r = quiesce_backup_new(&backup->session, backup->bus);
        if (r < 0)
                return error_trace(r);
        quiesce_backup_set_wait(backup->session, backup_wait, backup);
        return 0;
}

/**
 * backup_done() - leave nothing behind
 * @backup:     it
 */
void backup_done(Backup *backup) {
        progress_clear(&backup->progress);
        quiesce_snapshot_set_free(backup->set);
        sd_bus_message_unref(backup->writers);
        quiesce_strv_free(backup->snapshots);
        quiesce_backup_free(backup->session);
        sd_bus_flush_close_unref(backup->bus);
        sd_event_unref(backup->event);
        *backup = (Backup){};
}

static int append_system_writers(sd_bus_message *reply, char ***names, size_t *n_names) {
        _cleanup_(dict_array_done) DictArray writers = {};
        int r;

        r = dict_array_read(&writers, reply);
        for (size_t i = 0; r >= 0 && i < writers.n_dicts; i++)
                if (streq(dict_get_string(&writers.dicts[i], "level"), "system"))
                        r = options_append(names, n_names,
                                           strdup(dict_get_string(&writers.dicts[i], "name")));
        return error_trace(r);
}

/* They would find frozen what the caller holds, or freeze what it is about to. */
static int backup_leave_out_system(Backup *backup, sd_bus_error *error) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        char **names = NULL;
        size_t n_names = 0;
        int r;

        r = sd_bus_call_method(backup->bus, QUIESCE_BUS_NAME, QUIESCE_BUS_PATH, QUIESCE_BUS_MANAGER,
                               "GetWriters", error, &reply, "a{sv}", 0);
        if (r >= 0)
                r = append_system_writers(reply, &names, &n_names);
        if (r >= 0 && n_names > 0)
                r = quiesce_backup_disable_writers(backup->session, (const char *const *) names, error);
        quiesce_strv_free(names);
        return error_trace(r);
}

static int backup_open(Backup *backup) {
        const BackupOptions *options = backup->options;
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        progress_step(&backup->progress, "opening a backup session");
        r = quiesce_backup_open(backup->session, &error);
        if (r < 0)
                return r == -EINTR ? r : say_bus_error("cannot open a backup session", &error, r);
        r = sd_bus_match_signal_async(
                backup->bus, NULL, QUIESCE_BUS_NAME, quiesce_backup_get_path(backup->session),
                "org.freedesktop.DBus.Properties", "PropertiesChanged", session_changed, NULL, backup);
        if (r >= 0 && options->context)
                r = quiesce_backup_set_context(backup->session, options->context, &error);
        if (r >= 0 && options->applications_only)
                r = backup_leave_out_system(backup, &error);
        if (r >= 0 && options->exclude_writers && !options->without_writers)
                r = quiesce_backup_disable_writers(backup->session, options->exclude_writers, &error);
        if (r >= 0 && !options->without_writers)
                r = quiesce_backup_set_state(backup->session, options->type, false, &error);
        return r >= 0 ? 0 : r == -EINTR ? r : say_bus_error("cannot set up the backup session", &error, r);
}

/**
 * backup_begin() - open the session, gather the writers, start a snapshot set
 * @backup:     it
 *
 * Return: as said in backup.h; -EINTR after a signal.
 */
int backup_begin(Backup *backup) {
        const QuiesceStartOptions start = {.size = sizeof(start),
                                           .wait = backup->options->wait,
                                           .name = backup->options->name,
                                           .note = backup->options->note,
                                           .labels = backup->options->labels};
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = backup_open(backup);
        if (r != 0)
                return r;
        if (!backup->options->without_writers) {
                progress_step(&backup->progress, "gathering writers");
                progress_part(&backup->progress, PROGRESS_PART_GATHER);
                r = quiesce_backup_gather_writer_metadata(backup->session, &backup->writers, &error);
                if (r < 0)
                        return r == -EINTR ? r : say_bus_error("cannot gather the writers", &error, r);
        }
        progress_step(&backup->progress, start.wait ? "starting a snapshot set, waiting if another is made"
                                                    : "starting a snapshot set");
        r = quiesce_backup_start_snapshot_set(backup->session, &start, NULL, &error);
        if (r >= 0 || r == -EINTR)
                return r < 0 ? r : 0;
        (void) say_bus_error("cannot start a snapshot set", &error, r);
        if (sd_bus_error_has_name(&error, QUIESCE_ERROR_SNAPSHOT_SET_IN_PROGRESS))
                say("try again later, or let --wait queue for it");
        return CTL_E_SAID;
}
