/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * C4's table; see c4.h.
 */

#include "tests/contract/c4.h"

#include <assert.h>
#include <string.h>

static const char letters[_CONTRACT_STATE_MAX] = {
        [CONTRACT_INITIALISED] = 'i',   [CONTRACT_GATHERED] = 'g', [CONTRACT_OPEN] = 'o',
        [CONTRACT_PREPARED] = 'p',      [CONTRACT_CREATING] = 'k', [CONTRACT_CREATED] = 'c',
        [CONTRACT_COMPLETED] = 'C',     [CONTRACT_FAILED] = 'f',   [CONTRACT_ABORTED] = 'a',
        [CONTRACT_LOST] = 'l',          [CONTRACT_RELEASED] = '-', [CONTRACT_PRE_RESTORED] = 'r',
        [CONTRACT_POST_RESTORED] = 'R',
};

/* clang-format off */
static const C4Row rows[_CONTRACT_CALL_MAX] = {
#define ROW(name, ...) [CONTRACT_CALL_##name] = {CONTRACT_CALL_##name, __VA_ARGS__}
        ROW(SET_CONTEXT,               "i",           "i",         ""),
        ROW(ENABLE_WRITERS,            "i",           "i",         "i"),
        ROW(DISABLE_WRITERS,           "i",           "i",         "i"),
        ROW(SET_BACKUP_STATE,          "igo",         "io",        ""),
        ROW(GATHER_WRITER_METADATA,    "i",           "",          "i"),
        ROW(ADD_COMPONENT,             "go",          "",          ""),
        ROW(SET_BACKUP_OPTIONS,        "go",          "",          ""),
        ROW(SET_PREVIOUS_BACKUP_STAMP, "go",          "",          ""),
        ROW(START_SNAPSHOT_SET,        "g",           "i",         ""),
        ROW(IS_VOLUME_SUPPORTED,       "igopkcCfal",  "iokcCfal",  "igrRl"),
        ROW(ADD_TO_SNAPSHOT_SET,       "o",           "o",         ""),
        ROW(PREPARE_FOR_BACKUP,        "go",          "",          ""),
        ROW(DO_SNAPSHOT_SET,           "p",           "o",         ""),
        ROW(GET_SNAPSHOT_PROPERTIES,   "kcCl",        "kcCl",      "",         .meanwhile = true),
        ROW(SET_BACKUP_SUCCEEDED,      "cp",          "",          ""),
        ROW(BACKUP_COMPLETE,           "cp",          "",          ""),
        ROW(DELETE_SNAPSHOTS,          "cCa",         "cCa",       ""),
        ROW(ABORT_BACKUP,              "igopkcCfa",   "iokcCfa",   "",         .meanwhile = true),
        ROW(SAVE_DOCUMENT,             "pkcCfa",      "kcCfa",     "rR",       .meanwhile = true),
        ROW(GATHER_WRITER_STATUS,      "igopkcCfal",  "iokcCfal",  "igrRl",    .meanwhile = true),
        ROW(GET_WRITER_METADATA,       "igopkcCfal",  "iokcCfal",  "igrRl",    .meanwhile = true),
        ROW(GET_WRITER_COMPONENTS,     "igopkcCfal",  "iokcCfal",  "igrRl",    .meanwhile = true),
        ROW(CANCEL,                    "igopkcCfal",  "iokcCfal",  "igrRl",    .meanwhile = true),
        ROW(RELEASE,                   "igopkcCfal",  "iokcCfal",  "igrRl",    .meanwhile = true),
        ROW(SET_SELECTED_FOR_RESTORE,  "",            "",          "g"),
        ROW(SET_RESTORE_OPTIONS,       "",            "",          "g"),
        ROW(PRE_RESTORE,               "",            "",          "g"),
        ROW(SET_FILE_RESTORE_STATUS,   "",            "",          "r"),
        ROW(POST_RESTORE,              "",            "",          "r"),
#undef ROW
};
/* clang-format on */

const C4Row *c4_row(ContractCall call) {
        assert(rows[call].call == call && call != CONTRACT_CALL_NONE);
        return &rows[call];
}

char c4_letter(ContractState state) {
        return letters[state];
}

bool c4_is_in(const C4Row *row, ContractKind kind, bool writers, ContractState state) {
        const char *states = kind == CONTRACT_RESTORE ? row->restore
                             : writers                ? row->backup
                                                      : row->no_writers;

        return strchr(states, letters[state]);
}
