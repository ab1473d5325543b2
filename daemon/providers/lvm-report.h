/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What `lvm lvs --reportformat json` says, as LvmReport: text in, volumes out, nothing else is touched. */

#include "daemon/providers/lvm.h"

/* The columns to ask for, after "-o". */
extern const char lvm_report_columns[];

enum {
        _LVM_REPORT_SUCCESS,
        LVM_REPORT_MALFORMED, /* truncated, alien, or a column is missing or is no number */
};

int lvm_report_new(LvmReport **ret, const char *json, size_t n_json, char *reason, size_t n_reason);
LvmReport *lvm_report_free(LvmReport *report);
DEFINE_CLEANUP(LvmReport *, lvm_report_free)
