/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a server consists of; see look.h.
 *
 * Variables tell where what is; those that this server does not have are passed over. What is below another
 * place that was told is told all the same, as it may be a file system of its own.
 */

#include "writers.d/mariadb/look.h"

#include <ctype.h>

#include "util/error.h"

typedef enum PlaceKind {
        PLACE_FOLDER,
        PLACE_LOG, /* the value is what the names of all its files begin with */
        PLACE_FILE,
} PlaceKind;

static const struct {
        const char *variable;
        PlaceKind kind;
        const char *pattern;
        bool recursive;
        const char *what;
} variables[] = {
        {"datadir", PLACE_FOLDER, "*", true, "data directory"},
        {"innodb_log_group_home_dir", PLACE_FOLDER, "ib_logfile*", false, "InnoDB log"},
        {"innodb_undo_directory", PLACE_FOLDER, "undo*", false, "InnoDB undo tablespaces"},
        {"innodb_doublewrite_dir", PLACE_FOLDER, "*.dblwr", false, "InnoDB doublewrite files"},
        {"aria_log_dir_path", PLACE_FOLDER, "aria_log*", false, "Aria log"},
        {"rocksdb_datadir", PLACE_FOLDER, "*", true, "MyRocks data directory"},
        {"rocksdb_wal_dir", PLACE_FOLDER, "*.log", false, "MyRocks log"},
        {"log_bin_basename", PLACE_LOG, NULL, false, "binary log"},
        {"log_bin_index", PLACE_FILE, NULL, false, "binary log's index"},
        {"relay_log_basename", PLACE_LOG, NULL, false, "relay log"},
        {"relay_log_index", PLACE_FILE, NULL, false, "relay log's index"},
};

/* ── Places, each once ── */

/**
 * places_done() - forget them
 * @places:     emptied
 */
void places_done(Places *places) {
        for (size_t i = 0; i < places->n_folders; i++)
                free(places->folders[i]);
        free(places->folders);
        *places = (Places){};
}

static int remember(Places *places, const char *folder, bool *ret_new) {
        char **grown;

        for (size_t i = 0; i < places->n_folders; i++)
                if (streq(places->folders[i], folder)) {
                        *ret_new = false;
                        return 0;
                }
        grown = reallocarray(places->folders, places->n_folders + 1, sizeof(*grown));
        if (!grown)
                return error_origin(-ENOMEM);
        places->folders = grown;
        grown[places->n_folders] = strdup(folder);
        if (!grown[places->n_folders])
                return error_origin(-ENOMEM);
        places->n_folders++;
        *ret_new = true;
        return 0;
}

/**
 * places_add() - a folder of the server's
 * @places:     each is told once
 * @folder:     absolute, as the server knows it
 * @pattern:    of its files
 * @recursive:  and all folders below
 * @what:       for people
 *
 * Return: 0, or negative errno.
 */
int places_add(Places *places, const char *folder, const char *pattern, bool recursive, const char *what) {
        _cleanup_free_ char *key = NULL;
        bool is_new;
        int r;

        if (places->data && !recursive && streq(folder, places->data))
                return 0;
        if (asprintf(&key, "%s\n%s", folder, pattern) < 0)
                return error_origin(-ENOMEM);
        r = remember(places, key, &is_new);
        if (r == 0 && is_new)
                r = facts_add_path(places->facts, folder, pattern, recursive, what);
        return error_trace(r);
}

static int split(const char *path, char **ret_folder, const char **ret_name) {
        const char *slash = strrchr(path, '/');

        if (!slash)
                return error_origin(-EINVAL);
        *ret_folder = strndup(path, slash == path ? 1 : (size_t) (slash - path));
        *ret_name = slash + 1;
        return *ret_folder ? 0 : error_origin(-ENOMEM);
}

/**
 * places_add_folder_of() - a table's file that lies elsewhere
 * @places:     its folder is told once, with all that is in it
 * @path:       of the file, absolute, as the server knows it
 * @what:       for people
 *
 * Return: 0, or negative errno.
 */
int places_add_folder_of(Places *places, const char *path, const char *what) {
        _cleanup_free_ char *folder = NULL;
        const char *name;
        int r;

        r = split(path, &folder, &name);
        return error_trace(r < 0 ? r : places_add(places, folder, "*", false, what));
}

/* ── Variables ── */

static const char *setting(MYSQL_RES *rows, const char *name) {
        MYSQL_ROW row;

        mysql_data_seek(rows, 0);
        while ((row = mysql_fetch_row(rows)))
                if (strcasecmp(row[0], name) == 0)
                        return row[1] ? row[1] : "";
        return "";
}

/* Without slashes at the end and a "./" at the beginning; relative paths are the data directory's. */
static int absolute(MYSQL_RES *settings, const char *value, char **ret) {
        const char *base = setting(settings, "datadir");
        size_t n;

        while (value[0] == '.' && value[1] == '/')
                value += 2 + strspn(value + 2, "/");
        if (streq(value, "."))
                value = "";
        if ((value[0] == '/' ? asprintf(ret, "%s", value) : asprintf(ret, "%s/%s", base, value)) < 0) {
                *ret = NULL;
                return error_origin(-ENOMEM);
        }
        for (n = strlen(*ret); n > 1 && (*ret)[n - 1] == '/'; n--)
                (*ret)[n - 1] = '\0';
        return 0;
}

static int add_file(Places *places, const char *path, const char *what) {
        _cleanup_free_ char *folder = NULL;
        const char *name;
        int r;

        r = split(path, &folder, &name);
        return error_trace(r < 0 ? r : places_add(places, folder, name, false, what));
}

static int add_variables(Places *places, MYSQL_RES *settings) {
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(variables) && r >= 0; i++) {
                const char *value = setting(settings, variables[i].variable);
                _cleanup_free_ char *path = NULL, *files = NULL;

                if (!value[0])
                        continue;
                r = absolute(settings, value, &path);
                if (r < 0)
                        break;
                switch (variables[i].kind) {
                case PLACE_FOLDER:
                        r = places_add(places, path, variables[i].pattern, variables[i].recursive,
                                       variables[i].what);
                        break;
                case PLACE_LOG:
                        if (asprintf(&files, "%s.*", path) < 0) {
                                files = NULL;
                                return error_origin(-ENOMEM);
                        }
                        r = add_file(places, files, variables[i].what);
                        break;
                case PLACE_FILE:
                        r = add_file(places, path, variables[i].what);
                        break;
                }
        }
        return error_trace(r);
}

/* innodb_data_file_path: "FILE:SIZE[:autoextend…];FILE:SIZE", in innodb_data_home_dir unless absolute. A
 * colon of the name itself is not followed by a size. */
static int add_system_tablespace(Places *places, MYSQL_RES *settings) {
        const char *home = setting(settings, "innodb_data_home_dir");
        const char *text = setting(settings, "innodb_data_file_path");
        int r = 0;

        while (*text && r == 0) {
                _cleanup_free_ char *file = NULL, *path = NULL, *place = NULL;
                size_t n = strcspn(text, ";"), name = 0;

                while (name < n && !(text[name] == ':' && isdigit((unsigned char) text[name + 1])))
                        name++;
                file = strndup(text, name);
                if (!file || (file[0] != '/' && home[0] ? asprintf(&path, "%s/%s", home, file)
                                                        : asprintf(&path, "%s", file)) < 0)
                        return error_origin(-ENOMEM);
                r = absolute(settings, path, &place);
                if (r == 0 && name > 0)
                        r = add_file(places, place, "InnoDB system tablespace");
                text += n + (text[n] == ';');
        }
        return error_trace(r);
}

/* ── Tables with DATA DIRECTORY, general tablespaces ── */

static int add_tablespaces(Places *places, Server *server, Report *report) {
        /* The first is MariaDB's since 10.6, the second its before, the third MySQL's. */
        static const char *const questions[] = {
                "SELECT filename FROM information_schema.innodb_sys_tablespaces WHERE filename LIKE '/%'",
                "SELECT path FROM information_schema.innodb_sys_datafiles WHERE path LIKE '/%'",
                "SELECT path FROM information_schema.innodb_datafiles WHERE path LIKE '/%'",
        };
        _cleanup_(mysql_free_resultp) MYSQL_RES *rows = NULL;
        MYSQL_ROW row;
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(questions) && !rows; i++) {
                if (client_ask(server, questions[i], &rows) == 0)
                        break;
                if (client_is_lost(server) || i + 1 == ELEMENTSOF(questions))
                        return client_fail(server, report, "the list of tablespaces");
        }
        while (r >= 0 && (row = mysql_fetch_row(rows)))
                if (row[0])
                        r = places_add_folder_of(places, row[0], "tablespace");
        return error_trace(r);
}

/* ── Databases ── */

static int add_databases(Facts *facts, Server *server, Report *report) {
        static const char *const made_up[] = {"information_schema", "performance_schema", "sys"};
        _cleanup_(mysql_free_resultp) MYSQL_RES *rows = NULL;
        MYSQL_ROW row;
        int r;

        r = client_must_ask(server, report, "SHOW DATABASES", &rows);
        while (r >= 0 && (row = mysql_fetch_row(rows))) {
                bool is_data = row[0];

                for (size_t i = 0; i < ELEMENTSOF(made_up) && is_data; i++)
                        is_data = strcasecmp(row[0], made_up[i]) != 0;
                if (is_data)
                        r = facts_add_database(facts, row[0]);
        }
        return error_trace(r);
}

static int set_version(Facts *facts, Server *server) {
        State *state = server_state(server);
        const char *text = mysql_get_server_info(state->mysql);
        _cleanup_free_ char *version = NULL;

        if (asprintf(&version, "%.*s%s", (int) strcspn(text, "-"), text, state->is_mysql ? " (MySQL)" : "") <
            0)
                return error_origin(-ENOMEM);
        return error_trace(facts_set_version(facts, version));
}

/**
 * look() - what the server consists of
 * @server:     connected
 * @facts:      told
 * @report:     told if it cannot be found out
 *
 * Return: 0; -ECANCELED; another negative errno.
 */
int look(Server *server, Facts *facts, Report *report) {
        State *state = server_state(server);
        _cleanup_(mysql_free_resultp) MYSQL_RES *settings = NULL;
        _cleanup_(places_done) Places places = {.facts = facts};
        _cleanup_free_ char *folder = NULL;
        int r;

        r = set_version(facts, server);
        if (r == 0)
                r = client_must_ask(server, report, "SHOW GLOBAL VARIABLES", &settings);
        if (r < 0)
                return error_trace(r);
        if (!setting(settings, "datadir")[0])
                return report_fail(report, QUIESCE_FAILURE_NON_RETRYABLE,
                                   "the server does not tell where its data directory is");
        state->loses_log = !streq(setting(settings, "innodb_flush_log_at_trx_commit"), "1");
        state->writes_log_later = streq(setting(settings, "innodb_flush_log_at_trx_commit"), "0");
        state->loses_binary_log = strcasecmp(setting(settings, "log_bin"), "ON") == 0 &&
                                  !streq(setting(settings, "sync_binlog"), "1");
        r = absolute(settings, setting(settings, "datadir"), &folder);
        places.data = folder;
        if (r == 0)
                r = add_variables(&places, settings);
        if (r == 0)
                r = add_system_tablespace(&places, settings);
        if (r == 0)
                r = add_tablespaces(&places, server, report);
        if (r == 0)
                r = add_databases(facts, server, report);
        return error_trace(r < 0 ? r : links_find(&places, server_instance(server), folder, report));
}
