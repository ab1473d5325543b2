/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Provider dm: its queue with its gate, with jobs that touch nothing; and what BEGIN_PREPARE refuses before
 * a job begins.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/providers/mapped-provider.h"

#define SNAPSHOT "00112233-4455-6677-8899-aabbccddeeff"

typedef struct Answers {
        unsigned n, n_idle;
        ContractError error;
        char text[CONTRACT_TEXT_MAX], told[64];
} Answers;

static sd_event *event;
static Provider *provider;
static LvmPlacements stores;

static int setup(void **state) {
        const ProviderDmConfig config = {.runtime_dir = "/run/test", .stores = &stores, .cow_percent = 20};

        assert_int_equal(lvm_placements_add(&stores, "home* /dev/one /dev/two"), 0);
        assert_true(sd_event_default(&event) >= 0);
        assert_int_equal(provider_dm_new(&provider, event, &config), 0);
        return 0;
}

static int teardown(void **state) {
        provider = provider_dm_free(provider);
        event = sd_event_unref(event);
        lvm_placements_done(&stores);
        return 0;
}

static void on_done(ContractError error, const char *text, const char *told, void *userdata) {
        Answers *answers = userdata;

        answers->n++;
        answers->error = error;
        (void) snprintf(answers->text, sizeof(answers->text), "%s", text);
        (void) snprintf(answers->told, sizeof(answers->told), "%s", told);
}

static void on_idle(void *userdata) {
        ((Answers *) userdata)->n_idle++;
}

static int job_tell(int socket_fd, void *argument) {
        const MappedArgument *what = argument;

        (void) dprintf(STDOUT_FILENO, "%s", what->removal.ids.snapshot);
        return CONTRACT_OK;
}

static int job_fail(int socket_fd, void *argument) {
        (void) dprintf(STDERR_FILENO, "The disk burns. ");
        return CONTRACT_ERROR_VOLUME_BUSY;
}

static int job_die(int socket_fd, void *argument) {
        abort();
}

static const MappedArgument argument = {.removal = {.ids = {.snapshot = SNAPSHOT}}};

/* Everything that can happen without the world's doing. */
static void settle(void) {
        while (sd_event_run(event, 0) > 0)
                ;
}

static void await(const Answers *answers, unsigned n) {
        while (answers->n < n)
                assert_true(sd_event_run(event, UINT64_MAX) >= 0);
}

static void test_answers(void **state) {
        Answers answers = {};

        assert_int_equal(mapped_work_new(NULL, provider, job_tell, &argument, on_done, &answers), 0);
        assert_int_equal(answers.n, 0);
        await(&answers, 1);
        assert_int_equal(answers.error, CONTRACT_OK);
        assert_string_equal(answers.told, SNAPSHOT);
        assert_int_equal(mapped_work_new(NULL, provider, job_fail, &argument, on_done, &answers), 0);
        await(&answers, 2);
        assert_int_equal(answers.error, CONTRACT_ERROR_VOLUME_BUSY);
        assert_string_equal(answers.text, "The disk burns.");
        assert_int_equal(mapped_work_new(NULL, provider, job_die, &argument, on_done, &answers), 0);
        await(&answers, 3);
        assert_int_equal(answers.error, CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR);
        assert_non_null(strstr(answers.text, "died"));
}

static void test_gate(void **state) {
        Answers answers = {}, gate = {};

        assert_true(provider_dm_close_gate(provider, on_idle, &gate));
        assert_int_equal(mapped_work_new(NULL, provider, job_tell, &argument, on_done, &answers), 0);
        settle();
        assert_int_equal(answers.n + gate.n_idle, 0);
        provider_dm_open_gate(provider);
        await(&answers, 1);

        /* One that runs is waited for. */
        assert_int_equal(mapped_work_new(NULL, provider, job_tell, &argument, on_done, &answers), 0);
        assert_true(sd_event_run(event, UINT64_MAX) >= 0);
        assert_int_equal(provider->n_running, 1);
        assert_false(provider_dm_close_gate(provider, on_idle, &gate));
        await(&answers, 2);
        settle();
        assert_int_equal(gate.n_idle, 1);
        provider_dm_open_gate(provider);
        settle();
        assert_int_equal(gate.n_idle, 1);
}

static void test_cancel(void **state) {
        Answers answers = {};
        MappedWork *work, *forgotten;

        (void) provider_dm_close_gate(provider, NULL, NULL);
        assert_int_equal(mapped_work_new(&work, provider, job_tell, &argument, on_done, &answers), 0);
        assert_int_equal(mapped_work_new(&forgotten, provider, job_tell, &argument, on_done, &answers), 0);
        mapped_work_cancel(work);
        mapped_work_forget(forgotten);
        mapped_work_forget(NULL);
        await(&answers, 1);
        assert_int_equal(answers.error, CONTRACT_ERROR_ABORTED);
        settle();
        assert_int_equal(answers.n, 1);
        assert_null(provider->first);
}

/* What waits when all ends never runs. */
static void test_end(void **state) {
        Answers answers = {};

        (void) provider_dm_close_gate(provider, NULL, NULL);
        assert_int_equal(mapped_work_new(NULL, provider, job_tell, &argument, on_done, &answers), 0);
        provider = provider_dm_free(provider);
        settle();
        assert_int_equal(answers.n, 0);
}

static void on_volume(ProviderVolume *volume, ContractError error, const char *text, void *userdata) {
        on_done(error, text ?: "", "", userdata);
}

static Volume home = {.name = (char *) "home",
                      .dm_name = (char *) "home",
                      .dm_uuid = (char *) "CRYPT-LUKS1-12-home",
                      .key = (char *) "CRYPT-LUKS1-12-home"};

static void refuse(Volume origin, ProviderSet set, const char *wished, ContractError error,
                   const char *text) {
        char *names[] = {(char *) wished, NULL};
        ProviderVolume volume = {.ops = &provider_dm_ops,
                                 .provider = provider,
                                 .set = &set,
                                 .snapshot_id = SNAPSHOT,
                                 .origin = &origin,
                                 .name = origin.name,
                                 .wished_devices = wished ? names : NULL};
        Answers answers = {};

        (void) snprintf(set.id, sizeof(set.id), "%s", SNAPSHOT);
        (void) snprintf(set.session_id, sizeof(set.session_id), "%s", SNAPSHOT);
        assert_int_equal(provider_dm_ops.op[PROVIDER_BEGIN_PREPARE](&volume, on_volume, &answers), 0);
        if (error == CONTRACT_OK) {
                assert_int_equal(answers.n, 0); /* its job looks */
                assert_non_null(provider->first);
                mapped_volume_done(&volume);
                settle();
                assert_null(provider->first);
                return;
        }
        assert_int_equal(answers.n, 1);
        assert_int_equal(answers.error, error);
        assert_non_null(strstr(answers.text, text));
        assert_null(volume.data);
}

static void test_refused(void **state) {
        Volume no_dm = home, no_uuid = home, lvm = home, ours = home, swap = home, suspended = home;
        ProviderSet set = {};

        (void) provider_dm_close_gate(provider, NULL, NULL);
        no_dm.dm_name = no_dm.dm_uuid = NULL;
        refuse(no_dm, set, NULL, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED, "is no device of device-mapper");
        no_uuid.dm_uuid = NULL;
        refuse(no_uuid, set, NULL, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED, "--setuuid");
        lvm.dm_uuid = (char *) "LVM-x-real";
        refuse(lvm, set, NULL, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED, "a part of one");
        ours.dm_uuid = (char *) MAPPED_UUID_PREFIX "x";
        refuse(ours, set, NULL, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED, "name its origin");
        swap.swap = (char *) "/dev/dm-1";
        refuse(swap, set, NULL, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED, "swap area");
        suspended.suspended = true;
        refuse(suspended, set, NULL, CONTRACT_ERROR_VOLUME_BUSY, "suspended by somebody");
        set.persistent = true;
        refuse(home, set, NULL, CONTRACT_ERROR_NOT_SUPPORTED, "cannot be persistent");
}

/* A store is overwritten: who is not root takes one that is configured for just this volume. */
static void test_wished(void **state) {
        ProviderSet root = {}, user = {.owner_uid = 1000};
        Volume other = home;

        (void) provider_dm_close_gate(provider, NULL, NULL);
        refuse(home, user, "/dev/three", CONTRACT_ERROR_ACCESS_DENIED, "only root may name");
        refuse(home, user, "/dev/two", CONTRACT_OK, NULL);
        refuse(home, user, NULL, CONTRACT_OK, NULL);
        refuse(home, root, "/dev/three", CONTRACT_OK, NULL);
        other.dm_name = (char *) "data";
        refuse(other, user, "/dev/two", CONTRACT_ERROR_ACCESS_DENIED, "only root may name");
}

int main(void) {
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_answers), TEST(test_gate),    TEST(test_cancel),
                TEST(test_end),     TEST(test_refused), TEST(test_wished),
        };

        return cmocka_run_group_tests_name("mapped-queue", tests, NULL, NULL);
}
