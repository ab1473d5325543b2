/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A world around the contract: what it chooses to do; see world.h.
 */

#include "tests/contract/world.h"

#include "contract/names.h"
#include "tests/contract/rules.h"
#include "util/macro.h"

#include <stdio.h>

#define WRITERS_MAX OBSERVER_WRITERS_MAX

struct World {
        Observer observer;
        WorldChoice choose;
        void *userdata;
        WorldStatistics *statistics;
        uint32_t odds; /* one in so many things goes wrong */
        uint64_t now_usec, n_handles, n_ids, n_tokens;
        FILE *history;
        char *history_text;
        size_t history_size;
};

static const char *const writer_names[WRITERS_MAX] = {"app", "db", "fs"};

static uint32_t choose(World *world, uint32_t n) {
        return world->choose(world->userdata, n);
}

static bool one_in(World *world, uint32_t n) {
        return choose(world, n) == 0;
}

static void print_history(const void *userdata) {
        const World *world = userdata;

        (void) fflush(world->history);
        (void) fwrite(world->history_text, 1, world->history_size, stderr);
}

World *world_new(WorldChoice choice, void *userdata, WorldStatistics *statistics) {
        World *world = calloc(1, sizeof(*world));
        ContractConfig config;

        if (!world)
                abort();
        contract_config_default(&config);
        observer_init(&world->observer, &config);
        world->history = open_memstream(&world->history_text, &world->history_size);
        if (!world->history)
                abort();
        world->observer.history = print_history;
        world->observer.userdata = world;
        world->choose = choice;
        world->userdata = userdata;
        world->statistics = statistics;
        world->now_usec = world->observer.now_usec;
        world->odds = (uint32_t[]){8, 40, 200}[choose(world, 3)];
        return world;
}

World *world_free(World *world) {
        contract_free(world->observer.contract);
        (void) fclose(world->history);
        free(world->history_text);
        free(world);
        return NULL;
}

uint64_t world_hash(const World *world) {
        return contract_hash(world->observer.contract);
}

static void count(World *world, const ContractInput *input) {
        ContractSessionInfo info;

        if (input->type == CONTRACT_INPUT_CALL &&
            contract_get_session(world->observer.contract, input->session, &info))
                world->statistics->calls[info.state][input->call]++;
        world->statistics->n_sessions +=
                input->type == CONTRACT_INPUT_OPEN || input->type == CONTRACT_INPUT_RECOVERED;
}

static void count_effects(World *world, const ContractEffects *effects) {
        for (size_t i = 0; i < effects->n_items; i++) {
                const ContractEffect *effect = &effects->items[i];

                observer_print_effect(world->history, effect);
                world->statistics->n_effects++;
                world->statistics->n_created += effect->type == CONTRACT_EFFECT_SET_CREATED;
                world->statistics->n_given_up +=
                        effect->type == CONTRACT_EFFECT_STEP && effect->step == CONTRACT_STEP_ABORT;
        }
}

/* Now and then a clone gets the same input and must end in the same state. */
static void feed(World *world, ContractInput input) {
        const ContractEffects *effects, *other;
        Observer *observer = &world->observer;
        Contract *clone = NULL;

        input.now_usec = world->now_usec;
        if (world->statistics->n_inputs++ % 7 == 0) {
                RULE(observer, "clone", contract_clone(observer->contract, &clone) == 0);
                RULE(observer, "clone", contract_hash(clone) == contract_hash(observer->contract));
        }
        observer_print_input(world->history, &input);
        count(world, &input);
        effects = observer_feed(observer, &input);
        count_effects(world, effects);
        if (!clone)
                return;
        RULE(observer, "clone", contract_input(clone, &input, &other) == 0);
        RULE(observer, "clone", other->n_items == effects->n_items);
        RULE(observer, "clone", contract_hash(clone) == contract_hash(observer->contract));
        contract_free(clone);
}

static void open_session(World *world) {
        ContractWriterSpec specs[WRITERS_MAX] = {};
        bool recovered = one_in(world, 8), created = one_in(world, 2), full = true;
        char id[CONTRACT_ID_MAX], set_id[CONTRACT_ID_MAX];
        ContractInput input = {
                .type = recovered ? CONTRACT_INPUT_RECOVERED : CONTRACT_INPUT_OPEN,
                .session = world->n_handles + 1,
                .kind = one_in(world, 6) ? CONTRACT_RESTORE : CONTRACT_BACKUP,
                .id = id,
                .writers = specs,
                .n_writers = recovered ? 2 : 0,
        };

        for (uint32_t i = 0; i < OBSERVER_SESSIONS_MAX; i++)
                full = full && world->observer.sessions[i].handle != 0;
        if (full || world->observer.dark)
                return;
        (void) snprintf(id, sizeof(id), "session-%u", (unsigned) ++world->n_handles);
        (void) snprintf(set_id, sizeof(set_id), "set-of-%u", (unsigned) world->n_handles);
        for (uint32_t i = 0; i < input.n_writers; i++)
                specs[i] = (ContractWriterSpec){.name = writer_names[i], .was_prepared = one_in(world, 2)};
        if (recovered && input.kind == CONTRACT_BACKUP && created)
                input.set_id = set_id;
        feed(world, input);
}

static SeenSession *choose_session(World *world) {
        uint32_t first = choose(world, OBSERVER_SESSIONS_MAX);

        for (uint32_t i = 0; i < OBSERVER_SESSIONS_MAX; i++) {
                SeenSession *session = &world->observer.sessions[(first + i) % OBSERVER_SESSIONS_MAX];

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
static ContractCall sensible_call(World *world, const SeenSession *session) {
        ContractSessionInfo info;

        RULE(&world->observer, "C1", contract_get_session(world->observer.contract, session->handle, &info));
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

static void make_call(World *world, SeenSession *session) {
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
                .hold_limit_usec = one_in(world, 4) ? (1 + choose(world, 60)) * USEC_PER_SEC : 0,
                .component_mode = one_in(world, 2),
                .selected = !one_in(world, 5),
                .writer_name = one_in(world, 6) ? "nobody" : writer_names[choose(world, WRITERS_MAX)],
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
        if (world->observer.n_tokens == OBSERVER_TOKENS_MAX || !observer_may_call(&world->observer, session))
                return;
        input.token = ++world->n_tokens;
        feed(world, input);
}

static void launch(World *world, SeenSession *session) {
        ContractWriterSpec specs[WRITERS_MAX] = {};
        uint32_t n = 2 + choose(world, WRITERS_MAX - 1);

        for (uint32_t i = 0; i < n; i++)
                specs[i] = (ContractWriterSpec){
                        .name = writer_names[i],
                        .level = (ContractLevel) i,
                        .available = !one_in(world, world->odds),
                        .text = "it did not start",
                        .freeze_window_usec = one_in(world, world->odds) ? 5 * USEC_PER_SEC : 0,
                        .writable_snapshots = one_in(world, 3),
                };
        feed(world,
             (ContractInput){.type = CONTRACT_INPUT_WRITERS,
                             .session = session->handle,
                             .writers = specs,
                             .n_writers = n,
                             .error = one_in(world, world->odds) ? CONTRACT_ERROR_WRITER_INFRASTRUCTURE
                                                                 : CONTRACT_OK});
}

static void answer_writer(World *world, SeenSession *session, uint32_t index, ContractEvent event,
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

static void answer_step(World *world, SeenSession *session, ContractStep step, bool good) {
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
static bool answer_something(World *world, SeenSession *session, bool good) {
        uint32_t what = choose(world, 4), first = choose(world, WRITERS_MAX);

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

static void pass_deadline(World *world) {
        const Observer *observer = &world->observer;
        size_t first = observer->n_deadlines;

        for (size_t i = 0; i < observer->n_deadlines; i++)
                if (first == observer->n_deadlines ||
                    observer->deadlines[i].at_usec < observer->deadlines[first].at_usec)
                        first = i;
        if (first == observer->n_deadlines)
                return;
        if (world->now_usec < observer->deadlines[first].at_usec)
                world->now_usec = observer->deadlines[first].at_usec;
        feed(world,
             (ContractInput){.type = CONTRACT_INPUT_DEADLINE, .deadline = observer->deadlines[first].id});
}

/* Things nobody should do: answers to nothing, deadlines that were never armed, or told too early. */
static void nonsense(World *world, SeenSession *session) {
        switch (choose(world, 3)) {
        case 0:
                answer_writer(world, session, choose(world, WRITERS_MAX + 1),
                              (ContractEvent) choose(world, _CONTRACT_EVENT_MAX), one_in(world, 2));
                break;
        case 1:
                feed(world,
                     (ContractInput){.type = CONTRACT_INPUT_DEADLINE,
                                     .deadline = (uint64_t) choose(world, 8) << 8 | choose(world, 6)});
                break;
        default:
                feed(world, (ContractInput){.type = CONTRACT_INPUT_STEP_DONE,
                                            .session = session->handle,
                                            .step = CONTRACT_STEP_NONE});
                break;
        }
}

static void vanish(World *world, const SeenSession *session) {
        feed(world, (ContractInput){.type = CONTRACT_INPUT_OWNER_VANISHED, .session = session->handle});
}

/* The world's seldom events. */
static void accident(World *world, SeenSession *session) {
        ContractInput input = {.session = session->handle};
        uint32_t what = choose(world, 8);

        if (what < 2 && !observer_may_call(&world->observer, session))
                return;
        switch (what) {
        case 0:
                vanish(world, session);
                break;
        case 1:
                if (world->observer.n_tokens == OBSERVER_TOKENS_MAX)
                        break;
                input.type = CONTRACT_INPUT_ADMINISTRATOR_RELEASE;
                input.token = ++world->n_tokens;
                feed(world, input);
                break;
        case 2:
        case 3:
                input.type = CONTRACT_INPUT_WRITER_GONE;
                input.writer = choose(world, WRITERS_MAX);
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
        SeenSession *session = choose_session(world);
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
        Observer *observer = &world->observer;
        bool any = true;

        for (uint32_t round = 0; any; round++) {
                RULE(observer, "C1", round < 2000); /* somebody waits for what nobody will answer */
                any = false;
                for (uint32_t i = 0; i < OBSERVER_SESSIONS_MAX; i++) {
                        SeenSession *session = &observer->sessions[i];

                        if (session->handle != 0 && !session->release_asked &&
                            observer_may_call(observer, session))
                                vanish(world, session);
                        while (session->handle != 0 && answer_something(world, session, true))
                                ;
                        any |= session->handle != 0;
                }
        }
        RULE(observer, "C4", observer->n_tokens == 0);
        RULE(observer, "C30", observer->n_deadlines == 0);
        RULE(observer, "C31", !observer->dark && observer->window == 0);
        RULE(observer, "C1", contract_count_sessions(observer->contract) == 0);
}
