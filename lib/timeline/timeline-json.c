/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Timelines as JSON: the record of a set, and a part of what `quiescectl show --json` prints; quiescectl(1)
 * describes it. Keys that are not known are left out: another quiesced of the same version may say more.
 */

#include "timeline/timeline.h"

#include <stdarg.h>

#include "util/error.h"

/* NULL when memory is short; takes NULL, so that only the last result is looked at. */
static json_t *spans_to_json(const TimelineSpans *spans) {
        json_t *array = json_array();
        bool failed = !array;

        for (size_t i = 0; i < spans->n_items && !failed; i++) {
                const TimelineSpan *span = &spans->items[i];
                json_t *object;

                object = json_pack("{s:s, s:I, s:I, s:I}", "name", span->name, "begin-usec",
                                   (json_int_t) span->begin_usec, "duration-usec",
                                   (json_int_t) span->duration_usec, "limit-usec",
                                   (json_int_t) span->limit_usec);
                if (object && span->outcome[0] &&
                    json_object_set_new(object, "outcome", json_string(span->outcome)) < 0)
                        failed = true;
                if (json_array_append_new(array, object) < 0)
                        failed = true;
        }
        if (!failed)
                return array;
        json_decref(array);
        return NULL;
}

static json_t *writers_to_json(const Timeline *timeline) {
        json_t *array = json_array();

        for (size_t i = 0; i < timeline->n_writers && array; i++) {
                const TimelineWriter *w = &timeline->writers[i];
                json_t *object;

                object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:o}", "name", w->name, "level",
                                   w->level, "unit", w->unit, "state", w->state, "failure", w->failure,
                                   "text", w->text, "takes-part", (int) w->takes_part, "events",
                                   spans_to_json(&w->events));
                if (json_array_append_new(array, object) < 0) {
                        json_decref(array);
                        array = NULL;
                }
        }
        return array;
}

static json_t *volumes_to_json(const Timeline *timeline) {
        json_t *array = json_array();

        for (size_t i = 0; i < timeline->n_volumes && array; i++) {
                const TimelineVolume *v = &timeline->volumes[i];
                json_t *object;

                object = json_pack("{s:s, s:s, s:s, s:o}", "volume", v->name, "snapshot", v->snapshot,
                                   "provider", v->provider, "times", spans_to_json(&v->times));
                if (json_array_append_new(array, object) < 0) {
                        json_decref(array);
                        array = NULL;
                }
        }
        return array;
}

/**
 * timeline_to_json() - a timeline as a JSON object
 * @timeline:   it, with all its strings set
 *
 * Return: the object; NULL: no memory.
 */
json_t *timeline_to_json(const Timeline *timeline) {
        return json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:o, s:o, s:o, s:o}", "version",
                         TIMELINE_VERSION, "set", timeline->set, "session", timeline->session, "context",
                         timeline->context, "backup-type", timeline->backup_type, "consistency",
                         timeline->consistency, "outcome", timeline->outcome, "uid",
                         (json_int_t) timeline->uid, "begin-usec", (json_int_t) timeline->begin_usec,
                         "windows", spans_to_json(&timeline->windows), "steps",
                         spans_to_json(&timeline->steps), "writers", writers_to_json(timeline), "volumes",
                         volumes_to_json(timeline));
}

/* What is read, and where something was wrong with it. */
typedef struct Reader {
        char *error;
        const char *where;
} Reader;

_printf_(2, 3) static int bad(const Reader *reader, const char *format, ...) {
        va_list ap;
        int n;

        n = snprintf(reader->error, TIMELINE_ERROR_SIZE, "%s: ", reader->where);
        va_start(ap, format);
        if (n > 0 && (size_t) n < TIMELINE_ERROR_SIZE)
                (void) vsnprintf(reader->error + n, TIMELINE_ERROR_SIZE - (size_t) n, format, ap);
        va_end(ap);
        return -EBADMSG;
}

/* A key that is not there leaves its value as it is. */
static int get_text(const Reader *reader, const json_t *object, const char *key, char **ret) {
        const json_t *value = json_object_get(object, key);

        if (value &&
            (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value)))
                return bad(reader, "\"%s\" is no text", key);
        return value ? timeline_set(ret, json_string_value(value)) : 0;
}

static int get_word(const Reader *reader, const json_t *object, const char *key,
                    char ret[static TIMELINE_WORD_MAX]) {
        const json_t *value = json_object_get(object, key);

        if (!value)
                return 0;
        if (!json_is_string(value) || json_string_length(value) >= TIMELINE_WORD_MAX)
                return bad(reader, "\"%s\" is no word of at most %u bytes", key, TIMELINE_WORD_MAX - 1);
        (void) snprintf(ret, TIMELINE_WORD_MAX, "%s", json_string_value(value));
        return 0;
}

static int get_number(const Reader *reader, const json_t *object, const char *key, uint64_t max,
                      uint64_t *ret) {
        const json_t *value = json_object_get(object, key);

        if (!value)
                return 0;
        if (!json_is_integer(value) || json_integer_value(value) < 0 ||
            (uint64_t) json_integer_value(value) > max)
                return bad(reader, "\"%s\" is no number from 0 to %llu", key, (unsigned long long) max);
        *ret = (uint64_t) json_integer_value(value);
        return 0;
}

/* An array of objects; NULL if it is not there. */
static int get_array(const Reader *reader, const json_t *object, const char *key, size_t max,
                     const json_t **ret) {
        const json_t *array = json_object_get(object, key), *item;
        size_t i;

        *ret = array;
        if (!array)
                return 0;
        if (!json_is_array(array) || json_array_size(array) > max)
                return bad(reader, "\"%s\" is no list of at most %zu", key, max);
        json_array_foreach((json_t *) array, i, item)
                if (!json_is_object(item))
                        return bad(reader, "\"%s\" has something that is no object", key);
        return 0;
}

static int get_spans(const Reader *reader, const json_t *object, const char *key, TimelineSpans *spans) {
        const json_t *array, *item;
        size_t i;
        int r;

        r = get_array(reader, object, key, TIMELINE_SPANS_MAX, &array);
        if (r < 0 || !array)
                return r;
        json_array_foreach((json_t *) array, i, item) {
                TimelineSpan span = {};

                r = get_word(reader, item, "name", span.name);
                if (r == 0)
                        r = get_number(reader, item, "begin-usec", INT64_MAX, &span.begin_usec);
                if (r == 0)
                        r = get_number(reader, item, "duration-usec", INT64_MAX, &span.duration_usec);
                if (r == 0)
                        r = get_number(reader, item, "limit-usec", INT64_MAX, &span.limit_usec);
                if (r == 0)
                        r = get_word(reader, item, "outcome", span.outcome);
                if (r == 0)
                        r = timeline_add_span(spans, &span);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int get_writer(const Reader *reader, const json_t *object, Timeline *timeline) {
        const json_t *takes_part = json_object_get(object, "takes-part");
        TimelineWriter *w;
        int r;

        r = timeline_add_writer(timeline, &w);
        if (r == 0)
                r = get_text(reader, object, "name", &w->name);
        if (r == 0)
                r = get_text(reader, object, "level", &w->level);
        if (r == 0)
                r = get_text(reader, object, "unit", &w->unit);
        if (r == 0)
                r = get_text(reader, object, "state", &w->state);
        if (r == 0)
                r = get_text(reader, object, "failure", &w->failure);
        if (r == 0)
                r = get_text(reader, object, "text", &w->text);
        if (r == 0)
                r = get_spans(reader, object, "events", &w->events);
        if (r == 0)
                w->takes_part = json_is_true(takes_part);
        return r;
}

static int get_volume(const Reader *reader, const json_t *object, Timeline *timeline) {
        TimelineVolume *v;
        int r;

        r = timeline_add_volume(timeline, &v);
        if (r == 0)
                r = get_text(reader, object, "volume", &v->name);
        if (r == 0)
                r = get_text(reader, object, "snapshot", &v->snapshot);
        if (r == 0)
                r = get_text(reader, object, "provider", &v->provider);
        return r < 0 ? r : get_spans(reader, object, "times", &v->times);
}

static int get_rows(Reader *reader, const json_t *object, Timeline *timeline) {
        const json_t *array, *item;
        size_t i;
        int r;

        r = get_array(reader, object, "writers", TIMELINE_WRITERS_MAX, &array);
        reader->where = "a writer";
        if (array)
                json_array_foreach((json_t *) array, i, item)
                        if (r == 0)
                                r = get_writer(reader, item, timeline);
        reader->where = "the timeline";
        if (r == 0)
                r = get_array(reader, object, "volumes", TIMELINE_VOLUMES_MAX, &array);
        reader->where = "a volume";
        if (r == 0 && array)
                json_array_foreach((json_t *) array, i, item)
                        if (r == 0)
                                r = get_volume(reader, item, timeline);
        return r;
}

static int get_timeline(const Reader *reader, const json_t *object, Timeline *timeline) {
        uint64_t uid = 0;
        int r;

        r = get_text(reader, object, "set", &timeline->set);
        if (r == 0)
                r = get_text(reader, object, "session", &timeline->session);
        if (r == 0)
                r = get_text(reader, object, "context", &timeline->context);
        if (r == 0)
                r = get_text(reader, object, "backup-type", &timeline->backup_type);
        if (r == 0)
                r = get_text(reader, object, "consistency", &timeline->consistency);
        if (r == 0)
                r = get_text(reader, object, "outcome", &timeline->outcome);
        if (r == 0)
                r = get_number(reader, object, "uid", UINT32_MAX, &uid);
        if (r == 0)
                r = get_number(reader, object, "begin-usec", INT64_MAX, &timeline->begin_usec);
        if (r == 0)
                r = get_spans(reader, object, "windows", &timeline->windows);
        if (r == 0)
                r = get_spans(reader, object, "steps", &timeline->steps);
        timeline->uid = (uint32_t) uid;
        return r;
}

/* The version is looked at before anything else: what it means may have changed. */
static int check_version(const json_t *json, char *error) {
        const json_t *version = json_object_get(json, "version");

        if (!json_is_integer(version) || json_integer_value(version) < 1) {
                (void) snprintf(error, TIMELINE_ERROR_SIZE, "it is no record of a set: it has no version");
                return -EBADMSG;
        }
        if (json_integer_value(version) > TIMELINE_VERSION) {
                (void) snprintf(error, TIMELINE_ERROR_SIZE,
                                "a newer quiesced has written it (version %" JSON_INTEGER_FORMAT
                                ", this one knows %i)",
                                json_integer_value(version), TIMELINE_VERSION);
                return -EPROTONOSUPPORT;
        }
        return 0;
}

/**
 * timeline_from_json() - read a timeline from JSON text
 * @timeline:   empty; filled in, also in part if this fails
 * @text:       the text
 * @n_text:     its length
 * @error:      what is wrong with it
 *
 * Return: 0; -EBADMSG: it is damaged; -EPROTONOSUPPORT: of a newer version; -ENOMEM.
 */
int timeline_from_json(Timeline *timeline, const char *text, size_t n_text,
                       char error[static TIMELINE_ERROR_SIZE]) {
        Reader reader = {.error = error, .where = "the timeline"};
        json_error_t syntax;
        json_t *json;
        int r;

        if (n_text > TIMELINE_SIZE_MAX) {
                (void) snprintf(error, TIMELINE_ERROR_SIZE, "it is larger than %u bytes", TIMELINE_SIZE_MAX);
                return error_origin(-EBADMSG);
        }
        json = json_loadb(text, n_text, JSON_REJECT_DUPLICATES, &syntax);
        if (!json) {
                (void) snprintf(error, TIMELINE_ERROR_SIZE, "line %i: %s", syntax.line, syntax.text);
                return error_origin(-EBADMSG);
        }
        r = check_version(json, error);
        if (r == 0)
                r = get_timeline(&reader, json, timeline);
        if (r == 0)
                r = get_rows(&reader, json, timeline);
        json_decref(json);
        return error_trace(r < 0 ? r : timeline_set_texts(timeline));
}
