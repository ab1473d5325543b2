/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Documents of any bytes: never a crash; refused with a text that can stand in a message, or read, and then
 * what is written of it is read again and written alike.
 */

#include <stddef.h>
#include <stdint.h>

#include "daemon/documents/document.h"
#include "util/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(document_freep) Document *document = NULL, *again = NULL;
        _cleanup_free_ char *text = strndup((const char *) data, size), *once = NULL, *twice = NULL;
        char error[DOCUMENT_ERROR_SIZE];

        if (!text)
                abort();
        if (document_read(&document, text, error) < 0) {
                if (error[0] == '\0' || !utf8_is_valid(error))
                        abort();
                return 0;
        }
        if (document_write(document, &once) < 0 || document_read(&again, once, error) < 0 ||
            document_write(again, &twice) < 0 || !streq(once, twice))
                abort();
        return 0;
}
