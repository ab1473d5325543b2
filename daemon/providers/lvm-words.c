/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What people say of a set, as LVM tags; see lvm-words.h.
 *
 * LVM's alphabet for tags is A-Za-z0-9_+.-/=!:&#: every byte that is not a letter, a digit or one of "_.-="
 * is written as # and two hexadecimal digits, so that any text fits and a reader of `lvs -o tags` still
 * recognises most of it.
 */

#include "daemon/providers/lvm-words.h"

#include <ctype.h>

#include "util/error.h"
#include "util/texts.h"

#define TAG_NAME   "quiesced.name="
#define TAG_NOTE   "quiesced.note="
#define TAG_LABEL  "quiesced.label="
#define TAG_LOCKED "quiesced.locked"

/* Return: false if it does not fit. */
static bool encode(char ret[static LVM_WORD_TAG_SIZE], const char *prefix, const char *text) {
        size_t n = strlen(prefix);

        memcpy(ret, prefix, n);
        for (; *text; text++) {
                unsigned char c = (unsigned char) *text;

                if (n + 4 > LVM_WORD_TAG_SIZE)
                        return false;
                if (c < 0x80 && (isalnum(c) || strchr("_.-=", c)))
                        ret[n++] = (char) c;
                else
                        n += (size_t) snprintf(ret + n, LVM_WORD_TAG_SIZE - n, "#%02x", c);
        }
        ret[n] = '\0';
        return true;
}

static int digit(char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Return: false if the text is not what encode() writes. */
static bool decode(char ret[static LVM_WORD_TAG_SIZE], const char *text) {
        size_t n = 0;

        for (; *text && n + 1 < LVM_WORD_TAG_SIZE; text++) {
                char c = *text;

                if (c == '#') {
                        int high = digit(text[1]), low = high < 0 ? -1 : digit(text[2]);

                        if (low < 0 || (high == 0 && low == 0))
                                return false;
                        c = (char) (high * 16 + low);
                        text += 2;
                }
                ret[n++] = c;
        }
        ret[n] = '\0';
        return !*text;
}

static int add_tag(char ***tags, size_t *n, const char *prefix, const char *text) {
        char tag[LVM_WORD_TAG_SIZE];

        if (!text)
                return 0;
        if (!encode(tag, prefix, text))
                return error_origin(-E2BIG);
        return error_trace(texts_add(tags, n, tag));
}

/**
 * lvm_words_has() - whether a tag is among others
 * @tags:       NULL-terminated, or NULL
 * @tag:        it
 *
 * Return: whether.
 */
bool lvm_words_has(char **tags, const char *tag) {
        for (; tags && *tags; tags++)
                if (streq(*tags, tag))
                        return true;
        return false;
}

/**
 * lvm_words_to_tags() - the tags that say it
 * @ret:            NULL-terminated, or NULL if nothing was said; texts_free() it
 * @description:    valid
 *
 * Return: 0, or a negative errno.
 */
int lvm_words_to_tags(char ***ret, const SetDescription *description) {
        char **tags = NULL;
        size_t n = 0;
        int r;

        r = add_tag(&tags, &n, TAG_NAME, description->name);
        if (r >= 0)
                r = add_tag(&tags, &n, TAG_NOTE, description->note);
        for (char **label = description->labels; r >= 0 && label && *label; label++)
                r = add_tag(&tags, &n, TAG_LABEL, *label);
        if (r >= 0 && description->locked)
                r = texts_add(&tags, &n, TAG_LOCKED);
        if (r < 0) {
                (void) texts_free(tags);
                return error_trace(r);
        }
        *ret = tags;
        return 0;
}

static const char *after(const char *tag, const char *prefix) {
        size_t n = strlen(prefix);

        return strncmp(tag, prefix, n) == 0 ? tag + n : NULL;
}

/* One tag more; what is damaged is left out. */
static int read_tag(SetDescription *description, const char *tag) {
        char value[LVM_WORD_TAG_SIZE], text[CONTRACT_TEXT_MAX], *labels[] = {value, NULL};
        SetDescriptionChange change = {.locked = -1};
        SetDescription changed;
        const char *word;
        int r;

        if ((word = after(tag, TAG_NAME)))
                change.name = value;
        else if ((word = after(tag, TAG_NOTE)))
                change.note = value;
        else if ((word = after(tag, TAG_LABEL)))
                change.add_labels = labels;
        else if (streq(tag, TAG_LOCKED))
                change.locked = true;
        if (word && !decode(value, word))
                return 0;
        if (!word && change.locked < 0)
                return 0;
        r = set_description_change(&changed, description, &change, text, sizeof(text));
        if (r != 0)
                return error_trace(r < 0 ? r : 0);
        set_description_done(description);
        *description = changed;
        return 0;
}

/**
 * lvm_words_read() - what tags say
 * @ret:        set_description_done() it
 * @tags:       all of an LV, NULL-terminated; a damaged one says nothing, and costs nobody his snapshot
 *
 * Return: 0, or -ENOMEM.
 */
int lvm_words_read(SetDescription *ret, char **tags) {
        SetDescription description = {};

        for (; tags && *tags; tags++) {
                int r = read_tag(&description, *tags);

                if (r < 0) {
                        set_description_done(&description);
                        return error_trace(r);
                }
        }
        *ret = description;
        return 0;
}
