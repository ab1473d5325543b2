/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the world remembers, and the rules it holds every effect against.
 */

#include "tests/contract/world.h"

#define WORLD_TOKENS_MAX    64u
#define WORLD_DEADLINES_MAX 64u
#define WORLD_HISTORY_MAX   (1u << 18)

typedef struct WorldWriter {
        const char *name;
        ContractLevel level;
        ContractEvent in_flight;
        uint32_t n_aborts;      /* in flight; each is answered */
        uint32_t n_aborts_late; /* of these, sent before a limit that has passed */
        uint64_t due_usec;
        uint32_t sent; /* a bit per event */
        bool gone, frozen, aborted, owed_shutdown, told_shutdown;
        bool never_restored;
        int n_selected; /* components of it that were added */
} WorldWriter;

typedef struct WorldSession {
        uint64_t handle; /* 0: this place is free */
        ContractKind kind;
        bool post_restored; /* PostRestore has ended well */
        char id[CONTRACT_ID_MAX];
        char set_id[CONTRACT_ID_MAX];
        bool launching, set_created, committed, component_mode, recovered;
        ContractStep step;
        bool abort_step;
        WorldWriter writers[WORLD_WRITERS_MAX];
        uint32_t n_writers;
        /* As last told by STATE_CHANGED. */
        ContractState shown_state;
        ContractCall shown_running;
        const char *shown_phase;
        size_t shown_volumes;
} WorldSession;

struct World {
        Contract *contract;
        WorldChoice choose;
        void *userdata;
        WorldStatistics *statistics;
        uint32_t odds; /* one in so many things goes wrong */
        uint64_t now_usec, n_handles, n_ids, n_tokens_made;
        WorldSession sessions[WORLD_SESSIONS_MAX];
        struct {
                uint64_t token, session;
                ContractCall call;
                bool component_mode, selected;
        } tokens[WORLD_TOKENS_MAX];
        size_t n_tokens;
        struct {
                uint64_t id, at_usec, session;
        } deadlines[WORLD_DEADLINES_MAX];
        size_t n_deadlines;
        bool dark;
        uint64_t window; /* handle; from LOCK or the first Freeze to WINDOW_END */
        char *history;
        size_t history_length;
};

#define CHECK(world, condition)                                            \
        do {                                                               \
                if (!(condition))                                          \
                        world_fail(world, #condition, __FILE__, __LINE__); \
        } while (0)

_Noreturn void world_fail(const World *world, const char *condition, const char *file, int line);
void world_note_input(World *world, const ContractInput *input);
/* Gives a call its token; false if too many wait already. */
bool world_owe_reply(World *world, ContractInput *input);
void world_check_effect(World *world, const ContractEffect *effect);
void world_check_state(World *world);
size_t world_count_sessions(const World *world);
