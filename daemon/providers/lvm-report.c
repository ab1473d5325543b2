/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reading LVM's JSON report.
 *
 * LVM prints one row per *segment*; rows of the same LV are folded into one volume here. Every column that
 * was asked for must be there in every row: a report that lacks one is refused as a whole, because what is
 * decided from it (may this be removed? is that the origin?) must not be decided from half of it.
 */

#include "daemon/providers/lvm-report.h"

#include <assert.h>
#include <ctype.h>
#include <jansson.h>

#include "util/error.h"

#define LVM_ROWS_MAX  UINT32_C(65536)
#define LVM_TAGS_MAX  UINT32_C(1024)
#define LVM_UUID_SIZE UINT32_C(32)

const char lvm_report_columns[] =
        "lv_uuid,vg_uuid,vg_name,lv_name,lv_attr,lv_path,lv_size,lv_tags,lv_active,"
        "lv_health_status,lv_allocation_locked,origin,origin_uuid,pool_lv,thin_id,"
        "segtype,chunk_size,devices,data_percent,metadata_percent,vg_attr,vg_free,"
        "vg_extent_size";

typedef enum ColumnKind {
        COLUMN_TEXT,
        COLUMN_NAME, /* hidden LVs stand in brackets */
        COLUMN_UUID, /* dashes are left out; may be empty */
        COLUMN_NUMBER,
        COLUMN_PERCENT,
        COLUMN_TAGS,
        COLUMN_FLAG, /* not empty: true */
} ColumnKind;

typedef struct Column {
        const char *name;
        ColumnKind kind;
        size_t offset;
} Column;

#define COLUMN(name, kind, member) \
        { name, kind, offsetof(LvmVolume, member) }

static const Column columns[] = {
        COLUMN("lv_uuid", COLUMN_UUID, uuid),
        COLUMN("vg_uuid", COLUMN_UUID, vg_uuid),
        COLUMN("vg_name", COLUMN_TEXT, vg),
        COLUMN("lv_name", COLUMN_NAME, lv),
        COLUMN("lv_attr", COLUMN_TEXT, attributes),
        COLUMN("lv_path", COLUMN_TEXT, path),
        COLUMN("lv_size", COLUMN_NUMBER, size),
        COLUMN("lv_tags", COLUMN_TAGS, tags),
        COLUMN("lv_active", COLUMN_FLAG, active),
        COLUMN("lv_health_status", COLUMN_TEXT, health),
        COLUMN("lv_allocation_locked", COLUMN_TEXT, move),
        COLUMN("origin", COLUMN_NAME, origin),
        COLUMN("origin_uuid", COLUMN_UUID, origin_uuid),
        COLUMN("pool_lv", COLUMN_NAME, pool),
        COLUMN("thin_id", COLUMN_NUMBER, thin_id),
        COLUMN("segtype", COLUMN_TEXT, segment),
        COLUMN("chunk_size", COLUMN_NUMBER, chunk_size),
        COLUMN("devices", COLUMN_TEXT, devices),
        COLUMN("data_percent", COLUMN_PERCENT, data_percent),
        COLUMN("metadata_percent", COLUMN_PERCENT, metadata_percent),
        COLUMN("vg_attr", COLUMN_TEXT, vg_attributes),
        COLUMN("vg_free", COLUMN_NUMBER, vg_free),
        COLUMN("vg_extent_size", COLUMN_NUMBER, extent_size),
};

static void jsonp(json_t **json) {
        json_decref(*json);
}

static int malformed(char *reason, size_t n_reason, const char *format, ...) _printf_(3, 4);
static int malformed(char *reason, size_t n_reason, const char *format, ...) {
        va_list args;

        va_start(args, format);
        (void) vsnprintf(reason, n_reason, format, args);
        va_end(args);
        return LVM_REPORT_MALFORMED;
}

static void tags_free(char **tags) {
        for (size_t i = 0; tags && tags[i]; i++)
                free(tags[i]);
        free(tags);
}

static void lvm_volume_done(LvmVolume *volume) {
        for (size_t i = 0; i < ELEMENTSOF(columns); i++)
                switch (columns[i].kind) {
                case COLUMN_TEXT:
                case COLUMN_NAME:
                case COLUMN_UUID:
                        free(*(char **) ((char *) volume + columns[i].offset));
                        break;
                case COLUMN_TAGS:
                        tags_free(volume->tags);
                        break;
                default:
                        break;
                }
        free(volume->name);
        free(volume->key);
        *volume = (LvmVolume){};
}

/* Return: 0, LVM_REPORT_MALFORMED or -ENOMEM; likewise in all read_…() below. */
static int read_name(char **ret, const char *value) {
        size_t n = strlen(value);

        if (n >= 2 && value[0] == '[' && value[n - 1] == ']') {
                value++;
                n -= 2;
        }
        *ret = strndup(value, n);
        return *ret ? 0 : error_origin(-ENOMEM);
}

static int read_uuid(char **ret, const char *value) {
        char text[LVM_UUID_SIZE + 1];
        size_t n = 0;

        for (; *value; value++) {
                if (*value == '-')
                        continue;
                if (!isalnum((unsigned char) *value) || n >= LVM_UUID_SIZE)
                        return LVM_REPORT_MALFORMED;
                text[n++] = *value;
        }
        if (n != 0 && n != LVM_UUID_SIZE)
                return LVM_REPORT_MALFORMED;
        *ret = strndup(text, n);
        return *ret ? 0 : error_origin(-ENOMEM);
}

static int read_number(uint64_t *ret, const char *value) {
        unsigned long long number;
        char *end = NULL;

        if (!*value) {
                *ret = 0;
                return 0;
        }
        if (!isdigit((unsigned char) *value))
                return LVM_REPORT_MALFORMED;
        errno = 0;
        number = strtoull(value, &end, 10);
        if (errno != 0 || *end)
                return LVM_REPORT_MALFORMED;
        *ret = number;
        return 0;
}

static int read_percent(double *ret, const char *value) {
        double number;
        char *end = NULL;

        if (!*value) {
                *ret = -1;
                return 0;
        }
        if (!isdigit((unsigned char) *value))
                return LVM_REPORT_MALFORMED;
        number = strtod(value, &end);
        if (*end || !(number >= 0 && number <= 1e6))
                return LVM_REPORT_MALFORMED;
        *ret = number;
        return 0;
}

static int read_tags(char ***ret, const char *value) {
        size_t n = 1, i = 0;
        char **tags;

        for (const char *p = value; *p; p++)
                n += *p == ',';
        if (n > LVM_TAGS_MAX)
                return LVM_REPORT_MALFORMED;
        *ret = tags = calloc(n + 1, sizeof(*tags));
        if (!tags)
                return error_origin(-ENOMEM);
        while (*value) {
                size_t length = strcspn(value, ",");

                tags[i] = strndup(value, length);
                if (!tags[i++])
                        return error_origin(-ENOMEM);
                value += length;
                value += *value == ',';
        }
        return 0;
}

static int read_column(LvmVolume *volume, const Column *column, const char *value) {
        void *to = (char *) volume + column->offset;

        switch (column->kind) {
        case COLUMN_TEXT:
                *(char **) to = strdup(value);
                return *(char **) to ? 0 : error_origin(-ENOMEM);
        case COLUMN_NAME:
                return read_name(to, value);
        case COLUMN_UUID:
                return read_uuid(to, value);
        case COLUMN_NUMBER:
                return read_number(to, value);
        case COLUMN_PERCENT:
                return read_percent(to, value);
        case COLUMN_TAGS:
                return read_tags(to, value);
        case COLUMN_FLAG:
                *(bool *) to = *value != '\0';
                return 0;
        default:
                assert(false);
                return -EINVAL;
        }
}

static int read_row(LvmVolume *volume, const json_t *row, char *reason, size_t n_reason) {
        int r;

        for (size_t i = 0; i < ELEMENTSOF(columns); i++) {
                const json_t *value = json_object_get(row, columns[i].name);

                if (!json_is_string(value))
                        return malformed(reason, n_reason, "a row lacks the column %s", columns[i].name);
                r = read_column(volume, &columns[i], json_string_value(value));
                if (r == LVM_REPORT_MALFORMED)
                        return malformed(reason, n_reason, "column %s is '%.40s'", columns[i].name,
                                         json_string_value(value));
                if (r < 0)
                        return r;
        }
        if (!*volume->uuid || !*volume->vg_uuid || !*volume->vg || !*volume->lv)
                return malformed(reason, n_reason, "a row has no name or no uuid");
        if (strlen(volume->attributes) < 10 || strlen(volume->vg_attributes) < 6)
                return malformed(reason, n_reason, "the attributes of %.60s are too short", volume->lv);
        if (asprintf(&volume->name, "%s/%s", volume->vg, volume->lv) < 0) {
                volume->name = NULL;
                return error_origin(-ENOMEM);
        }
        if (asprintf(&volume->key, "LVM-%s%s", volume->vg_uuid, volume->uuid) < 0) {
                volume->key = NULL;
                return error_origin(-ENOMEM);
        }
        return 0;
}

/* A further segment of the volume before it: only what it lies on is new. */
static int fold_segment(LvmVolume *volume, const LvmVolume *segment) {
        char *devices;

        if (asprintf(&devices, "%s,%s", volume->devices, segment->devices) < 0)
                return error_origin(-ENOMEM);
        free(volume->devices);
        volume->devices = devices;
        return 0;
}

static int read_rows(LvmReport *report, const json_t *rows, char *reason, size_t n_reason) {
        size_t n = json_array_size(rows);
        LvmVolume *volumes;
        int r;

        if (!json_is_array(rows))
                return malformed(reason, n_reason, "it has no list of logical volumes");
        if (n > LVM_ROWS_MAX || report->n_volumes > LVM_ROWS_MAX)
                return malformed(reason, n_reason, "it has more than %u rows", LVM_ROWS_MAX);
        volumes = reallocarray(report->volumes, report->n_volumes + n + 1, sizeof(*volumes));
        if (!volumes)
                return error_origin(-ENOMEM);
        report->volumes = volumes;
        for (size_t i = 0; i < n; i++) {
                LvmVolume *volume = &volumes[report->n_volumes];

                *volume = (LvmVolume){};
                r = read_row(volume, json_array_get(rows, i), reason, n_reason);
                if (r == 0 && report->n_volumes > 0 && streq(volume[-1].key, volume->key)) {
                        r = fold_segment(volume - 1, volume);
                        lvm_volume_done(volume);
                } else if (r == 0)
                        report->n_volumes++;
                else
                        lvm_volume_done(volume);
                if (r != 0)
                        return r;
        }
        return 0;
}

/**
 * lvm_report_new() - read a report
 * @ret:        the volumes, hidden ones too
 * @json:       what lvm printed; need not end in NUL
 * @n_json:     its length in bytes
 * @reason:     what is wrong with it, for people, if MALFORMED
 * @n_reason:   room for it
 *
 * Return: 0, LVM_REPORT_MALFORMED, or a negative errno.
 */
int lvm_report_new(LvmReport **ret, const char *json, size_t n_json, char *reason, size_t n_reason) {
        _cleanup_(lvm_report_freep) LvmReport *report = NULL;
        _cleanup_(jsonp) json_t *root = NULL;
        json_error_t error;
        const json_t *parts;
        int r;

        root = json_loadb(json, n_json, JSON_REJECT_DUPLICATES, &error);
        if (!root)
                return malformed(reason, n_reason, "line %d: %.120s", error.line, error.text);
        parts = json_object_get(root, "report");
        if (!json_is_array(parts))
                return malformed(reason, n_reason, "it is no report");
        report = calloc(1, sizeof(*report));
        if (!report)
                return error_origin(-ENOMEM);
        for (size_t i = 0; i < json_array_size(parts); i++) {
                r = read_rows(report, json_object_get(json_array_get(parts, i), "lv"), reason, n_reason);
                if (r != 0)
                        return r < 0 ? error_trace(r) : r;
        }
        *ret = TAKE_PTR(report);
        return 0;
}

/**
 * lvm_report_free() - forget a report
 * @report:     it or NULL
 *
 * Return: NULL.
 */
LvmReport *lvm_report_free(LvmReport *report) {
        if (!report)
                return NULL;
        for (size_t i = 0; i < report->n_volumes; i++)
                lvm_volume_done(&report->volumes[i]);
        free(report->volumes);
        free(report);
        return NULL;
}

/**
 * lvm_report_find() - a volume by its names
 * @report:     where to look
 * @vg:         volume group
 * @lv:         logical volume
 *
 * Return: the volume, the report's, or NULL.
 */
const LvmVolume *lvm_report_find(const LvmReport *report, const char *vg, const char *lv) {
        for (size_t i = 0; i < report->n_volumes; i++)
                if (streq(report->volumes[i].vg, vg) && streq(report->volumes[i].lv, lv))
                        return &report->volumes[i];
        return NULL;
}

/**
 * lvm_report_find_key() - a volume by its device-mapper uuid
 * @report:     where to look
 * @key:        as Volume.key
 *
 * Return: the volume, the report's, or NULL.
 */
const LvmVolume *lvm_report_find_key(const LvmReport *report, const char *key) {
        for (size_t i = 0; i < report->n_volumes; i++)
                if (streq(report->volumes[i].key, key))
                        return &report->volumes[i];
        return NULL;
}

/**
 * lvm_report_find_uuid() - a volume by LVM's uuid
 * @report:     where to look
 * @uuid:       32 characters, without dashes
 *
 * Return: the volume, the report's, or NULL.
 */
const LvmVolume *lvm_report_find_uuid(const LvmReport *report, const char *uuid) {
        for (size_t i = 0; i < report->n_volumes; i++)
                if (streq(report->volumes[i].uuid, uuid))
                        return &report->volumes[i];
        return NULL;
}
