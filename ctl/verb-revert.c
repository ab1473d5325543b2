/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl revert: the volumes of a set become again what its snapshots are.
 *
 * What they are now is lost by that, so it is kept in a set of its own first, unless told otherwise. Volumes
 * that are in use are reverted when they are activated next, which is said; the others are waited for.
 */

#include "ctl/backup.h"
#include "ctl/format.h"
#include "ctl/revert.h"

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

typedef struct RevertVerb {
        Options common;
        BackupOptions backup; /* of the safety set */
        bool no_safety_set, no_wait;
        char name[NAME_MAX_BYTES + 1]; /* of the safety set */
        Revert revert;
} RevertVerb;

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
static int make_safety_set(RevertVerb *verb) {
        Backup backup = {};
        int r;

        (void) snprintf(verb->name, sizeof(verb->name), "before revert to %s", verb->revert.id);
        r = backup_init(&backup, &verb->backup);
        if (r == 0)
                r = backup_begin(&backup);
        if (r == 0)
                r = add_volumes(&backup, &verb->revert.snapshots);
        if (r == 0)
                r = backup_make_set(&backup);
        progress_clear(&backup.progress);
        if (r == 0 && !verb->common.quiet)
                say("what the volumes are now is kept in set %s (\"%s\")", backup.set->id, verb->name);
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

/* What happens on the bus ends the wait, too. */
static int wait_on_bus(void *userdata) {
        sd_bus *bus = userdata;
        int r;

        r = sd_bus_wait(bus, USEC_PER_SEC);
        while (r >= 0 && (r = sd_bus_process(bus, NULL)) > 0)
                ;
        return error_trace(r);
}

static int await_all(const RevertVerb *verb, sd_bus *bus) {
        Progress progress;
        int r;

        progress_init(&progress, verb->common.quiet);
        r = sd_bus_match_signal(bus, NULL, QUIESCE_BUS_NAME, QUIESCE_BUS_PATH, QUIESCE_BUS_MANAGER,
                                "SnapshotRemoved", NULL, NULL);
        return error_trace(r < 0 ? r : revert_await(&verb->revert, bus, &progress, wait_on_bus, bus));
}

/* Whether it would be refused is asked first: a refused revert is to leave no safety set. */
static int revert_set(RevertVerb *verb, const char *id) {
        _cleanup_bus_ sd_bus *bus = NULL;
        int r;

        r = bus_open(&bus, verb->common.host);
        if (r == 0)
                r = revert_find(&verb->revert, bus, id);
        if (r == 0)
                r = revert_call(&verb->revert, bus, id, true);
        if (r == 0 && !verb->no_safety_set)
                r = make_safety_set(verb);
        if (r == 0) {
                r = revert_call(&verb->revert, bus, id, false);
                if (r != 0 && !verb->no_safety_set)
                        say("the set \"%s\" stays; 'quiescectl delete' it if it is of no use", verb->name);
        }
        if (r == 0 && !verb->no_wait)
                r = await_all(verb, bus);
        if (r == 0)
                r = revert_say_how_far(&verb->revert, bus, verb->common.quiet);
        return r;
}

static int parse(RevertVerb *verb, int argc, char **argv) {
        int c, r;

        while ((c = getopt_long(argc, argv, "nc:H:qhV", long_options, NULL)) >= 0) {
                r = options_take(&verb->common, c, usage);
                if (r == OPTIONS_E_DONE)
                        return r;
                if (r == 0)
                        continue;
                if (c == 'n')
                        verb->no_safety_set = true;
                else if (c == OPTION_NO_WAIT)
                        verb->no_wait = true;
                else if (c != 'c')
                        return usage_hint("revert"), OPTIONS_E_UNKNOWN;
                else if (parse_size(optarg, &verb->backup.cow_size) != 0)
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
        RevertVerb verb = {};
        int r;

        r = parse(&verb, argc, argv);
        if (r != 0)
                return r == OPTIONS_E_DONE ? EXIT_SUCCESS : EXIT_FAILURE;
        verb.backup.type = "copy";
        verb.backup.context = "nas-rollback";
        verb.backup.without_writers = true;
        verb.backup.host = verb.common.host;
        verb.backup.quiet = true;
        verb.backup.name = verb.name;
        verb.backup.labels = labels;
        r = revert_set(&verb, argv[optind]);
        revert_done(&verb.revert);
        return r == CTL_E_SAID ? EXIT_FAILURE : r;
}
