/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The final mark of provider dm's snapshots, without which they do not count: one job for all of a set.
 */

#include <assert.h>

#include "daemon/providers/mapped-provider.h"
#include "util/error.h"
#include "util/log.h"

typedef struct Marking {
        MappedIds ids[CONTRACT_VOLUMES_MAX];
        ProviderVolume *first;
        ProviderDone done; /* NULL: noted anew */
        void *userdata;
} Marking;

static void on_marked(ContractError error, const char *text, const char *told, void *userdata) {
        _cleanup_free_ Marking *marking = userdata;

        if (marking->done)
                marking->done(error == CONTRACT_OK ? NULL : marking->first, error,
                              error == CONTRACT_OK ? NULL : text, marking->userdata);
        else if (error != CONTRACT_OK)
                log_warning("what a snapshot set is good for could not be noted anew: %s", text);
}

static int mark(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes, ProviderDone done,
                void *userdata) {
        const ProviderSet *set = volumes[0]->set;
        _cleanup_free_ Marking *marking = calloc(1, sizeof(*marking));
        MappedArgument argument = {};
        int r;

        if (!marking)
                return error_origin(-ENOMEM);
        assert(n_volumes <= CONTRACT_VOLUMES_MAX);
        *marking = (Marking){.first = volumes[0], .done = done, .userdata = userdata};
        for (size_t i = 0; i < n_volumes; i++)
                marking->ids[i] = mapped_data_of(volumes[i])->ids;
        argument.marking = (MappedMarking){.ids = marking->ids,
                                           .n_ids = n_volumes,
                                           .mark = {.owner_uid = set->owner_uid,
                                                    .n_volumes = set->n_volumes,
                                                    .instant_realtime_usec = set->instant_realtime_usec,
                                                    .consistency = set->consistency}};
        r = mapped_work_new(NULL, provider, mapped_job_mark, &argument, on_marked, marking);
        if (r < 0)
                return error_trace(r);
        TAKE_PTR(marking);
        return 0;
}

/**
 * mapped_volumes_finish() - POST_FINAL_COMMIT: make the snapshots of a set count
 * @provider:   whose
 * @volumes:    of one set
 * @n_volumes:  how many
 * @done:       called once
 * @userdata:   for @done
 *
 * C24: what writers will write into counts only when they have; then SEAL does this.
 *
 * Return: 0, or a negative errno.
 */
int mapped_volumes_finish(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes,
                          ProviderDone done, void *userdata) {
        if (volumes[0]->set->writable) {
                done(NULL, CONTRACT_OK, NULL, userdata);
                return 0;
        }
        return error_trace(mark(provider, volumes, n_volumes, done, userdata));
}

/**
 * mapped_volumes_seal() - SEAL: likewise, when writers have written into them
 * @provider:   whose
 * @volumes:    of one set
 * @n_volumes:  how many
 * @done:       called once
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno.
 */
int mapped_volumes_seal(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes,
                        ProviderDone done, void *userdata) {
        return error_trace(mark(provider, volumes, n_volumes, done, userdata));
}

/**
 * mapped_volumes_note_consistency() - say anew what a set is good for
 * @provider:   whose
 * @volumes:    of one set, whose consistency has changed
 * @n_volumes:  how many
 * @was:        not needed: the whole mark is written anew
 */
void mapped_volumes_note_consistency(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes,
                                     ContractConsistency was) {
        if (mark(provider, volumes, n_volumes, NULL, NULL) < 0)
                log_warning("what a snapshot set is good for could not be noted anew: out of memory");
}
