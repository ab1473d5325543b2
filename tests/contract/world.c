/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A world around the contract: what it chooses to do; see world.h.
 */

#include "tests/contract/world.h"

#include "contract/names.h"
#include "tests/contract/world-check.h"
#include "util/macro.h"

#include <stdio.h>

static const char *const writer_names[WORLD_WRITERS_MAX] = {"app", "db", "fs"};

static uint32_t choose(World *world, uint32_t n) {
        return world->choose(world->userdata, n);
}

static bool one_in(World *world, uint32_t n) {
        return choose(world, n) == 0;
}

World *world_new(WorldChoice choice, void *userdata, WorldStatistics *statistics) {
        World *world = calloc(1, sizeof(*world));

        if (!world || contract_new(&world->contract, NULL) < 0)
                abort();
        world->choose = choice;
        world->userdata = userdata;
        world->statistics = statistics;
        world->now_usec = 1000 * USEC_PER_SEC;
        world->odds = (uint32_t[]){8, 40, 200}[choose(world, 3)];
        return world;
}

World *world_free(World *world) {
        contract_free(world->contract);
        free(world->history);
        free(world);
        return NULL;
}

uint64_t world_hash(const World *world) {
        return contract_hash(world->contract);
}

/* Now and then a clone gets the same input and must end in the same state. */
static void feed(World *world, ContractInput input) {
        const ContractEffects *effects, *other;
        Contract *clone = NULL;

        input.now_usec = world->now_usec;
        if (world->statistics->n_inputs++ % 7 == 0) {
                CHECK(world, contract_clone(world->contract, &clone) == 0);
                CHECK(world, contract_hash(clone) == contract_hash(world->contract));
        }
        world_note_input(world, &input);
        CHECK(world, contract_input(world->contract, &input, &effects) == 0);
        for (size_t i = 0; i < effects->n_items; i++)
                world_check_effect(world, &effects->items[i]);
        world->statistics->n_effects += effects->n_items;
        world_check_state(world);
        if (!clone)
                return;
        CHECK(world, contract_input(clone, &input, &other) == 0);
        CHECK(world, other->n_items == effects->n_items);
        CHECK(world, contract_hash(clone) == contract_hash(world->contract));
        contract_free(clone);
}

static void open_session(World *world) {
        for (size_t i = 0; i < WORLD_SESSIONS_MAX; i++) {
                WorldSession *session = &world->sessions[i];
                ContractWriterSpec specs[WORLD_WRITERS_MAX] = {};
                bool recovered = one_in(world, 8);

                if (session->handle != 0)
                        continue;
                *session = (WorldSession){.handle = ++world->n_handles};
                (void) snprintf(session->id, sizeof(session->id), "session-%u", (unsigned) world->n_handles);
                world->statistics->n_sessions++;
                session->recovered = recovered;
                session->kind = one_in(world, 6) ? CONTRACT_RESTORE : CONTRACT_BACKUP;
                for (uint32_t j = 0; recovered && j < 2; j++) {
                        specs[j] = (ContractWriterSpec){.name = writer_names[j],
                                                        .was_prepared = one_in(world, 2)};
                        session->writers[j].owed_shutdown = specs[j].was_prepared;
                        session->writers[j].name = writer_names[j];
                        session->n_writers = 2;
                }
                if (recovered && session->kind == CONTRACT_BACKUP && one_in(world, 2)) {
                        (void) snprintf(session->set_id, sizeof(session->set_id), "set-%u",
                                        (unsigned) world->n_handles);
                        session->set_created = true;
                }
                feed(world,
                     (ContractInput){.type = recovered ? CONTRACT_INPUT_RECOVERED : CONTRACT_INPUT_OPEN,
                                     .session = session->handle,
                                     .id = session->id,
                                     .kind = session->kind,
                                     .set_id = session->set_created ? session->set_id : NULL,
                                     .writers = specs,
                                     .n_writers = session->n_writers});
                return;
        }
}

static WorldSession *choose_session(World *world) {
        uint32_t first = choose(world, WORLD_SESSIONS_MAX);

        for (uint32_t i = 0; i < WORLD_SESSIONS_MAX; i++) {
                WorldSession *session = &world->sessions[(first + i) % WORLD_SESSIONS_MAX];

                if (session->handle != 0)
                        return session;
        }
        return NULL;
}

static ContractCall sensible_call_of_restore(World *world, ContractState state) {
        switch (state) {
        case CONTRACT_INITIALISED:
                return CONTRACT_CALL_GATHER_WRITER_METADATA;
        case CONTRACT_GATHERED:
                return one_in(world, 4)   ? CONTRACT_CALL_PRE_RESTORE
                       : one_in(world, 4) ? CONTRACT_CALL_SET_RESTORE_OPTIONS
                                          : CONTRACT_CALL_SET_SELECTED_FOR_RESTORE;
        case CONTRACT_PRE_RESTORED:
                return one_in(world, 3) ? CONTRACT_CALL_POST_RESTORE : CONTRACT_CALL_SET_FILE_RESTORE_STATUS;
        default:
                return one_in(world, 3) ? CONTRACT_CALL_RELEASE : CONTRACT_CALL_GATHER_WRITER_STATUS;
        }
}

/* What a requester that knows its business would call next. */
static ContractCall sensible_call(World *world, const WorldSession *session) {
        ContractSessionInfo info;

        CHECK(world, contract_get_session(world->contract, session->handle, &info));
        if (info.running != CONTRACT_CALL_NONE)
                return one_in(world, world->odds) ? CONTRACT_CALL_CANCEL
                                                  : CONTRACT_CALL_GATHER_WRITER_STATUS;
        if (session->kind == CONTRACT_RESTORE)
                return sensible_call_of_restore(world, info.state);
        switch (info.state) {
        case CONTRACT_INITIALISED:
                if (info.context == CONTRACT_CONTEXT_FILE_SHARE_BACKUP ||
                    info.context == CONTRACT_CONTEXT_NAS_ROLLBACK)
                        return CONTRACT_CALL_START_SNAPSHOT_SET;
                return one_in(world, 4) ? CONTRACT_CALL_SET_CONTEXT : CONTRACT_CALL_GATHER_WRITER_METADATA;
        case CONTRACT_GATHERED:
                if (one_in(world, 3))
                        return one_in(world, 3) ? CONTRACT_CALL_SET_BACKUP_STATE
                                                : CONTRACT_CALL_ADD_COMPONENT;
                return one_in(world, 8) ? CONTRACT_CALL_PREPARE_FOR_BACKUP
                                        : CONTRACT_CALL_START_SNAPSHOT_SET;
        case CONTRACT_OPEN:
                if (info.n_volumes < 1 || one_in(world, 3))
                        return CONTRACT_CALL_ADD_TO_SNAPSHOT_SET;
                return info.n_writers > 0 ? CONTRACT_CALL_PREPARE_FOR_BACKUP : CONTRACT_CALL_DO_SNAPSHOT_SET;
        case CONTRACT_PREPARED:
                return info.set_id ? CONTRACT_CALL_DO_SNAPSHOT_SET : CONTRACT_CALL_BACKUP_COMPLETE;
        case CONTRACT_CREATED:
                if (one_in(world, 3))
                        return CONTRACT_CALL_SET_BACKUP_SUCCEEDED;
                return one_in(world, 4) ? CONTRACT_CALL_DELETE_SNAPSHOTS : CONTRACT_CALL_BACKUP_COMPLETE;
        default:
                return one_in(world, 2) ? CONTRACT_CALL_ABORT_BACKUP : CONTRACT_CALL_RELEASE;
        }
}

/* One set with everything in it, one beside it, and one that belongs to every backup. */
static const ContractComponentSpec components[] = {{"", "a", true, false, CONTRACT_BACKED_UP_UNKNOWN},
                                                   {"a", "b", true, true, CONTRACT_BACKED_UP_WITH_ANOTHER},
                                                   {"a/b", "c", false, false, CONTRACT_BACKED_UP_BY_ITSELF},
                                                   {"", "d", false, false, CONTRACT_BACKED_UP_UNKNOWN}};

static void make_call(World *world, WorldSession *session) {
        static const char *const names[] = {"db", "nobody"}, *const paths[] = {"", "a", "a/b"};
        bool sensible = !one_in(world, 4);
        char fresh[CONTRACT_ID_MAX];
        ContractInput input = {
                .type = CONTRACT_INPUT_CALL,
                .session = session->handle,
                .call = sensible ? sensible_call(world, session)
                                 : (ContractCall) (1 + choose(world, _CONTRACT_CALL_MAX - 1)),
                .context = (ContractContext) choose(world, _CONTRACT_CONTEXT_MAX),
                .fresh_id = fresh,
                .names = names,
                .n_names = choose(world, 3),
                .wait = one_in(world, 2),
                .require_writers = one_in(world, 3),
                .component_mode = one_in(world, 2),
                .selected = !one_in(world, 5),
                .writer_name = one_in(world, 6) ? "nobody" : writer_names[choose(world, WORLD_WRITERS_MAX)],
                .logical_path = paths[choose(world, 3)],
                .component = components[choose(world, 4)].name,
        };

        /* What ends everything comes seldom, or nothing would ever get far. */
        if (!sensible && !one_in(world, world->odds) &&
            (input.call == CONTRACT_CALL_RELEASE || input.call == CONTRACT_CALL_ABORT_BACKUP))
                input.call = CONTRACT_CALL_GATHER_WRITER_STATUS;
        (void) snprintf(fresh, sizeof(fresh), "%s-%u",
                        input.call == CONTRACT_CALL_START_SNAPSHOT_SET ? "set" : "snapshot",
                        (unsigned) ++world->n_ids);
        if (!world_owe_reply(world, &input))
                return;
        feed(world, input);
}

static void launch(World *world, WorldSession *session) {
        ContractWriterSpec specs[WORLD_WRITERS_MAX] = {};
        uint32_t n = 2 + choose(world, WORLD_WRITERS_MAX - 1);

        session->launching = false;
        for (uint32_t i = 0; i < n; i++) {
                specs[i] = (ContractWriterSpec){
                        .name = writer_names[i],
                        .level = (ContractLevel) i,
                        .available = !one_in(world, world->odds),
                        .text = "it did not start",
                        .freeze_window_usec = one_in(world, world->odds) ? 5 * USEC_PER_SEC : 0,
                };
                session->writers[i] = (WorldWriter){.name = writer_names[i], .level = (ContractLevel) i};
        }
        session->n_writers = n;
        feed(world,
             (ContractInput){.type = CONTRACT_INPUT_WRITERS,
                             .session = session->handle,
                             .writers = specs,
                             .n_writers = n,
                             .error = one_in(world, world->odds) ? CONTRACT_ERROR_WRITER_INFRASTRUCTURE
                                                                 : CONTRACT_OK});
}

static void answer_writer(World *world, WorldSession *session, uint32_t index, ContractEvent event,
                          bool good) {
        static const char *const places[] = {"vol0", "elsewhere"};
        bool placed = one_in(world, 3);

        feed(world, (ContractInput){.type = CONTRACT_INPUT_WRITER_ANSWER,
                                    .session = session->handle,
                                    .writer = index,
                                    .event = event,
                                    .failure = good ? CONTRACT_FAILURE_NONE : CONTRACT_FAILURE_RETRYABLE,
                                    .text = good ? NULL : "no",
                                    .placed = placed,
                                    .names = places + choose(world, 2),
                                    .n_names = placed ? 1 : 0,
                                    .components = components,
                                    .n_components = choose(world, 5),
                                    .never_restored = one_in(world, 8)});
}

static void answer_step(World *world, WorldSession *session, ContractStep step, bool good) {
        static const char *const keys[] = {"vol0", "vol1"};

        feed(world, (ContractInput){.type = CONTRACT_INPUT_STEP_DONE,
                                    .session = session->handle,
                                    .step = step,
                                    .error = good ? CONTRACT_OK : CONTRACT_ERROR_INSUFFICIENT_STORAGE,
                                    .text = good ? NULL : "full",
                                    .key = keys[choose(world, 2)],
                                    .file_systems_frozen = one_in(world, 2)});
}

/* One answer to something outstanding; a step that was overtaken before ABORT. */
static bool answer_something(World *world, WorldSession *session, bool good) {
        uint32_t what = choose(world, 4), first = choose(world, WORLD_WRITERS_MAX);

        if (session->launching && what > 0) {
                launch(world, session);
                return true;
        }
        if (session->step != CONTRACT_STEP_NONE && what > 1) {
                answer_step(world, session, session->step, good);
                return true;
        }
        if (session->abort_step && what > 0) {
                /* The daemon's promise is to answer what was overtaken first; it is not relied upon. */
                if (session->step != CONTRACT_STEP_NONE && !one_in(world, 6))
                        answer_step(world, session, session->step, good);
                else
                        answer_step(world, session, CONTRACT_STEP_ABORT, good);
                return true;
        }
        for (uint32_t i = 0; i < session->n_writers; i++) {
                uint32_t index = (first + i) % session->n_writers;

                if (session->writers[index].in_flight != CONTRACT_EVENT_NONE) {
                        answer_writer(world, session, index, session->writers[index].in_flight, good);
                        return true;
                }
        }
        return false;
}

/* Rightly, too early, or one that was never armed. */
static void tell_deadline(World *world, uint64_t id) {
        for (size_t i = 0; i < world->n_deadlines; i++)
                if (world->deadlines[i].id == id) {
                        world->deadlines[i] = world->deadlines[--world->n_deadlines];
                        break;
                }
        feed(world, (ContractInput){.type = CONTRACT_INPUT_DEADLINE, .deadline = id});
}

static void pass_deadline(World *world) {
        size_t first = world->n_deadlines;

        for (size_t i = 0; i < world->n_deadlines; i++)
                if (first == world->n_deadlines ||
                    world->deadlines[i].at_usec < world->deadlines[first].at_usec)
                        first = i;
        if (first == world->n_deadlines)
                return;
        if (world->now_usec < world->deadlines[first].at_usec)
                world->now_usec = world->deadlines[first].at_usec;
        tell_deadline(world, world->deadlines[first].id);
}

/* Things nobody should do: answers to nothing, deadlines that were never armed. */
static void nonsense(World *world, WorldSession *session) {
        switch (choose(world, 3)) {
        case 0:
                answer_writer(world, session, choose(world, WORLD_WRITERS_MAX + 1),
                              (ContractEvent) choose(world, _CONTRACT_EVENT_MAX), one_in(world, 2));
                break;
        case 1:
                tell_deadline(world, (uint64_t) choose(world, 8) << 8 | choose(world, 6));
                break;
        default:
                feed(world, (ContractInput){.type = CONTRACT_INPUT_STEP_DONE,
                                            .session = session->handle,
                                            .step = CONTRACT_STEP_NONE});
                break;
        }
}

/* The world's seldom events. */
static void accident(World *world, WorldSession *session) {
        ContractInput input = {.session = session->handle};

        switch (choose(world, 8)) {
        case 0:
                input.type = CONTRACT_INPUT_OWNER_VANISHED;
                feed(world, input);
                break;
        case 1:
                input.type = CONTRACT_INPUT_ADMINISTRATOR_RELEASE;
                if (world_owe_reply(world, &input))
                        feed(world, input);
                break;
        case 2:
        case 3:
                input.type = CONTRACT_INPUT_WRITER_GONE;
                input.writer = choose(world, WORLD_WRITERS_MAX);
                feed(world, input);
                break;
        case 4:
                pass_deadline(world);
                break;
        default:
                nonsense(world, session);
                break;
        }
}

void world_step(World *world) {
        WorldSession *session = choose_session(world);
        uint32_t what;

        if (!session || one_in(world, 30)) {
                open_session(world);
                return;
        }
        world->now_usec += choose(world, 3) * USEC_PER_MSEC;
        what = choose(world, 100);
        if (what < 80 && answer_something(world, session, !one_in(world, world->odds)))
                return;
        if (one_in(world, 2 * world->odds))
                accident(world, session);
        else
                make_call(world, session);
}

void world_end(World *world) {
        for (uint32_t i = 0; i < WORLD_SESSIONS_MAX; i++)
                if (world->sessions[i].handle != 0)
                        feed(world, (ContractInput){.type = CONTRACT_INPUT_OWNER_VANISHED,
                                                    .session = world->sessions[i].handle});
        for (uint32_t round = 0; world_count_sessions(world) > 0; round++) {
                CHECK(world, round < 2000); /* somebody waits for what nobody will answer */
                for (uint32_t i = 0; i < WORLD_SESSIONS_MAX; i++)
                        while (world->sessions[i].handle != 0 &&
                               answer_something(world, &world->sessions[i], true))
                                ;
        }
        CHECK(world, world->n_tokens == 0);
        CHECK(world, world->n_deadlines == 0);
        CHECK(world, !world->dark && world->window == 0);
        CHECK(world, contract_count_sessions(world->contract) == 0);
}
