/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Whose scripts a hook runs: the words of Flavor= in descriptors and of quiesced-hook's --flavor=. */

#include "util/macro.h"

typedef enum HookFlavor {
        HOOK_FLAVOR_NONE, /* written for quiesced-hook(8) */
        HOOK_FLAVOR_QEMU_GA,
        HOOK_FLAVOR_OPEN_VM_TOOLS,
        HOOK_FLAVOR_RUN_PARTS,
        HOOK_FLAVORS,
} HookFlavor;

static inline const char *hook_flavor_to_string(HookFlavor flavor) {
        static const char *const names[] = {"none", "qemu-ga", "open-vm-tools", "run-parts"};

        return names[flavor];
}

/* Return: HOOK_FLAVOR_NONE if the word is none. */
static inline HookFlavor hook_flavor_from_string(const char *word) {
        HookFlavor flavor = HOOK_FLAVORS - 1;

        while (flavor > HOOK_FLAVOR_NONE && !streq(hook_flavor_to_string(flavor), word))
                flavor--;
        return flavor;
}
