/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Drives the LVM providers by hand, without a hold: for the tests in the guest.
 *
 *   provider-driver [OPTION]… check VG/LV…    BEGIN_PREPARE of each: "ok PROVIDER" or "error NUMBER TEXT"
 *   provider-driver [OPTION]… make VG/LV…     all phases; the snapshots stay
 *   provider-driver [OPTION]… abort VG/LV…    up to END_PREPARE, then ABORT
 *   provider-driver list                      our LVs, as name and tags say
 *   provider-driver delete                    all that list shows, found by their tags alone
 *
 * Options: --persistent, --provider=NAME, --cow=BYTES, --max=SNAPSHOTS. Each phase that ends prints a line.
 * Without a hold the snapshots hold whatever instant LVM gave them (thin ones that are not persistent:
 * nothing at all).
 */

#include <getopt.h>
#include <inttypes.h>
#include <systemd/sd-id128.h>
#include <time.h>

#include "contract/names.h"
#include "daemon/providers/lvm.h"
#include "util/error.h"

typedef struct Driver {
        sd_event *event;
        Lvm *lvm;
        Provider *provider;
        ProviderSet set;
        ProviderVolume volumes[CONTRACT_VOLUMES_MAX];
        size_t n_volumes, n_pending;
        const char *phase;
        bool failed;
} Driver;

static const char *arg_provider;
static uint64_t arg_cow;
static unsigned arg_max;
static bool arg_persistent;

static void must(int r) {
        if (r == 0)
                return;
        fprintf(stderr, "provider-driver: %s\n", strerror(abs(r)));
        exit(EXIT_FAILURE);
}

static void wait_for(Driver *driver) {
        while (driver->n_pending > 0)
                if (sd_event_run(driver->event, UINT64_MAX) < 0)
                        abort();
}

static void on_done(ProviderVolume *volume, ContractError error, const char *text, void *userdata) {
        Driver *driver = userdata;

        printf("%s %s: ", driver->phase, volume ? volume->name : "set");
        if (error == CONTRACT_OK)
                printf("ok %s\n", volume ? volume->ops->name : "");
        else
                printf("error %s %s\n", contract_error_to_string(error), text);
        driver->failed = driver->failed || error != CONTRACT_OK;
        driver->n_pending--;
}

/* All volumes, then the set; as daemon/sets does it. Return: whether all went well. */
static bool run_phase(Driver *driver, const char *name, ProviderPhase phase) {
        ProviderVolume *all[CONTRACT_VOLUMES_MAX];

        driver->phase = name;
        for (size_t i = 0; i < driver->n_volumes; i++) {
                ProviderVolume *volume = &driver->volumes[i];
                ProviderOp op = volume->ops->op[phase];

                all[i] = volume;
                if (!op)
                        continue;
                driver->n_pending++;
                must(op(volume, on_done, driver));
        }
        wait_for(driver);
        if (!driver->failed && driver->n_volumes > 0 && all[0]->ops->set_op[phase]) {
                driver->n_pending++;
                must(all[0]->ops->set_op[phase](driver->provider, all, driver->n_volumes, on_done, driver));
                wait_for(driver);
        }
        return !driver->failed;
}

static void new_id(char ret[static CONTRACT_ID_MAX]) {
        sd_id128_t id;

        must(sd_id128_randomize(&id));
        (void) sd_id128_to_uuid_string(id, ret);
}

static int add_volume(Driver *driver, VolumeWorld *world, const char *name) {
        ProviderVolume *volume = &driver->volumes[driver->n_volumes];
        dev_t device;
        int r;

        r = volume_world_find_name(world, name, &device);
        if (r != 0) {
                fprintf(stderr, "no volume %s: %d\n", name, r);
                return -ENODEV;
        }
        r = volume_new(&volume->origin, world, device);
        if (r < 0)
                return r;
        volume->index = (uint32_t) driver->n_volumes++;
        volume->ops = &lvm_cow_ops;
        volume->provider = driver->provider;
        volume->set = &driver->set;
        volume->name = strdup(volume->origin->name);
        volume->key = strdup(volume->origin->key);
        volume->cow_size = arg_cow;
        volume->wished_provider = arg_provider ? strdup(arg_provider) : NULL;
        new_id(volume->snapshot_id);
        driver->set.n_volumes = (uint32_t) driver->n_volumes;
        return 0;
}

static void describe(Driver *driver) {
        for (size_t i = 0; i < driver->n_volumes; i++) {
                ProviderVolume *volume = &driver->volumes[i];
                const char *lock = NULL;
                HoldVolume hold = {};

                must(volume->ops->describe_hold(volume, &hold, &lock));
                printf("group %s\n", lock);
                if (hold.kind == HOLD_VOLUME_COW)
                        printf("cow %u %s %s %s\n", hold.depth, hold.origin_uuid, hold.snapshot_uuid,
                               hold.cow_uuid);
                else
                        printf("thin %u %s %s %u %s\n", hold.depth, hold.origin_uuid, hold.pool_uuid,
                               hold.thin_snapshot_id, hold.thin_origin_uuid);
        }
}

static bool do_check(Driver *driver) {
        return run_phase(driver, "begin-prepare", PROVIDER_BEGIN_PREPARE);
}

static bool space_is_good(const ProviderVolume *volume) {
        ProviderSpace space;

        return volume->ops->get_space(volume, &space) && !space.reason;
}

static bool do_make(Driver *driver) {
        struct timespec now;

        if (!run_phase(driver, "begin-prepare", PROVIDER_BEGIN_PREPARE) ||
            !run_phase(driver, "end-prepare", PROVIDER_END_PREPARE))
                return false;
        describe(driver);
        (void) clock_gettime(CLOCK_REALTIME, &now);
        driver->set.instant_realtime_usec = (uint64_t) now.tv_sec * USEC_PER_SEC;
        if (!run_phase(driver, "pre-final-commit", PROVIDER_PRE_FINAL_COMMIT) ||
            !run_phase(driver, "post-final-commit", PROVIDER_POST_FINAL_COMMIT))
                return false;
        for (size_t i = 0; i < driver->n_volumes; i++) {
                ProviderVolume *volume = &driver->volumes[i];

                printf("device %s %s %s\n", volume->name, volume->device,
                       space_is_good(volume) ? "valid" : "invalid");
        }
        return true;
}

static bool do_abort(Driver *driver) {
        bool good;

        (void) (run_phase(driver, "begin-prepare", PROVIDER_BEGIN_PREPARE) &&
                run_phase(driver, "end-prepare", PROVIDER_END_PREPARE));
        good = !driver->failed;
        driver->failed = false;
        return run_phase(driver, "abort", PROVIDER_ABORT) && good;
}

static void on_listed(int r, const LvmReport *report, const char *text, void *userdata) {
        Driver *driver = userdata;
        LvmSnapshot s;

        driver->n_pending--;
        if (r < 0) {
                printf("error %s\n", text);
                driver->failed = true;
                return;
        }
        for (size_t i = 0; i < report->n_volumes; i++) {
                ProviderVolume *volume = &driver->volumes[driver->n_volumes];

                if (!lvm_volume_get_snapshot(&report->volumes[i], &s))
                        continue;
                volume->provider = driver->provider;
                volume->set = &driver->set;
                must(provider_lvm_adopt(volume, report, &report->volumes[i]));
                driver->n_volumes++;
                printf("snapshot %s of %s uid %u %s %s volumes %u instant %" PRIu64 "\n", s.id, volume->name,
                       s.owner_uid, s.persistent ? "persistent" : "auto-release",
                       s.final ? "final" : "unfinished", s.n_volumes, s.instant_realtime_usec);
        }
}

static bool do_list(Driver *driver) {
        driver->n_pending++;
        must(lvm_list(driver->lvm, NULL, on_listed, driver));
        wait_for(driver);
        return !driver->failed;
}

static bool do_delete(Driver *driver) {
        return do_list(driver) && run_phase(driver, "delete", PROVIDER_DELETE);
}

static void driver_done(Driver *driver) {
        for (size_t i = 0; i < driver->n_volumes; i++) {
                ProviderVolume *volume = &driver->volumes[i];

                volume->ops->volume_done(volume);
                (void) volume_free(volume->origin);
                free(volume->name);
                free(volume->key);
                free(volume->device);
                free(volume->wished_provider);
        }
        (void) provider_lvm_free(driver->provider);
        (void) lvm_free(driver->lvm);
        (void) sd_event_unref(driver->event);
}

static bool parse_options(int argc, char **argv) {
        static const struct option options[] = {
                {"persistent", no_argument, NULL, 'p'},
                {"provider", required_argument, NULL, 'P'},
                {"cow", required_argument, NULL, 'c'},
                {"max", required_argument, NULL, 'm'},
                {},
        };
        int c;

        while ((c = getopt_long(argc, argv, "+", options, NULL)) >= 0)
                switch (c) {
                case 'p':
                        arg_persistent = true;
                        break;
                case 'P':
                        arg_provider = optarg;
                        break;
                case 'c':
                        arg_cow = strtoull(optarg, NULL, 10);
                        break;
                case 'm':
                        arg_max = (unsigned) strtoul(optarg, NULL, 10);
                        break;
                default:
                        return false;
                }
        return optind < argc;
}

int main(int argc, char **argv) {
        static const struct {
                const char *name;
                bool (*run)(Driver *driver);
        } commands[] = {
                {"check", do_check}, {"make", do_make},     {"abort", do_abort},
                {"list", do_list},   {"delete", do_delete},
        };
        _cleanup_(volume_world_freep) VolumeWorld *world = NULL;
        ProviderLvmConfig config = {};
        static Driver driver;
        bool good = false;

        if (!parse_options(argc, argv))
                return EXIT_FAILURE;
        config.snapshots_max = arg_max;
        must(sd_event_new(&driver.event));
        must(lvm_new(&driver.lvm, driver.event, NULL));
        must(lvm_set_runtime_dir(driver.lvm, "/run"));
        must(lvm_set_expedite_rcu(driver.lvm, true));
        must(provider_lvm_new(&driver.provider, driver.lvm, &config));
        must(volume_world_new(&world, NULL));
        driver.set.persistent = arg_persistent;
        driver.set.owner_uid = getuid();
        new_id(driver.set.id);
        new_id(driver.set.session_id);
        for (int i = optind + 1; i < argc; i++)
                if (add_volume(&driver, world, argv[i]) < 0)
                        return EXIT_FAILURE;
        for (size_t i = 0; i < ELEMENTSOF(commands); i++)
                if (streq(argv[optind], commands[i].name))
                        good = commands[i].run(&driver);
        driver_done(&driver);
        return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
