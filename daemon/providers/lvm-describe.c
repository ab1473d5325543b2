/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * DESCRIBE: what people say of a set is said anew, in the tags of its snapshots.
 *
 * Every snapshot of the set has all of it, so that the set is still described when some are deleted. Only
 * tags that differ are changed, in one command per group: LVM's metadata have the old words or the new.
 */

#include "daemon/providers/lvm-group.h"
#include "daemon/providers/lvm-words.h"
#include "util/error.h"
#include "util/texts.h"

typedef struct Words {
        char **old, **new;
} Words;

static void words_done(Words *words) {
        (void) texts_free(words->old);
        (void) texts_free(words->new);
}

/* Return: whether there is anything to change. */
static bool add_differences(LvmCommandSpec *spec, const Words *words) {
        bool any = false;

        for (char **tag = words->old; tag && *tag; tag++) {
                if (lvm_words_has(words->new, *tag))
                        continue;
                (void) lvm_spec_add(spec, "--deltag");
                (void) lvm_spec_add(spec, *tag);
                any = true;
        }
        for (char **tag = words->new; tag &&*tag; tag++) {
                if (lvm_words_has(words->old, *tag))
                        continue;
                (void) lvm_spec_add(spec, "--addtag");
                (void) lvm_spec_add(spec, *tag);
                any = true;
        }
        return any;
}

static void describe(LvmGroupOperation *operation, const Words *words) {
        operation->doing = "described anew";
        for (size_t g = 0; g < operation->n_groups && !lvm_group_operation_failed(operation); g++) {
                LvmPaths paths;
                LvmCommandSpec spec = {
                        .lane = operation->groups[g].vg,
                        .arguments = {"lvchange", "--yes"},
                        .limit_usec = LVM_CHANGE_LIMIT,
                        .changes = true,
                };

                if (!add_differences(&spec, words))
                        continue;
                (void) lvm_group_add_paths(&spec, &operation->groups[g], false, paths);
                lvm_group_run(&operation->groups[g], &spec);
        }
        if (operation->n_pending == 0)
                lvm_group_operation_end(operation);
}

/**
 * lvm_describe_set() - DESCRIBE: note what is wished instead of what is noted
 * @provider:   of all of them
 * @volumes:    whose snapshots count; copied
 * @n_volumes:  how many
 * @done:       called once, perhaps at once; after a failure some groups may have the new words
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno.
 */
int lvm_describe_set(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes, ProviderDone done,
                     void *userdata) {
        const ProviderSet *set = volumes[0]->set;
        _cleanup_(words_done) Words words = {};
        LvmGroupOperation *operation;
        int r;

        r = lvm_words_to_tags(&words.old, &set->description);
        if (r >= 0)
                r = lvm_words_to_tags(&words.new, &set->wished);
        if (r >= 0)
                r = lvm_group_operation_new(&operation, provider, volumes, n_volumes, done, userdata);
        if (r < 0)
                return error_trace(r);
        describe(operation, &words);
        return 0;
}
