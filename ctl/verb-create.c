/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl create: a snapshot set that stays until it is deleted.
 *
 * Persistent always: a set that goes with its session would be gone when this program ends. The writers are
 * not told that a backup is complete, because none was made: their logs stay.
 */

#include <sys/stat.h>

#include "ctl/backup.h"
#include "ctl/format.h"
#include "ctl/json.h"

static const char usage[] = "\nUsage:\n"
                            " quiescectl create [options] PATH|VOLUME...\n"
                            "\n"
                            "Make a snapshot set of volumes, or of those PATHs lie on, and print its id.\n"
                            "\n"
                            "Options:\n"
                            "     --persistent         it stays until it is deleted: it always does\n"
                            " -N, --name NAME          what to call the set\n"
                            "     --note TEXT          what to know of it\n"
                            " -l, --label LABEL        a word that rules find it by; may be repeated\n"
                            " -n, --no-writers         freeze no applications, file systems only\n"
                            " -i, --ignore-writer NAME  go on if this writer fails; may be repeated\n"
                            " -c, --cow-size SIZE      store of each thick snapshot (default: quiesced's)\n"
                            " -S, --store-on DEVICE    make these on this device; may be repeated\n"
                            " -P, --provider NAME      provider of all snapshots (default: what fits)\n"
                            " -w, --wait               wait while another snapshot set is being made\n"
                            " -H, --host [USER@]HOST   on another host; a PATH is a mount point there\n"
                            " -J, --json               use JSON output format\n"
                            " -q, --quiet              tell nothing but errors\n"
                            " -h, --help               display this help\n"
                            " -V, --version            display version\n"
                            "\n"
                            "For more details see quiescectl(1).\n";

enum {
        OPTION_PERSISTENT = OPTION_VERB,
        OPTION_NOTE,
};

static const struct option long_options[] = {
        {"persistent", no_argument, NULL, OPTION_PERSISTENT},
        {"name", required_argument, NULL, 'N'},
        {"note", required_argument, NULL, OPTION_NOTE},
        {"label", required_argument, NULL, 'l'},
        {"no-writers", no_argument, NULL, 'n'},
        {"ignore-writer", required_argument, NULL, 'i'},
        {"cow-size", required_argument, NULL, 'c'},
        {"store-on", required_argument, NULL, 'S'},
        {"provider", required_argument, NULL, 'P'},
        {"wait", no_argument, NULL, 'w'},
        {"json", no_argument, NULL, OPTION_JSON},
        OPTIONS_HOST,
        OPTIONS_QUIET,
        OPTIONS_ALWAYS,
        {},
};

typedef struct Create {
        Options common;
        BackupOptions backup;
        const char **ignore; /* NULL-terminated */
        size_t n_ignore;
        const char **store_on; /* NULL-terminated */
        size_t n_store_on;
        const char **labels; /* NULL-terminated */
        size_t n_labels;
} Create;

static int take_option(Create *create, int c) {
        switch (c) {
        case OPTION_PERSISTENT:
                return 0;
        case 'N':
                create->backup.name = optarg;
                return 0;
        case OPTION_NOTE:
                create->backup.note = optarg;
                return 0;
        case 'l':
                create->labels[create->n_labels++] = optarg;
                return 0;
        case 'n':
                create->backup.without_writers = true;
                return 0;
        case 'i':
                create->ignore[create->n_ignore++] = optarg;
                return 0;
        case 'c':
                return parse_size(optarg, &create->backup.cow_size) == 0
                               ? 0
                               : usage_error("create", "--cow-size: %s is no size such as 512M", optarg);
        case 'S':
                create->store_on[create->n_store_on++] = optarg;
                return 0;
        case 'P':
                create->backup.provider = optarg;
                return 0;
        case 'w':
                create->backup.wait = true;
                return 0;
        default:
                return usage_hint("create");
        }
}

/* A directory or file stands for the volume it lies on; a device, and what is no path here, for itself. */
static void name_volume(QuiesceVolume *volume, const char *path, bool elsewhere) {
        struct stat st;

        if (elsewhere || stat(path, &st) < 0 || S_ISBLK(st.st_mode))
                volume->name = path;
        else
                volume->path = path;
}

static int create_add(Backup *backup, char **paths, size_t n_paths) {
        int r = 0;

        progress_step(&backup->progress, "adding %zu volume%s", n_paths, n_paths == 1 ? "" : "s");
        for (size_t i = 0; r == 0 && i < n_paths; i++) {
                _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
                QuiesceVolume volume = {.size = sizeof(volume)};
                _cleanup_free_ char *snapshot = NULL;

                name_volume(&volume, paths[i], backup->options->host);
                r = backup_add(backup, &volume, &snapshot, &error);
                if (r < 0 && r != -EINTR) {
                        progress_clear(&backup->progress);
                        r = say_bus_error(paths[i], &error, r);
                }
        }
        return r;
}

/* As "show" prints it. */
static int create_print_json(sd_bus *bus, const char *id) {
        _cleanup_(dict_done) Dict row = {};
        json_t *document;
        const Kind *kind;
        int r;

        r = kind_read_one(&row, bus, id, &kind);
        if (r != 0)
                return r;
        document = json_object();
        r = json_add_row(document, kind, json_from_row(kind->columns, kind->n_columns, &row));
        if (r < 0) {
                json_decref(document);
                return error_trace(r);
        }
        return error_trace(json_print(document));
}

static int create_print(const Create *create, const Backup *backup) {
        if (create->common.json)
                return error_trace(create_print_json(backup->bus, backup->set->id));
        (void) puts(backup->set->id);
        return 0;
}

static void create_say_times(const Backup *backup, Progress *progress) {
        char frozen[FORMAT_MAX], held[FORMAT_MAX];

        (void) format_duration(held, backup->set->hold_usec);
        if (backup->options->without_writers)
                progress_say(progress, "no writers were asked, writes were held for %s", held);
        else
                progress_say(progress, "writers were frozen for %s, writes were held for %s",
                             format_duration(frozen, backup->set->freeze_usec), held);
}

static int create_all(Create *create, Backup *backup, char **paths, size_t n_paths) {
        int r;

        r = backup_init(backup, &create->backup);
        if (r == 0)
                r = backup_begin(backup);
        if (r == 0)
                r = create_add(backup, paths, n_paths);
        if (r == 0)
                r = backup_make_set(backup);
        if (r == 0) {
                create_say_times(backup, &backup->progress);
                r = backup_release(backup, false);
                return r == 0 ? create_print(create, backup) : r;
        }
        progress_clear(&backup->progress);
        if (backup->signal)
                say("interrupted by SIG%s", sigabbrev_np(backup->signal));
        (void) backup_release(backup, true);
        return r == -EINTR && backup->signal ? 128 + backup->signal : r;
}

static int create_parse(Create *create, int argc, char **argv) {
        int c, r;

        create->ignore = calloc((size_t) argc + 1, sizeof(*create->ignore));
        create->store_on = calloc((size_t) argc + 1, sizeof(*create->store_on));
        create->labels = calloc((size_t) argc + 1, sizeof(*create->labels));
        if (!create->ignore || !create->store_on || !create->labels)
                return error_origin(-ENOMEM);
        while ((c = getopt_long(argc, argv, "N:l:ni:c:S:P:wH:JqhV", long_options, NULL)) >= 0) {
                r = options_take(&create->common, c, usage);
                if (r == OPTIONS_E_DONE)
                        return r;
                if (r == OPTIONS_E_UNKNOWN && take_option(create, c) != 0)
                        return OPTIONS_E_UNKNOWN;
        }
        if (optind >= argc)
                (void) usage_error("create", "no PATH given");
        create->backup.type = "copy";
        create->backup.context = create->backup.without_writers ? "nas-rollback" : "app-rollback";
        create->backup.host = create->common.host;
        create->backup.quiet = create->common.quiet;
        create->backup.ignore_writers = create->ignore;
        create->backup.store_on = create->store_on;
        create->backup.labels = create->labels;
        return optind < argc ? 0 : OPTIONS_E_UNKNOWN;
}

/**
 * verb_create() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: the exit status, or a negative errno.
 */
int verb_create(int argc, char **argv) {
        Create create = {};
        Backup backup = {};
        int r;

        r = create_parse(&create, argc, argv);
        if (r == 0) {
                r = create_all(&create, &backup, argv + optind, (size_t) (argc - optind));
                backup_done(&backup);
                r = r == CTL_E_SAID ? EXIT_FAILURE : r;
        } else if (r > 0)
                r = r == OPTIONS_E_DONE ? EXIT_SUCCESS : EXIT_FAILURE;
        free(create.ignore);
        free(create.store_on);
        free(create.labels);
        return r;
}
