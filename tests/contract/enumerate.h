/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Walking every state of the contract that can be reached, every input that is possible in each.
 *
 * Time stands still: every limit is nothing long, so a deadline that is armed may pass at any moment and in
 * any order with everything else. Two inputs at one instant come in both orders, since all inputs are tried
 * in every state. Each state is a machine with its observer (rules.h), which holds every effect against the
 * rules; two states are one if the machine's digest and the observer's are equal.
 */

#include "tests/contract/rules.h"

typedef struct EnumerateBounds {
        uint32_t n_sessions, n_volumes, n_writers;
        const ContractWriterSpec *writers;
        bool restores;  /* sessions may be restores, too */
        bool questions; /* IsVolumeSupported is called */
        bool choices;   /* writers are enabled and disabled, components are chosen for backup */
        bool repeats;   /* AbortBackup is called while one runs; Release and ReleaseSession likewise */
        bool apart;     /* a state counts as new if any session of it is, as apart.c sees it */
        bool verify;    /* what `apart` relies on is checked */
} EnumerateBounds;

typedef struct Enumerated {
        uint64_t n_states, n_transitions, n_effects, n_depth;
} Enumerated;

Enumerated enumerate(const EnumerateBounds *bounds);

/* Digests seen, each with what it stands for if that matters. */
typedef struct Seen {
        uint64_t *items, *values;
        size_t n_items, size;
} Seen;

/* Whether it is new; else *value is what it came with the first time. */
bool seen_add(Seen *seen, uint64_t digest, uint64_t *value);
void seen_done(Seen *seen);

/* apart.c */
bool apart_is_new(Seen *seen, const Observer *observer);
void apart_verify(Seen *seen, const Observer *before, const ContractInput *input, const Observer *after);

/* inputs.c: what may happen in a state, one after the other. */
#define INPUTS_MAX 160u

typedef struct Inputs {
        ContractInput items[INPUTS_MAX];
        size_t n_items;
} Inputs;

void inputs_list(const EnumerateBounds *bounds, const Observer *observer, Inputs *ret);
/* The daemon dies and the next one reads its records, into `next`; false: there was none. */
bool inputs_recover(const Observer *observer, Observer *next);
