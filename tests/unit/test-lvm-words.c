/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What people say of a set: checked, written as tags within LVM's alphabet, and read again. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/providers/lvm-words.h"
#include "util/texts.h"

#define ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+.-/=!:&#"

static char text[CONTRACT_TEXT_MAX];

static int describe(SetDescription *ret, const SetDescriptionChange *change) {
        const SetDescription nothing = {};

        return set_description_change(ret, &nothing, change, text, sizeof(text));
}

static void assert_read_back(const SetDescription *description) {
        SetDescription again;
        char **tags;

        assert_int_equal(lvm_words_to_tags(&tags, description), 0);
        for (char **tag = tags; tag && *tag; tag++) {
                assert_int_equal(strspn(*tag, ALPHABET), strlen(*tag));
                assert_true(strlen(*tag) < LVM_WORD_TAG_SIZE);
        }
        assert_int_equal(lvm_words_read(&again, tags), 0);
        assert_true(streq_ptr(again.name, description->name));
        assert_true(streq_ptr(again.note, description->note));
        assert_int_equal(again.locked, description->locked);
        for (char **label = description->labels; label && *label; label++)
                assert_true(set_description_has_label(&again, *label));
        set_description_done(&again);
        (void) texts_free(tags);
}

static void test_read_back(void **state) {
        char *labels[] = {(char *) "daily", (char *) "tier=1", (char *) "daily", NULL};
        const SetDescriptionChange change = {
                .name = "two words, #1 \"\xc3\xa4\"", .note = "a=b&c", .add_labels = labels, .locked = true};
        SetDescription description;

        assert_int_equal(describe(&description, &change), 0);
        assert_string_equal(description.labels[0], "daily");
        assert_string_equal(description.labels[1], "tier=1");
        assert_null(description.labels[2]);
        assert_read_back(&description);
        set_description_done(&description);
        assert_true(set_description_is_empty(&description));
}

/* A note of 255 bytes of which each is written as three still is a tag. */
static void test_longest(void **state) {
        char note[SET_NOTE_MAX + 2];
        const SetDescriptionChange change = {.note = note, .locked = -1};
        SetDescription description;

        memset(note, '#', sizeof(note));
        note[SET_NOTE_MAX] = '\0';
        assert_int_equal(describe(&description, &change), 0);
        assert_read_back(&description);
        set_description_done(&description);
        note[SET_NOTE_MAX] = '#';
        note[SET_NOTE_MAX + 1] = '\0';
        assert_int_equal(describe(&description, &change), SET_DESCRIPTION_E_INVALID);
}

static void test_refused(void **state) {
        static const char *const names[] = {"a\nb", "\x1b[2J", "\x7f", "\xff"};
        char *labels[] = {NULL, NULL};
        const SetDescriptionChange with_label = {.add_labels = labels, .locked = -1};
        SetDescription description;

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                const SetDescriptionChange change = {.name = names[i], .locked = -1};

                assert_int_equal(describe(&description, &change), SET_DESCRIPTION_E_INVALID);
        }
        labels[0] = (char *) "";
        assert_int_equal(describe(&description, &with_label), SET_DESCRIPTION_E_INVALID);
        labels[0] = (char *) "a/b";
        assert_int_equal(describe(&description, &with_label), SET_DESCRIPTION_E_INVALID);
        assert_non_null(strstr(text, "a/b"));
}

/* A label is removed before others are added, so a full set can exchange one. */
static void test_change(void **state) {
        char *eight[] = {(char *) "1", (char *) "2", (char *) "3", (char *) "4", (char *) "5",
                         (char *) "6", (char *) "7", (char *) "8", NULL};
        char *one[] = {(char *) "1", NULL}, *nine[] = {(char *) "9", NULL};
        const SetDescriptionChange full = {.name = "n", .add_labels = eight, .locked = true};
        const SetDescriptionChange more = {.add_labels = nine, .locked = -1};
        const SetDescriptionChange exchange = {
                .name = "", .add_labels = nine, .remove_labels = one, .locked = false};
        SetDescription before, after;

        assert_int_equal(describe(&before, &full), 0);
        assert_int_equal(set_description_change(&after, &before, &more, text, sizeof(text)),
                         SET_DESCRIPTION_E_INVALID);
        assert_int_equal(set_description_change(&after, &before, &exchange, text, sizeof(text)), 0);
        assert_null(after.name);
        assert_false(after.locked);
        assert_false(set_description_has_label(&after, "1"));
        assert_true(set_description_has_label(&after, "9"));
        set_description_done(&before);
        set_description_done(&after);
}

/* Somebody has been at the tags: what cannot be read says nothing, the rest does. */
static void test_damaged(void **state) {
        static const char *const tags[] = {"quiesced.final",
                                           "quiesced.name=a#2",
                                           "quiesced.name=#zz",
                                           "quiesced.name=#00",
                                           "quiesced.name=#0a",
                                           "quiesced.label=",
                                           "quiesced.label=a#20b",
                                           "quiesced.note=good",
                                           "quiesced.locked",
                                           "quiesced.label=#ff",
                                           NULL};
        SetDescription description;

        assert_int_equal(lvm_words_read(&description, (char **) tags), 0);
        assert_null(description.name);
        assert_null(description.labels);
        assert_string_equal(description.note, "good");
        assert_true(description.locked);
        set_description_done(&description);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_read_back), cmocka_unit_test(test_longest),
                cmocka_unit_test(test_refused),   cmocka_unit_test(test_change),
                cmocka_unit_test(test_damaged),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
