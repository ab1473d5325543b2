/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Encrypted volumes, what of them is text: tables, uuids, crypttab(5); see plain.h. */

#include "daemon/sets/plain.h"

#include <ctype.h>

#include "util/error.h"

#define CRYPT_UUID_PREFIX "CRYPT-LUKS" /* then 1 or 2, "-", 32 digits, "-", the device's name */

/* Return: the word at *text, ended there by a NUL; NULL: there is none. */
static char *word_take(char **text) {
        char *word = *text + strspn(*text, " ");
        char *end = word + strcspn(word, " ");

        if (!*word)
                return NULL;
        *text = *end ? end + 1 : end;
        *end = '\0';
        return word;
}

/**
 * plain_table_parse() - take apart what device-mapper tells of a "crypt" target
 * @params:     "cipher key iv-offset device offset [n option…]"; cut up
 * @ret:        its pieces, which point into @params
 *
 * Return: 0; -EBADMSG: that is none; -EOPNOTSUPP: it has a second layer, of integrity.
 */
int plain_table_parse(char *params, PlainTable *ret) {
        char *device;

        ret->cipher = word_take(&params);
        ret->key = word_take(&params);
        ret->iv_offset = word_take(&params);
        device = word_take(&params);
        ret->offset = word_take(&params);
        if (!ret->cipher || !ret->key || !ret->iv_offset || !device || !ret->offset)
                return -EBADMSG;
        ret->rest = params + strspn(params, " ");
        ret->in_keyring = ret->key[0] == ':';
        return strstr(ret->rest, "integrity:") ? -EOPNOTSUPP : 0;
}

/**
 * plain_uuid_matches() - whether an open LUKS device is of a certain LUKS header
 * @dm_uuid:    of the device: "CRYPT-LUKS2-0123…-name"
 * @luks_uuid:  of the header, with dashes
 *
 * Return: whether.
 */
bool plain_uuid_matches(const char *dm_uuid, const char *luks_uuid) {
        const char *digits;

        if (strncmp(dm_uuid, CRYPT_UUID_PREFIX, strlen(CRYPT_UUID_PREFIX)) != 0)
                return false;
        digits = strchr(dm_uuid + strlen(CRYPT_UUID_PREFIX), '-');
        if (!digits)
                return false;
        digits++;
        for (; *luks_uuid; luks_uuid++) {
                if (*luks_uuid == '-')
                        continue;
                if (*digits == '\0' ||
                    tolower((unsigned char) *luks_uuid) != tolower((unsigned char) *digits++))
                        return false;
        }
        return *digits == '-';
}

static char *field_dup(const char **text) {
        const char *field = *text + strspn(*text, " \t");
        size_t length = strcspn(field, " \t\n");

        *text = field + length;
        return length > 0 ? strndup(field, length) : NULL;
}

/* The value of "key=value" among options with commas between them. */
static char *option_dup(const char *options, const char *key) {
        size_t n = strlen(key);

        for (const char *o = options; o && *o; o += strcspn(o, ","), o += *o == ',')
                if (strncmp(o, key, n) == 0 && o[n] == '=')
                        return strndup(o + n + 1, strcspn(o + n + 1, ","));
        return NULL;
}

/**
 * crypttab_done() - forget a line
 * @line:       it
 */
void crypttab_done(Crypttab *line) {
        free(line->key_file);
        free(line->key_offset);
        free(line->key_size);
        *line = (Crypttab){};
}

/* Return: 1: it is the line and names a key file; 0: it is not; or a negative errno. */
static int line_read(const char *text, const char *name, Crypttab *ret) {
        _cleanup_free_ char *its_name = field_dup(&text), *device = field_dup(&text);
        _cleanup_free_ char *key_file = field_dup(&text), *options = field_dup(&text);

        if (!its_name || its_name[0] == '#' || !streq(its_name, name) || !device || !key_file ||
            key_file[0] != '/')
                return 0;
        *ret = (Crypttab){
                .key_offset = option_dup(options, "keyfile-offset"),
                .key_size = option_dup(options, "keyfile-size"),
                .key_file = TAKE_PTR(key_file),
        };
        return 1;
}

/**
 * crypttab_find() - the key file of a device
 * @text:       of /etc/crypttab
 * @name:       of the device, as device-mapper has it
 * @ret:        the line, crypttab_done() it
 *
 * Return: 0; -ENOENT: there is no such line, or none with a key file.
 */
int crypttab_find(const char *text, const char *name, Crypttab *ret) {
        for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
                if (line_read(line, name, ret) == 1)
                        return 0;
        return -ENOENT;
}

/**
 * plain_name() - the name of the device above an encrypted snapshot
 * @ret:        the name
 * @request:    of which
 */
void plain_name(char ret[static PLAIN_NAME_MAX], const PlainRequest *request) {
        size_t n = (size_t) snprintf(ret, PLAIN_NAME_MAX, PLAIN_PREFIX "%s", request->writable ? "rw_" : "");

        for (const char *c = request->snapshot_id; *c && n + 1 < PLAIN_NAME_MAX; c++)
                if (*c != '-')
                        ret[n++] = *c;
        ret[n] = '\0';
}
