/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Out of memory: an input happens in whole or not at all.
 *
 * The linker puts our malloc, calloc and realloc in the place of libc's (--wrap); while armed, one of them
 * fails. Each input of a backup is tried with its first allocation failing, then its second, and so on; each
 * time the machine must say so and be as it was.
 */

#include "tests/contract/harness.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

static unsigned fail_at, n_allocations; /* 0: not armed */

static bool fails(void) {
        return fail_at > 0 && ++n_allocations == fail_at;
}

void *__wrap_malloc(size_t size) {
        return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size) {
        return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size) {
        return fails() ? NULL : __real_realloc(p, size);
}

static unsigned n_failed;

/* The input on fresh clones (which have no memory reserved yet), failing ever later until it works. */
static void try_input(Harness *harness, const ContractInput *input) {
        uint64_t before = contract_hash(harness->contract);

        for (unsigned i = 1;; i++) {
                const ContractEffects *effects;
                Contract *clone;
                int r;

                assert_int_equal(contract_clone(harness->contract, &clone), 0);
                fail_at = i;
                n_allocations = 0;
                r = contract_input(clone, input, &effects);
                fail_at = 0;
                if (r == 0) {
                        contract_free(clone);
                        assert_true(n_allocations < i);
                        return;
                }
                n_failed++;
                assert_int_equal(r, -ENOMEM);
                assert_int_equal(contract_hash(clone), before);
                assert_int_equal(contract_input(clone, input, &effects), 0); /* and then it works */
                contract_free(clone);
        }
}

static void try_and_feed(Harness *harness, ContractInput input) {
        input.now_usec = harness->now_usec;
        try_input(harness, &input);
        feed(harness, input);
}

static void test_an_input_happens_in_whole_or_not_at_all(void **state) {
        Harness *harness = *state;
        static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i"};
        const ContractWriterSpec writers[] = {{.name = "app", .available = true}};
        const ContractComponentSpec components[] = {{.logical_path = "", .name = "a", .selectable = true},
                                                    {"a", "b", false, false},
                                                    {"a", "c", false, false},
                                                    {"a", "d", false, false},
                                                    {"a", "e", false, false}};

        try_and_feed(harness, (ContractInput){.type = CONTRACT_INPUT_OPEN, .session = 1, .id = "one"});
        for (size_t i = 0; i < 3; i++)
                try_and_feed(harness, (ContractInput){.type = CONTRACT_INPUT_CALL,
                                                      .session = 1,
                                                      .token = 1,
                                                      .call = CONTRACT_CALL_DISABLE_WRITERS,
                                                      .names = names + 3 * i,
                                                      .n_names = 3});
        try_and_feed(harness, (ContractInput){.type = CONTRACT_INPUT_CALL,
                                              .session = 1,
                                              .token = 1,
                                              .call = CONTRACT_CALL_GATHER_WRITER_METADATA});
        try_and_feed(harness, (ContractInput){.type = CONTRACT_INPUT_WRITERS,
                                              .session = 1,
                                              .writers = writers,
                                              .n_writers = 1});
        try_and_feed(harness, (ContractInput){.type = CONTRACT_INPUT_WRITER_ANSWER,
                                              .session = 1,
                                              .event = CONTRACT_EVENT_IDENTIFY,
                                              .placed = true,
                                              .names = names,
                                              .n_names = ELEMENTSOF(names),
                                              .components = components,
                                              .n_components = ELEMENTSOF(components)});
        try_and_feed(harness, (ContractInput){.type = CONTRACT_INPUT_CALL,
                                              .session = 1,
                                              .token = 1,
                                              .call = CONTRACT_CALL_START_SNAPSHOT_SET,
                                              .fresh_id = SET_A});
        for (size_t i = 0; i < 6; i++) {
                try_and_feed(harness, (ContractInput){.type = CONTRACT_INPUT_CALL,
                                                      .session = 1,
                                                      .token = 1,
                                                      .call = CONTRACT_CALL_ADD_TO_SNAPSHOT_SET,
                                                      .fresh_id = names[i]});
                try_and_feed(harness, (ContractInput){.type = CONTRACT_INPUT_STEP_DONE,
                                                      .session = 1,
                                                      .step = CONTRACT_STEP_BEGIN_PREPARE,
                                                      .key = names[i]});
        }
        try_and_feed(harness, (ContractInput){.type = CONTRACT_INPUT_OWNER_VANISHED, .session = 1});
        try_and_feed(harness, (ContractInput){.type = CONTRACT_INPUT_RECOVERED,
                                              .session = 2,
                                              .id = "two",
                                              .writers = writers,
                                              .n_writers = 1});
        assert_true(n_failed > 20);
}

static void test_a_clone_is_made_in_whole_or_not_at_all(void **state) {
        Harness *harness = *state;
        Contract *clone;
        unsigned n = 0;

        to_prepared(harness, 1, 2);
        for (unsigned i = 1; i < 100; i++) {
                int r;

                fail_at = i;
                n_allocations = 0;
                r = contract_clone(harness->contract, &clone);
                fail_at = 0;
                if (r == 0)
                        break;
                assert_int_equal(r, -ENOMEM);
                n++;
        }
        assert_int_equal(contract_hash(clone), contract_hash(harness->contract));
        contract_free(clone);
        assert_true(n >= 4);
}

static void test_a_machine_is_made_in_whole_or_not_at_all(void **state) {
        Contract *contract = NULL;
        int r;

        (void) state;
        fail_at = 1;
        n_allocations = 0;
        r = contract_new(&contract, NULL);
        fail_at = 0;
        assert_int_equal(r, -ENOMEM);
        assert_null(contract);
        assert_null(contract_free(NULL));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_an_input_happens_in_whole_or_not_at_all),
                TEST(test_a_clone_is_made_in_whole_or_not_at_all),
                cmocka_unit_test(test_a_machine_is_made_in_whole_or_not_at_all),
        };

        return cmocka_run_group_tests_name("contract: memory", tests, NULL, NULL);
}
