/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Records of sets (/var/lib/quiesced/sets) of any bytes: never a crash, and what is taken is complete,
 * within its limits, and reads the same when it is written again. */

#include <stddef.h>
#include <stdint.h>

#include "timeline/timeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_spans(const TimelineSpans *spans) {
        if (spans->n_items > TIMELINE_SPANS_MAX)
                abort();
        for (size_t i = 0; i < spans->n_items; i++)
                if (timeline_span_end(&spans->items[i]) > INT64_MAX ||
                    (i > 0 && spans->items[i - 1].begin_usec > spans->items[i].begin_usec))
                        abort();
}

static void check(const Timeline *timeline) {
        char error[TIMELINE_ERROR_SIZE];
        Timeline again = {};
        json_t *json = timeline_to_json(timeline), *json_again;
        char *text = json_dumps(json, JSON_COMPACT);

        if (!text)
                abort();
        /* Escapes may make it larger than it was. */
        if (strlen(text) <= TIMELINE_SIZE_MAX) {
                if (timeline_from_json(&again, text, strlen(text), error) < 0)
                        abort();
                json_again = timeline_to_json(&again);
                if (!json_equal(json, json_again))
                        abort();
                json_decref(json_again);
        }
        timeline_done(&again);
        json_decref(json);
        free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char error[TIMELINE_ERROR_SIZE] = "";
        Timeline timeline = {};
        int r;

        r = timeline_from_json(&timeline, (const char *) data, size, error);
        if (r < 0 && error[0] == '\0')
                abort();
        if (r == 0) {
                check_spans(&timeline.windows);
                check_spans(&timeline.steps);
                for (size_t i = 0; i < timeline.n_writers; i++)
                        check_spans(&timeline.writers[i].events);
                for (size_t i = 0; i < timeline.n_volumes; i++)
                        check_spans(&timeline.volumes[i].times);
                check(&timeline);
        }
        timeline_done(&timeline);
        return 0;
}
