/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the kernel does with device-mapper's tables and with frozen file systems, as far as the hold depends
 * on it; see hold-model.h.
 */

#include "tests/unit/hold-model.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "util/macro.h"

#define MODEL_MAJOR   253u
#define MODEL_SECTORS 2048u

static Model *entered; /* by this process: its calls are the model's */

/* --- the set --------------------------------------------------------------------------------------------
 */

static void device_set(Model *model, unsigned index, const char *name, const char *type,
                       const char *params) {
        ModelDevice *device = &model->devices[index];

        memset(device, 0, sizeof(*device));
        (void) snprintf(device->name, sizeof(device->name), "vg-%s", name);
        (void) snprintf(device->uuid, sizeof(device->uuid), "LVM-%s", name);
        device->live = (ModelTable){.present = true, .n_sectors = MODEL_SECTORS, .n_targets = 1};
        (void) snprintf(device->live.type, sizeof(device->live.type), "%s", type);
        (void) snprintf(device->live.params, sizeof(device->live.params), "%s", params);
}

static void file_write(const char *path, const char *text) {
        FILE *file = fopen(path, "we");

        assert(file);
        (void) fputs(text, file);
        (void) fclose(file);
}

/**
 * model_reset() - the set as LVM leaves it, nothing held, nothing failing
 * @model:      the model
 */
void model_reset(Model *model) {
        static const int below[N_MOUNTS] = {DEVICE_ORIGIN, DEVICE_THIN, -1, -1};

        device_set(model, DEVICE_ORIGIN, "data", "snapshot-origin", "253:1");
        device_set(model, DEVICE_REAL, "data-real", "linear", "8:0 0");
        device_set(model, DEVICE_SNAPSHOT, "snapshot", "snapshot", "253:1 253:3 P 8");
        device_set(model, DEVICE_STORE, "snapshot-cow", "linear", "8:0 4096");
        device_set(model, DEVICE_POOL, "pool-tpool", "thin-pool", "253:8 253:9 128 0 0");
        device_set(model, DEVICE_THIN, "thin", "thin", "253:4 1");
        device_set(model, DEVICE_UPPER, "upper", "snapshot-origin", "253:7");
        device_set(model, DEVICE_THIN_REAL, "upper-real", "thin", "253:4 2");
        for (unsigned i = 0; i < N_MOUNTS; i++) {
                model->mounts[i].device = below[i];
                model->mounts[i].frozen = model->mounts[i].frozen_by_dm = false;
        }
        memset(model->thin_exists, 0, sizeof(model->thin_exists));
        for (unsigned i = 1; i <= 4; i++)
                model->thin_exists[i] = true;
        (void) snprintf(model->pool_status, sizeof(model->pool_status),
                        "1 10/1000 10/1000 - rw discard_passdown queue_if_no_space - 1024");
        file_write(model->rcu_path, "0\n");
        file_write(model->rcu_normal_path, "0\n");
        model->fault = (ModelFault){};
        model->n_calls = model->n_failed = model->failed_kinds = 0;
        model->n_wrong_instants = model->n_wrong_thaws = 0;
        (void) sem_init(&model->blocked, 1, 0);
        (void) sem_init(&model->go_on, 1, 0);
        model->hurries = false;
        model->clock_usec = 0;
}

/**
 * model_new() - makes a model and the files that it needs
 *
 * Return: the model, to be freed with model_free().
 */
Model *model_new(void) {
        Model *model = mmap(NULL, sizeof(*model), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        pthread_mutexattr_t attributes;
        struct stat st;

        assert(model != MAP_FAILED);
        (void) pthread_mutexattr_init(&attributes);
        (void) pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        (void) pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
        (void) pthread_mutex_init(&model->mutex, &attributes);
        (void) snprintf(model->directory, sizeof(model->directory), "/tmp/hold-model-XXXXXX");
        assert(mkdtemp(model->directory));
        (void) snprintf(model->rcu_path, sizeof(model->rcu_path), "%s/expedited", model->directory);
        (void) snprintf(model->rcu_normal_path, sizeof(model->rcu_normal_path), "%s/normal",
                        model->directory);
        (void) snprintf(model->store_path, sizeof(model->store_path), "%s/store", model->directory);
        (void) snprintf(model->lock_path, sizeof(model->lock_path), "%s/V_vg", model->directory);
        file_write(model->store_path, "what an old snapshot has left");
        assert(stat(model->store_path, &st) == 0);
        model->store_inode = st.st_ino;
        model->store_device = makedev(MODEL_MAJOR, DEVICE_STORE);
        for (unsigned i = 0; i < N_MOUNTS; i++) {
                ModelMount *mount = &model->mounts[i];

                (void) snprintf(mount->path, sizeof(mount->path), "%s/%u", model->directory, i);
                assert(mkdir(mount->path, 0700) == 0 && stat(mount->path, &st) == 0);
                mount->inode = st.st_ino;
        }
        model_reset(model);
        return model;
}

/**
 * model_free() - removes the files of a model and unmaps it
 * @model:      the model
 */
void model_free(Model *model) {
        for (unsigned i = 0; i < N_MOUNTS; i++)
                (void) rmdir(model->mounts[i].path);
        (void) unlink(model->rcu_path);
        (void) unlink(model->rcu_normal_path);
        (void) unlink(model->store_path);
        (void) unlink(model->lock_path);
        (void) rmdir(model->directory);
        (void) munmap(model, sizeof(*model));
}

/**
 * model_enter() - from now on the calls of this process, and of what it forks, are the model's
 * @model:      the model
 */
void model_enter(Model *model) {
        entered = model;
}

/**
 * model_leave() - from now on this process's calls are the kernel's again
 */
void model_leave(void) {
        entered = NULL;
}

/**
 * model_entered() - the model that this process's calls go to
 *
 * Return: the model, or NULL: they go to the kernel.
 */
Model *model_entered(void) {
        return entered;
}

/**
 * model_lock() - takes the model, also from a process that died with it
 * @model:      the model
 */
void model_lock(Model *model) {
        if (pthread_mutex_lock(&model->mutex) == EOWNERDEAD)
                (void) pthread_mutex_consistent(&model->mutex);
}

/**
 * model_unlock() - gives it back
 * @model:      the model
 */
void model_unlock(Model *model) {
        (void) pthread_mutex_unlock(&model->mutex);
}

/**
 * model_count() - notes a call, and what is to happen at it
 * @kind:       one of CALL_*
 *
 * Return: 0: carry it out; 1: do nothing, and say that all went well; or a negative errno to fail with.
 */
int model_count(uint32_t kind) {
        void (*meddle)(Model *) = NULL;
        ModelFault *fault;
        int r = 0;

        if (!entered)
                return 0;
        model_lock(entered);
        fault = &entered->fault;
        if (kind & fault->kinds) {
                entered->n_calls++;
                if (entered->n_calls >= fault->first && entered->n_calls <= fault->last) {
                        entered->n_failed++;
                        entered->failed_kinds |= kind;
                        meddle = fault->meddle;
                        r = meddle ? 0 : fault->error == 0 ? 1 : -fault->error;
                }
        }
        model_unlock(entered);
        if (meddle)
                meddle(entered);
        return r;
}

/* --- device-mapper --------------------------------------------------------------------------------------
 */

static ModelMount *mount_on(Model *model, int device) {
        for (unsigned i = 0; i < N_MOUNTS; i++)
                if (model->mounts[i].device == device)
                        return &model->mounts[i];
        return NULL;
}

static int device_suspend(Model *model, int index, bool lockfs) {
        ModelMount *mount = lockfs ? mount_on(model, index) : NULL;

        if (model->devices[index].suspended)
                return 0;
        if (mount && mount->frozen)
                return -EBUSY;
        if (mount)
                mount->frozen = mount->frozen_by_dm = true;
        model->devices[index].suspended = true;
        return 0;
}

static void device_resume(Model *model, int index) {
        ModelDevice *device = &model->devices[index];
        ModelMount *mount = mount_on(model, index);

        if (device->inactive.present) {
                if (streq(device->inactive.type, "snapshot") && !model->devices[DEVICE_ORIGIN].suspended)
                        model->n_wrong_instants++;
                device->live = device->inactive;
                device->inactive = (ModelTable){};
        }
        if (device->suspended && mount && mount->frozen_by_dm)
                mount->frozen = mount->frozen_by_dm = false;
        device->suspended = false;
}

static int pool_message(Model *model, const char *message) {
        unsigned id, origin;

        if (sscanf(message, "delete %u", &id) == 1) {
                if (!model->thin_exists[id])
                        return -ENODATA;
                model->thin_exists[id] = false;
                return 0;
        }
        if (sscanf(message, "create_snap %u %u", &id, &origin) != 2)
                return -EINVAL;
        if (model->thin_exists[id])
                return -EEXIST;
        if (!model->devices[origin == 1 ? DEVICE_THIN : DEVICE_UPPER].suspended)
                model->n_wrong_instants++;
        model->thin_exists[id] = true;
        return 0;
}

static void table_load(ModelDevice *device, const struct dm_target_spec *spec) {
        device->inactive = (ModelTable){.present = true, .n_sectors = spec->length, .n_targets = 1};
        (void) snprintf(device->inactive.type, sizeof(device->inactive.type), "%s", spec->target_type);
        (void) snprintf(device->inactive.params, sizeof(device->inactive.params), "%s",
                        (const char *) (spec + 1));
}

static void table_status(const Model *model, const ModelDevice *device, struct dm_ioctl *argument,
                         struct dm_target_spec *spec) {
        bool status = !(argument->flags & DM_STATUS_TABLE_FLAG) && streq(device->live.type, "thin-pool");

        argument->target_count = device->live.n_targets;
        spec->sector_start = 0;
        spec->length = device->live.n_sectors;
        memcpy(spec->target_type, device->live.type, sizeof(spec->target_type));
        strcpy((char *) (spec + 1), status ? model->pool_status : device->live.params);
}

static void device_tell(const Model *model, int index, struct dm_ioctl *argument) {
        const ModelDevice *device = &model->devices[index];

        argument->flags = (device->suspended ? DM_SUSPEND_FLAG : 0) | DM_ACTIVE_PRESENT_FLAG |
                          (device->inactive.present ? DM_INACTIVE_PRESENT_FLAG : 0) |
                          (device->full ? DM_BUFFER_FULL_FLAG : 0);
        argument->open_count = device->open_count;
        argument->dev = makedev(MODEL_MAJOR, (unsigned) index);
        memcpy(argument->name, device->name, sizeof(device->name));
}

static int device_call(Model *model, int index, unsigned long request, struct dm_ioctl *argument) {
        ModelDevice *device = &model->devices[index];
        void *data = (char *) argument + argument->data_start;
        int r = 0;

        if (request == DM_DEV_SUSPEND && argument->flags & DM_SUSPEND_FLAG)
                r = device_suspend(model, index, !(argument->flags & DM_SKIP_LOCKFS_FLAG));
        else if (request == DM_DEV_SUSPEND)
                device_resume(model, index);
        else if (request == DM_TABLE_CLEAR)
                device->inactive = (ModelTable){};
        else if (request == DM_TABLE_LOAD)
                table_load(device, data);
        else if (request == DM_TARGET_MSG)
                r = pool_message(model, ((struct dm_target_msg *) data)->message);
        else if (request == DM_TABLE_STATUS)
                table_status(model, device, argument, data);
        device_tell(model, index, argument);
        return r;
}

/**
 * model_ioctl() - one of device-mapper's calls
 * @request:    DM_*
 * @argument:   as for ioctl()
 *
 * Return: 0, or a negative errno; -ENXIO: no such device.
 */
int model_ioctl(unsigned long request, struct dm_ioctl *argument) {
        int r = -ENXIO;

        model_lock(entered);
        for (int i = 0; i < N_DEVICES && r == -ENXIO; i++)
                if (streq(entered->devices[i].uuid, argument->uuid))
                        r = device_call(entered, i, request, argument);
        model_unlock(entered);
        return r;
}

/**
 * model_thaw() - FITHAW
 * @inode:      of the root of a mount
 *
 * Return: 0, or a negative errno; -EINVAL: it is not frozen.
 */
int model_thaw(ino_t inode) {
        int r = -ENOTTY;

        model_lock(entered);
        for (unsigned i = 0; i < N_MOUNTS; i++) {
                ModelMount *mount = &entered->mounts[i];

                if (mount->inode != inode)
                        continue;
                r = mount->frozen ? 0 : -EINVAL;
                entered->n_wrong_thaws += mount->frozen_by_dm;
                mount->frozen = mount->frozen_by_dm = false;
        }
        model_unlock(entered);
        return r;
}

/**
 * model_block() - a call does not come back: for ModelFault, as who meddles
 * @model:      the model; `blocked` is posted, `go_on` waited for
 */
void model_block(Model *model) {
        (void) sem_post(&model->blocked);
        while (sem_wait(&model->go_on) < 0)
                ;
}

/* --- what a test asks -----------------------------------------------------------------------------------
 */

/**
 * model_held() - whether anything is held, or could become a snapshot at a wrong instant
 * @model:      the model
 *
 * Return: what it is, or "".
 */
const char *model_held(Model *model) {
        if (model->n_wrong_instants > 0)
                return "a snapshot was made of an origin that was not suspended";
        if (model->n_wrong_thaws > 0)
                return "what device-mapper had frozen was thawed by FITHAW";
        for (unsigned i = 0; i < N_DEVICES; i++) {
                if (model->devices[i].suspended)
                        return model->devices[i].name;
                if (model->devices[i].inactive.present)
                        return "a staged table";
        }
        for (unsigned i = 0; i < N_MOUNTS; i++)
                if (model->mounts[i].frozen)
                        return model->mounts[i].path;
        return "";
}

/**
 * model_names() - whether a text names a device, by its name or uuid
 * @model:      the model
 * @text:       for people
 *
 * Return: true if so.
 */
bool model_names(const Model *model, const char *text) {
        for (unsigned i = 0; i < N_DEVICES; i++)
                if (strstr(text, model->devices[i].name) || strstr(text, model->devices[i].uuid))
                        return true;
        return strstr(text, "plain") != NULL;
}
