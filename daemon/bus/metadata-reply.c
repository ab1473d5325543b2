/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What writers said of themselves and what was chosen of it, as D-Bus dictionaries.
 */

#include "daemon/bus/component-bus.h"

#include "contract/names.h"
#include "util/error.h"

static int append_files(sd_bus_message *m, const char *key, const WriterFiles *files, size_t n) {
        int r;

        r = dictionary_open_array(m, key, "a(ssb)");
        for (size_t i = 0; i < n && r >= 0; i++)
                r = sd_bus_message_append(m, "(ssb)", files[i].path, files[i].pattern,
                                          (int) files[i].recursive);
        return r >= 0 ? dictionary_close_array(m) : r;
}

static int append_component_names(sd_bus_message *m, const WriterComponent *component) {
        int r;

        r = dictionary_add(m, "type", "s", component->type);
        if (r >= 0)
                r = dictionary_add(m, "logical-path", "s", component->logical_path);
        if (r >= 0)
                r = dictionary_add(m, "name", "s", component->name);
        return r;
}

/* What was said of it in this session; what was not is not there. */
static int append_component_notes(sd_bus_message *m, const ComponentNotes *notes) {
        int r = 0;

        if (notes->options)
                r = dictionary_add(m, "options", "s", notes->options);
        if (r >= 0 && notes->previous_stamp)
                r = dictionary_add(m, "previous-stamp", "s", notes->previous_stamp);
        if (r >= 0 && notes->backup_stamp)
                r = dictionary_add(m, "backup-stamp", "s", notes->backup_stamp);
        if (r >= 0 && notes->backup_metadata)
                r = dictionary_add(m, "backup-metadata", "s", notes->backup_metadata);
        if (r >= 0 && notes->succeeded >= 0)
                r = dictionary_add(m, "succeeded", "b", notes->succeeded);
        if (r >= 0 && notes->restore_options)
                r = dictionary_add(m, "restore-options", "s", notes->restore_options);
        if (r >= 0 && notes->file_restore_status)
                r = dictionary_add(m, "file-restore-status", "s", notes->file_restore_status);
        return r;
}

static int append_component(sd_bus_message *m, const WriterComponent *component) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = append_component_names(m, component);
        if (r >= 0)
                r = dictionary_add(m, "caption", "s", component->caption);
        if (r >= 0)
                r = dictionary_add(m, "selectable", "b", (int) component->selectable);
        if (r >= 0)
                r = dictionary_add(m, "selectable-for-restore", "b",
                                   (int) component->selectable_for_restore);
        if (r >= 0)
                r = append_files(m, "files", component->files, component->n_files);
        return r >= 0 ? sd_bus_message_close_container(m) : r;
}

static int append_components(sd_bus_message *m, const WriterMetadata *metadata) {
        int r;

        r = dictionary_open_array(m, "components", "aa{sv}");
        for (size_t i = 0; i < metadata->n_components && r >= 0; i++)
                r = append_component(m, &metadata->components[i]);
        return r >= 0 ? dictionary_close_array(m) : r;
}

/* Of a writer that has answered Identify. */
static int append_answer(sd_bus_message *m, const WriterMetadata *metadata) {
        int r;

        r = dictionary_add(m, "description", "s", metadata->description);
        if (r >= 0)
                r = dictionary_add_strings(m, "paths", (const char *const *) metadata->paths,
                                           metadata->n_paths);
        if (r >= 0)
                r = append_components(m, metadata);
        if (r >= 0)
                r = append_files(m, "exclude-files", metadata->exclude_files, metadata->n_exclude_files);
        if (r >= 0)
                r = dictionary_add(m, "restore-method", "s", metadata->restore_method);
        if (r >= 0)
                r = dictionary_add(m, "writer-restore", "s", metadata->never_restored ? "never" : "always");
        return r;
}

static int append_writer_metadata(sd_bus_message *reply, const WriterObject *writer,
                                  const ContractWriterInfo *info) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0)
                r = dictionary_add(reply, "name", "s", info->name);
        if (r >= 0)
                r = dictionary_add(reply, "level", "s", contract_level_to_string(info->level));
        if (r >= 0)
                r = dictionary_add(reply, "state", "s", contract_writer_state_to_string(info->state));
        if (r >= 0)
                r = dictionary_add(reply, "text", "s", info->text ? info->text : "");
        if (r >= 0 && writer->metadata)
                r = append_answer(reply, writer->metadata);
        return r >= 0 ? sd_bus_message_close_container(reply) : r;
}

/**
 * reply_gather_writer_metadata() - one dictionary a writer
 * @call:       the call
 * @effect:     REPLY
 * @reply:      the answer
 *
 * Return: 0 or more, or a negative errno.
 */
int reply_gather_writer_metadata(BusCall *call, const ContractEffect *effect, sd_bus_message *reply) {
        SessionObject *session = session_object_find(call->manager, call->session);
        ContractWriterInfo info;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        for (uint32_t i = 0; session && i < session->n_writers && r >= 0; i++)
                if (contract_get_writer(call->manager->contract, call->session, i, &info))
                        r = append_writer_metadata(reply, &session->writers[i], &info);
        return r >= 0 ? sd_bus_message_close_container(reply) : r;
}

/* The writer that the contract found, as the session keeps it. */
static const WriterObject *reply_writer(BusCall *call, const ContractEffect *effect,
                                        ContractWriterInfo *info) {
        SessionObject *session = session_object_find(call->manager, call->session);

        if (!session || effect->writer >= session->n_writers ||
            !contract_get_writer(call->manager->contract, call->session, effect->writer, info))
                return NULL;
        return &session->writers[effect->writer];
}

/**
 * reply_get_writer_metadata() - one writer's dictionary
 * @call:       the call
 * @effect:     REPLY: writer
 * @reply:      the answer
 *
 * Return: 0 or more, or a negative errno.
 */
int reply_get_writer_metadata(BusCall *call, const ContractEffect *effect, sd_bus_message *reply) {
        ContractWriterInfo info;
        const WriterObject *writer = reply_writer(call, effect, &info);

        return writer ? append_writer_metadata(reply, writer, &info) : error_origin(-ENOENT);
}

/**
 * reply_get_writer_components() - a dictionary for each component that was selected
 * @call:       the call
 * @effect:     REPLY: writer
 * @reply:      the answer
 *
 * Return: 0 or more, or a negative errno.
 */
int reply_get_writer_components(BusCall *call, const ContractEffect *effect, sd_bus_message *reply) {
        ContractWriterInfo info;
        const WriterObject *writer = reply_writer(call, effect, &info);
        ContractComponentInfo component;
        int r;

        if (!writer)
                return error_origin(-ENOENT);
        r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        for (uint32_t i = 0;
             r >= 0 && writer->metadata &&
             contract_get_component(call->manager->contract, call->session, effect->writer, i, &component);
             i++) {
                if (!component.selected || i >= writer->metadata->n_components)
                        continue;
                r = sd_bus_message_open_container(reply, 'a', "{sv}");
                if (r >= 0)
                        r = append_component_names(reply, &writer->metadata->components[i]);
                if (r >= 0)
                        r = append_component_notes(reply, &writer->notes[i]);
                if (r >= 0)
                        r = sd_bus_message_close_container(reply);
        }
        return r >= 0 ? sd_bus_message_close_container(reply) : r;
}
