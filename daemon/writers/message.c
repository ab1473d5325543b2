/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Events as D-Bus messages, answers as WriterAnswers (units/dbus/org.quiesce1.Writer.xml).
 *
 * An answer is somebody else's: whatever is too much, of a wrong type or an error that no writer may answer
 * is "nonsense", which counts as not responding.
 */

#include <assert.h>

#include "contract/contract.h"
#include "contract/names.h"
#include "daemon/writers/internal.h"
#include "util/error.h"
#include "util/utf8.h"

#define ERROR_PREFIX  "org.quiesce1.Error.Writer."
#define NULL_ID       "00000000-0000-0000-0000-000000000000"
#define FROZEN_MAX    1024u
#define BUS_TREES_MAX 16u

/* Which arguments an event has before `details`. */
typedef enum Shape {
        SHAPE_BARE,        /* none */
        SHAPE_SET,         /* session, set */
        SHAPE_SET_END,     /* session, set, outcome, cause; no answer */
        SHAPE_SESSION,     /* session */
        SHAPE_SESSION_END, /* session, outcome, cause; no answer */
} Shape;

static Shape shape_of(ContractEvent event) {
        switch (event) {
        case CONTRACT_EVENT_IDENTIFY:
                return SHAPE_BARE;
        case CONTRACT_EVENT_BACKUP_SHUTDOWN:
                return SHAPE_SET_END;
        case CONTRACT_EVENT_PRE_RESTORE:
        case CONTRACT_EVENT_POST_RESTORE:
                return SHAPE_SESSION;
        case CONTRACT_EVENT_SESSION_CLOSED:
                return SHAPE_SESSION_END;
        default:
                return SHAPE_SET;
        }
}

static int append_ids(sd_bus_message *m, const WriterEvent *e) {
        const char *set = e->set_id ? e->set_id : NULL_ID;

        switch (shape_of(e->event)) {
        case SHAPE_BARE:
                return 0;
        case SHAPE_SET:
                return sd_bus_message_append(m, "ss", e->session_id, set);
        case SHAPE_SET_END:
                return sd_bus_message_append(m, "ssss", e->session_id, set,
                                             contract_outcome_to_string(e->outcome),
                                             contract_cause_to_string(e->cause));
        case SHAPE_SESSION:
                return sd_bus_message_append(m, "s", e->session_id);
        case SHAPE_SESSION_END:
                return sd_bus_message_append(m, "sss", e->session_id, contract_outcome_to_string(e->outcome),
                                             contract_cause_to_string(e->cause));
        }
        return error_origin(-EINVAL);
}

static int append_volumes(sd_bus_message *m, const WriterEvent *e) {
        int r;

        if (e->n_volumes == 0)
                return 0;
        r = dictionary_open_array(m, "volumes", "as");
        for (size_t i = 0; r >= 0 && i < e->n_volumes; i++)
                r = sd_bus_message_append_basic(m, 's', e->volumes[i]);
        return r < 0 ? r : dictionary_close_array(m);
}

static int append_bytes(sd_bus_message *m, const char *key, const char *const *list, size_t n) {
        int r;

        if (n == 0)
                return 0;
        r = dictionary_open_array(m, key, "aay");
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = sd_bus_message_append_array(m, 'y', list[i], strlen(list[i]));
        return r < 0 ? r : dictionary_close_array(m);
}

/* What a writer needs to know to tell whether a file of its is in the set. */
static int append_places(sd_bus_message *m, const WriterEvent *e) {
        int r = 0;

        if (e->volume_names)
                r = dictionary_add_strings(m, "volume-names", e->volume_names, e->n_volumes);
        if (r >= 0 && e->n_devices > 0) {
                r = dictionary_open_array(m, "devices", "at");
                for (size_t i = 0; r >= 0 && i < e->n_devices; i++)
                        r = sd_bus_message_append_basic(m, 't', &e->devices[i]);
                if (r >= 0)
                        r = dictionary_close_array(m);
        }
        if (r >= 0)
                r = append_bytes(m, "mount-points", e->mount_points, e->n_mount_points);
        return r < 0 ? r : append_bytes(m, "directories", e->directories, e->n_directories);
}

static int append_snapshots(sd_bus_message *m, const WriterEvent *e) {
        int r;

        if (e->n_snapshots < 2)
                return 0;
        r = dictionary_open_array(m, "snapshots", "a{ss}");
        for (size_t i = 0; r >= 0 && i + 1 < e->n_snapshots; i += 2)
                r = sd_bus_message_append(m, "{ss}", e->snapshots[i], e->snapshots[i + 1]);
        return r < 0 ? r : dictionary_close_array(m);
}

static int append_tree(sd_bus_message *m, const WriterTree *tree) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}{sv}", "volume", "s", tree->volume, "descriptor", "h",
                                          tree->fd);
        if (r >= 0 && tree->directory) {
                r = dictionary_open_array(m, "directory", "ay");
                for (const char *c = tree->directory; r >= 0 && *c; c++)
                        r = sd_bus_message_append_basic(m, 'y', c);
                if (r >= 0)
                        r = dictionary_close_array(m);
        } else if (r >= 0)
                r = sd_bus_message_append(m, "{sv}", "device", "t", tree->device);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* A bus takes a limited number of descriptors in a message, and disconnects who sends more. */
static int append_trees(sd_bus_message *m, const WriterEvent *e, bool on_bus) {
        size_t n = on_bus && e->n_trees > BUS_TREES_MAX ? BUS_TREES_MAX : e->n_trees;
        int r;

        r = dictionary_open_array(m, "trees", "aa{sv}");
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = append_tree(m, &e->trees[i]);
        return r < 0 ? r : dictionary_close_array(m);
}

static int append_file_system(sd_bus_message *m, const WriterFileSystem *fs) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = dictionary_open_array(m, "mount-point", "ay");
        for (const char *c = fs->mount_point; r >= 0 && *c; c++)
                r = sd_bus_message_append_basic(m, 'y', c);
        if (r >= 0)
                r = dictionary_close_array(m);
        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}{sv}{sv}{sv}{sv}", "index", "u", fs->index, "type", "s",
                                          fs->type, "device", "t", fs->device, "descriptor", "h", fs->fd,
                                          "direct", "b", (int) fs->direct);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_file_systems(sd_bus_message *m, const WriterEvent *e) {
        int r;

        r = dictionary_open_array(m, "file-systems", "aa{sv}");
        for (size_t i = 0; r >= 0 && i < e->n_file_systems; i++)
                r = append_file_system(m, &e->file_systems[i]);
        return r < 0 ? r : dictionary_close_array(m);
}

static ContractLevel level_of(const Writer *writer) {
        return writer->descriptor->level_set ? writer->descriptor->level
               : writer->level >= 0          ? (ContractLevel) writer->level
                                             : CONTRACT_LEVEL_FRONT_END;
}

static int append_details(sd_bus_message *m, const WriterEvent *e, const Writer *writer, bool on_bus) {
        bool system = level_of(writer) == CONTRACT_LEVEL_SYSTEM;
        bool window = e->event == CONTRACT_EVENT_FREEZE || e->event == CONTRACT_EVENT_THAW;
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}{sv}{sv}", "limit-usec", "t", e->limit_usec, "persistent",
                                          "b", (int) e->persistent, "dark", "b", (int) (system && window));
        if (r >= 0 && e->backup_type)
                r = sd_bus_message_append(m, "{sv}", "backup-type", "s", e->backup_type);
        if (r >= 0 && e->event == CONTRACT_EVENT_ABORT)
                r = sd_bus_message_append(m, "{sv}{sv}", "outcome", "s",
                                          contract_outcome_to_string(e->outcome), "cause", "s",
                                          contract_cause_to_string(e->cause));
        if (r >= 0 && e->bootable)
                r = sd_bus_message_append(m, "{sv}", "bootable", "b", 1);
        if (r >= 0 && e->component_mode)
                r = sd_bus_message_append(m, "{sv}", "component-mode", "b", 1);
        if (r >= 0)
                r = selection_append(m, e);
        if (r >= 0)
                r = append_volumes(m, e);
        if (r >= 0)
                r = append_places(m, e);
        if (r >= 0 && e->event == CONTRACT_EVENT_POST_SNAPSHOT)
                r = append_snapshots(m, e);
        if (r >= 0 && e->event == CONTRACT_EVENT_POST_SNAPSHOT && writer->descriptor->writable_snapshots)
                r = append_trees(m, e, on_bus);
        if (r >= 0 && system && e->event == CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT)
                r = append_file_systems(m, e);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/**
 * message_new_event() - the method call of an event
 * @ret: the message
 * @bus: the connection it is for
 * @destination: a unique name on the system bus; NULL: the other end of a private socket
 * @writer: who gets it: only level system is told of file systems, only who asked for it of trees
 * @event: the event
 *
 * Return: 0 or a negative errno.
 */
int message_new_event(sd_bus_message **ret, sd_bus *bus, const char *destination, const Writer *writer,
                      const WriterEvent *event) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &m, destination, "/org/quiesce1/Writer",
                                           "org.quiesce1.Writer", contract_event_to_string(event->event));
        if (r >= 0)
                r = append_ids(m, event);
        if (r >= 0)
                r = append_details(m, event, writer, destination);
        if (r < 0)
                return error_trace(r);
        *ret = TAKE_PTR(m);
        return 0;
}

static int answer_text(Answer *answer, const char *text) {
        free(answer->text);
        answer->text = strndup(text && *text ? text : "no reason given", CONTRACT_TEXT_MAX);
        if (!answer->text)
                return error_origin(-ENOMEM);
        utf8_clean(answer->text, CONTRACT_TEXT_MAX - 1);
        return 0;
}

static int nonsense(Answer *answer, const char *what) {
        int r;

        r = answer_text(answer, what);
        return error_origin(r < 0 ? r : -EBADMSG);
}

static int read_failure(Answer *answer, sd_bus_message *m) {
        const sd_bus_error *e = sd_bus_message_get_error(m);
        char text[CONTRACT_TEXT_MAX];
        int failure = -1;

        if (strncmp(e->name, ERROR_PREFIX, strlen(ERROR_PREFIX)) == 0)
                failure = contract_failure_from_string(e->name + strlen(ERROR_PREFIX));
        if (failure <= CONTRACT_FAILURE_NONE || failure >= CONTRACT_FAILURE_NOT_RESPONDING) {
                (void) snprintf(text, sizeof(text), "error %.100s: %.300s", e->name,
                                e->message ? e->message : "");
                return nonsense(answer, text);
        }
        answer->answer.failure = (ContractFailure) failure;
        return error_trace(answer_text(answer, e->message));
}

static int read_warning(sd_bus_message *m, void *userdata) {
        const char *text;
        int r;

        r = sd_bus_message_read_basic(m, 's', &text);
        return r < 0 ? error_trace(r) : answer_text(userdata, text);
}

static int read_frozen(sd_bus_message *m, void *userdata) {
        Answer *answer = userdata;
        const void *indices;
        size_t size;
        int r;

        r = sd_bus_message_read_array(m, 'u', &indices, &size);
        if (r < 0)
                return error_trace(r);
        if (size / sizeof(uint32_t) > FROZEN_MAX)
                return nonsense(answer, "more frozen file systems than 1024");
        free(answer->frozen);
        answer->frozen = malloc(size + 1);
        if (!answer->frozen)
                return error_origin(-ENOMEM);
        if (size > 0)
                memcpy(answer->frozen, indices, size);
        answer->answer.n_frozen = size / sizeof(uint32_t);
        return 0;
}

static int read_notes(sd_bus_message *m, void *userdata) {
        Answer *answer = userdata;
        int r;

        r = notes_read(m, &answer->notes, &answer->answer.n_notes);
        return r == -E2BIG ? nonsense(answer,
                                      "more components than 1024, a stamp longer than 4096 bytes, backup "
                                      "metadata longer than 16384, or more than 262144 in all")
                           : error_trace(r);
}

/* Where it is silent the descriptor speaks. */
static int finish_metadata(Answer *answer, const Descriptor *d) {
        WriterMetadata *metadata = answer->answer.metadata;
        char text[CONTRACT_TEXT_MAX];
        int r = 0;

        if (writer_metadata_check(metadata, text, sizeof(text)))
                return nonsense(answer, text);
        utf8_clean(metadata->description, CONTRACT_TEXT_MAX - 1);
        if (metadata->description[0] == '\0' && d->description)
                r = writer_metadata_set(&metadata->description, d->description);
        if (metadata->n_paths > 0 || metadata->n_components > 0)
                return error_trace(r);
        for (size_t i = 0; i < d->n_paths && r == 0; i++)
                r = writer_metadata_add_path(metadata, d->paths[i]);
        return error_trace(r);
}

static int read_good(Answer *answer, sd_bus_message *m, const Writer *writer, ContractEvent event) {
        MetadataRoom room = {.metadata = answer->answer.metadata, .left = METADATA_SIZE_MAX};
        DictionaryField fields[1 + METADATA_FIELDS] = {{"warning", "s", answer, read_warning}};
        Shape shape = shape_of(event);
        size_t n = 1;
        int r;

        if (shape == SHAPE_SET_END || shape == SHAPE_SESSION_END)
                return 0;
        if (!sd_bus_message_has_signature(m, "a{sv}"))
                return nonsense(answer, "an answer of a wrong type");
        if (event == CONTRACT_EVENT_IDENTIFY) {
                metadata_fields(&room, fields + n);
                n += METADATA_FIELDS;
        } else if (contract_event_takes_notes(event))
                fields[n++] = (DictionaryField){"components", "aa{sv}", answer, read_notes};
        else if (event == CONTRACT_EVENT_FREEZE && level_of(writer) == CONTRACT_LEVEL_SYSTEM)
                fields[n++] = (DictionaryField){"frozen", "au", answer, read_frozen};
        r = dictionary_read(m, fields, n);
        if (event == CONTRACT_EVENT_IDENTIFY && r == -E2BIG)
                return nonsense(answer,
                                "more paths, components or files than 1024, more than 2 MiB of text, or "
                                "more of what is not known than it may have");
        if (r == -E2BIG)
                return nonsense(answer, "more of what is not known than it may have");
        if (event == CONTRACT_EVENT_IDENTIFY && r == -EINVAL)
                return nonsense(answer, "a word that is not known");
        if (r == -ENXIO)
                return nonsense(answer, "a value of a wrong type");
        return error_trace(r);
}

/**
 * answer_read() - what a writer answered
 * @ret: zeroed before; answer_done() it in any case; its strings live as long as it and the message
 * @m: the reply
 * @writer: who answered
 * @event: to what
 *
 * Return: 0; negative errno: nonsense, ret->text says of which kind if that is known.
 */
int answer_read(Answer *ret, sd_bus_message *m, const Writer *writer, ContractEvent event) {
        const Descriptor *d = writer->descriptor;
        int r;

        if (event == CONTRACT_EVENT_IDENTIFY) {
                r = writer_metadata_new(&ret->answer.metadata);
                if (r < 0)
                        return error_trace(r);
        }
        if (sd_bus_message_is_method_error(m, NULL))
                r = read_failure(ret, m);
        else
                r = read_good(ret, m, writer, event);
        if (r >= 0 && event == CONTRACT_EVENT_IDENTIFY && ret->answer.failure == CONTRACT_FAILURE_NONE)
                r = finish_metadata(ret, d);
        if (r < 0)
                return error_trace(r);
        ret->answer.text = ret->text;
        ret->answer.frozen = ret->frozen;
        ret->answer.notes = ret->notes;
        return 0;
}

/**
 * answer_done() - free what answer_read() gave
 * @answer: emptied
 */
void answer_done(Answer *answer) {
        free(answer->text);
        free(answer->frozen);
        free(answer->notes);
        (void) writer_metadata_unref(answer->answer.metadata);
        *answer = (Answer){};
}
