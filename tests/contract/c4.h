/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * C4's table once more, written from the contract and not from the machine.
 *
 * A new call is a row.
 */

#include "contract/types.h"

typedef struct C4Row {
        ContractCall call;
        /* A letter for each state in which the call is legal: i nitialised, g athered, o pen, p repared,
         * k creating, c reated, C ompleted, f ailed, a borted, l ost; r pre-restored, R post-restored. */
        const char *backup, *no_writers, *restore;
        bool meanwhile; /* may come while another call runs */
} C4Row;

const C4Row *c4_row(ContractCall call);
char c4_letter(ContractState state);
/* Whether a state's letter is in the row; what else the row depends on is the caller's. */
bool c4_is_in(const C4Row *row, ContractKind kind, bool writers, ContractState state);
