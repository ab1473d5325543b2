/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The timeline of a backup: what quiescectl did when, and how long each writer took for each event.
 */

#include "ctl/backup.h"
#include "ctl/format.h"

static void print_steps(const Progress *progress) {
        char took[FORMAT_MAX];

        (void) fputs("     START       TOOK  STEP\n", stderr);
        for (size_t i = 0; i + 1 < progress->n_steps; i++) {
                const ProgressStep *step = &progress->steps[i];
                uint64_t since = step->begin_usec - progress->steps[0].begin_usec;

                (void) fprintf(stderr, "%8.3f s %10s  %s\n", (double) since / (double) USEC_PER_SEC,
                               format_duration(took, progress->steps[i + 1].begin_usec - step->begin_usec),
                               step->text);
        }
}

static void print_set(const QuiesceSnapshotSet *set) {
        char buffer[FORMAT_MAX];

        (void) fputs("      TOOK  PART OF THE SNAPSHOT SET\n", stderr);
        (void) fprintf(stderr, "%10s  first Freeze to last Thaw\n",
                       format_duration(buffer, set->freeze_usec));
        (void) fprintf(stderr, "%10s  writes held\n", format_duration(buffer, set->hold_usec));
        (void) fprintf(stderr, "%10s  suspending all volumes\n", format_duration(buffer, set->suspend_usec));
        (void) fprintf(stderr, "%10s  stamping all snapshots\n", format_duration(buffer, set->commit_usec));
}

/* The contract's order; what is not in it comes last, as it comes. */
static const char *const order[] = {
        "Identify", "PrepareForBackup", "PrepareForSnapshot", "Freeze",         "Thaw",
        "Abort",    "PostSnapshot",     "BackupComplete",     "BackupShutdown",
};

static void print_event(const Dict *writer, const char *event, uint64_t took_usec) {
        char took[FORMAT_MAX];

        if (took_usec > 0)
                (void) fprintf(stderr, "%10s  %s: %s\n", format_duration(took, took_usec),
                               dict_get_string(writer, "name"), event);
}

static void print_writer(const Dict *writer) {
        const DictItem *durations = dict_get(writer, "durations");

        if (!durations || durations->type != DICT_TIMES)
                return;
        for (size_t k = 0; k < ELEMENTSOF(order); k++)
                for (size_t i = 0; durations->list && durations->list[i]; i++)
                        if (streq(durations->list[i], order[k]))
                                print_event(writer, order[k], durations->times[i]);
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
        print_steps(&backup->progress);
        if (backup->set)
                print_set(backup->set);
        if (backup->lost || quiesce_backup_gather_writer_status(backup->session, &reply, NULL) < 0 ||
            dict_array_read(&writers, reply) < 0)
                return;
        (void) fputs("      TOOK  WRITER AND EVENT\n", stderr);
        for (size_t i = 0; i < writers.n_dicts; i++)
                print_writer(&writers.dicts[i]);
}
