/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * SnapshotSet.Break and SnapshotSet.Revert; see revert.h.
 */

#include "daemon/bus/revert.h"

#include "daemon/bus/access.h"
#include "daemon/bus/publish.h"

#include "util/error.h"

/* What was asked for, kept while polkit thinks. */
typedef struct Asked {
        char set_id[CONTRACT_ID_MAX];
        char suffix[128];
        bool breaks, writable, dry_run;
} Asked;

static int append_broken(sd_bus_message *reply, const char *const *broken) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "{ss}");
        for (; r >= 0 && broken && broken[0] && broken[1]; broken += 2)
                r = sd_bus_message_append(reply, "{ss}", broken[0], broken[1]);
        return r < 0 ? error_origin(r) : sd_bus_message_close_container(reply);
}

/* StepDone */
static void broken(SnapshotSet *set, ContractStep step, uint32_t volume, const StepResult *result,
                   void *userdata) {
        _cleanup_(kept_call_freep) KeptCall *call = userdata;
        sd_bus_message *reply = NULL;
        int r;

        if (result->error != CONTRACT_OK) {
                bus_reply_error(call->message, result->error, result->text);
                return;
        }
        r = sd_bus_message_new_method_return(call->message, &reply);
        if (r >= 0)
                r = append_broken(reply, result->broken);
        bus_reply_send(call->message, reply, r);
        sd_bus_message_unref(reply);
}

/* StepDone */
static void reverted(SnapshotSet *set, ContractStep step, uint32_t volume, const StepResult *result,
                     void *userdata) {
        _cleanup_(kept_call_freep) KeptCall *call = userdata;

        published_refresh(call->manager, "reverted");
        if (result->error != CONTRACT_OK)
                bus_reply_error(call->message, result->error, result->text);
        else
                bus_reply_sent(call->message, sd_bus_reply_method_return(call->message, NULL));
}

/* Whether a path lies on the volume as things are mounted now, or it is that volume. */
static bool place_is_on(const Manager *manager, const char *place, const SnapshotInfo *snapshot) {
        _cleanup_free_ char *key = NULL;

        if (place[0] != '/')
                return streq(place, snapshot->volume);
        return sets_volume_key_of_path(manager->sets, place, &key) == 0 && streq(key, snapshot->key);
}

/* VSS: IVssSoftwareSnapshotProvider's ShouldBlockRevert. A descriptor with a defect counts, too: a typing
 * error is no leave. Return: OK or WRITER_VETO. */
static ContractError ask_writers(Manager *manager, const SnapshotSet *set, char *text, size_t n_text) {
        WriterListing writer;
        SnapshotInfo snapshot;

        if (writers_reload(manager->writers) < 0) {
                (void) snprintf(
                        text, n_text,
                        "The writers' descriptors cannot be read, and with them whether one blocks it.");
                return CONTRACT_ERROR_WRITER_INFRASTRUCTURE;
        }
        for (size_t i = 0; writers_get_listing(manager->writers, i, &writer); i++)
                for (char *const *place = writer.blocks_revert; place && *place; place++)
                        for (size_t k = 0; snapshot_set_get_snapshot(set, k, &snapshot); k++) {
                                if (!place_is_on(manager, *place, &snapshot))
                                        continue;
                                (void) snprintf(
                                        text, n_text,
                                        "Writer %s does not let %.128s be reverted: %.128s, in BlocksRevert= "
                                        "of its descriptor, %s it. Bring files back by 'quiescectl restore', or take "
                                        "that line back in a drop-in: quiesced.writer(5).",
                                        writer.name, snapshot.volume, *place,
                                        **place == '/' ? "lies on" : "is");
                                return CONTRACT_ERROR_WRITER_VETO;
                        }
        return CONTRACT_OK;
}

static void begin(Manager *manager, KeptCall **call, const Asked *asked) {
        SnapshotSet *set =
                published_find(manager, asked->set_id) ? sets_find(manager->sets, asked->set_id) : NULL;
        KeptCall *kept = *call;
        char text[CONTRACT_TEXT_MAX];
        ContractError error;

        if (!set) {
                bus_reply_error(kept->message, CONTRACT_ERROR_OBJECT_NOT_FOUND,
                                "The snapshot set has been deleted meanwhile.");
                return;
        }
        *call = NULL; /* the callback's, which may be called at once */
        error = asked->breaks ? CONTRACT_OK : ask_writers(manager, set, text, sizeof(text));
        if (error == CONTRACT_OK)
                error = asked->breaks ? snapshot_set_break(set, asked->suffix, asked->writable, broken, kept,
                                                           text, sizeof(text))
                                      : snapshot_set_revert(set, asked->dry_run, reverted, kept, text,
                                                            sizeof(text));
        if (error == CONTRACT_OK)
                return;
        *call = kept;
        bus_reply_error(kept->message, error, text);
}

/* While somebody has a snapshot open for a moment. */
typedef struct Waiting {
        KeptCall *call;
        Asked asked;
} Waiting;

/* UnusedDone */
static void waited(const char *busy, void *userdata) {
        Waiting *waiting = userdata;

        if (busy)
                bus_reply_error(waiting->call->message, CONTRACT_ERROR_VOLUME_BUSY, busy);
        else
                begin(waiting->call->manager, &waiting->call, &waiting->asked);
        (void) kept_call_free(waiting->call);
        free(waiting);
}

/* AccessGranted */
static void granted(Manager *manager, KeptCall **call, Owner **owner, void *userdata) {
        const Asked *asked = userdata;
        SnapshotSet *set =
                published_find(manager, asked->set_id) ? sets_find(manager->sets, asked->set_id) : NULL;
        Waiting *waiting = set ? malloc(sizeof(*waiting)) : NULL;

        if (waiting) {
                *waiting = (Waiting){*call, *asked};
                if (snapshot_set_await_unused(set, NULL, waited, waiting)) {
                        *call = NULL;
                        return;
                }
                free(waiting);
        }
        begin(manager, call, asked);
}

static int ask(sd_bus_message *m, const PublishedSet *set, const Asked *asked, sd_bus_error *reterr) {
        const AccessQuestion question = {.action = ACTION_ADMINISTER};
        Asked *copy = malloc(sizeof(*copy));

        if (!copy)
                return error_origin(-ENOMEM);
        *copy = *asked;
        (void) snprintf(copy->set_id, sizeof(copy->set_id), "%s", set->id);
        return access_check(set->manager, m, &question, granted, copy, free, reterr);
}

/**
 * method_break() - SnapshotSet.Break, for sd-bus
 * @m:          the call
 * @userdata:   the set, on the bus
 * @reterr:     InvalidArgument
 *
 * Mirrors IVssBackupComponentsEx2::BreakSnapshotSetEx.
 *
 * Return: 1, or a negative errno.
 */
int method_break(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        const PublishedSet *set = userdata;
        const char *suffix = "";
        int writable = false, r;
        const Option options[] = {
                {"suffix", OPTION_STRING, &suffix},
                {"writable", OPTION_BOOLEAN, &writable},
        };
        Asked asked = {.breaks = true};

        r = options_read(m, options, ELEMENTSOF(options), reterr);
        if (r < 0)
                return r;
        /* One that is too long is cut, and too long still. */
        (void) snprintf(asked.suffix, sizeof(asked.suffix), "%s", suffix);
        asked.writable = writable;
        return ask(m, set, &asked, reterr);
}

/**
 * method_revert() - SnapshotSet.Revert, for sd-bus
 * @m:          the call
 * @userdata:   the set, on the bus
 * @reterr:     InvalidArgument
 *
 * With the option dry-run it answers whether it would be refused, as far as that can be told.
 *
 * Mirrors IVssBackupComponentsEx2::RevertToSnapshot.
 *
 * Return: 1, or a negative errno.
 */
int method_revert(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        int dry_run = false, r;
        const Option options[] = {{"dry-run", OPTION_BOOLEAN, &dry_run}};

        r = options_read(m, options, ELEMENTSOF(options), reterr);
        return r < 0 ? r : ask(m, userdata, &(Asked){.dry_run = dry_run}, reterr);
}
