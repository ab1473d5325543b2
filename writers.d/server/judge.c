/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Each path is looked up, and so is what is mounted below a folder that belongs to the instance as a whole:
 * a snapshot of the outer file system has nothing of it.
 */

#include "writers.d/server/judge.h"

#include "util/error.h"
#include "writers.d/server/mounts.h"

typedef struct Judging {
        QuiesceWriterEvent *event;
        char *text;
        const char *what;                   /* that a folder which is looked through is */
        const char *named[FACTS_PATHS_MAX]; /* mount points that the text names */
        size_t n_named, n_inside, n_outside;
} Judging;

static void name_missing(Judging *judging, const char *mount_point, const char *path, const char *what) {
        for (size_t i = 0; i < judging->n_named; i++)
                if (streq(judging->named[i], mount_point))
                        return;
        if (judging->n_named < FACTS_PATHS_MAX)
                judging->named[judging->n_named++] = mount_point;
        text_join(judging->text, "the set lacks %s, where %s %s is; add it", mount_point, what, path);
}

/* Return: 0; VERDICT_UNKNOWN; -ENOMEM. */
static int judge_path(Judging *judging, const char *path, const char *what) {
        const char *mount_point;
        int r;

        r = quiesce_writer_event_is_path_affected(judging->event, path, &mount_point);
        if (r == -ENOMEM)
                return error_trace(r);
        if (r < 0) {
                judging->text[0] = '\0';
                text_join(judging->text, "it cannot be found out where %s %s is: %s", what, path,
                          strerror(-r));
                return VERDICT_UNKNOWN;
        }
        if (r > 0) {
                judging->n_inside++;
                return 0;
        }
        judging->n_outside++;
        name_missing(judging, mount_point, path, what);
        return 0;
}

/* Return: as judge_path(). */
static int judge_mount(const char *mount_point, void *userdata) {
        Judging *judging = userdata;

        return judge_path(judging, mount_point, judging->what);
}

/**
 * judge() - whether the set has an instance
 * @event:      PrepareForSnapshot
 * @facts:      what the instance consists of
 * @chosen:     a requester chose it: what is not there at all is missing
 * @text:       for VERDICT_MISSING and VERDICT_UNKNOWN; empty before
 *
 * Return: a Verdict; -ENOMEM; or another negative errno: mountinfo cannot be read.
 */
int judge(QuiesceWriterEvent *event, const Facts *facts, bool chosen, char text[static REPORT_TEXT_MAX]) {
        _cleanup_free_ Judging *judging = calloc(1, sizeof(*judging));
        int r = 0;

        if (!judging)
                return error_origin(-ENOMEM);
        judging->event = event;
        judging->text = text;
        for (size_t i = 0; r == 0 && i < facts->n_paths; i++) {
                r = judge_path(judging, facts->paths[i].path, facts->paths[i].what);
                judging->what = facts->paths[i].what;
                if (r == 0 && facts->paths[i].recursive)
                        r = mounts_below(facts->paths[i].path, judge_mount, judging);
        }
        if (r != 0)
                return r < 0 ? error_trace(r) : r;
        if (judging->n_outside == 0)
                return judging->n_inside > 0 ? VERDICT_WHOLE : VERDICT_NONE;
        if (judging->n_inside == 0 && !chosen) {
                text[0] = '\0';
                return VERDICT_NONE;
        }
        return VERDICT_MISSING;
}
