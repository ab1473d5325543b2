/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What quiescectl begin prints when the set is there: the session's id, or all that is known as JSON.
 */

#include "ctl/json.h"
#include "ctl/resident.h"

/* As "show" prints it. point: where it is mounted; member: whether it is told. */
static int add_object(json_t *document, sd_bus *bus, const char *id, bool member, const char *point) {
        _cleanup_(dict_done) Dict row = {};
        const Kind *kind;
        json_t *object;
        int r;

        r = kind_read_one(&row, bus, id, &kind);
        if (r != 0)
                return r;
        object = json_from_row(kind->columns, kind->n_columns, &row);
        if (member)
                (void) json_object_set_new(object, "mounted", point ? json_string(point) : json_null());
        return error_trace(json_add_row(document, kind, object));
}

/**
 * resident_print() - tell on standard output that the set is there
 * @resident:   its set is made, its snapshots mounted
 *
 * Return: as said in resident.h.
 */
int resident_print(const Resident *resident) {
        const Backup *backup = &resident->backup;
        const char *session = quiesce_backup_get_id(backup->session);
        json_t *document;
        int r;

        if (!resident->options->json)
                return puts(session) < 0 || fflush(stdout) != 0 ? error_origin(-EIO) : 0;
        document = json_object();
        r = add_object(document, backup->bus, session, false, NULL);
        if (r == 0)
                r = add_object(document, backup->bus, backup->set->id, false, NULL);
        for (size_t i = 0; r == 0 && i < resident->n_snapshots; i++)
                r = add_object(document, backup->bus, resident->snapshots[i].id, true,
                               resident->snapshots[i].point);
        if (r != 0) {
                json_decref(document);
                return r;
        }
        r = json_print(document);
        return r >= 0 && fflush(stdout) != 0 ? error_origin(-EIO) : r;
}
