/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Timelines on the bus: one a{sv}, as org.quiesce1(5) describes GetTimeline's answer.
 */

#include "bus/dictionary.h"
#include "timeline/timeline.h"
#include "util/error.h"

static int append_span(sd_bus_message *m, const TimelineSpan *span) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = dictionary_add(m, "name", "s", span->name);
        if (r >= 0)
                r = dictionary_add(m, "begin-usec", "t", span->begin_usec);
        if (r >= 0)
                r = dictionary_add(m, "duration-usec", "t", span->duration_usec);
        if (r >= 0)
                r = dictionary_add(m, "limit-usec", "t", span->limit_usec);
        if (r >= 0 && span->outcome[0])
                r = dictionary_add(m, "outcome", "s", span->outcome);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_spans(sd_bus_message *m, const char *key, const TimelineSpans *spans) {
        int r;

        r = dictionary_open_array(m, key, "aa{sv}");
        for (size_t i = 0; i < spans->n_items && r >= 0; i++)
                r = append_span(m, &spans->items[i]);
        return r < 0 ? r : dictionary_close_array(m);
}

static int append_writer(sd_bus_message *m, const TimelineWriter *writer) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = dictionary_add(m, "name", "s", writer->name);
        if (r >= 0)
                r = dictionary_add(m, "level", "s", writer->level);
        if (r >= 0)
                r = dictionary_add(m, "unit", "s", writer->unit);
        if (r >= 0)
                r = dictionary_add(m, "state", "s", writer->state);
        if (r >= 0)
                r = dictionary_add(m, "failure", "s", writer->failure);
        if (r >= 0)
                r = dictionary_add(m, "text", "s", writer->text);
        if (r >= 0)
                r = dictionary_add(m, "takes-part", "b", (int) writer->takes_part);
        if (r >= 0)
                r = append_spans(m, "events", &writer->events);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_volume(sd_bus_message *m, const TimelineVolume *volume) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = dictionary_add(m, "volume", "s", volume->name);
        if (r >= 0)
                r = dictionary_add(m, "snapshot", "s", volume->snapshot);
        if (r >= 0)
                r = dictionary_add(m, "provider", "s", volume->provider);
        if (r >= 0)
                r = append_spans(m, "times", &volume->times);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_session(sd_bus_message *m, const Timeline *timeline) {
        const struct {
                const char *key, *value;
        } texts[] = {
                {"set", timeline->set},
                {"session", timeline->session},
                {"context", timeline->context},
                {"backup-type", timeline->backup_type},
                {"consistency", timeline->consistency},
                {"outcome", timeline->outcome},
        };
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(texts) && r >= 0; i++)
                r = dictionary_add(m, texts[i].key, "s", texts[i].value);
        if (r >= 0)
                r = dictionary_add(m, "uid", "u", timeline->uid);
        return r < 0 ? r : dictionary_add(m, "begin-usec", "t", timeline->begin_usec);
}

/**
 * timeline_append() - write a timeline into a message
 * @m:          the message
 * @timeline:   it, with all its strings set
 *
 * Return: 0 or more, or a negative errno.
 */
int timeline_append(sd_bus_message *m, const Timeline *timeline) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = append_session(m, timeline);
        if (r >= 0)
                r = append_spans(m, "windows", &timeline->windows);
        if (r >= 0)
                r = append_spans(m, "steps", &timeline->steps);
        if (r >= 0)
                r = dictionary_open_array(m, "writers", "aa{sv}");
        for (size_t i = 0; i < timeline->n_writers && r >= 0; i++)
                r = append_writer(m, &timeline->writers[i]);
        if (r >= 0)
                r = dictionary_close_array(m);
        if (r >= 0)
                r = dictionary_open_array(m, "volumes", "aa{sv}");
        for (size_t i = 0; i < timeline->n_volumes && r >= 0; i++)
                r = append_volume(m, &timeline->volumes[i]);
        if (r >= 0)
                r = dictionary_close_array(m);
        return error_trace(r < 0 ? r : sd_bus_message_close_container(m));
}

/* A `read` for type "s": a char * that is replaced by a copy. */
static int read_text(sd_bus_message *m, void *field) {
        const char *value;
        int r;

        r = sd_bus_message_read_basic(m, 's', &value);
        return r < 0 ? r : timeline_set(field, value);
}

static int read_word(sd_bus_message *m, void *field) {
        const char *value;
        int r;

        r = sd_bus_message_read_basic(m, 's', &value);
        if (r >= 0)
                (void) snprintf(field, TIMELINE_WORD_MAX, "%s", value);
        return r;
}

static int read_spans(sd_bus_message *m, void *value) {
        TimelineSpan span;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "a{sv}");
        while (r >= 0) {
                const DictionaryField fields[] = {
                        {"name", "s", span.name, read_word},
                        {"begin-usec", "t", &span.begin_usec, NULL},
                        {"duration-usec", "t", &span.duration_usec, NULL},
                        {"limit-usec", "t", &span.limit_usec, NULL},
                        {"outcome", "s", span.outcome, read_word},
                };

                span = (TimelineSpan){};
                r = dictionary_read(m, fields, ELEMENTSOF(fields));
                if (r == 0)
                        break;
                if (r > 0)
                        r = timeline_add_span(value, &span);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_writers(sd_bus_message *m, void *value) {
        Timeline *timeline = value;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "a{sv}");
        while (r >= 0 && (r = sd_bus_message_at_end(m, false)) == 0) {
                TimelineWriter *w;

                r = timeline_add_writer(timeline, &w);
                if (r == 0) {
                        const DictionaryField fields[] = {
                                {"name", "s", &w->name, read_text},
                                {"level", "s", &w->level, read_text},
                                {"unit", "s", &w->unit, read_text},
                                {"state", "s", &w->state, read_text},
                                {"failure", "s", &w->failure, read_text},
                                {"text", "s", &w->text, read_text},
                                {"takes-part", "b", &w->takes_part, NULL},
                                {"events", "aa{sv}", &w->events, read_spans},
                        };

                        r = dictionary_read(m, fields, ELEMENTSOF(fields));
                }
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_volumes(sd_bus_message *m, void *value) {
        Timeline *timeline = value;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "a{sv}");
        while (r >= 0 && (r = sd_bus_message_at_end(m, false)) == 0) {
                TimelineVolume *v;

                r = timeline_add_volume(timeline, &v);
                if (r == 0) {
                        const DictionaryField fields[] = {
                                {"volume", "s", &v->name, read_text},
                                {"snapshot", "s", &v->snapshot, read_text},
                                {"provider", "s", &v->provider, read_text},
                                {"times", "aa{sv}", &v->times, read_spans},
                        };

                        r = dictionary_read(m, fields, ELEMENTSOF(fields));
                }
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/**
 * timeline_read() - read a timeline from a message
 * @m:          the message, which stands at it
 * @timeline:   empty; filled in, also in part if this fails
 *
 * Return: 0, or a negative errno: malformed, or more than a timeline can have.
 */
int timeline_read(sd_bus_message *m, Timeline *timeline) {
        const DictionaryField fields[] = {
                {"set", "s", &timeline->set, read_text},
                {"session", "s", &timeline->session, read_text},
                {"context", "s", &timeline->context, read_text},
                {"backup-type", "s", &timeline->backup_type, read_text},
                {"consistency", "s", &timeline->consistency, read_text},
                {"outcome", "s", &timeline->outcome, read_text},
                {"uid", "u", &timeline->uid, NULL},
                {"begin-usec", "t", &timeline->begin_usec, NULL},
                {"windows", "aa{sv}", &timeline->windows, read_spans},
                {"steps", "aa{sv}", &timeline->steps, read_spans},
                {"writers", "aa{sv}", timeline, read_writers},
                {"volumes", "aa{sv}", timeline, read_volumes},
        };
        int r;

        r = dictionary_read(m, fields, ELEMENTSOF(fields));
        if (r < 0)
                return error_trace(r);
        return error_trace(timeline_set_texts(timeline));
}
