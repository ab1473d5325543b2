/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl restore: files come back from the snapshots of a set; see restore.h.
 *
 * All that can be found out before anything is changed is: which snapshot has each path, whether it is in
 * there, whether the writers concerned make way.
 */

#include "ctl/format.h"
#include "ctl/kinds.h"
#include "ctl/restore.h"

static const char usage[] = "\nUsage:\n"
                            " quiescectl restore [options] ID [PATH...]\n"
                            "\n"
                            "Bring PATHs back as they are in the snapshots of a set (default: all that is\n"
                            "mounted of its volumes). What was made since stays. The set's name does\n"
                            "for its ID.\n"
                            "\n"
                            "Options:\n"
                            " -n, --no-writers          tell no applications\n"
                            " -i, --ignore-writer NAME  go on if this writer fails; may be repeated\n"
                            " -q, --quiet               tell nothing but errors\n"
                            " -h, --help                display this help\n"
                            " -V, --version             display version\n"
                            "\n"
                            "For more details see quiescectl(1).\n";

static const struct option long_options[] = {
        {"no-writers", no_argument, NULL, 'n'},
        {"ignore-writer", required_argument, NULL, 'i'},
        OPTIONS_HOST,
        OPTIONS_QUIET,
        OPTIONS_ALWAYS,
        {},
};

/* @all: what is mounted of all its volumes is to come back */
static int read_snapshots(Restore *restore, bool all) {
        _cleanup_(dict_done) Dict set = {};
        const DictItem *ids;
        int r;

        r = object_properties(&set, restore->backup.bus, restore->set_path, QUIESCE_BUS_SET);
        if (r == 0 && all)
                r = set_check_whole(&set, "name the PATHs to be restored");
        ids = r == 0 ? dict_get(&set, "Snapshots") : NULL;
        for (size_t i = 0; r == 0 && ids && ids->list && ids->list[i]; i++) {
                _cleanup_(dict_done) Dict row = {};
                const Kind *kind;

                r = kind_read_one(&row, restore->backup.bus, ids->list[i], &kind);
                if (r == 0 && !dict_get(&row, "key")) {
                        say("%s: only the user who made its set, and administrators, may look into it",
                            ids->list[i]);
                        return CTL_E_SAID;
                }
                if (r == 0)
                        r = dict_array_add(&restore->snapshots, &row);
        }
        if (r != 0)
                return error_trace(r);
        restore->tree_fds = calloc(restore->snapshots.n_dicts + 1, sizeof(*restore->tree_fds));
        if (!restore->tree_fds)
                return error_origin(-ENOMEM);
        for (size_t i = 0; i < restore->snapshots.n_dicts; i++)
                restore->tree_fds[i] = -EBADF;
        return 0;
}

/**
 * restore_done() - free what a restore holds
 * @restore:    it
 */
void restore_done(Restore *restore) {
        for (size_t i = 0; restore->tree_fds && i < restore->snapshots.n_dicts; i++)
                (void) fd_close(restore->tree_fds[i]);
        free(restore->tree_fds);
        for (size_t i = 0; i < restore->n_files; i++) {
                free(restore->files[i].path);
                free(restore->files[i].inside);
        }
        free(restore->files);
        for (size_t i = 0; i < restore->n_components; i++) {
                free(restore->components[i].writer);
                free(restore->components[i].logical_path);
                free(restore->components[i].name);
        }
        free(restore->components);
        dict_array_done(&restore->snapshots);
        free(restore->set_path);
        quiesce_restore_free(restore->session);
        backup_done(&restore->backup);
}

static void say_restored(const Restore *restore) {
        const Dict *snapshot = &restore->snapshots.dicts[restore->files[0].snapshot];
        char instant[FORMAT_MAX];

        if (restore->common.quiet)
                return;
        (void) format_time(instant, dict_get_number(snapshot, "created-usec"));
        for (size_t i = 0; i < restore->n_files; i++)
                say("%s is as of %s", restore->files[i].path, instant);
}

/* PostRestore follows a good PreRestore, however the copying went. */
static int restore_all(Restore *restore, const char *id, char **paths, size_t n_paths) {
        int r, copied;

        r = backup_init(&restore->backup, &restore->frame);
        if (r == 0)
                r = object_find_set(restore->backup.bus, id, &restore->set_path);
        if (r == 0)
                r = read_snapshots(restore, n_paths == 0);
        if (r == 0)
                r = restore_find_files(restore, paths, n_paths);
        if (r == 0)
                r = restore_open_trees(restore);
        if (r == 0)
                r = restore_tell_writers(restore);
        if (r != 0)
                return r;
        copied = restore_copy(restore);
        if (copied < 0)
                return copied; /* the session ends with us, and tells them that it was not completed */
        r = restore_end_writers(restore);
        if (r == 0 && copied == 0)
                say_restored(restore);
        return r != 0 ? r : copied;
}

/* ignored: room for as many as there are arguments. */
static int parse(Restore *restore, const char **ignored, int argc, char **argv) {
        size_t n_ignored = 0;
        int c, r;

        (void) sigprocmask(SIG_SETMASK, NULL, &restore->signal_mask);
        while ((c = getopt_long(argc, argv, "ni:H:qhV", long_options, NULL)) >= 0) {
                r = options_take(&restore->common, c, usage);
                if (r == OPTIONS_E_DONE)
                        return r;
                if (r == 0)
                        continue;
                if (c == 'n')
                        restore->without_writers = true;
                else if (c == 'i')
                        ignored[n_ignored++] = optarg;
                else {
                        (void) usage_hint("restore");
                        return OPTIONS_E_UNKNOWN;
                }
        }
        if (options_refuse_host(&restore->common, "restore", "ID [PATH...]") != 0)
                return OPTIONS_E_UNKNOWN;
        restore->ignore_writers = ignored;
        restore->frame.quiet = restore->common.quiet;
        if (optind < argc)
                return 0;
        (void) usage_error("restore", "no ID given");
        return OPTIONS_E_UNKNOWN;
}

/**
 * verb_restore() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: the exit status, or a negative errno.
 */
int verb_restore(int argc, char **argv) {
        _cleanup_free_ const char **ignored = calloc((size_t) argc + 1, sizeof(*ignored));
        Restore restore = {};
        int r, signal;

        if (!ignored)
                return error_origin(-ENOMEM);
        r = parse(&restore, ignored, argc, argv);
        if (r != 0)
                return r == OPTIONS_E_DONE ? EXIT_SUCCESS : EXIT_FAILURE;
        r = restore_all(&restore, argv[optind], argv + optind + 1, (size_t) (argc - optind - 1));
        signal = restore.backup.signal;
        if (signal)
                say("interrupted by SIG%s", sigabbrev_np(signal));
        restore_done(&restore);
        if (signal && r == -EINTR)
                return 128 + signal;
        return r == CTL_E_SAID ? EXIT_FAILURE : r;
}
