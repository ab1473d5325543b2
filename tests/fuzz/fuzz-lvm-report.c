/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any bytes as LVM's report: read, or refused with a reason; what was read can be judged, and what people
 * say of sets said again. */

#include <assert.h>

#include "daemon/providers/lvm-check.h"
#include "daemon/providers/lvm-report.h"
#include "daemon/providers/lvm-words.h"
#include "util/texts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_data);

/* What tags say of a set can be said again. */
static void say_again(const LvmVolume *volume) {
        SetDescription description;
        char **tags;

        assert(lvm_words_read(&description, volume->tags) == 0);
        assert(lvm_words_to_tags(&tags, &description) == 0);
        (void) texts_free(tags);
        set_description_done(&description);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_data) {
        _cleanup_(lvm_report_freep) LvmReport *report = NULL;
        char reason[200] = "";
        int r;

        r = lvm_report_new(&report, (const char *) data, n_data, reason, sizeof(reason));
        assert((r == LVM_REPORT_MALFORMED) == (reason[0] != '\0'));
        if (r != 0)
                return 0;
        for (size_t i = 0; i < report->n_volumes; i++) {
                const LvmVolume *volume = &report->volumes[i];
                LvmVerdict verdict = {};
                char copy_of[CONTRACT_ID_MAX], key[LVM_COPY_KEY_SIZE];
                LvmSnapshot snapshot;
                const char *why;

                (void) lvm_volume_get_snapshot(volume, &snapshot);
                say_again(volume);
                if (lvm_volume_get_copy(volume, copy_of))
                        lvm_copy_top_key(key, volume);
                (void) lvm_volume_get_provider(volume, &why);
                (void) lvm_check_origin(volume, &verdict);
                (void) lvm_check_group(volume, &verdict);
                (void) lvm_check_pool(report, volume, &verdict);
                (void) lvm_check_count(report, volume, 1, &verdict);
                (void) lvm_check_space(volume, lvm_cow_size(volume, 0, 20), &verdict);
                assert(lvm_report_find_key(report, volume->key));
        }
        return 0;
}
