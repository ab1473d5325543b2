/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Descriptors of any bytes: never a crash, and either usable or with an error that can stand in a message.
 * A NUL separates the main file from a drop-in.
 */

#include <stddef.h>
#include <stdint.h>

#include "daemon/writers/descriptor.h"
#include "util/macro.h"
#include "util/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(descriptor_unrefp) Descriptor *d = NULL;
        const char *text = (const char *) data, *more;
        char text_of_defect[CONTRACT_TEXT_MAX];

        if (descriptor_new(&d, "fuzz", "fuzz.writer") < 0)
                abort();
        more = size > 0 ? memchr(text, 0, size) : NULL;
        if (descriptor_parse(d, "fuzz.writer", text, more ? (size_t) (more - text) : size) < 0)
                abort();
        if (more && descriptor_parse(d, "fuzz.conf", more + 1, size - (size_t) (more + 1 - text)) < 0)
                abort();
        if (descriptor_finish(d) < 0)
                abort();
        if (d->error && (!utf8_is_valid(d->error) || strlen(d->error) >= CONTRACT_TEXT_MAX))
                abort();
        if (!d->error && (d->kind == DESCRIPTOR_NO_KIND || (d->exec && d->exec[0][0] != '/') ||
                          (d->kind == DESCRIPTOR_STATIC || d->kind == DESCRIPTOR_BUS) != (d->unit == NULL) ||
                          (d->kind == DESCRIPTOR_BUS) != (d->bus_name != NULL) ||
                          (d->kind == DESCRIPTOR_BUS && d->level_set && d->level == CONTRACT_LEVEL_SYSTEM) ||
                          (d->kind == DESCRIPTOR_STATIC) != (d->metadata != NULL) ||
                          (d->kind == DESCRIPTOR_EXEC || d->kind == DESCRIPTOR_HOOK) != (d->user != NULL)))
                abort();
        if (!d->error &&
            ((d->flavor != HOOK_FLAVOR_NONE && d->kind != DESCRIPTOR_HOOK) ||
             (d->thaw_hook && (d->thaw_hook[0] != '/' || d->flavor != HOOK_FLAVOR_OPEN_VM_TOOLS))))
                abort();
        if (!d->error && d->metadata &&
            writer_metadata_check(d->metadata, text_of_defect, sizeof(text_of_defect)))
                abort();
        return 0;
}
