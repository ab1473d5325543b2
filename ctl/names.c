/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Names of snapshot sets in the place of ids, as "quiescectl describe --name" gives them. Several sets may
 * have one name; then it stands for none of them, as it may be about deleting one.
 *
 * What looks like an id is one: a set that is called as an id is found by its own id alone.
 */

#include <systemd/sd-id128.h>

#include "ctl/format.h"
#include "ctl/table.h"
#include "quiesce/requester.h"

/* Keeps the sets of that name alone. */
static int read_sets_of_name(DictArray *found, sd_bus *bus, const char *name) {
        _cleanup_(dict_array_done) DictArray sets = {};
        int r;

        r = objects_read(&sets, bus, QUIESCE_BUS_SET);
        for (size_t i = 0; r == 0 && i < sets.n_dicts; i++) {
                Dict *set = &sets.dicts[i];

                r = checked_properties(set, bus, set->name, QUIESCE_BUS_SET);
                if (r == 0 && streq(dict_get_string(set, "name"), name))
                        r = dict_array_add(found, set);
        }
        return error_trace(r);
}

static int say_which(const char *name, const DictArray *found) {
        char created[FORMAT_MAX];

        if (!*name)
                say("an empty ID was given: is a variable not set?");
        else if (found->n_dicts == 0)
                say("%s: there is no snapshot, set or session of this id, nor a set of this name; 'quiescectl "
                    "list' and 'quiescectl list sets' show those there are",
                    name);
        else
                say("%s: %zu sets have this name; give the id of the one that is meant:", name,
                    found->n_dicts);
        for (size_t i = 0; i < found->n_dicts; i++)
                say("%s, of %s", dict_get_string(&found->dicts[i], "Id"),
                    format_local_time(created, dict_get_number(&found->dicts[i], "CreatedUSec")));
        return CTL_E_SAID;
}

/**
 * name_resolve() - the id that a word stands for
 * @bus:        the bus
 * @word:       an id of anything, or a set's name
 * @ret_id:     the word itself, if it is an id, whether there is one or not; or the set's; free() it
 *
 * Only those who may look into a set are told its name: to others it has none.
 *
 * Return: 0, CTL_E_SAID or a negative errno.
 */
int name_resolve(sd_bus *bus, const char *word, char **ret_id) {
        _cleanup_(dict_array_done) DictArray found = {};
        const char *id = word;
        sd_id128_t ignored;
        int r;

        if (sd_id128_from_string(word, &ignored) < 0) {
                r = *word ? read_sets_of_name(&found, bus, word) : 0;
                if (r != 0)
                        return r;
                if (found.n_dicts != 1)
                        return say_which(word, &found);
                id = dict_get_string(&found.dicts[0], "Id");
        }
        *ret_id = strdup(id);
        return *ret_id ? 0 : error_origin(-ENOMEM);
}
