/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A volume's persistent snapshots below a directory; see previous-versions.h. */

#include "ctl/previous-versions.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "ctl/origin.h"
#include "ctl/table.h"
#include "quiesce/requester.h"
#include "util/texts.h"

/* One directory as it ought to be. */
typedef struct Version {
        char name[VERSION_NAME_SIZE];
        const Dict *snapshot;
} Version;

typedef struct View {
        DictArray snapshots; /* all of quiesced's */
        Version *versions;
        size_t n_versions;
} View;

static void view_done(View *view) {
        dict_array_done(&view->snapshots);
        free(view->versions);
}

static bool is_of_volume(const PreviousVersions *versions, const Dict *snapshot) {
        const char *volume = dict_get_string(snapshot, "volume"), *key = dict_get_string(snapshot, "key");

        if (versions->device == 0)
                return volume && streq(volume, versions->volume);
        return key && device_lies_on("/sys", versions->device, key);
}

static bool is_shown(const PreviousVersions *versions, const Dict *snapshot) {
        const char *state = dict_get_string(snapshot, "State"),
                   *unreadable = dict_get_string(snapshot, "open-tree");

        return state && streq(state, "created") && dict_get_number(snapshot, "Persistent") &&
               !(unreadable && *unreadable) && is_of_volume(versions, snapshot);
}

/* Windows knows no two versions of one second: the later one is shown. */
static void view_add(View *view, const Dict *snapshot) {
        Version version = {.snapshot = snapshot};

        version_name(version.name, dict_get_number(snapshot, "CreatedUSec"));
        for (size_t i = 0; i < view->n_versions; i++)
                if (streq(view->versions[i].name, version.name)) {
                        if (dict_get_number(view->versions[i].snapshot, "CreatedUSec") <
                            dict_get_number(snapshot, "CreatedUSec"))
                                view->versions[i] = version;
                        return;
                }
        view->versions[view->n_versions++] = version;
}

/* Return: 0, CTL_E_SAID or a negative errno. */
static int view_take(View *view, const PreviousVersions *versions, bool none) {
        int r;

        r = objects_read(&view->snapshots, versions->bus, QUIESCE_BUS_SNAPSHOT);
        if (r != 0)
                return r;
        view->versions = calloc(view->snapshots.n_dicts + 1, sizeof(*view->versions));
        if (!view->versions)
                return error_origin(-ENOMEM);
        for (size_t i = 0; i < view->snapshots.n_dicts; i++) {
                Dict *snapshot = &view->snapshots.dicts[i];

                r = checked_properties(snapshot, versions->bus, snapshot->name, QUIESCE_BUS_SNAPSHOT);
                if (r < 0)
                        return error_trace(r);
                if (!none && is_shown(versions, snapshot))
                        view_add(view, snapshot);
        }
        return 0;
}

/* Return: the id of what is mounted on a directory in ours; 0: nothing is, or there is no such directory. */
static uint64_t mounted_there(const PreviousVersions *versions, const char *name) {
        _cleanup_close_ int fd =
                openat(versions->directory_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct statx stx;

        if (fd < 0 || statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &stx) < 0)
                return 0;
        return stx.stx_attributes & STATX_ATTR_MOUNT_ROOT ? stx.stx_mnt_id : 0;
}

static bool was_said(PreviousVersions *versions, const char *id) {
        for (size_t i = 0; i < versions->n_said; i++)
                if (streq(versions->said[i], id))
                        return true;
        return texts_add(&versions->said, &versions->n_said, id) < 0;
}

/* Return: 0, CTL_E_SAID or a negative errno. */
static int mount_call(PreviousVersions *versions, const char *id, int directory_fd) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *call = NULL;
        int r;

        r = snapshot_new_call(versions->bus, &call, id, "Mount");
        if (r != 0)
                return r;
        r = sd_bus_message_append(call, "ha{sv}", directory_fd, 1, "gives-way", "b", 1);
        if (r >= 0)
                r = sd_bus_call(versions->bus, call, UINT64_MAX, &error, NULL);
        if (r >= 0)
                return 0;
        return was_said(versions, id) ? CTL_E_SAID : say_bus_error(id, &error, r);
}

static bool is_exported(const PreviousVersions *versions, const char *name) {
        for (size_t i = 0; i < versions->n_exported; i++)
                if (streq(versions->exported[i], name))
                        return true;
        return false;
}

/* A failure leaves it shown on this machine, is told once, and tried again with each update. */
static void version_export(PreviousVersions *versions, const Version *version) {
        const char *id = dict_get_string(version->snapshot, "Id");
        _cleanup_free_ char *path = NULL, *said = NULL;
        int r;

        if (versions->nfs.n_clients == 0 || is_exported(versions, version->name))
                return;
        if (asprintf(&path, "%s/%s", versions->path, version->name) < 0) {
                path = NULL;
                return;
        }
        r = nfs_export_show(&versions->nfs, path, id, &said);
        if (r == 0)
                (void) texts_add(&versions->exported, &versions->n_exported, version->name);
        else if (!was_said(versions, version->name))
                say("%s cannot be exported: %s", path,
                    r == -ENOENT ? "there is no exportfs; an NFS server (nfs-kernel-server) is needed"
                    : said       ? said
                                 : strerror(-r));
}

/* Before it is unmounted, if that was not somebody else: while it is exported the server has it open. */
static void version_unexport(PreviousVersions *versions, const char *name) {
        _cleanup_free_ char *path = NULL;

        if (versions->nfs.n_clients == 0)
                return;
        if (asprintf(&path, "%s/%s", versions->path, name) < 0) {
                path = NULL;
                return;
        }
        nfs_export_hide(&versions->nfs, path);
        versions->flush = true;
        for (size_t i = 0; i < versions->n_exported; i++)
                if (streq(versions->exported[i], name)) {
                        free(versions->exported[i]);
                        versions->exported[i] = versions->exported[--versions->n_exported];
                        versions->exported[versions->n_exported] = NULL;
                        return;
                }
}

/* Return: whether it is shown then. */
static bool version_show(PreviousVersions *versions, const Version *version) {
        const char *id = dict_get_string(version->snapshot, "Id");
        uint64_t mounted = mounted_there(versions, version->name);
        _cleanup_close_ int fd = -EBADF;

        if (mounted != 0 && snapshot_is_mounted_as(version->snapshot, mounted))
                return true;
        if (mounted != 0) /* what quiesced knows nothing of: it was killed in the middle */
                (void) snapshot_unmount(versions->bus, id, mounted);
        if (mkdirat(versions->directory_fd, version->name, 0755) < 0 && errno != EEXIST) {
                say("%s/%s cannot be made: %s", versions->directory, version->name, strerror(errno));
                return false;
        }
        fd = openat(versions->directory_fd, version->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && mount_call(versions, id, fd) == 0)
                return true;
        (void) unlinkat(versions->directory_fd, version->name, AT_REMOVEDIR);
        return false;
}

/* A directory that is to be there no more; what quiesced has deleted it has unmounted before. */
static void version_hide(PreviousVersions *versions, const View *view, const char *name) {
        uint64_t mounted = mounted_there(versions, name);

        version_unexport(versions, name);
        for (size_t i = 0; mounted != 0 && i < view->snapshots.n_dicts; i++)
                if (snapshot_is_mounted_as(&view->snapshots.dicts[i], mounted))
                        (void) snapshot_unmount(versions->bus,
                                                dict_get_string(&view->snapshots.dicts[i], "Id"), mounted);
        if (unlinkat(versions->directory_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
                say("%s/%s cannot be removed: %s", versions->directory, name, strerror(errno));
}

static bool is_wanted(const View *view, const char *name) {
        for (size_t i = 0; i < view->n_versions; i++)
                if (streq(view->versions[i].name, name))
                        return true;
        return false;
}

static int hide_others(PreviousVersions *versions, const View *view) {
        int fd = openat(versions->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;

        if (!directory) {
                (void) fd_close(fd);
                return error_origin(-errno);
        }
        for (struct dirent *entry; (entry = readdir(directory));)
                if (version_is_name(entry->d_name) && !is_wanted(view, entry->d_name))
                        version_hide(versions, view, entry->d_name);
        (void) closedir(directory);
        return 0;
}

static void texts_done(char **texts, size_t n) {
        for (size_t i = 0; i < n; i++)
                free(texts[i]);
        free(texts);
}

/**
 * previous_versions_done() - free what it holds; what is shown stays
 * @versions:   it
 */
void previous_versions_done(PreviousVersions *versions) {
        texts_done(versions->said, versions->n_said);
        texts_done(versions->exported, versions->n_exported);
        nfs_export_done(&versions->nfs);
        free(versions->path);
        (void) fd_close(versions->directory_fd);
        (void) sd_bus_flush_close_unref(versions->bus);
}

/**
 * previous_versions_update() - make the directory show what there is
 * @versions:   of which volume, where
 * @none:       it is to show nothing any more
 * @ret_n:      how many are shown
 *
 * What cannot be mounted is told once, and left out.
 *
 * Return: 0, CTL_E_SAID or a negative errno.
 */
int previous_versions_update(PreviousVersions *versions, bool none, size_t *ret_n) {
        _cleanup_(view_done) View view = {};
        int r;

        *ret_n = 0;
        r = view_take(&view, versions, none);
        if (r != 0)
                return r;
        r = hide_others(versions, &view);
        for (size_t i = 0; r == 0 && i < view.n_versions; i++)
                if (version_show(versions, &view.versions[i])) {
                        version_export(versions, &view.versions[i]);
                        ++*ret_n;
                }
        return r;
}
