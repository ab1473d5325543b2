/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The file of "set metadata" and "load metadata": quiesce-document(5), with the aliases in a key of our own;
 * see script-run.h. diskshadow keeps them in its cabinet, too.
 */

#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>

#include "ctl/script-run.h"

#define DOCUMENT_SIZE_MAX (8u << 20)

/* Takes the document's text; the aliases come into it. Return: free() it; NULL: no memory, or no JSON. */
static char *with_aliases(const Variables *variables, const char *text) {
        json_t *document = json_loads(text, 0, NULL), *aliases = json_object();
        char *whole = NULL;

        for (size_t i = 0; i < variables->n_items; i++)
                (void) json_object_set_new(aliases, variables->items[i].name,
                                           json_string(variables->items[i].value));
        if (document && json_object_set_new(document, "aliases", aliases) == 0)
                whole = json_dumps(document, JSON_INDENT(2));
        else if (!document)
                json_decref(aliases);
        json_decref(document);
        return whole;
}

/* Whole or not at all, and readable for its owner alone: it tells where everything lies. */
static int write_file(const char *path, const char *text) {
        _cleanup_free_ char *temporary = NULL;
        _cleanup_close_ int fd = -EBADF;
        size_t size = strlen(text);

        if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
                return -ENOMEM;
        fd = mkostemp(temporary, O_CLOEXEC);
        if (fd < 0)
                return -errno;
        for (size_t at = 0; at < size;) {
                ssize_t n = write(fd, text + at, size - at);

                if (n < 0 && errno != EINTR) {
                        int r = -errno;

                        (void) unlink(temporary);
                        return r;
                }
                at += n > 0 ? (size_t) n : 0;
        }
        if (fsync(fd) < 0 || rename(temporary, path) < 0) {
                int r = -errno;

                (void) unlink(temporary);
                return r;
        }
        return 0;
}

/**
 * document_save() - write the file of "set metadata", if there is to be one
 * @run:        its set is made
 *
 * Return: as said in script-run.h.
 */
int document_save(ScriptRun *run) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *document = NULL, *whole = NULL;
        int r;

        if (!run->metadata)
                return 0;
        r = quiesce_backup_save_document(run->backup.session, &document, &error);
        if (r < 0)
                return run_say_bus_error(run, "the backup's document cannot be saved", &error, r);
        whole = with_aliases(&run->variables, document);
        r = whole ? write_file(run->metadata, whole) : -ENOMEM;
        if (r == 0)
                return 0;
        run_say(run, "%s cannot be written: %s", run->metadata, strerror(-r));
        return CTL_E_SAID;
}

static int read_file(const char *path, char **ret) {
        _cleanup_fclose_ FILE *file = fopen(path, "re");
        _cleanup_free_ char *text = malloc(DOCUMENT_SIZE_MAX + 1);
        size_t n;

        if (!file)
                return -errno;
        if (!text)
                return -ENOMEM;
        n = fread(text, 1, DOCUMENT_SIZE_MAX + 1, file);
        if (ferror(file))
                return -EIO;
        if (n > DOCUMENT_SIZE_MAX)
                return -EFBIG;
        text[n] = '\0';
        *ret = TAKE_PTR(text);
        return 0;
}

static int load_string(ScriptRun *run, const char *name, const json_t *value) {
        const char *text = json_string_value(value);

        return text ? error_trace(variables_set(&run->variables, name, text)) : 0;
}

/* Those that it has, and those that "create" would have set. */
static int load_aliases(ScriptRun *run, json_t *document) {
        json_t *aliases = json_object_get(document, "aliases"), *value, *snapshot;
        char number[PROGRAM_NAME_MAX];
        const char *name;
        size_t i;
        int r;

        r = load_string(run, "VSS_SHADOW_SET", json_object_get(document, "set"));
        json_array_foreach(json_object_get(document, "snapshots"), i, snapshot) {
                (void) snprintf(number, sizeof(number), "VSS_SHADOW_%zu", i + 1);
                if (r == 0)
                        r = load_string(run, number, json_object_get(snapshot, "id"));
        }
        json_object_foreach(aliases, name, value) {
                if (r == 0 &&
                    (alias_is_valid(name) || strncmp(name, "VSS_SHADOW_", strlen("VSS_SHADOW_")) == 0))
                        r = load_string(run, name, value);
        }
        return error_trace(r);
}

/**
 * document_load() - load metadata
 * @run:        gets the document, and its aliases
 * @path:       the file
 *
 * Return: as said in script-run.h.
 */
int document_load(ScriptRun *run, const char *path) {
        json_error_t wrong;
        json_t *document;
        int r;

        free(run->document);
        run->document = NULL;
        r = read_file(path, &run->document);
        if (r < 0) {
                run_say(run, "%s cannot be read: %s", path, strerror(-r));
                return CTL_E_SAID;
        }
        document = json_loads(run->document, JSON_REJECT_DUPLICATES, &wrong);
        if (!json_is_object(document)) {
                run_say(run, "%s is no document of a backup: line %d: %s; 'set metadata' writes one", path,
                        wrong.line, document ? "no object" : wrong.text);
                json_decref(document);
                return CTL_E_SAID;
        }
        r = load_aliases(run, document);
        json_decref(document);
        return error_trace(r);
}

static const char *string_of(const json_t *object, const char *key) {
        const char *text = json_string_value(json_object_get(object, key));

        return text ? text : "";
}

/**
 * document_components() - the components that were backed up
 * @run:        a document is loaded
 * @ret:        they are added; components_done() it in any case
 *
 * Those of writers whose data was not in the set are none of them.
 *
 * Return: 0 or a negative errno.
 */
int document_components(ScriptRun *run, ScriptComponents *ret) {
        json_t *document = json_loads(run->document, 0, NULL), *writer, *component;
        size_t i, j;
        int r = 0;

        json_array_foreach(json_object_get(document, "writers"), i, writer) {
                if (!json_is_true(json_object_get(writer, "takes-part")))
                        continue;
                json_array_foreach(json_object_get(writer, "components"), j, component) {
                        if (r == 0)
                                r = components_add(ret, string_of(writer, "name"),
                                                   string_of(component, "logical-path"),
                                                   string_of(component, "name"), true);
                }
        }
        json_decref(document);
        return error_trace(r);
}
