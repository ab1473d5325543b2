/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * org.quiesce1.Session: what every session has. Its methods are for the requester that opened it.
 */

#include "daemon/bus/call.h"
#include "daemon/bus/component-bus.h"
#include "daemon/bus/timeline-bus.h"

#include "contract/names.h"
#include "util/error.h"

/**
 * session_check_owner() - only the requester that opened a session may call its methods
 * @session:    the session
 * @m:          the call
 * @reterr:     AccessDenied; SessionLost while a session of the last run is still being recovered
 *
 * Return: 0, or a negative errno.
 */
int session_check_owner(SessionObject *session, sd_bus_message *m, sd_bus_error *reterr) {
        const char *sender = sd_bus_message_get_sender(m);

        if (session->owner && streq(owner_get_name(session->owner), sender))
                return 0;
        if (!session->owner && session->recovered && session->record.owner &&
            streq(session->record.owner, sender))
                return bus_error_set(
                        reterr, CONTRACT_ERROR_SESSION_LOST,
                        "%s: session %s was lost when quiesced ended, and what it left is still being looked "
                        "for. It is released when its owner leaves the bus; to release it, try again.",
                        sd_bus_message_get_member(m), session->record.id);
        return bus_error_set(
                reterr, CONTRACT_ERROR_ACCESS_DENIED,
                "%s: session %s belongs to another connection to the bus; only that one may call "
                "it. An administrator can end it with Manager.ReleaseSession.",
                sd_bus_message_get_member(m), session->record.id);
}

/**
 * session_call_plain() - a method whose only argument is options, of which there are none
 * @m:          the call
 * @session:    whose
 * @which:      for the contract
 * @reply:      writes the answer; NULL: it is empty
 * @reterr:     what is wrong with it
 *
 * Return: 1, or a negative errno.
 */
int session_call_plain(sd_bus_message *m, SessionObject *session, ContractCall which, BusCallReply reply,
                       sd_bus_error *reterr) {
        ContractInput input = {};
        BusCall *call;
        int r;

        r = session_check_owner(session, m, reterr);
        if (r == 0)
                r = options_read_none(m, reterr);
        if (r == 0)
                r = bus_call_new(session->manager, &call, session->handle, which, m, reply);
        if (r < 0)
                return r;
        bus_call_feed(call, &input);
        return 1;
}

static int method_release(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return session_call_plain(m, userdata, CONTRACT_CALL_RELEASE, NULL, reterr);
}

static int method_cancel(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return session_call_plain(m, userdata, CONTRACT_CALL_CANCEL, NULL, reterr);
}

/* After VSS's advice for each code: at once, after a while, or not at all. */
static const char *failure_retry(ContractFailure failure) {
        switch (failure) {
        case CONTRACT_FAILURE_NONE:
                return "none";
        case CONTRACT_FAILURE_NON_RETRYABLE:
                return "never";
        case CONTRACT_FAILURE_OUT_OF_RESOURCES:
        case CONTRACT_FAILURE_TIMEOUT:
                return "later";
        default:
                return "retry";
        }
}

static int append_times(sd_bus_message *reply, const char *key, const uint64_t *times) {
        int r;

        r = dictionary_open_array(reply, key, "a{st}");
        for (unsigned i = CONTRACT_EVENT_NONE + 1; i < _CONTRACT_EVENT_MAX && r >= 0; i++)
                if (times[i] > 0)
                        r = sd_bus_message_append(reply, "{st}", contract_event_to_string((ContractEvent) i),
                                                  times[i]);
        return r < 0 ? r : dictionary_close_array(reply);
}

static int append_writer_status(sd_bus_message *reply, Manager *manager, uint64_t session, uint32_t index,
                                const ContractWriterInfo *info) {
        const char *unit = writers_get_unit(manager->writers, session, index);
        int r;

        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0)
                r = dictionary_add(reply, "name", "s", info->name);
        if (r >= 0)
                r = dictionary_add(reply, "level", "s", contract_level_to_string(info->level));
        if (r >= 0)
                r = dictionary_add(reply, "state", "s", contract_writer_state_to_string(info->state));
        if (r >= 0)
                r = dictionary_add(reply, "failure", "s",
                                   info->failure == CONTRACT_FAILURE_NONE
                                           ? ""
                                           : contract_failure_to_string(info->failure));
        if (r >= 0)
                r = dictionary_add(reply, "text", "s", info->text ? info->text : "");
        if (r >= 0)
                r = dictionary_add(reply, "retry", "s", failure_retry(info->failure));
        if (r >= 0)
                r = dictionary_add(reply, "event", "s",
                                   info->last_event == CONTRACT_EVENT_NONE
                                           ? ""
                                           : contract_event_to_string(info->last_event));
        if (r >= 0)
                r = dictionary_add(reply, "takes-part", "b", (int) info->takes_part);
        if (r >= 0)
                r = dictionary_add(reply, "unit", "s", unit ? unit : "");
        if (r >= 0)
                r = dictionary_add(reply, "process", "u",
                                   (uint32_t) writers_get_process(manager->writers, session, index));
        if (r >= 0)
                r = append_times(reply, "durations", info->duration_usec);
        if (r >= 0)
                r = append_times(reply, "limits", info->limit_usec);
        return r >= 0 ? sd_bus_message_close_container(reply) : r;
}

/* BusCallReply */
static int reply_writer_status(BusCall *call, const ContractEffect *effect, sd_bus_message *reply) {
        ContractWriterInfo info;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        for (uint32_t i = 0; r >= 0 && contract_get_writer(call->manager->contract, call->session, i, &info);
             i++)
                r = append_writer_status(reply, call->manager, call->session, i, &info);
        return r >= 0 ? sd_bus_message_close_container(reply) : r;
}

static int method_gather_writer_status(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return session_call_plain(m, userdata, CONTRACT_CALL_GATHER_WRITER_STATUS, reply_writer_status,
                                  reterr);
}

static int method_get_timeline(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return session_get_timeline(userdata, m, reterr);
}

static int get_info(void *userdata, ContractSessionInfo *ret) {
        return session_object_get_info(userdata, ret) ? 0 : -ENOENT;
}

static int property_text(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        SessionObject *session = userdata;
        ContractSessionInfo info;
        const char *value;
        int r;

        r = get_info(userdata, &info);
        if (r < 0)
                return r;
        if (streq(property, "Id"))
                value = session->record.id;
        else if (streq(property, "Kind"))
                value = contract_kind_to_string(info.kind);
        else if (streq(property, "State"))
                value = contract_state_to_string(info.state);
        else if (streq(property, "RunningCall"))
                value = info.running == CONTRACT_CALL_NONE ? "" : contract_call_to_string(info.running);
        else if (streq(property, "Phase"))
                value = info.phase;
        else
                value = info.set_id;
        return sd_bus_message_append(reply, "s", value ? value : "");
}

static int property_progress(sd_bus *bus, const char *path, const char *interface, const char *property,
                             sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        ContractSessionInfo info;
        int r;

        r = get_info(userdata, &info);
        return r < 0 ? r : sd_bus_message_append(reply, "u", info.progress_percent);
}

static int property_owner(sd_bus *bus, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        const SessionObject *session = userdata;

        return sd_bus_message_append(reply, "u", (uint32_t) session->record.uid);
}

static int property_since(sd_bus *bus, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        const SessionObject *session = userdata;

        return sd_bus_message_append(reply, "t", session->record.since_usec);
}

/**
 * session_object_bus_find() - the session behind a path, for sd-bus
 * @bus:        the bus
 * @path:       the path asked for
 * @interface:  likewise
 * @userdata:   the manager
 * @ret:        the session
 * @reterr:     unused
 *
 * Return: 1 if there is one, 0 if not.
 */
int session_object_bus_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                            sd_bus_error *reterr) {
        char id[CONTRACT_ID_MAX];
        SessionObject *session;
        const char *rest;

        if (!bus_path_parse(path, "session", id, &rest) || rest[0] != '\0')
                return 0;
        session = session_object_find_id(userdata, id);
        if (!session)
                return 0;
        *ret = session;
        return 1;
}

/* C2: a backup and a restore have an interface each. */
static int find_kind(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                     sd_bus_error *reterr, ContractKind kind) {
        int r;

        r = session_object_bus_find(bus, path, interface, userdata, ret, reterr);
        return r > 0 ? ((SessionObject *) *ret)->record.kind == kind : r;
}

/**
 * backup_bus_find() - the backup behind a path, for sd-bus
 * @bus:        the bus
 * @path:       the path asked for
 * @interface:  likewise
 * @userdata:   the manager
 * @ret:        the session
 * @reterr:     unused
 *
 * Return: 1 if there is one, 0 if not.
 */
int backup_bus_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                    sd_bus_error *reterr) {
        return find_kind(bus, path, interface, userdata, ret, reterr, CONTRACT_BACKUP);
}

/**
 * restore_bus_find() - the restore behind a path, for sd-bus
 * @bus:        the bus
 * @path:       the path asked for
 * @interface:  likewise
 * @userdata:   the manager
 * @ret:        the session
 * @reterr:     unused
 *
 * Return: 1 if there is one, 0 if not.
 */
int restore_bus_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                     sd_bus_error *reterr) {
        return find_kind(bus, path, interface, userdata, ret, reterr, CONTRACT_RESTORE);
}

const sd_bus_vtable session_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("Release", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT, method_release,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Cancel", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT, method_cancel,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GatherWriterStatus", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", writers), method_gather_writer_status,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetWriterMetadata", SD_BUS_ARGS("s", writer, "a{sv}", options),
                                SD_BUS_RESULT("a{sv}", metadata), method_get_writer_metadata,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetWriterComponents", SD_BUS_ARGS("s", writer, "a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", components), method_get_writer_components,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetTimeline", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("a{sv}", timeline), method_get_timeline,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("Id", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Kind", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("RunningCall", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Phase", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Progress", "u", property_progress, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("OwnerUID", "u", property_owner, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("SinceUSec", "t", property_since, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("SnapshotSet", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_VTABLE_END,
};
