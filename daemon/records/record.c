/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Writing and removing the records of sessions; see record.h. record-read.c reads them.
 */

#include "daemon/records/record.h"

#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>

#include "contract/names.h"
#include "util/error.h"
#include "util/log.h"

static void writers_free_names(SessionRecord *record) {
        for (size_t i = 0; i < record->n_writers; i++)
                free(record->writers[i].name);
        free(record->writers);
        record->writers = NULL;
        record->n_writers = 0;
}

/**
 * record_done() - free what is in a record
 * @record:     the record
 */
void record_done(SessionRecord *record) {
        writers_free_names(record);
        free(record->owner);
        free(record->bus);
        free(record->written);
        *record = (SessionRecord){};
}

/**
 * record_set_writers() - forget the writers and make room for others
 * @record:     the record
 * @n_writers:  how many; their names are NULL until somebody sets them
 *
 * Return: 0, or -ENOMEM.
 */
int record_set_writers(SessionRecord *record, size_t n_writers) {
        writers_free_names(record);
        if (n_writers == 0)
                return 0;
        record->writers = calloc(n_writers, sizeof(*record->writers));
        if (!record->writers)
                return error_origin(-ENOMEM);
        record->n_writers = n_writers;
        return 0;
}

static json_t *record_to_json(const SessionRecord *record) {
        json_t *writers = json_array();

        for (size_t i = 0; i < record->n_writers; i++)
                (void) json_array_append_new(
                        writers, json_pack("{s:s, s:s, s:b}", "name", record->writers[i].name, "level",
                                           contract_level_to_string(record->writers[i].level), "prepared",
                                           (int) record->writers[i].prepared));
        return json_pack("{s:i, s:s, s:s, s:s?, s:s?, s:I, s:I, s:s, s:s, s:b, s:b, s:o}", "version", 1,
                         "id", record->id, "kind", contract_kind_to_string(record->kind), "owner",
                         record->owner, "bus", record->bus, "uid", (json_int_t) record->uid, "since-usec",
                         (json_int_t) record->since_usec, "context",
                         contract_context_to_string(record->context), "set", record->set_id, "completed",
                         (int) record->completed, "aborted", (int) record->aborted, "writers", writers);
}

static int write_file(int directory, const char *name, const char *text) {
        _cleanup_close_ int fd = -EBADF;
        size_t n = strlen(text);
        ssize_t written;

        fd = openat(directory, ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return error_origin(-errno);
        written = write(fd, text, n);
        if (written < 0)
                return error_origin(-errno);
        if ((size_t) written != n)
                return error_origin(-ENOSPC);
        if (renameat(directory, ".new", directory, name) < 0)
                return error_origin(-errno);
        return 0;
}

/**
 * record_write() - write a record if it differs from what was written
 * @record:         the record
 * @runtime_dir:    /run/quiesced
 *
 * Return: 0, or a negative errno.
 */
int record_write(SessionRecord *record, const char *runtime_dir) {
        _cleanup_free_ char *text = NULL, *path = NULL;
        _cleanup_close_ int directory = -EBADF;
        char name[CONTRACT_ID_MAX + 8];
        json_t *json;
        int r;

        json = record_to_json(record);
        if (!json)
                return error_origin(-ENOMEM);
        text = json_dumps(json, JSON_INDENT(2) | JSON_SORT_KEYS);
        json_decref(json);
        if (!text || asprintf(&path, "%s/sessions", runtime_dir) < 0)
                return error_origin(-ENOMEM);
        if (streq_ptr(text, record->written))
                return 0;
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                return error_origin(-errno);
        directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (directory < 0)
                return error_origin(-errno);
        (void) snprintf(name, sizeof(name), "%s.json", record->id);
        r = write_file(directory, name, text);
        if (r < 0)
                return error_trace(r);
        free(record->written);
        record->written = TAKE_PTR(text);
        log_debug("session %s: its record is written", record->id);
        return 0;
}

/**
 * record_remove() - nothing is owed any more
 * @record:         the record
 * @runtime_dir:    /run/quiesced
 */
void record_remove(SessionRecord *record, const char *runtime_dir) {
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s/sessions/%s.json", runtime_dir, record->id) < 0)
                return;
        if (unlink(path) < 0 && errno != ENOENT)
                log_warning("%s could not be removed, ignoring: %s", path, strerror(errno));
}
