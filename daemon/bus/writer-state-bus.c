/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * org.quiesce1.WriterState: a writer in one session, as the contract sees it. Properties only.
 */

#include "daemon/bus/bus.h"

#include "contract/names.h"

static const char *writer_text(const ContractWriterInfo *info, const char *property) {
        if (streq(property, "Name"))
                return info->name;
        if (streq(property, "Level"))
                return contract_level_to_string(info->level);
        if (streq(property, "State"))
                return contract_writer_state_to_string(info->state);
        if (streq(property, "Failure"))
                return info->failure == CONTRACT_FAILURE_NONE ? ""
                                                              : contract_failure_to_string(info->failure);
        return info->last_event == CONTRACT_EVENT_NONE ? "" : contract_event_to_string(info->last_event);
}

static int property_text(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        const WriterObject *writer = userdata;
        ContractWriterInfo info;

        if (!contract_get_writer(writer->session->manager->contract, writer->session->handle, writer->index,
                                 &info))
                return -ENOENT;
        return sd_bus_message_append(reply, "s", writer_text(&info, property));
}

static int property_takes_part(sd_bus *bus, const char *path, const char *interface, const char *property,
                               sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        const WriterObject *writer = userdata;
        ContractWriterInfo info;

        if (!contract_get_writer(writer->session->manager->contract, writer->session->handle, writer->index,
                                 &info))
                return -ENOENT;
        return sd_bus_message_append(reply, "b", (int) info.takes_part);
}

/**
 * writer_state_bus_find() - the writer behind a path, for sd-bus
 * @bus:        the bus
 * @path:       the path asked for
 * @interface:  likewise
 * @userdata:   the manager
 * @ret:        the writer
 * @reterr:     unused
 *
 * Return: 1 if there is one, 0 if not.
 */
int writer_state_bus_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                          sd_bus_error *reterr) {
        char id[CONTRACT_ID_MAX];
        SessionObject *session;
        const char *rest;

        if (!bus_path_parse(path, "session", id, &rest) || rest[0] == '\0')
                return 0;
        session = session_object_find_id(userdata, id);
        for (size_t i = 0; session && i < session->n_writers; i++)
                if (streq(session->writers[i].path, path)) {
                        *ret = &session->writers[i];
                        return 1;
                }
        return 0;
}

const sd_bus_vtable writer_state_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Name", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Level", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Failure", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("LastEvent", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("TakesPart", "b", property_takes_part, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_VTABLE_END,
};
