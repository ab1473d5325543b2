/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * org.quiesce1.Backup: VSS's IVssBackupComponents, for the requester that opened the session. Each method
 * reads its arguments and hands the call to the contract, which decides whether it is legal; backup-reply.c
 * writes the answers.
 */

#include "daemon/bus/backup-reply.h"
#include "daemon/bus/component-bus.h"
#include "daemon/bus/describe.h"

#include "contract/names.h"
#include "util/error.h"
#include "util/texts.h"

static size_t strings_count(char *const *list) {
        size_t n = 0;

        while (list && list[n])
                n++;
        return n;
}

/* The common part: a new call of the owner's, arguments in the message are read already. If its answer is an
 * id, that is made here. */
static int backup_call(sd_bus_message *m, SessionObject *session, ContractCall which, BusCallReply reply,
                       BusCall **ret) {
        BusCall *call;
        int r;

        r = bus_call_new(session->manager, &call, session->handle, which, m, reply);
        if (r < 0)
                return error_trace(r);
        if (reply == reply_fresh_id)
                r = bus_new_id(call->fresh_id);
        if (r < 0) {
                (void) bus_call_free(call);
                return error_trace(r);
        }
        *ret = call;
        return 0;
}

static int method_set_context(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        SessionObject *session = userdata;
        ContractInput input = {};
        const char *context;
        BusCall *call;
        int c, r;

        r = session_check_owner(session, m, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_read(m, "s", &context);
        if (r < 0)
                return error_origin(r);
        c = contract_context_from_string(context);
        if (c < 0)
                return bus_error_set(reterr, CONTRACT_ERROR_UNSUPPORTED_CONTEXT,
                                     "SetContext: there is no context \"%.64s\"; there are backup, "
                                     "file-share-backup, nas-rollback and app-rollback.",
                                     context);
        input.context = (ContractContext) c;
        r = options_read_none(m, reterr);
        if (r == 0)
                r = backup_call(m, session, CONTRACT_CALL_SET_CONTEXT, NULL, &call);
        if (r < 0)
                return r;
        bus_call_feed(call, &input);
        return 1;
}

static int backup_call_names(sd_bus_message *m, SessionObject *session, ContractCall which,
                             sd_bus_error *reterr) {
        _cleanup_(texts_freep) char **names = NULL;
        ContractInput input = {};
        BusCall *call;
        int r;

        r = session_check_owner(session, m, reterr);
        if (r < 0)
                return r;
        r = bus_read_names(m, &names, reterr);
        if (r == 0)
                r = options_read_none(m, reterr);
        if (r == 0)
                r = backup_call(m, session, which, NULL, &call);
        if (r < 0)
                return r;
        input.names = (const char *const *) names;
        input.n_names = strings_count(names);
        bus_call_feed(call, &input);
        return 1;
}

/**
 * method_enable_writers() - EnableWriters, of backups and restores
 * @m:          the call
 * @userdata:   the session
 * @reterr:     what is wrong with it
 *
 * Return: 1, or a negative errno.
 */
int method_enable_writers(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return backup_call_names(m, userdata, CONTRACT_CALL_ENABLE_WRITERS, reterr);
}

/**
 * method_disable_writers() - DisableWriters, of backups and restores
 * @m:          the call
 * @userdata:   the session
 * @reterr:     what is wrong with it
 *
 * Return: 1, or a negative errno.
 */
int method_disable_writers(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return backup_call_names(m, userdata, CONTRACT_CALL_DISABLE_WRITERS, reterr);
}

/* VSS_BACKUP_TYPE; what one that is not full means is the writers' to know. */
static const char *find_backup_type(const char *name) {
        static const char *const types[] = {"full", "copy", "incremental", "differential", "log"};

        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                if (streq(types[i], name))
                        return types[i];
        return NULL;
}

static int method_set_backup_state(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        SessionObject *session = userdata;
        int component_mode = false, bootable = false, r;
        const char *name = "copy", *type;
        const Option options[] = {
                {"component-mode", OPTION_BOOLEAN, &component_mode},
                {"bootable", OPTION_BOOLEAN, &bootable},
                {"type", OPTION_STRING, &name},
        };
        ContractInput input = {};
        BusCall *call;

        r = session_check_owner(session, m, reterr);
        if (r == 0)
                r = options_read(m, options, ELEMENTSOF(options), reterr);
        if (r < 0)
                return r;
        type = find_backup_type(name);
        if (!type)
                return bus_error_set(reterr, CONTRACT_ERROR_INVALID_ARGUMENT,
                                     "SetBackupState: there is no type \"%.64s\"; there are full, copy, "
                                     "incremental, differential and log.",
                                     name);
        r = backup_call(m, session, CONTRACT_CALL_SET_BACKUP_STATE, NULL, &call);
        if (r < 0)
                return r;
        input.component_mode = component_mode;
        call->backup_type = type;
        call->bootable = bootable;
        bus_call_feed(call, &input);
        return 1;
}

/**
 * method_gather_writer_metadata() - GatherWriterMetadata, of backups and restores
 * @m:          the call
 * @userdata:   the session
 * @reterr:     what is wrong with it
 *
 * Return: 1, or a negative errno.
 */
int method_gather_writer_metadata(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return session_call_plain(m, userdata, CONTRACT_CALL_GATHER_WRITER_METADATA,
                                  reply_gather_writer_metadata, reterr);
}

/**
 * method_save_document() - SaveDocument, of backups and restores
 * @m:          the call
 * @userdata:   the session
 * @reterr:     what is wrong with it
 *
 * Return: 1, or a negative errno.
 */
int method_save_document(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return session_call_plain(m, userdata, CONTRACT_CALL_SAVE_DOCUMENT, reply_save_document, reterr);
}

static int method_start_snapshot_set(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        SessionObject *session = userdata;
        _cleanup_(set_description_done) SetDescription description = {};
        int wait = false, r;
        ContractInput input = {};
        BusCall *call;

        r = session_check_owner(session, m, reterr);
        if (r == 0)
                r = describe_read_new(m, &description, &wait, reterr);
        if (r == 0)
                r = backup_call(m, session, CONTRACT_CALL_START_SNAPSHOT_SET, reply_fresh_id, &call);
        if (r < 0)
                return r;
        call->description = description;
        description = (SetDescription){};
        input.wait = wait;
        bus_call_feed(call, &input);
        return 1;
}

/* A volume in a variant: a name, or a descriptor of anything on it. Both live as long as the message. */
static int read_volume(sd_bus_message *m, VolumeReference *ret, sd_bus_error *reterr) {
        const char *contents;
        char type;
        int r;

        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r < 0)
                return error_origin(r);
        *ret = (VolumeReference){.fd = -1};
        if (streq(contents, "s"))
                r = sd_bus_message_read(m, "v", "s", &ret->name);
        else if (streq(contents, "h"))
                r = sd_bus_message_read(m, "v", "h", &ret->fd);
        else
                return bus_error_set(reterr, CONTRACT_ERROR_INVALID_ARGUMENT,
                                     "%s: a volume is a string or a descriptor (D-Bus type s or h), not %s.",
                                     sd_bus_message_get_member(m), contents);
        if (r < 0)
                return error_origin(r);
        if (ret->name && (ret->name[0] == '\0' || strlen(ret->name) > 4096))
                return bus_error_set(reterr, CONTRACT_ERROR_INVALID_ARGUMENT,
                                     "%s: the volume's name must have 1 to 4096 bytes.",
                                     sd_bus_message_get_member(m));
        return 0;
}

/* Devices for a store: those of lvm-cow become arguments of lvcreate(8). */
static int check_devices(sd_bus_message *m, char *const *devices, sd_bus_error *reterr) {
        for (; devices && *devices; devices++)
                if (!lvm_device_name_is_valid(*devices))
                        return bus_error_set(
                                reterr, CONTRACT_ERROR_INVALID_ARGUMENT,
                                "%s: option store-on: devices are named by their paths below /dev, "
                                "which %.64s is not.",
                                sd_bus_message_get_member(m), *devices);
        return 0;
}

/* IsVolumeSupported and AddToSnapshotSet */
static int backup_call_volume(sd_bus_message *m, SessionObject *session, ContractCall which,
                              BusCallReply reply, sd_bus_error *reterr) {
        PrepareOptions prepare = {};
        const Option options[] = {
                {"cow-size", OPTION_UINT64, &prepare.cow_size},
                {"provider", OPTION_STRING, &prepare.provider},
                {"store-on", OPTION_DEVICES, &prepare.devices},
        };
        VolumeReference volume;
        ContractInput input = {};
        BusCall *call;
        int r;

        r = session_check_owner(session, m, reterr);
        if (r == 0)
                r = read_volume(m, &volume, reterr);
        if (r == 0)
                r = options_read(m, options, ELEMENTSOF(options), reterr);
        if (r == 0)
                r = check_devices(m, prepare.devices, reterr);
        if (r == 0)
                r = backup_call(m, session, which, reply, &call);
        if (r < 0) {
                (void) texts_free(prepare.devices);
                return r;
        }
        call->volume = volume;
        call->options = prepare;
        bus_call_feed(call, &input);
        return 1;
}

static int method_is_volume_supported(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return backup_call_volume(m, userdata, CONTRACT_CALL_IS_VOLUME_SUPPORTED, reply_is_volume_supported,
                                  reterr);
}

static int method_add_to_snapshot_set(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return backup_call_volume(m, userdata, CONTRACT_CALL_ADD_TO_SNAPSHOT_SET, reply_fresh_id, reterr);
}

typedef struct Moment {
        int fd;
        uint64_t limit_usec; /* wished for; no longer than the administrator allows */
} Moment;

static int check_moment(sd_bus_message *m, const SessionObject *session, Moment *moment,
                        sd_bus_error *reterr) {
        uint64_t longest_usec = session->manager->config->external_limit_usec;

        if (moment->fd < 0 && moment->limit_usec == 0)
                return 0;
        if (moment->fd < 0 || !sets_is_moment(moment->fd))
                return bus_error_set(reterr, CONTRACT_ERROR_INVALID_ARGUMENT,
                                     "%s: the option \"moment\" must be an AF_UNIX socket of type "
                                     "SOCK_SEQPACKET; \"moment-limit-usec\" goes with it.",
                                     sd_bus_message_get_member(m));
        if (moment->limit_usec == 0 || moment->limit_usec > longest_usec)
                moment->limit_usec = longest_usec;
        return 0;
}

/* PrepareForBackup and DoSnapshotSet; the former has no moment. */
static int backup_call_requiring(sd_bus_message *m, SessionObject *session, ContractCall which,
                                 BusCallReply reply, sd_bus_error *reterr) {
        _cleanup_(texts_freep) char **ignored = NULL;
        Moment moment = {.fd = -1};
        int require = false, r;
        const Option options[] = {
                {"require-writers", OPTION_BOOLEAN, &require},
                {"ignore-writers", OPTION_NAMES, &ignored},
                {"moment", OPTION_FD, &moment.fd},
                {"moment-limit-usec", OPTION_UINT64, &moment.limit_usec},
        };
        size_t n_options = ELEMENTSOF(options) - (which == CONTRACT_CALL_DO_SNAPSHOT_SET ? 0 : 2);
        ContractInput input = {};
        BusCall *call;

        r = session_check_owner(session, m, reterr);
        if (r == 0)
                r = options_read(m, options, n_options, reterr);
        if (r == 0)
                r = check_moment(m, session, &moment, reterr);
        if (r == 0)
                r = backup_call(m, session, which, reply, &call);
        if (r < 0)
                return r;
        call->moment_fd = moment.fd;
        call->moment_limit_usec = moment.limit_usec;
        input.hold_limit_usec = moment.limit_usec;
        input.require_writers = require;
        input.names = (const char *const *) ignored;
        input.n_names = strings_count(ignored);
        bus_call_feed(call, &input);
        return 1;
}

static int method_prepare_for_backup(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return backup_call_requiring(m, userdata, CONTRACT_CALL_PREPARE_FOR_BACKUP, reply_failed_writers,
                                     reterr);
}

static int method_do_snapshot_set(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return backup_call_requiring(m, userdata, CONTRACT_CALL_DO_SNAPSHOT_SET, reply_do_snapshot_set,
                                     reterr);
}

/* GetSnapshotProperties and DeleteSnapshots: one id, of a set or a snapshot. */
static int backup_call_id(sd_bus_message *m, SessionObject *session, ContractCall which, BusCallReply reply,
                          sd_bus_error *reterr) {
        ContractInput input = {};
        const char *id;
        BusCall *call;
        int r;

        r = session_check_owner(session, m, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_read(m, "s", &id);
        if (r < 0)
                return error_origin(r);
        r = options_read_none(m, reterr);
        if (r == 0)
                r = backup_call(m, session, which, reply, &call);
        if (r < 0)
                return r;
        call->snapshot = id;
        bus_call_feed(call, &input);
        return 1;
}

static int method_get_snapshot_properties(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return backup_call_id(m, userdata, CONTRACT_CALL_GET_SNAPSHOT_PROPERTIES,
                              reply_get_snapshot_properties, reterr);
}

static int method_delete_snapshots(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return backup_call_id(m, userdata, CONTRACT_CALL_DELETE_SNAPSHOTS, reply_delete_snapshots, reterr);
}

static int method_backup_complete(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return session_call_plain(m, userdata, CONTRACT_CALL_BACKUP_COMPLETE, reply_failed_writers, reterr);
}

static int method_abort_backup(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return session_call_plain(m, userdata, CONTRACT_CALL_ABORT_BACKUP, NULL, reterr);
}

const sd_bus_vtable backup_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("SetContext", SD_BUS_ARGS("s", context, "a{sv}", options), SD_BUS_NO_RESULT,
                                method_set_context, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("EnableWriters", SD_BUS_ARGS("as", names, "a{sv}", options),
                                SD_BUS_NO_RESULT, method_enable_writers, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("DisableWriters", SD_BUS_ARGS("as", names, "a{sv}", options),
                                SD_BUS_NO_RESULT, method_disable_writers, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetBackupState", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT,
                                method_set_backup_state, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GatherWriterMetadata", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", writers), method_gather_writer_metadata,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS(
                "AddComponent",
                SD_BUS_ARGS("s", writer, "s", logical_path, "s", component, "a{sv}", options),
                SD_BUS_NO_RESULT, method_add_component, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS(
                "SetBackupOptions",
                SD_BUS_ARGS("s", writer, "s", logical_path, "s", component, "s", text, "a{sv}", options),
                SD_BUS_NO_RESULT, method_set_backup_options, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS(
                "SetPreviousBackupStamp",
                SD_BUS_ARGS("s", writer, "s", logical_path, "s", component, "s", stamp, "a{sv}", options),
                SD_BUS_NO_RESULT, method_set_previous_backup_stamp, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("StartSnapshotSet", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("s", set),
                                method_start_snapshot_set, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("IsVolumeSupported", SD_BUS_ARGS("v", volume, "a{sv}", options),
                                SD_BUS_RESULT("b", supported, "a{sv}", details), method_is_volume_supported,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("AddToSnapshotSet", SD_BUS_ARGS("v", volume, "a{sv}", options),
                                SD_BUS_RESULT("s", snapshot), method_add_to_snapshot_set,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("PrepareForBackup", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("a{sv}", result), method_prepare_for_backup,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("DoSnapshotSet", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("a{sv}", result), method_do_snapshot_set,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetSnapshotProperties", SD_BUS_ARGS("s", snapshot, "a{sv}", options),
                                SD_BUS_RESULT("a{sv}", properties), method_get_snapshot_properties,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetBackupSucceeded",
                                SD_BUS_ARGS("s", writer, "s", logical_path, "s", component, "b", succeeded,
                                            "a{sv}", options),
                                SD_BUS_NO_RESULT, method_set_backup_succeeded, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("BackupComplete", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("a{sv}", result), method_backup_complete,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("AbortBackup", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT,
                                method_abort_backup, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("DeleteSnapshots", SD_BUS_ARGS("s", id, "a{sv}", options),
                                SD_BUS_RESULT("u", deleted, "s", first_left), method_delete_snapshots,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SaveDocument", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("s", document),
                                method_save_document, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};
