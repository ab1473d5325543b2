/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The timeline of a backup: what quiescectl did when, and below each step what writers and volumes did in
 * it, in the order in which it happens.
 */

#include "ctl/backup.h"
#include "ctl/format.h"

/* What happens in a part of the backup, in order: an event of the writers, or a time of the set. */
typedef struct Happening {
        ProgressPart part;
        const char *event; /* NULL: of the set */
        const char *text;
        size_t offset; /* of its duration in QuiesceSnapshotSet */
} Happening;

#define OF_SET(text, member) \
        { PROGRESS_PART_SET, NULL, text, offsetof(QuiesceSnapshotSet, member) }

static const Happening happenings[] = {
        {PROGRESS_PART_GATHER, "Identify", NULL, 0},
        {PROGRESS_PART_PREPARE, "PrepareForBackup", NULL, 0},
        {PROGRESS_PART_SET, "PrepareForSnapshot", NULL, 0},
        {PROGRESS_PART_SET, "Freeze", NULL, 0},
        OF_SET("all volumes: suspend", suspend_usec),
        OF_SET("all volumes: stamp the instant", commit_usec),
        OF_SET("all volumes: writes held", hold_usec),
        {PROGRESS_PART_SET, "Thaw", NULL, 0},
        OF_SET("all writers: first Freeze to last Thaw", freeze_usec),
        {PROGRESS_PART_SET, "PostSnapshot", NULL, 0},
        {PROGRESS_PART_COMPLETE, "BackupComplete", NULL, 0},
};

static void print_duration(uint64_t usec, const char *who, const char *what) {
        char took[FORMAT_MAX];

        (void) fprintf(stderr, "%20s      %s%s%s\n", format_duration(took, usec), who, *who ? ": " : "",
                       what);
}

static void print_event(const DictArray *writers, const char *event) {
        for (size_t i = 0; i < writers->n_dicts; i++) {
                const Dict *writer = &writers->dicts[i];
                const DictItem *durations = dict_get(writer, "durations");

                for (size_t k = 0;
                     durations && durations->type == DICT_TIMES && durations->list && durations->list[k];
                     k++)
                        if (streq(durations->list[k], event) && durations->times[k] > 0)
                                print_duration(durations->times[k], dict_get_string(writer, "name"), event);
        }
}

static void print_part(ProgressPart part, const QuiesceSnapshotSet *set, const DictArray *writers) {
        uint64_t usec;

        for (size_t i = 0; i < ELEMENTSOF(happenings); i++) {
                const Happening *happening = &happenings[i];

                if (happening->part != part)
                        continue;
                if (happening->event)
                        print_event(writers, happening->event);
                else if (set) {
                        memcpy(&usec, (const char *) set + happening->offset, sizeof(usec));
                        if (usec > 0)
                                print_duration(usec, "", happening->text);
                }
        }
}

static void print_steps(const Backup *backup, const DictArray *writers) {
        const Progress *progress = &backup->progress;
        char took[FORMAT_MAX];

        (void) fputs("     START      TOOK  STEP\n", stderr);
        for (size_t i = 0; i + 1 < progress->n_steps; i++) {
                const ProgressStep *step = &progress->steps[i];
                uint64_t since = step->begin_usec - progress->steps[0].begin_usec;

                (void) fprintf(stderr, "%8.3f s %9s  %s\n", (double) since / (double) USEC_PER_SEC,
                               format_duration(took, progress->steps[i + 1].begin_usec - step->begin_usec),
                               step->text);
                if (step->part != PROGRESS_PART_NONE)
                        print_part(step->part, backup->set, writers);
        }
}

/**
 * backup_say_timeline() - print the timeline on stderr
 * @backup:     it, not released yet
 */
void backup_say_timeline(Backup *backup) {
        _cleanup_(dict_array_done) DictArray writers = {};
        _cleanup_message_ sd_bus_message *reply = NULL;

        progress_step(&backup->progress, "looking at the timeline");
        progress_clear(&backup->progress);
        if (!backup->lost && quiesce_backup_gather_writer_status(backup->session, &reply, NULL) >= 0)
                (void) dict_array_read(&writers, reply);
        print_steps(backup, &writers);
}
