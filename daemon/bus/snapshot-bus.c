/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * org.quiesce1.Snapshot: looking into a snapshot, mounting it, deleting it. Who may is told in delete.h.
 */

#include <fcntl.h>

#include "daemon/bus/backup-reply.h"
#include "daemon/bus/delete.h"
#include "daemon/bus/publish.h"

#include "util/error.h"
#include "util/utf8.h"

static void reply_gone(sd_bus_message *call) {
        bus_reply_error(call, CONTRACT_ERROR_OBJECT_NOT_FOUND, "The snapshot has been deleted meanwhile.");
}

/* It is not there as it should be: it is on its way out. */
static void reply_state(Manager *manager, sd_bus_message *call, const char *snapshot_id) {
        const PublishedSnapshot *snapshot = published_find_snapshot(manager, snapshot_id);
        char text[CONTRACT_TEXT_MAX];
        SnapshotInfo info;
        SnapshotSet *set;

        if (!snapshot || !published_get_info(snapshot, &set, &info)) {
                reply_gone(call);
                return;
        }
        (void) snprintf(
                text, sizeof(text),
                "Snapshot %s of %.128s cannot be looked into any more: it is %s. 'quiescectl explain "
                "%s' tells what that means.",
                info.id, info.volume, info.state, info.state);
        bus_reply_error(call, CONTRACT_ERROR_VOLUME_BUSY, text);
}

static SnapshotSet *find_set(Manager *manager, const char *snapshot_id) {
        const PublishedSnapshot *snapshot = published_find_snapshot(manager, snapshot_id);

        return snapshot ? sets_find(manager->sets, snapshot->set->id) : NULL;
}

/* TreeOpened */
static void tree_opened(int r, int fd, const char *text, void *userdata) {
        _cleanup_(kept_call_freep) KeptCall *call = userdata;

        if (r < 0)
                bus_reply_error(call->message,
                                r == -EOPNOTSUPP ? CONTRACT_ERROR_NOT_SUPPORTED : CONTRACT_ERROR_UNEXPECTED,
                                text ? text : "OpenTree: the snapshot could not be mounted.");
        else
                bus_reply_sent(call->message, sd_bus_reply_method_return(call->message, "h", fd));
        (void) fd_close(fd);
}

/* SnapshotAllowed */
static void open_tree_allowed(Manager *manager, KeptCall **call, const char *snapshot_id) {
        const PublishedSnapshot *snapshot = published_find_snapshot(manager, snapshot_id);
        SnapshotSet *set = find_set(manager, snapshot_id);
        SnapshotInfo info;
        int r;

        if (!set) {
                reply_gone((*call)->message);
                return;
        }
        r = snapshot_set_open_tree(set, snapshot_id, tree_opened, *call);
        if (r >= 0)
                *call = NULL; /* tree_opened()'s */
        else if (r == -EOPNOTSUPP && snapshot && published_get_info(snapshot, &set, &info))
                bus_reply_error((*call)->message, CONTRACT_ERROR_NOT_SUPPORTED, info.no_tree);
        else if (r == -ENOENT)
                reply_state(manager, (*call)->message, snapshot_id);
        else
                bus_reply_error((*call)->message, CONTRACT_ERROR_UNEXPECTED,
                                "OpenTree: the snapshot could not be looked into; try again in a moment.");
}

static int method_open_tree(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        PublishedSnapshot *snapshot = userdata;
        int r;

        r = options_read_none(m, reterr);
        return r < 0 ? r : snapshot_check_access(m, snapshot->set, snapshot->id, open_tree_allowed, reterr);
}

/* StepDone */
static void mount_done(SnapshotSet *set, ContractStep step, uint32_t volume, const StepResult *result,
                       void *userdata) {
        _cleanup_(kept_call_freep) KeptCall *call = userdata;

        if (result->error != CONTRACT_OK)
                bus_reply_error(call->message, result->error, result->text);
        else
                bus_reply_sent(call->message, sd_bus_reply_method_return(call->message, NULL));
}

/* What Mount can be told. */
typedef struct MountWishes {
        int writable, gives_way;
        uint64_t cow_size;
} MountWishes;

static int read_mount(sd_bus_message *m, int *ret_directory, MountWishes *ret, sd_bus_error *reterr) {
        const Option options[] = {
                {"writable", OPTION_BOOLEAN, &ret->writable},
                {"gives-way", OPTION_BOOLEAN, &ret->gives_way},
                {"cow-size", OPTION_UINT64, &ret->cow_size},
        };
        int r;

        r = sd_bus_message_read(m, "h", ret_directory);
        return r < 0 ? error_origin(r) : options_read(m, options, ELEMENTSOF(options), reterr);
}

static void mount_begun(Manager *manager, KeptCall **kept, const char *snapshot_id, int r) {
        const PublishedSnapshot *snapshot = published_find_snapshot(manager, snapshot_id);
        sd_bus_message *call = (*kept)->message;
        SnapshotInfo info;
        SnapshotSet *set;

        if (r >= 0)
                *kept = NULL; /* mount_done()'s */
        else if (r == -EBUSY)
                bus_reply_error(call, CONTRACT_ERROR_OBJECT_ALREADY_EXISTS,
                                "A writable copy of the snapshot is mounted already; unmount that first.");
        else if (r == -ETXTBSY)
                bus_reply_error(
                        call, CONTRACT_ERROR_OBJECT_ALREADY_EXISTS,
                        "The snapshot is a thick one, which is mounted either read-only or as a writable "
                        "copy, and it is mounted the other way; unmount that first (quiescectl show tells "
                        "where).");
        else if (r == -EUSERS)
                bus_reply_error(
                        call, CONTRACT_ERROR_LIMITS_EXCEEDED,
                        "The snapshot is mounted as often as is allowed; unmount it somewhere first.");
        else if (r == -EOPNOTSUPP && snapshot && published_get_info(snapshot, &set, &info))
                bus_reply_error(call, CONTRACT_ERROR_NOT_SUPPORTED, info.no_tree);
        else if (r == -ENOSYS)
                bus_reply_error(
                        call, CONTRACT_ERROR_NOT_SUPPORTED,
                        "Mount: the snapshot's provider makes no writable copies of its snapshots; mount "
                        "it read-only.");
        else if (r == -ENOENT)
                reply_state(manager, call, snapshot_id);
        else
                bus_reply_error(call, CONTRACT_ERROR_UNEXPECTED,
                                "The mount could not be begun; try again in a moment.");
}

/* SnapshotAllowed; the directory stays in the message. */
static void mount_allowed(Manager *manager, KeptCall **call, const char *snapshot_id) {
        SnapshotSet *set = find_set(manager, snapshot_id);
        MountOptions options = {.uid = (*call)->uid};
        MountWishes wishes = {};
        int r;

        if (!set || sd_bus_message_rewind((*call)->message, true) < 0 ||
            read_mount((*call)->message, &options.directory_fd, &wishes, NULL) < 0) {
                reply_gone((*call)->message);
                return;
        }
        options.copy_size = wishes.cow_size;
        options.gives_way = wishes.gives_way;
        r = wishes.writable ? snapshot_set_mount_writable(set, snapshot_id, &options, mount_done, *call)
                            : snapshot_set_mount(set, snapshot_id, &options, mount_done, *call);
        mount_begun(manager, call, snapshot_id, r);
}

static int method_mount(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        PublishedSnapshot *snapshot = userdata;
        MountWishes wishes = {};
        int directory, r;

        r = read_mount(m, &directory, &wishes, reterr);
        if (r >= 0 && wishes.cow_size > 0 && !wishes.writable)
                return bus_error_set(
                        reterr, CONTRACT_ERROR_INVALID_ARGUMENT,
                        "Mount: option cow-size is of the store of a writable copy, and needs option "
                        "writable.");
        if (r >= 0 && wishes.gives_way && wishes.writable)
                return bus_error_set(
                        reterr, CONTRACT_ERROR_INVALID_ARGUMENT,
                        "Mount: a writable copy does not give way: what was written would be lost.");
        return r < 0 ? r : snapshot_check_access(m, snapshot->set, snapshot->id, mount_allowed, reterr);
}

/* It is mounted on several directories, and which one is meant was not said. */
static void reply_which(sd_bus_message *call, const SnapshotSet *set, const char *snapshot_id) {
        _cleanup_(mount_records_done) MountRecords mounts = {};
        char text[CONTRACT_TEXT_MAX] = "The snapshot is mounted more than once; say which one to unmount:";
        size_t n = strlen(text);

        (void) snapshot_set_get_mounts(set, snapshot_id, &mounts);
        for (size_t i = 0; i < mounts.n && n < sizeof(text); i++)
                n += (size_t) snprintf(text + n, sizeof(text) - n, "%s %s", i > 0 ? "," : "",
                                       mounts.mounts[i].mount_point);
        utf8_clean(text, sizeof(text) - 1);
        bus_reply_error(call, CONTRACT_ERROR_INVALID_ARGUMENT, text);
}

static int read_unmount(sd_bus_message *m, uint64_t *ret_mount_id, sd_bus_error *reterr) {
        const Option options[] = {{"mount-id", OPTION_UINT64, ret_mount_id}};

        return options_read(m, options, ELEMENTSOF(options), reterr);
}

/* SnapshotAllowed */
static void unmount_allowed(Manager *manager, KeptCall **call, const char *snapshot_id) {
        SnapshotSet *set = find_set(manager, snapshot_id);
        uint64_t mount_id = 0;
        int r;

        if (!set || sd_bus_message_rewind((*call)->message, true) < 0 ||
            read_unmount((*call)->message, &mount_id, NULL) < 0) {
                reply_gone((*call)->message);
                return;
        }
        r = snapshot_set_unmount(set, snapshot_id, mount_id, mount_done, *call);
        if (r == -ENOTUNIQ)
                reply_which((*call)->message, set, snapshot_id);
        else
                mount_begun(manager, call, snapshot_id, r);
}

static int method_unmount(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        PublishedSnapshot *snapshot = userdata;
        uint64_t mount_id = 0;
        int r;

        r = read_unmount(m, &mount_id, reterr);
        return r < 0 ? r : snapshot_check_access(m, snapshot->set, snapshot->id, unmount_allowed, reterr);
}

/* SnapshotAllowed */
static void get_properties_allowed(Manager *manager, KeptCall **call, const char *snapshot_id) {
        sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return((*call)->message, &reply);
        if (r >= 0)
                r = append_snapshot_properties(reply, manager, snapshot_id);
        bus_reply_send((*call)->message, reply, r);
        sd_bus_message_unref(reply);
}

static int method_get_properties(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        PublishedSnapshot *snapshot = userdata;
        int r;

        r = options_read_none(m, reterr);
        return r < 0 ? r
                     : snapshot_check_access(m, snapshot->set, snapshot->id, get_properties_allowed, reterr);
}

static int method_delete(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        PublishedSnapshot *snapshot = userdata;

        return delete_snapshots(snapshot->set->manager, m, snapshot->id, false, reterr);
}

static int property_text(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        const PublishedSnapshot *snapshot = userdata;
        const char *value;
        SnapshotInfo info;
        SnapshotSet *set;

        if (streq(property, "Id"))
                value = snapshot->id;
        else if (streq(property, "Set"))
                value = snapshot->set->id;
        else if (streq(property, "Session"))
                value = snapshot->set->session_id;
        else if (streq(property, "Provider"))
                value = snapshot->provider;
        else
                value = published_get_info(snapshot, &set, &info) ? info.state : "deleting";
        return sd_bus_message_append(reply, "s", value);
}

static int property_invalid_reason(sd_bus *bus, const char *path, const char *interface,
                                   const char *property, sd_bus_message *reply, void *userdata,
                                   sd_bus_error *reterr) {
        SnapshotInfo info;
        SnapshotSet *set;

        return sd_bus_message_append(reply, "s",
                                     published_get_info(userdata, &set, &info) ? info.invalid_reason : "");
}

static int property_invalid_usec(sd_bus *bus, const char *path, const char *interface, const char *property,
                                 sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        SnapshotInfo info;
        SnapshotSet *set;

        return sd_bus_message_append(reply, "t",
                                     published_get_info(userdata, &set, &info) ? info.invalid_usec : 0);
}

static int property_full_percent(sd_bus *bus, const char *path, const char *interface, const char *property,
                                 sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        SnapshotInfo info;
        SnapshotSet *set;

        return sd_bus_message_append(
                reply, "u", (uint32_t) (published_get_info(userdata, &set, &info) ? info.full : 0.0));
}

static int property_persistent(sd_bus *bus, const char *path, const char *interface, const char *property,
                               sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        const PublishedSnapshot *snapshot = userdata;

        return sd_bus_message_append(reply, "b", (int) snapshot->set->persistent);
}

static int property_created(sd_bus *bus, const char *path, const char *interface, const char *property,
                            sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        const PublishedSnapshot *snapshot = userdata;

        return sd_bus_message_append(reply, "t", snapshot->set->created_usec);
}

/**
 * snapshot_bus_find() - the snapshot behind a path, for sd-bus
 * @bus:        the bus
 * @path:       the path asked for
 * @interface:  likewise
 * @userdata:   the manager
 * @ret:        the snapshot
 * @reterr:     unused
 *
 * Return: 1 if there is one, 0 if not.
 */
int snapshot_bus_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                      sd_bus_error *reterr) {
        char id[CONTRACT_ID_MAX];
        PublishedSnapshot *snapshot;
        const char *rest;

        if (!bus_path_parse(path, "snapshot", id, &rest) || rest[0] != '\0')
                return 0;
        snapshot = published_find_snapshot(userdata, id);
        if (!snapshot)
                return 0;
        *ret = snapshot;
        return 1;
}

const sd_bus_vtable snapshot_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("OpenTree", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("h", tree),
                                method_open_tree, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Mount", SD_BUS_ARGS("h", directory, "a{sv}", options), SD_BUS_NO_RESULT,
                                method_mount, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Unmount", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT, method_unmount,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetProperties", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("a{sv}", properties), method_get_properties,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Delete", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT, method_delete,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("Id", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Set", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Session", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Provider", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Persistent", "b", property_persistent, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("CreatedUSec", "t", property_created, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("InvalidReason", "s", property_invalid_reason, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("InvalidUSec", "t", property_invalid_usec, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("FullPercent", "u", property_full_percent, 0, 0),
        SD_BUS_PROPERTY("Size", "t", NULL, offsetof(PublishedSnapshot, size), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_VTABLE_END,
};
