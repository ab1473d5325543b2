/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Making volumes what a set's snapshots are; see revert.h.
 */

#include "ctl/revert.h"

#include "ctl/kinds.h"
#include "quiesce/requester.h"

/**
 * revert_find() - which volumes it is about
 * @revert:     filled in; revert_done() it in any case
 * @bus:        the bus
 * @id:         of the set or of one of its snapshots, or the set's name
 *
 * Return: as said in revert.h.
 */
int revert_find(Revert *revert, sd_bus *bus, const char *id) {
        _cleanup_(dict_done) Dict set = {};
        const DictItem *ids;
        int r;

        r = object_find_set(bus, id, &revert->path);
        if (r == 0)
                r = object_properties(&set, bus, revert->path, QUIESCE_BUS_SET);
        if (r != 0)
                return r;
        revert->id = strdup(dict_get_string(&set, "Id"));
        if (!revert->id)
                return error_origin(-ENOMEM);
        ids = dict_get(&set, "Snapshots");
        for (size_t i = 0; ids && ids->list && ids->list[i]; i++) {
                _cleanup_(dict_done) Dict row = {};
                const Kind *kind;

                r = kind_read_one(&row, bus, ids->list[i], &kind);
                if (r == 0)
                        r = dict_array_add(&revert->snapshots, &row);
                if (r != 0)
                        return error_trace(r);
        }
        return 0;
}

/**
 * revert_done() - free what it holds
 * @revert:     it
 */
void revert_done(Revert *revert) {
        dict_array_done(&revert->snapshots);
        free(revert->path);
        free(revert->id);
        *revert = (Revert){};
}

/**
 * revert_call() - have it begun, or asked about
 * @revert:     found
 * @bus:        the bus
 * @id:         as the user said it
 * @dry_run:    see revert.h
 *
 * Return: as said in revert.h.
 */
int revert_call(const Revert *revert, sd_bus *bus, const char *id, bool dry_run) {
        _cleanup_message_ sd_bus_message *call = NULL;
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &call, QUIESCE_BUS_NAME, revert->path, QUIESCE_BUS_SET,
                                           "Revert");
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(call, true);
        if (r >= 0)
                r = dry_run ? sd_bus_message_append(call, "a{sv}", 1, "dry-run", "b", true)
                            : sd_bus_message_append(call, "a{sv}", 0);
        if (r < 0)
                return error_trace(r);
        r = sd_bus_call(bus, call, UINT64_MAX, &error, NULL);
        return r < 0 ? say_bus_error(id, &error, r) : 0;
}

/* How far a volume is: 0: done; 1: being reverted; 2: when it is activated next. */
static int how_far(sd_bus *bus, const Dict *snapshot, uint64_t *ret_left) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_(dict_done) Dict now = {};
        int r;

        r = sd_bus_call_method(bus, QUIESCE_BUS_NAME, snapshot->name, QUIESCE_BUS_SNAPSHOT, "GetProperties",
                               NULL, &reply, "a{sv}", 0);
        if (r < 0)
                return 0;
        r = dict_read(&now, reply);
        if (r < 0)
                return error_trace(r);
        *ret_left = dict_get_number(&now, "revert-left-percent");
        return streq(dict_get_string(&now, "revert"), "waits") ? 2 : 1;
}

/* Return: how many are being reverted now; or a negative errno. */
static int count_running(const Revert *revert, sd_bus *bus, Progress *progress) {
        int n = 0;

        for (size_t i = 0; i < revert->snapshots.n_dicts; i++) {
                const Dict *snapshot = &revert->snapshots.dicts[i];
                uint64_t left = 0;
                char phase[40];
                int r;

                r = how_far(bus, snapshot, &left);
                if (r < 0)
                        return error_trace(r);
                if (r != 1)
                        continue;
                n++;
                (void) snprintf(phase, sizeof(phase), "%s, %u %% left", dict_get_string(snapshot, "volume"),
                                (unsigned) left);
                progress_phase(progress, phase);
        }
        return n;
}

/**
 * revert_await() - wait until no volume is being reverted any more
 * @revert:     called
 * @bus:        the bus
 * @progress:   shows how far they are
 * @wait:       see revert.h
 * @userdata:   for @wait
 *
 * LVM tells of no progress, so it is looked at now and then.
 *
 * Return: 0; what @wait returned; or another negative errno.
 */
int revert_await(const Revert *revert, sd_bus *bus, Progress *progress, int (*wait)(void *userdata),
                 void *userdata) {
        int r;

        progress_step(progress, "reverting");
        while ((r = count_running(revert, bus, progress)) > 0) {
                r = wait(userdata);
                if (r < 0)
                        break;
        }
        progress_clear(progress);
        return error_trace(r);
}

/**
 * revert_say_how_far() - tell what has become of each volume
 * @revert:     called
 * @bus:        the bus
 * @quiet:      only of those that are not reverted yet
 *
 * Return: as said in revert.h.
 */
int revert_say_how_far(const Revert *revert, sd_bus *bus, bool quiet) {
        for (size_t i = 0; i < revert->snapshots.n_dicts; i++) {
                const Dict *snapshot = &revert->snapshots.dicts[i];
                const char *volume = dict_get_string(snapshot, "volume");
                uint64_t left = 0;
                int r;

                r = how_far(bus, snapshot, &left);
                if (r < 0)
                        return error_trace(r);
                if (r == 2)
                        say("%s is in use, and is reverted when it is activated next: restart the machine, or "
                            "unmount it and give 'lvchange -an %s' and 'lvchange -ay %s'; until then no set can "
                            "have it",
                            volume, volume, volume);
                else if (!quiet)
                        say(r == 1 ? "%s is being reverted" : "%s is reverted", volume);
        }
        return 0;
}
