/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Encrypted volumes: device-mapper's table of one, which header it is of, its key file in crypttab(5). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "daemon/sets/plain.h"

static void test_table(void **state) {
        static const char *const broken[] = {"", "aes-xts-plain64", "aes-xts-plain64 00ff 0 253:1",
                                             "a b c d "};
        char text[] = "aes-xts-plain64 00ff 8 253:1 4096 1 allow_discards";
        char bare[] = "aes-xts-plain64 :64:logon:cryptsetup:x-d0 0 253:1 32768";
        char authenticated[] = "capi:authenc(hmac(sha256),xts(aes))-random 00 0 253:1 0 1 integrity:48:aead";
        PlainTable table;

        assert_int_equal(plain_table_parse(text, &table), 0);
        assert_string_equal(table.cipher, "aes-xts-plain64");
        assert_string_equal(table.key, "00ff");
        assert_string_equal(table.iv_offset, "8");
        assert_string_equal(table.offset, "4096");
        assert_string_equal(table.rest, "1 allow_discards");
        assert_false(table.in_keyring);
        assert_int_equal(plain_table_parse(bare, &table), 0);
        assert_string_equal(table.rest, "");
        assert_true(table.in_keyring);
        assert_int_equal(plain_table_parse(authenticated, &table), -EOPNOTSUPP);
        for (size_t i = 0; i < ELEMENTSOF(broken); i++) {
                char *copy = strdup(broken[i]);

                assert_int_equal(plain_table_parse(copy, &table), -EBADMSG);
                free(copy);
        }
}

static void test_uuid(void **state) {
        static const char header[] = "01234567-89ab-cdef-0123-456789abcdef";

        assert_true(plain_uuid_matches("CRYPT-LUKS2-0123456789abcdef0123456789abcdef-name", header));
        assert_true(plain_uuid_matches("CRYPT-LUKS1-0123456789ABCDEF0123456789abcdef-a-b", header));
        assert_false(plain_uuid_matches("CRYPT-LUKS2-1123456789abcdef0123456789abcdef-name", header));
        assert_false(plain_uuid_matches("CRYPT-LUKS2-0123456789abcdef0123456789abcde-name", header));
        assert_false(plain_uuid_matches("CRYPT-LUKS2-0123456789abcdef0123456789abcdef0-name", header));
        assert_false(plain_uuid_matches("CRYPT-LUKS2", header));
        assert_false(plain_uuid_matches("CRYPT-PLAIN-name", header));
        assert_false(plain_uuid_matches("CRYPT-LUKS2-0123", header));
}

static const char crypttab[] =
        "# name device key options\n"
        "\n"
        "other /dev/vg/other /etc/keys/other luks\n"
        "asked /dev/vg/asked none luks\n"
        "\tsecret\t/dev/vg/secret  /etc/keys/secret  luks,keyfile-size=32,keyfile-offset=8\n"
        "short /dev/vg/short\n"
        "last /dev/vg/last /etc/keys/last";

static void test_crypttab(void **state) {
        Crypttab line = {};

        assert_int_equal(crypttab_find(crypttab, "secret", &line), 0);
        assert_string_equal(line.key_file, "/etc/keys/secret");
        assert_string_equal(line.key_size, "32");
        assert_string_equal(line.key_offset, "8");
        crypttab_done(&line);
        assert_int_equal(crypttab_find(crypttab, "last", &line), 0);
        assert_string_equal(line.key_file, "/etc/keys/last");
        assert_null(line.key_size);
        crypttab_done(&line);
        assert_int_equal(crypttab_find(crypttab, "asked", &line), -ENOENT);
        assert_int_equal(crypttab_find(crypttab, "short", &line), -ENOENT);
        assert_int_equal(crypttab_find(crypttab, "#", &line), -ENOENT);
        assert_int_equal(crypttab_find(crypttab, "secre", &line), -ENOENT);
        assert_int_equal(crypttab_find("", "secret", &line), -ENOENT);
}

static void test_name(void **state) {
        const PlainRequest request = {.snapshot_id = "01234567-89ab-cdef-0123-456789abcdef",
                                      .writable = true};
        char name[PLAIN_NAME_MAX];

        plain_name(name, &request);
        assert_string_equal(name, "quiesced_plain_rw_0123456789abcdef0123456789abcdef");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_table),
                cmocka_unit_test(test_uuid),
                cmocka_unit_test(test_crypttab),
                cmocka_unit_test(test_name),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
