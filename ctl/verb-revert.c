/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl revert: the volumes of a set become again what its snapshots are.
 *
 * What they are now is lost by that, so it is kept in a set of its own first, unless told otherwise. Volumes
 * that are in use are reverted when they are activated next, which is said; the others are waited for.
 */

#include "ctl/backup.h"
#include "ctl/format.h"
#include "ctl/kinds.h"

#define NAME_MAX_BYTES 127 /* of a set's name, as quiesced has it */

static const char usage[] =
        "\nUsage:\n"
        " quiescectl revert [options] ID\n"
        "\n"
        "Make all volumes of a persistent set what its snapshots are. What was written to\n"
        "them since is lost, but for the set that is made of it before. The set's name\n"
        "does for its ID.\n"
        "\n"
        "Options:\n"
        " -n, --no-safety-set     make no set of what the volumes are now\n"
        " -c, --cow-size SIZE     store of each thick snapshot in it\n"
        "     --no-wait           do not wait until all is done\n"
        " -H, --host [USER@]HOST  on another host\n"
        " -q, --quiet             tell nothing but errors\n"
        " -h, --help              display this help\n"
        " -V, --version           display version\n"
        "\n"
        "For more details see quiescectl(1).\n";

enum {
        OPTION_NO_WAIT = OPTION_VERB,
};

static const struct option long_options[] = {
        {"no-safety-set", no_argument, NULL, 'n'},
        {"cow-size", required_argument, NULL, 'c'},
        {"no-wait", no_argument, NULL, OPTION_NO_WAIT},
        OPTIONS_HOST,
        OPTIONS_QUIET,
        OPTIONS_ALWAYS,
        {},
};

typedef struct Revert {
        Options common;
        BackupOptions backup; /* of the safety set */
        bool no_safety_set, no_wait;
        char name[NAME_MAX_BYTES + 1]; /* of the safety set */
        char *path;                    /* of the set */
        DictArray snapshots;           /* of the set, with what only those who may are told */
} Revert;

/* Which volumes it is about. */
static int read_snapshots(Revert *revert, sd_bus *bus) {
        _cleanup_(dict_done) Dict set = {};
        const DictItem *ids;
        int r;

        r = object_properties(&set, bus, revert->path, QUIESCE_BUS_SET);
        if (r != 0)
                return r;
        (void) snprintf(revert->name, sizeof(revert->name), "before revert to %s",
                        dict_get_string(&set, "Id"));
        ids = dict_get(&set, "Snapshots");
        for (size_t i = 0; ids && ids->list && ids->list[i]; i++) {
                _cleanup_(dict_done) Dict row = {};
                const Kind *kind;

                r = kind_read_one(&row, bus, ids->list[i], &kind);
                if (r == 0)
                        r = dict_array_add(&revert->snapshots, &row);
                if (r != 0)
                        return error_trace(r);
        }
        return 0;
}

static int add_volumes(Backup *backup, const DictArray *snapshots) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < snapshots->n_dicts; i++) {
                _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
                const char *name = dict_get_string(&snapshots->dicts[i], "volume");
                const QuiesceVolume volume = {.size = sizeof(volume), .name = name};
                _cleanup_free_ char *snapshot = NULL;

                r = backup_add(backup, &volume, &snapshot, &error);
                if (r < 0 && r != -EINTR)
                        r = say_bus_error(name, &error, r);
        }
        return r;
}

/* Return: as said in backup.h; 128 and more after a signal. */
static int make_safety_set(Revert *revert) {
        Backup backup = {};
        int r;

        r = backup_init(&backup, &revert->backup);
        if (r == 0)
                r = backup_begin(&backup);
        if (r == 0)
                r = add_volumes(&backup, &revert->snapshots);
        if (r == 0)
                r = backup_make_set(&backup);
        progress_clear(&backup.progress);
        if (r == 0 && !revert->common.quiet)
                say("what the volumes are now is kept in set %s (\"%s\")", backup.set->id, revert->name);
        if (r == 0)
                r = backup_release(&backup, false);
        else {
                say("nothing was reverted, as no set could be made of what the volumes are now; --no-safety-set "
                    "reverts without one");
                (void) backup_release(&backup, true);
        }
        if (r == -EINTR && backup.signal)
                r = 128 + backup.signal;
        backup_done(&backup);
        return r;
}

/* Whether it would be refused is asked first: a refused revert is to leave no safety set. */
static int call_revert(sd_bus *bus, const char *id, const char *path, bool dry_run) {
        _cleanup_message_ sd_bus_message *call = NULL;
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &call, QUIESCE_BUS_NAME, path, QUIESCE_BUS_SET, "Revert");
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(call, true);
        if (r >= 0)
                r = dry_run ? sd_bus_message_append(call, "a{sv}", 1, "dry-run", "b", true)
                            : sd_bus_message_append(call, "a{sv}", 0);
        if (r < 0)
                return error_trace(r);
        r = sd_bus_call(bus, call, UINT64_MAX, &error, NULL);
        return r < 0 ? say_bus_error(id, &error, r) : 0;
}

/* How far a volume is: 0: done; 1: being reverted; 2: when it is activated next. */
static int how_far(sd_bus *bus, const Dict *snapshot, uint64_t *ret_left) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_(dict_done) Dict now = {};
        int r;

        r = sd_bus_call_method(bus, QUIESCE_BUS_NAME, snapshot->name, QUIESCE_BUS_SNAPSHOT, "GetProperties",
                               NULL, &reply, "a{sv}", 0);
        if (r < 0)
                return 0;
        r = dict_read(&now, reply);
        if (r < 0)
                return error_trace(r);
        *ret_left = dict_get_number(&now, "revert-left-percent");
        return streq(dict_get_string(&now, "revert"), "waits") ? 2 : 1;
}

/* Return: how many are being reverted now; or a negative errno. */
static int count_running(const Revert *revert, sd_bus *bus, Progress *progress) {
        int n = 0;

        for (size_t i = 0; i < revert->snapshots.n_dicts; i++) {
                const Dict *snapshot = &revert->snapshots.dicts[i];
                uint64_t left = 0;
                char phase[40];
                int r;

                r = how_far(bus, snapshot, &left);
                if (r < 0)
                        return error_trace(r);
                if (r != 1)
                        continue;
                n++;
                (void) snprintf(phase, sizeof(phase), "%s, %u %% left", dict_get_string(snapshot, "volume"),
                                (unsigned) left);
                progress_phase(progress, phase);
        }
        return n;
}

/* LVM tells of no progress, so it is looked at now and then; what happens on the bus ends the wait earlier.
 */
static int await_all(const Revert *revert, sd_bus *bus) {
        Progress progress;
        int r;

        progress_init(&progress, revert->common.quiet);
        progress_step(&progress, "reverting");
        r = sd_bus_match_signal(bus, NULL, QUIESCE_BUS_NAME, QUIESCE_BUS_PATH, QUIESCE_BUS_MANAGER,
                                "SnapshotRemoved", NULL, NULL);
        while (r >= 0 && (r = count_running(revert, bus, &progress)) > 0) {
                r = sd_bus_wait(bus, USEC_PER_SEC);
                while (r >= 0 && (r = sd_bus_process(bus, NULL)) > 0)
                        ;
        }
        progress_clear(&progress);
        return error_trace(r < 0 ? r : 0);
}

static int say_how_far(const Revert *revert, sd_bus *bus) {
        for (size_t i = 0; i < revert->snapshots.n_dicts; i++) {
                const Dict *snapshot = &revert->snapshots.dicts[i];
                const char *volume = dict_get_string(snapshot, "volume");
                uint64_t left = 0;
                int r;

                r = how_far(bus, snapshot, &left);
                if (r < 0)
                        return error_trace(r);
                if (r == 2)
                        say("%s is in use, and is reverted when it is activated next: restart the machine, or "
                            "unmount it and give 'lvchange -an %s' and 'lvchange -ay %s'; until then no set can "
                            "have it",
                            volume, volume, volume);
                else if (!revert->common.quiet)
                        say(r == 1 ? "%s is being reverted" : "%s is reverted", volume);
        }
        return 0;
}

static int revert_set(Revert *revert, const char *id) {
        _cleanup_bus_ sd_bus *bus = NULL;
        int r;

        r = bus_open(&bus, revert->common.host);
        if (r == 0)
                r = object_find_set(bus, id, &revert->path);
        if (r == 0)
                r = read_snapshots(revert, bus);
        if (r == 0)
                r = call_revert(bus, id, revert->path, true);
        if (r == 0 && !revert->no_safety_set)
                r = make_safety_set(revert);
        if (r == 0) {
                r = call_revert(bus, id, revert->path, false);
                if (r != 0 && !revert->no_safety_set)
                        say("the set \"%s\" stays; 'quiescectl delete' it if it is of no use", revert->name);
        }
        if (r == 0 && !revert->no_wait)
                r = await_all(revert, bus);
        if (r == 0)
                r = say_how_far(revert, bus);
        return r;
}

static int parse(Revert *revert, int argc, char **argv) {
        int c, r;

        while ((c = getopt_long(argc, argv, "nc:H:qhV", long_options, NULL)) >= 0) {
                r = options_take(&revert->common, c, usage);
                if (r == OPTIONS_E_DONE)
                        return r;
                if (r == 0)
                        continue;
                if (c == 'n')
                        revert->no_safety_set = true;
                else if (c == OPTION_NO_WAIT)
                        revert->no_wait = true;
                else if (c != 'c')
                        return usage_hint("revert"), OPTIONS_E_UNKNOWN;
                else if (parse_size(optarg, &revert->backup.cow_size) != 0)
                        return usage_error("revert", "--cow-size: %s is no size such as 512M", optarg),
                               OPTIONS_E_UNKNOWN;
        }
        if (optind + 1 == argc)
                return 0;
        (void) usage_error("revert", optind >= argc ? "no ID given" : "one ID at a time");
        return OPTIONS_E_UNKNOWN;
}

/**
 * verb_revert() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: the exit status, or a negative errno.
 */
int verb_revert(int argc, char **argv) {
        static const char *const labels[] = {"before-revert", NULL};
        Revert revert = {};
        int r;

        r = parse(&revert, argc, argv);
        if (r != 0)
                return r == OPTIONS_E_DONE ? EXIT_SUCCESS : EXIT_FAILURE;
        revert.backup.type = "copy";
        revert.backup.context = "nas-rollback";
        revert.backup.without_writers = true;
        revert.backup.host = revert.common.host;
        revert.backup.quiet = true;
        revert.backup.name = revert.name;
        revert.backup.labels = labels;
        r = revert_set(&revert, argv[optind]);
        dict_array_done(&revert.snapshots);
        free(revert.path);
        return r == CTL_E_SAID ? EXIT_FAILURE : r;
}
