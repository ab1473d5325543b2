/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What people say of a snapshot set; see set-description.h.
 */

#include "daemon/providers/set-description.h"

#include "util/error.h"
#include "util/macro.h"
#include "util/texts.h"
#include "util/utf8.h"

static const char label_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._=-";

/**
 * set_description_done() - free what it has
 * @description:    emptied
 */
void set_description_done(SetDescription *description) {
        free(description->name);
        free(description->note);
        texts_free(description->labels);
        *description = (SetDescription){};
}

/**
 * set_description_is_empty() - whether nothing was said
 * @description:    it
 *
 * Return: whether.
 */
bool set_description_is_empty(const SetDescription *description) {
        return !description->name && !description->note && !description->labels && !description->locked;
}

/**
 * set_description_has_label() - whether it has a label
 * @description:    it
 * @label:          the whole of it
 *
 * Return: whether.
 */
bool set_description_has_label(const SetDescription *description, const char *label) {
        for (char **l = description->labels; l && *l; l++)
                if (streq(*l, label))
                        return true;
        return false;
}

/* What a terminal would obey instead of showing it is no text. */
static bool is_text(const char *text, size_t max) {
        size_t n = strlen(text);

        for (size_t i = 0; i < n; i++)
                if ((unsigned char) text[i] < 0x20 || text[i] == 0x7f)
                        return false;
        return n <= max && utf8_is_valid(text);
}

static int check(const SetDescriptionChange *change, char *text, size_t n_text) {
        if (change->name && !is_text(change->name, SET_NAME_MAX)) {
                (void) snprintf(text, n_text, "A name has at most %u bytes of UTF-8 in one line.",
                                SET_NAME_MAX);
                return SET_DESCRIPTION_E_INVALID;
        }
        if (change->note && !is_text(change->note, SET_NOTE_MAX)) {
                (void) snprintf(text, n_text, "A note has at most %u bytes of UTF-8 in one line.",
                                SET_NOTE_MAX);
                return SET_DESCRIPTION_E_INVALID;
        }
        for (char **label = change->add_labels; label && *label; label++) {
                size_t n = strlen(*label);

                if (n > 0 && n <= SET_LABEL_MAX && strspn(*label, label_characters) == n)
                        continue;
                (void) snprintf(
                        text, n_text,
                        "\"%.64s\" is no label: it has 1 to %u of the characters A-Z a-z 0-9 . _ = -.",
                        *label, SET_LABEL_MAX);
                return SET_DESCRIPTION_E_INVALID;
        }
        return 0;
}

static bool is_among(char **labels, const char *label) {
        for (; labels && *labels; labels++)
                if (streq(*labels, label))
                        return true;
        return false;
}

/* Those of one list that the others do not have. Return: false: there is no memory, or more than may be. */
static bool add_labels(SetDescription *ret, size_t *n, char **labels, char **but_for, bool *too_many) {
        for (; labels && *labels; labels++) {
                if (is_among(but_for, *labels) || is_among(ret->labels, *labels))
                        continue;
                if (*n == SET_LABELS_MAX) {
                        *too_many = true;
                        return false;
                }
                ret->labels[*n] = strdup(*labels);
                if (!ret->labels[(*n)++])
                        return false;
        }
        return true;
}

static int copy_text(char **ret, const char *was, const char *change) {
        const char *text = change ?: was;

        if (!text || !*text)
                return 0;
        *ret = strdup(text);
        return *ret ? 0 : error_origin(-ENOMEM);
}

static int change_labels(SetDescription *ret, const SetDescription *description,
                         const SetDescriptionChange *change, char *text, size_t n_text) {
        bool too_many = false;
        size_t n = 0;

        ret->labels = calloc(SET_LABELS_MAX + 1, sizeof(*ret->labels));
        if (!ret->labels)
                return error_origin(-ENOMEM);
        if (!add_labels(ret, &n, description->labels, change->remove_labels, &too_many) ||
            !add_labels(ret, &n, change->add_labels, NULL, &too_many)) {
                if (!too_many)
                        return error_origin(-ENOMEM);
                (void) snprintf(text, n_text, "A set has at most %u labels.", SET_LABELS_MAX);
                return SET_DESCRIPTION_E_INVALID;
        }
        if (n == 0) {
                free(ret->labels);
                ret->labels = NULL;
        }
        return 0;
}

/**
 * set_description_change() - what it will be
 * @ret:            set_description_done() it
 * @description:    what it is
 * @change:         what is to become of it; removing what it has not is no error
 * @text:           INVALID: which word is wrong, and what it may be
 * @n_text:         size of @text
 *
 * Return: 0, SET_DESCRIPTION_E_INVALID or -ENOMEM.
 */
int set_description_change(SetDescription *ret, const SetDescription *description,
                           const SetDescriptionChange *change, char *text, size_t n_text) {
        SetDescription new = {.locked = change->locked < 0 ? description->locked : change->locked > 0};
        int r;

        r = check(change, text, n_text);
        if (r == 0)
                r = copy_text(&new.name, description->name, change->name);
        if (r == 0)
                r = copy_text(&new.note, description->note, change->note);
        if (r == 0)
                r = change_labels(&new, description, change, text, n_text);
        if (r != 0) {
                set_description_done(&new);
                return error_trace(r);
        }
        *ret = new;
        return 0;
}

/**
 * set_description_copy() - the same once more
 * @ret:            set_description_done() it
 * @description:    valid
 *
 * Return: 0, or -ENOMEM.
 */
int set_description_copy(SetDescription *ret, const SetDescription *description) {
        const SetDescriptionChange none = {.locked = -1};
        char text[1];

        return error_fold(set_description_change(ret, description, &none, text, sizeof(text)));
}
