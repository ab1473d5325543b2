/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What may be an origin, and what a snapshot of it needs: judged from LVM's report alone, so that every rule
 * can be tried on a text. All lvm_check_…() return whether it may go on; if not, the verdict says why.
 */

#include "daemon/providers/lvm.h"

typedef struct LvmVerdict {
        ContractError error;
        char text[CONTRACT_TEXT_MAX];
} LvmVerdict;

bool lvm_verdict(LvmVerdict *verdict, ContractError error, const char *format, ...) _printf_(3, 4);

bool lvm_check_group(const LvmVolume *origin, LvmVerdict *verdict);
bool lvm_check_origin(const LvmVolume *origin, LvmVerdict *verdict);
bool lvm_check_count(const LvmReport *report, const LvmVolume *origin, unsigned max, LvmVerdict *verdict);
bool lvm_check_space(const LvmVolume *origin, uint64_t cow_size, LvmVerdict *verdict);
bool lvm_check_pool(const LvmReport *report, const LvmVolume *origin, LvmVerdict *verdict);

bool lvm_volume_is_thin(const LvmVolume *volume);
bool lvm_volume_has_external_origin(const LvmReport *report, const LvmVolume *volume);
bool lvm_volume_has_thick_snapshot(const LvmReport *report, const LvmVolume *volume);
uint64_t lvm_cow_size(const LvmVolume *origin, uint64_t wished, unsigned percent);
