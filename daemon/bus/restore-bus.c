/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * org.quiesce1.Restore: the restore's half of VSS's IVssBackupComponents, for the requester that opened the
 * session.
 */

#include "daemon/bus/backup-reply.h"
#include "daemon/bus/component-bus.h"

static int method_pre_restore(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return session_call_plain(m, userdata, CONTRACT_CALL_PRE_RESTORE, reply_failed_writers, reterr);
}

static int method_post_restore(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return session_call_plain(m, userdata, CONTRACT_CALL_POST_RESTORE, reply_failed_writers, reterr);
}

const sd_bus_vtable restore_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("EnableWriters", SD_BUS_ARGS("as", names, "a{sv}", options),
                                SD_BUS_NO_RESULT, method_enable_writers, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("DisableWriters", SD_BUS_ARGS("as", names, "a{sv}", options),
                                SD_BUS_NO_RESULT, method_disable_writers, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GatherWriterMetadata", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", writers), method_gather_writer_metadata,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS(
                "SetSelectedForRestore",
                SD_BUS_ARGS("s", writer, "s", logical_path, "s", component, "b", selected, "a{sv}", options),
                SD_BUS_NO_RESULT, method_set_selected_for_restore, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS(
                "SetRestoreOptions",
                SD_BUS_ARGS("s", writer, "s", logical_path, "s", component, "s", text, "a{sv}", options),
                SD_BUS_NO_RESULT, method_set_restore_options, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("PreRestore", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("a{sv}", result),
                                method_pre_restore, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS(
                "SetFileRestoreStatus",
                SD_BUS_ARGS("s", writer, "s", logical_path, "s", component, "s", status, "a{sv}", options),
                SD_BUS_NO_RESULT, method_set_file_restore_status, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("PostRestore", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("a{sv}", result),
                                method_post_restore, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SaveDocument", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("s", document),
                                method_save_document, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};
