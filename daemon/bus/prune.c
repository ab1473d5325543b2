/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Manager.Prune; see prune.h.
 */

#include "daemon/bus/prune.h"

#include "daemon/bus/access.h"
#include "daemon/keeper.h"

#include "util/error.h"

/* What the call says. */
typedef struct Prune {
        int dry_run;
        const char *label; /* in the message */
        uint64_t keep[_KEEPING_SPAN_MAX];
} Prune;

static bool gives_a_rule(const Prune *prune) {
        for (KeepingSpan span = 0; span < _KEEPING_SPAN_MAX; span++)
                if (prune->keep[span] > 0)
                        return true;
        return false;
}

/* The call stands at its options. Return: 0, or a negative errno. */
static int prune_read(sd_bus_message *m, Prune *ret, sd_bus_error *reterr) {
        const Option options[] = {
                {"dry-run", OPTION_BOOLEAN, &ret->dry_run},
                {"label", OPTION_STRING, &ret->label},
                {"keep-last", OPTION_UINT64, &ret->keep[KEEPING_LAST]},
                {"keep-hourly", OPTION_UINT64, &ret->keep[KEEPING_HOURLY]},
                {"keep-daily", OPTION_UINT64, &ret->keep[KEEPING_DAILY]},
                {"keep-weekly", OPTION_UINT64, &ret->keep[KEEPING_WEEKLY]},
                {"keep-monthly", OPTION_UINT64, &ret->keep[KEEPING_MONTHLY]},
        };

        return options_read(m, options, ELEMENTSOF(options), reterr);
}

static int append_outcome(sd_bus_message *reply, const KeeperOutcome *outcome) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0)
                r = dictionary_add(reply, "set", "s", outcome->id);
        if (r >= 0)
                r = dictionary_add(reply, "created", "t", outcome->instant_usec);
        if (r >= 0)
                r = dictionary_add(reply, "reason", "s", keeping_reason_to_string(outcome->reason));
        if (r >= 0)
                r = dictionary_add(reply, "by", "s", outcome->by);
        if (r >= 0)
                r = dictionary_add(reply, "removed", "b", (int) outcome->removed);
        if (r >= 0 && outcome->left[0])
                r = dictionary_add(reply, "error", "s", outcome->left);
        return r >= 0 ? sd_bus_message_close_container(reply) : r;
}

/* KeeperRequest.done */
static void pruned(const KeeperOutcome *outcomes, size_t n_outcomes, int result, void *userdata) {
        _cleanup_(kept_call_freep) KeptCall *call = userdata;
        sd_bus_message *reply = NULL;
        int r = result;

        if (r >= 0)
                r = sd_bus_message_new_method_return(call->message, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        for (size_t i = 0; i < n_outcomes && r >= 0; i++)
                r = append_outcome(reply, &outcomes[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        bus_reply_send(call->message, reply, r);
        sd_bus_message_unref(reply);
}

static int request_make(const Manager *manager, KeeperRequest *ret, const Prune *prune) {
        *ret = (KeeperRequest){.label = prune->label, .dry_run = prune->dry_run, .done = pruned};
        return gives_a_rule(prune) ? keeping_rules_replace(&ret->rules, &manager->config->keeping,
                                                           prune->label, prune->keep)
                                   : 0;
}

/* AccessGranted; the options were good when they were read first. */
static void prune_granted(Manager *manager, KeptCall **call, Owner **owner, void *userdata) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *m = (*call)->message;
        KeeperRequest request;
        Prune prune = {};
        int r;

        r = sd_bus_message_rewind(m, true);
        if (r >= 0)
                r = prune_read(m, &prune, &error);
        if (r == 0)
                r = request_make(manager, &request, &prune);
        if (r == 0) {
                request.userdata = *call;
                r = keeper_ask(manager->keeper, &request);
                keeping_rules_done(&request.rules);
        }
        if (r == 0)
                *call = NULL; /* pruned()'s */
        else
                bus_reply_error(m, CONTRACT_ERROR_UNEXPECTED, "Prune: quiesced is short of memory.");
}

static int prune_check(const Manager *manager, const Prune *prune, sd_bus_error *reterr) {
        KeeperRequest request;
        int r;

        if (gives_a_rule(prune) && !prune->label)
                return bus_error_set(reterr, CONTRACT_ERROR_INVALID_ARGUMENT,
                                     "Prune: what is to be kept is given, but not of which label.");
        r = request_make(manager, &request, prune);
        if (r == KEEPING_E_INVALID)
                return bus_error_set(
                        reterr, CONTRACT_ERROR_INVALID_ARGUMENT,
                        "Prune: \"%.64s\" is no label, or more than %u of a kind are to be kept.",
                        prune->label, KEEPING_COUNT_MAX);
        if (r == 0)
                keeping_rules_done(&request.rules);
        return error_trace(r);
}

/**
 * method_prune() - Manager.Prune, for sd-bus
 * @m:          the call
 * @userdata:   the manager
 * @reterr:     InvalidArgument, LimitsExceeded
 *
 * Return: 1, or a negative errno.
 */
int method_prune(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        Prune prune = {};
        int r;

        r = prune_read(m, &prune, reterr);
        if (r == 0)
                r = prune_check(userdata, &prune, reterr);
        return r < 0 ? r
                     : access_check(userdata, m, &(AccessQuestion){.action = ACTION_ADMINISTER},
                                    prune_granted, NULL, NULL, reterr);
}
