/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What people say of a snapshot set; see describe.h.
 */

#include "daemon/bus/describe.h"

#include "daemon/bus/delete.h"
#include "daemon/bus/publish.h"

#include "util/error.h"
#include "util/texts.h"

static void change_done(SetDescriptionChange *change) {
        (void) texts_free(change->add_labels);
        (void) texts_free(change->remove_labels);
}

/**
 * describe_read_new() - the options of StartSnapshotSet
 * @m:          the call, which stands at them
 * @ret:        what the set is called; set_description_done() it
 * @ret_wait:   keeps its value if that is not given
 * @reterr:     InvalidArgument: names what is wrong
 *
 * Return: 0, or a negative errno.
 */
int describe_read_new(sd_bus_message *m, SetDescription *ret, int *ret_wait, sd_bus_error *reterr) {
        _cleanup_(change_done) SetDescriptionChange change = {.locked = -1};
        const SetDescription nothing = {};
        const Option options[] = {
                {"wait", OPTION_BOOLEAN, ret_wait},
                {"name", OPTION_STRING, &change.name},
                {"note", OPTION_STRING, &change.note},
                {"labels", OPTION_LABELS, &change.add_labels},
        };
        char text[CONTRACT_TEXT_MAX];
        int r;

        r = options_read(m, options, ELEMENTSOF(options), reterr);
        if (r < 0)
                return r;
        r = set_description_change(ret, &nothing, &change, text, sizeof(text));
        if (r == SET_DESCRIPTION_E_INVALID)
                return bus_error_set(reterr, CONTRACT_ERROR_INVALID_ARGUMENT, "StartSnapshotSet: %s", text);
        return error_trace(r);
}

/* The options of Describe, with which the call stands. */
static int change_read(sd_bus_message *m, SetDescriptionChange *change, sd_bus_error *reterr) {
        const Option options[] = {
                {"name", OPTION_STRING, &change->name},
                {"note", OPTION_STRING, &change->note},
                {"add-labels", OPTION_LABELS, &change->add_labels},
                {"remove-labels", OPTION_LABELS, &change->remove_labels},
                {"locked", OPTION_BOOLEAN, &change->locked},
        };

        return options_read(m, options, ELEMENTSOF(options), reterr);
}

/* StepDone */
static void described(SnapshotSet *set, ContractStep step, uint32_t volume, const StepResult *result,
                      void *userdata) {
        _cleanup_(kept_call_freep) KeptCall *call = userdata;

        if (result->error != CONTRACT_OK)
                bus_reply_error(call->message, result->error, result->text);
        else
                bus_reply_sent(call->message, sd_bus_reply_method_return(call->message, NULL));
}

/* Only what stays is kept from being deleted: the others go with their session. */
static bool may_lock(const SnapshotSet *set, const SetDescriptionChange *change) {
        SetInfo info;

        return change->locked <= 0 || !snapshot_set_get_info(set, &info) || info.persistent;
}

static void describe_now(SnapshotSet *set, KeptCall **kept, const SetDescriptionChange *change) {
        _cleanup_(set_description_done) SetDescription wished = {};
        sd_bus_message *m = (*kept)->message;
        char text[CONTRACT_TEXT_MAX];
        int r;

        if (!may_lock(set, change)) {
                bus_reply_error(m, CONTRACT_ERROR_NOT_SUPPORTED,
                                "Describe: this set goes with its session; only a persistent one can be "
                                "locked.");
                return;
        }
        r = set_description_change(&wished, snapshot_set_get_description(set), change, text, sizeof(text));
        if (r == SET_DESCRIPTION_E_INVALID) {
                bus_reply_error(m, CONTRACT_ERROR_INVALID_ARGUMENT, text);
                return;
        }
        if (r == 0)
                r = snapshot_set_describe_anew(set, &wished, described, *kept);
        if (r >= 0)
                *kept = NULL; /* described()'s */
        else
                bus_reply_error(m, r == -EBUSY ? CONTRACT_ERROR_VOLUME_BUSY : CONTRACT_ERROR_UNEXPECTED,
                                "Describe: something else is done to the set; try again in a moment.");
}

static SnapshotSet *find_set(Manager *manager, const char *set_id) {
        const PublishedSet *published = published_find(manager, set_id);

        return published ? sets_find(manager->sets, published->id) : NULL;
}

static void reply_gone(sd_bus_message *call) {
        bus_reply_error(call, CONTRACT_ERROR_OBJECT_NOT_FOUND,
                        "The snapshot set has been deleted meanwhile.");
}

/* SnapshotAllowed; the options were good when they were read first. */
static void describe_allowed(Manager *manager, KeptCall **call, const char *set_id) {
        _cleanup_(change_done) SetDescriptionChange change = {.locked = -1};
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        SnapshotSet *set = find_set(manager, set_id);

        if (!set || sd_bus_message_rewind((*call)->message, true) < 0 ||
            change_read((*call)->message, &change, &error) < 0)
                reply_gone((*call)->message);
        else
                describe_now(set, call, &change);
}

/**
 * method_describe() - SnapshotSet.Describe, for sd-bus
 * @m:          the call
 * @userdata:   the set, on the bus
 * @reterr:     InvalidArgument
 *
 * Return: 1, or a negative errno.
 */
int method_describe(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_(change_done) SetDescriptionChange change = {.locked = -1};
        const PublishedSet *set = userdata;
        int r;

        r = change_read(m, &change, reterr);
        return r < 0 ? r : snapshot_check_access(m, set, set->id, describe_allowed, reterr);
}

static int append_description(sd_bus_message *reply, const SetDescription *description) {
        size_t n = 0;
        int r;

        while (description->labels && description->labels[n])
                n++;
        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0)
                r = dictionary_add(reply, "name", "s", description->name ?: "");
        if (r >= 0)
                r = dictionary_add(reply, "note", "s", description->note ?: "");
        if (r >= 0)
                r = dictionary_add_strings(reply, "labels", (const char *const *) description->labels, n);
        if (r >= 0)
                r = dictionary_add(reply, "locked", "b", (int) description->locked);
        return r >= 0 ? sd_bus_message_close_container(reply) : r;
}

/* SnapshotAllowed */
static void get_properties_allowed(Manager *manager, KeptCall **call, const char *set_id) {
        SnapshotSet *set = find_set(manager, set_id);
        sd_bus_message *reply = NULL;
        int r;

        if (!set) {
                reply_gone((*call)->message);
                return;
        }
        r = sd_bus_message_new_method_return((*call)->message, &reply);
        if (r >= 0)
                r = append_description(reply, snapshot_set_get_description(set));
        bus_reply_send((*call)->message, reply, r);
        sd_bus_message_unref(reply);
}

/**
 * method_get_set_properties() - SnapshotSet.GetProperties, for sd-bus
 * @m:          the call
 * @userdata:   the set, on the bus
 * @reterr:     InvalidArgument
 *
 * Return: 1, or a negative errno.
 */
int method_get_set_properties(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        const PublishedSet *set = userdata;
        int r;

        r = options_read_none(m, reterr);
        return r < 0 ? r : snapshot_check_access(m, set, set->id, get_properties_allowed, reterr);
}
