/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * org.quiesce1.Manager: finding things, administration. Sessions are opened in open-bus.c.
 */

#include "daemon/bus/access.h"
#include "daemon/bus/backup-reply.h"
#include "daemon/bus/delete.h"
#include "daemon/bus/log-bus.h"
#include "daemon/bus/open-bus.h"
#include "daemon/bus/prune.h"
#include "daemon/bus/publish.h"
#include "daemon/bus/register-bus.h"
#include "daemon/bus/storage.h"

#include "contract/names.h"
#include "util/error.h"
#include "util/log.h"

/* NULL too for one of the last run that is not there yet. */
static SessionObject *find_session(Manager *manager, const char *id) {
        SessionObject *session = session_object_find_id(manager, id);

        return session && !session_object_is_unheard(session) ? session : NULL;
}

static int method_get_session(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        SessionObject *session;
        const char *id;
        int r;

        r = sd_bus_message_read(m, "s", &id);
        if (r < 0)
                return error_origin(r);
        session = find_session(userdata, id);
        return session ? sd_bus_reply_method_return(m, "o", session->path)
                       : bus_error_set_not_found(reterr, userdata, "session", id);
}

static int method_get_snapshot_set(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        PublishedSet *set;
        const char *id;
        int r;

        r = sd_bus_message_read(m, "s", &id);
        if (r < 0)
                return error_origin(r);
        set = published_find(userdata, id);
        return set ? sd_bus_reply_method_return(m, "o", set->path)
                   : bus_error_set_not_found(reterr, userdata, "snapshot set", id);
}

static int method_get_snapshot(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        PublishedSnapshot *snapshot;
        const char *id;
        int r;

        r = sd_bus_message_read(m, "s", &id);
        if (r < 0)
                return error_origin(r);
        snapshot = published_find_snapshot(userdata, id);
        return snapshot ? sd_bus_reply_method_return(m, "o", snapshot->path)
                        : bus_error_set_not_found(reterr, userdata, "snapshot", id);
}

static int append_volume(sd_bus_message *reply, const VolumeListing *volume) {
        const char *provider = volume->provider ? volume->provider : "";
        int r;

        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0)
                r = dictionary_add(reply, "name", "s", volume->name);
        if (r >= 0)
                r = dictionary_add(reply, "key", "s", volume->key ? volume->key : "");
        if (r >= 0)
                r = dictionary_add(reply, "device", "s", volume->device ? volume->device : "");
        if (r >= 0)
                r = dictionary_add(reply, "size", "t", volume->size);
        if (r >= 0)
                r = dictionary_add(reply, "provider", "s", provider);
        if (r >= 0 && provider[0] == '\0')
                r = dictionary_add(reply, "reason", "s", volume->reason ? volume->reason : "");
        if (r >= 0)
                r = dictionary_add(reply, "file-system", "s",
                                   volume->file_system ? volume->file_system : "");
        if (r >= 0)
                r = dictionary_add_strings(reply, "mount-points", volume->mount_points,
                                           volume->n_mount_points);
        return r >= 0 ? sd_bus_message_close_container(reply) : r;
}

/* VolumesListed */
static void volumes_listed(int result, const VolumeListing *volumes, size_t n_volumes, void *userdata) {
        _cleanup_(kept_call_freep) KeptCall *call = userdata;
        sd_bus_message *reply = NULL;
        int r = result;

        if (result < 0) {
                bus_reply_error(call->message, CONTRACT_ERROR_UNEXPECTED,
                                "GetVolumes: LVM could not be asked for its volumes; the journal says why.");
                return;
        }
        r = sd_bus_message_new_method_return(call->message, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        for (size_t i = 0; i < n_volumes && r >= 0; i++)
                r = append_volume(reply, &volumes[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        bus_reply_send(call->message, reply, r);
        sd_bus_message_unref(reply);
}

/* AccessGranted */
static void get_volumes_granted(Manager *manager, KeptCall **call, Owner **owner, void *userdata) {
        if (sets_list_volumes(manager->sets, volumes_listed, *call) >= 0)
                *call = NULL; /* volumes_listed()'s */
        else
                bus_reply_error((*call)->message, CONTRACT_ERROR_UNEXPECTED,
                                "GetVolumes: LVM could not be asked for its volumes.");
}

static int method_get_volumes(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        int r;

        r = options_read_none(m, reterr);
        return r < 0 ? r
                     : access_check(userdata, m, &(AccessQuestion){.action = ACTION_BACKUP},
                                    get_volumes_granted, NULL, NULL, reterr);
}

static int append_writer(sd_bus_message *reply, const WriterListing *writer) {
        size_t n = 0;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0)
                r = dictionary_add(reply, "name", "s", writer->name);
        if (r >= 0)
                r = dictionary_add(reply, "level", "s", contract_level_to_string(writer->level));
        if (r >= 0)
                r = dictionary_add(reply, "kind", "s", writer->kind ? writer->kind : "");
        if (r >= 0)
                r = dictionary_add(reply, "description", "s",
                                   writer->description ? writer->description : "");
        if (r >= 0)
                r = dictionary_add(reply, "unit", "s", writer->unit ? writer->unit : "");
        if (r >= 0 && writer->on_bus)
                r = dictionary_add(reply, "registered", "b", (int) writer->registered);
        for (; writer->blocks_revert && writer->blocks_revert[n]; n++)
                ;
        if (r >= 0 && n > 0)
                r = dictionary_add_strings(reply, "blocks-revert",
                                           (const char *const *) writer->blocks_revert, n);
        if (r >= 0)
                r = dictionary_add(reply, "available", "b", (int) (writer->error == NULL));
        if (r >= 0 && writer->error)
                r = dictionary_add(reply, "error", "s", writer->error);
        return r >= 0 ? sd_bus_message_close_container(reply) : r;
}

/* AccessGranted; what is wrong with a writer names files. */
static void get_writers_granted(Manager *manager, KeptCall **call, Owner **owner, void *userdata) {
        sd_bus_message *reply = NULL;
        WriterListing writer;
        int r;

        r = sd_bus_message_new_method_return((*call)->message, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        for (size_t i = 0; r >= 0 && i < writers_count(manager->writers); i++)
                if (writers_get_listing(manager->writers, i, &writer))
                        r = append_writer(reply, &writer);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        bus_reply_send((*call)->message, reply, r);
        sd_bus_message_unref(reply);
}

static int method_get_writers(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        int r;

        r = options_read_none(m, reterr);
        return r < 0 ? r
                     : access_check(userdata, m, &(AccessQuestion){.action = ACTION_BACKUP},
                                    get_writers_granted, NULL, NULL, reterr);
}

/* AccessGranted */
static void release_granted(Manager *manager, KeptCall **kept, Owner **owner, void *userdata) {
        sd_bus_message *m = (*kept)->message;
        SessionObject *session = find_session(manager, userdata);
        ContractInput input = {.type = CONTRACT_INPUT_ADMINISTRATOR_RELEASE};
        BusCall *call;

        if (!session) {
                bus_reply_error(m, CONTRACT_ERROR_OBJECT_NOT_FOUND,
                                "ReleaseSession: the session has ended meanwhile.");
                return;
        }
        if (bus_call_new(manager, &call, session->handle, CONTRACT_CALL_NONE, m, NULL) < 0) {
                bus_reply_error(m, CONTRACT_ERROR_UNEXPECTED,
                                "ReleaseSession: quiesced is short of memory.");
                return;
        }
        input.session = session->handle;
        input.token = call->token;
        manager_feed(manager, &input);
}

static int method_release_session(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        const char *id;
        char *copy;
        int r;

        r = sd_bus_message_read(m, "s", &id);
        if (r < 0)
                return error_origin(r);
        r = options_read_none(m, reterr);
        if (r < 0)
                return r;
        if (!find_session(userdata, id))
                return bus_error_set_not_found(reterr, userdata, "session", id);
        copy = strdup(id);
        if (!copy)
                return error_origin(-ENOMEM);
        return access_check(userdata, m, &(AccessQuestion){.action = ACTION_ADMINISTER}, release_granted,
                            copy, free, reterr);
}

static int method_delete_snapshots(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        const char *id;
        int r;

        r = sd_bus_message_read(m, "s", &id);
        return r < 0 ? error_origin(r) : delete_snapshots(userdata, m, id, true, reterr);
}

static void reload_granted(Manager *manager, KeptCall **call, Owner **owner, void *userdata) {
        _cleanup_free_ char *wrong = NULL, *text = NULL;
        int r = manager_reload(manager, &wrong);

        if (r >= 0) {
                bus_reply_sent((*call)->message, sd_bus_reply_method_return((*call)->message, NULL));
                return;
        }
        if (asprintf(&text, "%s. The configuration stays as it was; mend that, and reload again.",
                     wrong ?: strerror(-r)) < 0)
                text = NULL;
        bus_reply_error((*call)->message,
                        r == -EBADMSG ? CONTRACT_ERROR_INVALID_ARGUMENT : CONTRACT_ERROR_UNEXPECTED,
                        text ?: "Reload: quiesced is short of memory.");
}

static int method_reload(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        int r = options_read_none(m, reterr);

        return r < 0 ? r
                     : access_check(userdata, m, &(AccessQuestion){.action = ACTION_ADMINISTER},
                                    reload_granted, NULL, NULL, reterr);
}

static int property_version(sd_bus *bus, const char *path, const char *interface, const char *property,
                            sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        return sd_bus_message_append(reply, "s", PACKAGE_VERSION);
}

static int property_sets_known(sd_bus *bus, const char *path, const char *interface, const char *property,
                               sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        bool known = !manager_get_not_told(userdata);

        if (!known)
                manager_ask_lvm_again(userdata);
        return sd_bus_message_append(reply, "b", (int) known);
}

/* Words for what this version can do beyond the first; none so far. */
static int property_features(sd_bus *bus, const char *path, const char *interface, const char *property,
                             sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        return sd_bus_message_append(reply, "as", 0);
}

const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("OpenBackup", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("o", session),
                                method_open_backup, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OpenRestore", SD_BUS_ARGS("s", document, "a{sv}", options),
                                SD_BUS_RESULT("o", session), method_open_restore,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetSession", SD_BUS_ARGS("s", id), SD_BUS_RESULT("o", session),
                                method_get_session, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetSnapshotSet", SD_BUS_ARGS("s", id), SD_BUS_RESULT("o", set),
                                method_get_snapshot_set, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetSnapshot", SD_BUS_ARGS("s", id), SD_BUS_RESULT("o", snapshot),
                                method_get_snapshot, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetVolumes", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", volumes), method_get_volumes,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetWriters", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", writers), method_get_writers,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Register", SD_BUS_ARGS("s", name, "a{sv}", options), SD_BUS_NO_RESULT,
                                method_register, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ReleaseSession", SD_BUS_ARGS("s", id, "a{sv}", options), SD_BUS_NO_RESULT,
                                method_release_session, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("DeleteSnapshots", SD_BUS_ARGS("s", id, "a{sv}", options),
                                SD_BUS_RESULT("u", deleted, "s", first_left), method_delete_snapshots,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetLogLevel", SD_BUS_ARGS("s", module, "s", level, "a{sv}", options),
                                SD_BUS_NO_RESULT, log_bus_method_set_level, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT, method_reload,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Prune", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("aa{sv}", sets),
                                method_prune, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetStorage", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", storage), method_get_storage,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("LogLevels", "a{ss}", log_bus_property_levels, 0, 0),
        SD_BUS_PROPERTY("Version", "s", property_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Features", "as", property_features, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("SetsKnown", "b", property_sets_known, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_SIGNAL_WITH_ARGS("Abort", SD_BUS_ARGS("s", session, "s", set, "a{sv}", details), 0),
        SD_BUS_SIGNAL_WITH_ARGS(
                "BackupShutdown",
                SD_BUS_ARGS("s", session, "s", set, "s", outcome, "s", cause, "a{sv}", details), 0),
        SD_BUS_SIGNAL_WITH_ARGS("SpaceLow",
                                SD_BUS_ARGS("s", snapshot, "s", set, "u", percent, "a{sv}", details), 0),
        SD_BUS_SIGNAL_WITH_ARGS("SnapshotInvalid",
                                SD_BUS_ARGS("s", snapshot, "s", set, "s", reason, "a{sv}", details), 0),
        SD_BUS_SIGNAL_WITH_ARGS("SnapshotRemoved",
                                SD_BUS_ARGS("s", snapshot, "s", set, "s", reason, "a{sv}", details), 0),
        SD_BUS_VTABLE_END,
};
