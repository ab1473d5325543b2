/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reading the records that a dead quiesced left; see record.h.
 */

#include <dirent.h>
#include <jansson.h>

#include "daemon/records/record.h"

#include "contract/names.h"
#include "util/error.h"
#include "util/log.h"

static int copy_string(char **ret, const char *s) {
        if (!s)
                return 0;
        *ret = strdup(s);
        return *ret ? 0 : -ENOMEM;
}

static int writer_from_json(RecordWriter *writer, json_t *json) {
        const char *name, *level;
        int prepared, l;

        if (json_unpack(json, "{s:s, s:s, s:b}", "name", &name, "level", &level, "prepared", &prepared) < 0)
                return -EBADMSG;
        l = contract_level_from_string(level);
        if (l < 0 || strlen(name) >= CONTRACT_NAME_MAX)
                return -EBADMSG;
        writer->level = (ContractLevel) l;
        writer->prepared = prepared;
        return copy_string(&writer->name, name);
}

static int record_from_json(SessionRecord *record, json_t *json) {
        const char *id, *owner = NULL, *bus = NULL, *context, *set, *kind = "backup";
        json_int_t uid, since;
        int version, completed, aborted, c, r;
        json_t *writers, *writer;
        size_t i;

        if (json_unpack(json, "{s:i, s:s, s?s, s?s, s?s, s:I, s:I, s:s, s:s, s:b, s:b, s:o}", "version",
                        &version, "id", &id, "kind", &kind, "owner", &owner, "bus", &bus, "uid", &uid,
                        "since-usec", &since, "context", &context, "set", &set, "completed", &completed,
                        "aborted", &aborted, "writers", &writers) < 0)
                return -EBADMSG;
        c = contract_context_from_string(context);
        if (version != 1 || c < 0 || strlen(id) != CONTRACT_ID_MAX - 1 || strlen(set) >= CONTRACT_ID_MAX ||
            json_array_size(writers) > CONTRACT_WRITERS_MAX)
                return -EBADMSG;
        memcpy(record->id, id, CONTRACT_ID_MAX);
        record->kind =
                streq(kind, contract_kind_to_string(CONTRACT_RESTORE)) ? CONTRACT_RESTORE : CONTRACT_BACKUP;
        (void) snprintf(record->set_id, sizeof(record->set_id), "%s", set);
        record->uid = (uid_t) uid;
        record->since_usec = (uint64_t) since;
        record->context = (ContractContext) c;
        record->completed = completed;
        record->aborted = aborted;
        r = copy_string(&record->owner, owner);
        if (r == 0)
                r = copy_string(&record->bus, bus);
        if (r == 0)
                r = record_set_writers(record, json_array_size(writers));
        json_array_foreach(writers, i, writer)
                if (r == 0)
                        r = writer_from_json(&record->writers[i], writer);
        return r;
}

/**
 * record_parse() - what a record says
 * @record:     filled in, also in part if it is no good: record_done() it in any case
 * @text:       of the file
 * @n_text:     its length
 *
 * Return: 0; -EBADMSG: it is no record; -ENOMEM.
 */
int record_parse(SessionRecord *record, const char *text, size_t n_text) {
        json_error_t error;
        json_t *json;
        int r;

        json = json_loadb(text, n_text, JSON_REJECT_DUPLICATES, &error);
        if (!json)
                return -EBADMSG;
        r = record_from_json(record, json);
        json_decref(json);
        return r;
}

static int record_read(SessionRecord *record, const char *path) {
        _cleanup_fclose_ FILE *stream = fopen(path, "re");
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        ssize_t n;

        if (!stream)
                return -errno;
        n = getdelim(&text, &size, '\0', stream); /* a NUL is not JSON's */
        return n < 0 ? -EBADMSG : record_parse(record, text, (size_t) n);
}

static int is_record(const struct dirent *entry) {
        size_t n = strlen(entry->d_name);

        return n == CONTRACT_ID_MAX - 1 + 5 && streq(entry->d_name + CONTRACT_ID_MAX - 1, ".json");
}

/**
 * records_read() - find the records that were left behind
 * @runtime_dir:    /run/quiesced
 * @found:          called for each; takes over what is in the record
 * @userdata:       for @found
 *
 * Return: 0, also if there is none; -ENOMEM.
 */
int records_read(const char *runtime_dir, void (*found)(SessionRecord *record, void *userdata),
                 void *userdata) {
        _cleanup_free_ char *folder = NULL;
        struct dirent **entries = NULL;
        int n;

        if (asprintf(&folder, "%s/sessions", runtime_dir) < 0)
                return error_origin(-ENOMEM);
        n = scandir(folder, &entries, is_record, alphasort);
        for (int i = 0; i < n; i++) {
                _cleanup_free_ char *path = NULL;
                SessionRecord record = {};
                int r = -ENOMEM;

                if (asprintf(&path, "%s/%s", folder, entries[i]->d_name) >= 0)
                        r = record_read(&record, path);
                free(entries[i]);
                if (r == 0) {
                        found(&record, userdata);
                        continue;
                }
                log_warning("the session record %s cannot be read and is removed: %s", path ? path : "",
                            strerror(-r));
                if (path)
                        (void) unlink(path);
                record_done(&record);
        }
        free(entries);
        return 0;
}
