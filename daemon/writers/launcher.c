/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What both launchers need to know: the command line of a descriptor. */

#include "daemon/writers/launcher.h"

#include <assert.h>

#include "daemon/writers/words.h"
#include "util/error.h"

/**
 * launcher_arguments() - the command line of a writer that has no unit of its own
 * @ret: NULL-terminated argv, words_free() it
 * @descriptor: of kind exec or hook; a hook is run through its adaptor, quiesced-hook, which is looked for
 *              where $QUIESCED_HOOK_PROGRAM says if that is set (tests in the build tree)
 *
 * Return: 0 or -ENOMEM.
 */
int launcher_arguments(char ***ret, const Descriptor *descriptor) {
        const char *adaptor = secure_getenv("QUIESCED_HOOK_PROGRAM");
        char **arguments = NULL;
        size_t n;

        assert(descriptor->kind == DESCRIPTOR_EXEC || descriptor->kind == DESCRIPTOR_HOOK);

        n = descriptor->kind == DESCRIPTOR_EXEC ? words_count(descriptor->exec) : 2;
        arguments = calloc(n + 1, sizeof(*arguments));
        if (!arguments)
                return error_origin(-ENOMEM);
        for (size_t i = 0; i < n; i++) {
                const char *word = descriptor->kind == DESCRIPTOR_EXEC ? descriptor->exec[i]
                                   : i == 1                            ? descriptor->hook
                                   : adaptor                           ? adaptor
                                                                       : LIBEXECDIR "/quiesced-hook";

                arguments[i] = strdup(word);
                if (!arguments[i]) {
                        words_free(arguments);
                        return error_origin(-ENOMEM);
                }
        }
        *ret = arguments;
        return 0;
}
