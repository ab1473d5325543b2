/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is in a document, and questions about it; see document.h.
 */

#include "daemon/documents/document.h"

#include "util/error.h"

/**
 * document_new() - a document that says nothing yet
 * @ret:        the document
 *
 * Return: 0, or -ENOMEM.
 */
int document_new(Document **ret) {
        Document *document = calloc(1, sizeof(*document));

        if (!document)
                return error_origin(-ENOMEM);
        *ret = document;
        return 0;
}

static void component_done(DocumentComponent *component) {
        free(component->logical_path);
        free(component->name);
        free(component->options);
        free(component->previous_stamp);
        free(component->backup_stamp);
        free(component->backup_metadata);
        free(component->restore_options);
        free(component->file_restore_status);
}

static void writer_done(DocumentWriter *writer) {
        for (size_t i = 0; i < writer->n_components; i++)
                component_done(&writer->components[i]);
        free(writer->components);
        free(writer->name);
        free(writer->failure);
        (void) writer_metadata_unref(writer->metadata);
}

/**
 * document_free() - forget a document
 * @document:   the document, or NULL
 *
 * Return: NULL.
 */
Document *document_free(Document *document) {
        if (!document)
                return NULL;
        for (size_t i = 0; i < document->n_snapshots; i++) {
                free(document->snapshots[i].id);
                free(document->snapshots[i].volume);
                free(document->snapshots[i].key);
        }
        for (size_t i = 0; i < document->n_writers; i++)
                writer_done(&document->writers[i]);
        free(document->snapshots);
        free(document->writers);
        free(document->session);
        free(document->set);
        free(document->context);
        free(document->type);
        free(document->consistency);
        json_decref(document->read);
        free(document);
        return NULL;
}

static int grow(void **items, size_t *n, size_t size) {
        void *grown = reallocarray(*items, *n + 1, size);

        if (!grown)
                return error_origin(-ENOMEM);
        memset((char *) grown + *n * size, 0, size);
        *items = grown;
        (*n)++;
        return 0;
}

/**
 * document_add_snapshot() - one more snapshot
 * @document:   the document
 * @ret:        it, until the next one is added
 *
 * Return: 0, or -ENOMEM.
 */
int document_add_snapshot(Document *document, DocumentSnapshot **ret) {
        int r;

        r = grow((void **) &document->snapshots, &document->n_snapshots, sizeof(*document->snapshots));
        if (r == 0)
                *ret = &document->snapshots[document->n_snapshots - 1];
        return error_trace(r);
}

/**
 * document_add_writer() - one more writer
 * @document:   the document
 * @ret:        it, until the next one is added
 *
 * Return: 0, or -ENOMEM.
 */
int document_add_writer(Document *document, DocumentWriter **ret) {
        int r;

        r = grow((void **) &document->writers, &document->n_writers, sizeof(*document->writers));
        if (r == 0)
                *ret = &document->writers[document->n_writers - 1];
        return error_trace(r);
}

/**
 * document_writer_add_component() - one more component that was selected
 * @writer:     its writer
 * @ret:        it, until the next one is added
 *
 * Return: 0, or -ENOMEM.
 */
int document_writer_add_component(DocumentWriter *writer, DocumentComponent **ret) {
        int r;

        r = grow((void **) &writer->components, &writer->n_components, sizeof(*writer->components));
        if (r < 0)
                return error_trace(r);
        *ret = &writer->components[writer->n_components - 1];
        (*ret)->succeeded = -1;
        return 0;
}

/**
 * document_find_writer() - by name
 * @document:   the document
 * @name:       the writer's
 *
 * Return: the writer, or NULL.
 */
const DocumentWriter *document_find_writer(const Document *document, const char *name) {
        for (size_t i = 0; i < document->n_writers; i++)
                if (streq(document->writers[i].name, name))
                        return &document->writers[i];
        return NULL;
}

/**
 * document_find_component() - of those that were selected
 * @writer:         the writer
 * @logical_path:   of it
 * @name:           of it
 *
 * Return: the component, or NULL.
 */
const DocumentComponent *document_find_component(const DocumentWriter *writer, const char *logical_path,
                                                 const char *name) {
        for (size_t i = 0; i < writer->n_components; i++)
                if (streq(writer->components[i].name, name) &&
                    streq(writer->components[i].logical_path, logical_path))
                        return &writer->components[i];
        return NULL;
}

static const WriterComponent *declared(const DocumentWriter *writer, const DocumentComponent *selected) {
        for (size_t i = 0; i < writer->metadata->n_components; i++) {
                const WriterComponent *component = &writer->metadata->components[i];

                if (streq(component->name, selected->name) &&
                    streq(component->logical_path, selected->logical_path))
                        return component;
        }
        return NULL;
}

/* Whether a logical path leads through a component. */
static bool leads_through(const char *path, const DocumentComponent *above) {
        size_t n_path = strlen(above->logical_path), n_name = strlen(above->name);

        if (n_path > 0) {
                if (strncmp(path, above->logical_path, n_path) != 0 || path[n_path] != '/')
                        return false;
                path += n_path + 1;
        }
        return strncmp(path, above->name, n_name) == 0 && (path[n_name] == '\0' || path[n_name] == '/');
}

/**
 * document_backed_up() - what is known of a component's backup
 * @writer:         the writer
 * @logical_path:   of the component
 * @name:           of it
 *
 * Return: by itself, with another that is selectable and includes it, or not.
 */
ContractBackedUp document_backed_up(const DocumentWriter *writer, const char *logical_path,
                                    const char *name) {
        if (document_find_component(writer, logical_path, name))
                return CONTRACT_BACKED_UP_BY_ITSELF;
        for (size_t i = 0; i < writer->n_components; i++) {
                const WriterComponent *above = declared(writer, &writer->components[i]);

                if (above && above->selectable && leads_through(logical_path, &writer->components[i]))
                        return CONTRACT_BACKED_UP_WITH_ANOTHER;
        }
        return CONTRACT_NOT_BACKED_UP;
}
