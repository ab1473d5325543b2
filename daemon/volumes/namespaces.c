/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Other mount namespaces: what is mounted there and not in ours (containers, services with mounts of their
 * own). Found by the processes in them: /proc tells each one's namespace and mounts, and its mounts can be
 * opened below /proc/PID/root. Read only when a volume carries a device that we see no mount of.
 *
 * A namespace without a process is not found; a file system that is mounted there alone still shows in
 * sysfs, see world_is_live(). A loop device is placed by the path that sysfs tells of its file, as we see
 * that path: one whose file another namespace alone shows is not found above its volume.
 */

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/volumes/world.h"
#include "util/error.h"

static void closedirp(DIR **d) {
        if (*d)
                (void) closedir(*d);
}

/* "mnt:[4026531841]" of a process, or NULL: it is gone, or not ours to see. */
static char *namespace_of(const VolumeWorld *world, const char *process) {
        _cleanup_free_ char *path = NULL;
        char name[64];
        ssize_t n;

        if (asprintf(&path, "%s/%s/ns/mnt", world->proc, process) < 0) {
                path = NULL;
                return NULL;
        }
        n = readlink(path, name, sizeof(name));
        return n > 0 ? strndup(name, (size_t) n) : NULL;
}

static bool namespace_is_known(const VolumeWorld *world, const char *name) {
        for (size_t i = 0; i < world->n_namespaces; i++)
                if (streq(world->namespaces[i].name, name))
                        return true;
        return false;
}

static void namespace_done(MountNamespace *namespace) {
        free(namespace->name);
        free(namespace->root);
        mnt_unref_table(namespace->mounts);
        *namespace = (MountNamespace){};
}

/**
 * world_forget_namespaces() - release them
 * @world:      the world
 */
void world_forget_namespaces(VolumeWorld *world) {
        for (size_t i = 0; i < world->n_namespaces; i++)
                namespace_done(&world->namespaces[i]);
        free(world->namespaces);
        world->namespaces = NULL;
        world->n_namespaces = 0;
}

/* A process that ends meanwhile is left out; another of the same namespace may come. */
static int namespace_add(VolumeWorld *world, const char *process, const char *name) {
        MountNamespace *more = reallocarray(world->namespaces, world->n_namespaces + 1, sizeof(*more)), *new;
        _cleanup_free_ char *path = NULL;

        if (!more)
                return error_origin(-ENOMEM);
        world->namespaces = more;
        new = &more[world->n_namespaces];
        *new = (MountNamespace){.mounts = mnt_new_table(), .name = strdup(name)};
        if (!new->mounts || !new->name || asprintf(&new->root, "%s/%s/root", world->proc, process) < 0) {
                new->root = NULL;
                namespace_done(new);
                return error_origin(-ENOMEM);
        }
        if (asprintf(&path, "%s/%s/mountinfo", world->proc, process) < 0)
                path = NULL;
        if (!path || mnt_table_parse_file(new->mounts, path) < 0)
                namespace_done(new);
        else
                world->n_namespaces++;
        return path ? 0 : error_origin(-ENOMEM);
}

/**
 * world_find_namespaces() - read the mounts of all other namespaces, once
 * @world:      gets them
 *
 * Return: 0, or a negative errno; no /proc is no error.
 */
int world_find_namespaces(VolumeWorld *world) {
        _cleanup_free_ char *own = NULL;
        _cleanup_(closedirp) DIR *d = NULL;
        int r;

        if (world->namespaces_known)
                return 0;
        world->namespaces_known = true;
        own = namespace_of(world, "self");
        d = own ? opendir(world->proc) : NULL;
        if (!d)
                return 0;
        for (struct dirent *e; (e = readdir(d));) {
                _cleanup_free_ char *name = NULL;

                if (e->d_name[0] < '0' || e->d_name[0] > '9')
                        continue;
                name = namespace_of(world, e->d_name);
                if (!name || streq(name, own) || namespace_is_known(world, name))
                        continue;
                r = namespace_add(world, e->d_name, name);
                if (r < 0)
                        return error_trace(r);
        }
        return 0;
}

/**
 * world_is_live() - whether a file system of a device is mounted somewhere, in whatever namespace
 * @world:      the world
 * @device:     the device
 *
 * Return: true if the kernel shows that it is: ext4, xfs and f2fs do.
 */
bool world_is_live(const VolumeWorld *world, const Device *device) {
        static const char *const types[] = {"ext4", "xfs", "f2fs"};

        for (size_t i = 0; i < ELEMENTSOF(types); i++) {
                _cleanup_free_ char *path = NULL;
                struct stat st;

                if (asprintf(&path, "%s/fs/%s/%s", world->sysfs, types[i], device->kernel_name) < 0) {
                        path = NULL;
                        return false;
                }
                if (stat(path, &st) == 0)
                        return true;
        }
        return false;
}
