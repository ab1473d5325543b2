/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Message ids: what programs look for in the journal, and what each entry's text in the catalog is found by
 * (units/quiesced.catalog; tests/unit/test-log.c sees that none is without). They never change their
 * meaning.
 */

#define MESSAGE_SESSION_OPENED   "60822ae63e8c43dc89762b2613f205ab" /* a session was opened */
#define MESSAGE_SESSION_ENDED    "84ad792c51ea45098c6985a9cfdf141c" /* a backup ended: BackupShutdown */
#define MESSAGE_SESSION_RELEASED "36478ed2471f426ab0ec46d2605505b7" /* a session is no more */
#define MESSAGE_BACKUP_ABORTED   "e4083d5b730f4b3896dce8ac208e73b4" /* a backup is given up */
#define MESSAGE_SET_CREATED      "81bf61971ece4a36bd7720e20e3b8388" /* a set counts */
#define MESSAGE_SET_FAILED       "b9716e7423f0451888b1df589f2c4312" /* no set was made */
#define MESSAGE_HOLD_LIMIT       "db91327951e842d0a31417f1b80e2b41" /* writes were held for too long */
#define MESSAGE_WRITER_FAILED    "e03fd00b468c4e338801a5ffbc0a7055" /* a writer failed an event */
#define MESSAGE_LET_GO_BY_OTHER  "6ed88ee038ef40b2ba72ffa526e237f5" /* who else let go what a set held */
#define MESSAGE_SNAPSHOT_INVALID \
        "6e3115285cbe4918a25082c495c65574" /* a snapshot does not hold its instant any more */
#define MESSAGE_SPACE_LOW        "41781c74e0ac4f449da11abe02434fd2" /* what a snapshot is stored in runs full */
#define MESSAGE_SNAPSHOT_REMOVED "645537ad3ece423cbc537b643c4495b9" /* a snapshot is gone */
#define MESSAGE_SET_PRUNED       "f7cb0bc998b849929a08bd15df1789f6" /* rules or limits have removed a set */
#define MESSAGE_SET_NOT_PRUNED   "53efcc48252f4df680c46fd638d6aff4" /* a set is to go by them, and stays */
#define MESSAGE_SESSION_LOST \
        "cfb2ecef91c64dc9bdac7b3a492dbf55" /* recovery: a session of before this start */
#define MESSAGE_LET_GO \
        "ed0f6aae3f044c45b7a46d0708362eeb" /* recovery: something was held, and is not any more */
#define MESSAGE_NOT_LET_GO \
        "7ad3efff91254485b5f6fe967a69094a" /* recovery: something is held, and cannot be let go */
#define MESSAGE_LEFTOVER_REMOVED                                                                            \
        "e7e04596f3074d4c9c8b2d3e6ca3a77b" /* recovery: a snapshot that was not finished, or not wanted any \
                                              more */
#define MESSAGE_JOURNAL_DAMAGED "21dc8bd7fc2540eeb65af0df5fe530f5" /* what was held is not known */
