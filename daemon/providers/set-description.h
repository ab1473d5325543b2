/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What people say of a snapshot set: a name, a note, labels by which rules find it, and that it is not to be
 * deleted. Pure.
 *
 * It is users' data: it is answered by methods that are checked, never told in a property or signal. It says
 * nothing of what the set is; two sets may have one name.
 */

#include <stdbool.h>
#include <stddef.h>

#define SET_NAME_MAX   127u /* bytes of UTF-8, without the NUL */
#define SET_NOTE_MAX   255u
#define SET_LABEL_MAX  63u
#define SET_LABELS_MAX 8u

typedef struct SetDescription {
        char *name, *note; /* NULL: none */
        char **labels;     /* NULL-terminated, none twice; NULL: none */
        bool locked;       /* it is deleted only by force */
} SetDescription;

/* What is to become of it. */
typedef struct SetDescriptionChange {
        const char *name, *note; /* NULL: stays; "": none any more */
        char **add_labels, **remove_labels;
        int locked; /* negative: stays */
} SetDescriptionChange;

enum {
        _SET_DESCRIPTION_E_SUCCESS,
        SET_DESCRIPTION_E_INVALID, /* the text says what is wrong with which word */
};

int set_description_change(SetDescription *ret, const SetDescription *description,
                           const SetDescriptionChange *change, char *text, size_t n_text);
int set_description_copy(SetDescription *ret, const SetDescription *description);
void set_description_done(SetDescription *description);
bool set_description_is_empty(const SetDescription *description);
bool set_description_has_label(const SetDescription *description, const char *label);
