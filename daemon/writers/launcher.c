/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What both launchers need to know: the command line of a descriptor. */

#include "daemon/writers/launcher.h"

#include <assert.h>

#include "daemon/writers/words.h"
#include "util/error.h"
#include "util/texts.h"

static const char *adaptor(void) {
        const char *program = secure_getenv("QUIESCED_HOOK_PROGRAM");

        return program ? program : LIBEXECDIR "/quiesced-hook";
}

static int copy_words(char ***ret, const char *const *words, size_t n) {
        char **copies;

        copies = calloc(n + 1, sizeof(*copies));
        if (!copies)
                return error_origin(-ENOMEM);
        for (size_t i = 0; i < n; i++) {
                copies[i] = strdup(words[i]);
                if (!copies[i]) {
                        texts_free(copies);
                        return error_origin(-ENOMEM);
                }
        }
        *ret = copies;
        return 0;
}

/**
 * launcher_arguments() - the command line of a writer that has no unit of its own
 * @ret: NULL-terminated argv, texts_free() it
 * @descriptor: of kind exec or hook; a hook is run through its adaptor, quiesced-hook, which is looked for
 *              where $QUIESCED_HOOK_PROGRAM says if that is set (tests in the build tree)
 *
 * Return: 0 or -ENOMEM.
 */
int launcher_arguments(char ***ret, const Descriptor *descriptor) {
        _cleanup_free_ char *flavor = NULL, *thaw = NULL;
        const char *words[4] = {adaptor()};
        size_t n = 1;

        assert(descriptor->kind == DESCRIPTOR_EXEC || descriptor->kind == DESCRIPTOR_HOOK);

        if (descriptor->kind == DESCRIPTOR_EXEC)
                return error_trace(copy_words(ret, (const char *const *) descriptor->exec,
                                              words_count(descriptor->exec)));
        if (asprintf(&flavor, "--flavor=%s", hook_flavor_to_string(descriptor->flavor)) < 0 ||
            asprintf(&thaw, "--thaw-hook=%s", descriptor->thaw_hook ? descriptor->thaw_hook : "") < 0)
                return error_origin(-ENOMEM);
        if (descriptor->flavor != HOOK_FLAVOR_NONE)
                words[n++] = flavor;
        if (descriptor->thaw_hook)
                words[n++] = thaw;
        words[n++] = descriptor->hook;
        return error_trace(copy_words(ret, words, n));
}

/**
 * launcher_end_arguments() - the command line that undoes what a writer's process left when it ended
 * @ret: NULL-terminated argv, texts_free() it; NULL: there is none
 * @descriptor: of kind exec or hook
 *
 * Return: 0 or -ENOMEM.
 */
int launcher_end_arguments(char ***ret, const Descriptor *descriptor) {
        const char *words[] = {adaptor(), "--thaw"};

        *ret = NULL;
        return descriptor->kind == DESCRIPTOR_HOOK ? error_trace(copy_words(ret, words, ELEMENTSOF(words)))
                                                   : 0;
}
