/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Volumes found in a mountinfo and a sysfs of our own making: what names one, what lies on it, how deep.
 *
 * The machine: dm-0 vg/thin-a (ext4 on /srv, bind-mounted at /bind), dm-1 vg/luks below dm-2 (crypt, xfs on
 * /secret), dm-3 vg/loop (ext4 on /images) whose file /images/disk lies below loop0 (ext4 on /inner), sda
 * with sda1 (on /), dm-4 vg/swap, and a tmpfs. Below vg/far, vg/lost and vg/idle lie LUKS devices that are
 * mounted in another namespace (of process 77), in one that has no process any more, and not at all.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "daemon/volumes/lvm-name.h"
#include "daemon/volumes/volumes.h"

#define VG   "LVM-0123456789abcdefghijklmnopqrstuv"
#define LV_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LV_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define LV_C "cccccccccccccccccccccccccccccccc"
#define LV_D "dddddddddddddddddddddddddddddddd"
#define LV_E "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
#define LV_F "ffffffffffffffffffffffffffffffff"
#define LV_G "gggggggggggggggggggggggggggggggg"
#define LV_H "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh"
#define LV_I "iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii"

static char root[] = "/tmp/test-volumes.XXXXXX";

static void put(const char *path, const char *text) {
        char full[512];
        _cleanup_fclose_ FILE *f = NULL;

        (void) snprintf(full, sizeof(full), "%s/%s", root, path);
        for (char *c = full + strlen(root) + 1; (c = strchr(c, '/')); c++) {
                *c = '\0';
                (void) mkdir(full, 0700);
                *c = '/';
        }
        f = fopen(full, "we");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
}

static void put_device(const char *name, const char *number, const char *dm_name, const char *dm_uuid) {
        char path[256];

#define PUT(file, text)                                                         \
        ({                                                                      \
                (void) snprintf(path, sizeof(path), "block/%s/%s", name, file); \
                put(path, text);                                                \
        })
        PUT("dev", number);
        PUT("size", "2048\n");
        if (!dm_name)
                return;
        PUT("dm/name", dm_name);
        PUT("dm/uuid", dm_uuid);
        PUT("dm/suspended", "0\n");
}

static const char mountinfo[] =
        "20 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
        "30 20 253:0 / /srv rw,relatime shared:2 - ext4 /dev/mapper/vg-thin--a rw\n"
        "31 20 253:0 /sub /bind rw,relatime shared:2 - ext4 /dev/mapper/vg-thin--a rw\n"
        "32 20 253:2 / /secret rw - xfs /dev/mapper/secret rw\n"
        "33 20 253:3 / /images rw - ext4 /dev/mapper/vg-loop rw\n"
        "34 20 7:0 / /inner rw - ext4 /dev/loop0 rw\n"
        "35 20 0:50 / /tmp\\040dir rw - tmpfs tmpfs rw\n"
        "36 30 0:51 / /srv/over rw - tmpfs tmpfs rw\n"
        "37 20 253:12 / /xfs rw - xfs /dev/mapper/vg-fs rw,attr2,logdev=/dev/vg/other,rtdev=/dev/mapper/vg-other\n";

/* What process 77 sees: its own root, vg/far's file system in two places, and a mount of ours. */
static const char other_mountinfo[] = "120 100 0:60 / / rw - tmpfs tmpfs rw\n"
                                      "121 120 253:7 /part /part rw - xfs /dev/mapper/far rw\n"
                                      "122 120 253:7 / /inside rw - xfs /dev/mapper/far rw\n"
                                      "123 120 253:2 / /secret rw - xfs /dev/mapper/secret rw\n";

static void put_link(const char *path, const char *target) {
        char full[512];

        (void) snprintf(full, sizeof(full), "%s/%s", root, path);
        assert_int_equal(symlink(target, full), 0);
}

static void put_process(const char *pid, const char *namespace, const char *mounts) {
        char path[128];

        (void) snprintf(path, sizeof(path), "proc/%s/mountinfo", pid);
        put(path, mounts);
        (void) snprintf(path, sizeof(path), "proc/%s/ns/unused", pid);
        put(path, "");
        (void) snprintf(path, sizeof(path), "proc/%s/ns/mnt", pid);
        put_link(path, namespace);
}

static void put_others(void) {
        put_device("dm-6", "253:6\n", "vg-far\n", VG LV_E "\n");
        put_device("dm-7", "253:7\n", "far\n", "CRYPT-LUKS2-77-far\n");
        put("block/dm-6/holders/dm-7", "");
        put_device("dm-8", "253:8\n", "vg-lost\n", VG LV_F "\n");
        put_device("dm-9", "253:9\n", "lost\n", "CRYPT-LUKS2-78-lost\n");
        put("block/dm-8/holders/dm-9", "");
        put("fs/ext4/dm-9/errors_count", "0\n");
        put_device("dm-10", "253:10\n", "vg-idle\n", VG LV_G "\n");
        put_device("dm-11", "253:11\n", "idle\n", "CRYPT-LUKS2-79-idle\n");
        put("block/dm-10/holders/dm-11", "");
        put_device("dm-12", "253:12\n", "vg-fs\n", VG LV_H "\n"); /* images, made by the tests */
        put_device("dm-13", "253:13\n", "vg-other\n", VG LV_I "\n");
        put_device("dm-14", "253:14\n", "home\n", "CRYPT-LUKS1-80-home\n");
        put_device("dm-15", "253:15\n", "pv\n", "CRYPT-LUKS1-81-pv\n"); /* a physical volume */
        put("block/dm-15/holders/dm-4", "");
        put_device("dm-16", "253:16\n", "plain\n", "\n"); /* made by dmsetup without a uuid */
        put("dev/mapper/none", "");
        put_process("self", "mnt:[1]", mountinfo);
        put_process("76", "mnt:[1]", mountinfo);
        put_process("77", "mnt:[2]", other_mountinfo);
        put_process("78", "mnt:[2]", other_mountinfo);
}

static int setup(void **state) {
        assert_non_null(mkdtemp(root));
        put_others();
        put_device("dm-0", "253:0\n", "vg-thin--a\n", VG LV_A "\n");
        put_device("dm-1", "253:1\n", "vg-luks\n", VG LV_B "\n");
        put_device("dm-2", "253:2\n", "secret\n", "CRYPT-LUKS2-1234-secret\n");
        put_device("dm-3", "253:3\n", "vg-loop\n", VG LV_C "\n");
        put_device("dm-4", "253:4\n", "vg-swap\n", VG LV_D "\n");
        put_device("dm-5", "253:5\n", "vg-thin--a-real\n", VG LV_A "-real\n");
        put_device("sda", "8:0\n", NULL, NULL);
        put("block/sda/sda1/dev", "8:1\n");
        put("block/sda/sda1/partition", "1\n");
        put("block/sda/sda1/size", "8\n");
        put_device("loop0", "7:0\n", NULL, NULL);
        put("block/loop0/loop/backing_file", "/images/disk\n");
        put("block/dm-1/holders/dm-2", "");
        put("block/dm-5/holders/dm-0", "");
        put("block/dm-0/dm/suspended", "1\n");
        put("mountinfo", mountinfo);
        put("swaps", "Filename\t\t\t\tType\t\tSize\tUsed\tPriority\n/dev/dm-4 partition\t1048572\t0\t-2\n");
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static int teardown(void **state) {
        return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static VolumeWorld *look(void) {
        char mounts[256], swaps[256], proc[256], dev[256];
        VolumeSources sources = {
                .mountinfo = mounts, .swaps = swaps, .sysfs = root, .proc = proc, .dev = dev};
        VolumeWorld *world = NULL;

        (void) snprintf(mounts, sizeof(mounts), "%s/mountinfo", root);
        (void) snprintf(swaps, sizeof(swaps), "%s/swaps", root);
        (void) snprintf(proc, sizeof(proc), "%s/proc", root);
        (void) snprintf(dev, sizeof(dev), "%s/dev", root);
        assert_int_equal(volume_world_new(&world, &sources), 0);
        return world;
}

static Volume *volume_at(const char *name) {
        _cleanup_(volume_world_freep) VolumeWorld *world = look();
        Volume *volume = NULL;
        dev_t device;

        assert_int_equal(volume_world_find_name(world, name, &device), 0);
        assert_int_equal(volume_new(&volume, world, device), 0);
        return volume;
}

static void test_names(void **state) {
        static const char *const names[] = {"/srv",      "/srv/",     "/dev/vg/thin-a",
                                            "vg/thin-a", "/dev/dm-0", "/dev/mapper/vg-thin--a",
                                            "/bind"};

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_(volume_freep) Volume *volume = volume_at(names[i]);

                assert_string_equal(volume->name, "vg/thin-a");
                assert_string_equal(volume->key, VG LV_A);
                assert_string_equal(volume->vg, "vg");
                assert_string_equal(volume->lv, "thin-a");
                assert_true(volume->suspended);
                assert_int_equal(volume->size, 2048 * 512);
        }
}

static void test_no_names(void **state) {
        _cleanup_(volume_world_freep) VolumeWorld *world = look();
        dev_t device;

        assert_int_equal(volume_world_find_name(world, "/srv/deeper", &device), VOLUME_NOT_FOUND);
        assert_int_equal(volume_world_find_name(world, "", &device), VOLUME_NOT_FOUND);
        assert_int_equal(volume_world_find_name(world, "vg", &device), VOLUME_NOT_FOUND);
        assert_int_equal(volume_world_find_name(world, "vg/thin--a", &device), VOLUME_NOT_FOUND);
        assert_int_equal(volume_world_find_name(world, "/dev/mapper/", &device), VOLUME_NOT_FOUND);
        assert_int_equal(volume_world_find_name(world, "/tmp dir", &device), VOLUME_NOT_ON_DEVICE);
        assert_int_equal(volume_world_find_name(world, "/srv/over", &device), VOLUME_NOT_ON_DEVICE);
}

static void test_paths(void **state) {
        _cleanup_(volume_world_freep) VolumeWorld *world = look();
        dev_t device;

        assert_int_equal(volume_world_find_path(world, "/srv/deeper/file", &device), 0);
        assert_int_equal(device, makedev(253, 0));
        assert_int_equal(volume_world_find_path(world, "/srvother", &device), 0);
        assert_int_equal(device, makedev(8, 1));
        assert_int_equal(volume_world_find_path(world, "/srv/over/file", &device), VOLUME_NOT_ON_DEVICE);
        assert_int_equal(volume_world_find_path(world, "relative", &device), VOLUME_NOT_FOUND);
}

static void test_direct(void **state) {
        _cleanup_(volume_freep) Volume *volume = volume_at("/srv");

        assert_int_equal(volume->n_mounts, 1);
        assert_true(volume->mounts[0].direct);
        assert_string_equal(volume->mounts[0].mount_point, "/srv");
        assert_int_equal(volume->mounts[0].mount_id, 30);
        assert_string_equal(volume->file_system, "ext4");
        assert_int_equal(volume->n_mount_points, 2);
        assert_int_equal(volume->depth, 0);
        assert_null(volume->other_layer);
        assert_null(volume->swap);
}

static void test_encrypted(void **state) {
        _cleanup_(volume_freep) Volume *volume = volume_at("vg/luks");

        assert_int_equal(volume->n_mounts, 1);
        assert_false(volume->mounts[0].direct);
        assert_string_equal(volume->mounts[0].type, "xfs");
        assert_null(volume->file_system);
        assert_string_equal(volume->other_layer, "CRYPT-LUKS2-1234-secret");
        assert_int_equal(volume->n_mount_points, 0);
        assert_int_equal(volume->depth, 1);
        assert_true(volume_carries(volume, makedev(253, 2)));
        assert_false(volume_carries(volume, makedev(253, 0)));
}

static void test_below(void **state) {
        _cleanup_(volume_world_freep) VolumeWorld *world = look();

        assert_int_equal(volume_world_find_logical(world, makedev(253, 2)), makedev(253, 1));
        assert_int_equal(volume_world_find_logical(world, makedev(7, 0)), makedev(253, 3));
        assert_int_equal(volume_world_find_logical(world, makedev(253, 0)), makedev(253, 0));
        assert_int_equal(volume_world_find_logical(world, makedev(8, 1)), makedev(8, 1));
}

static void test_loop(void **state) {
        _cleanup_(volume_freep) Volume *volume = volume_at("/images");

        assert_int_equal(volume->n_mounts, 2);
        assert_true(volume_carries(volume, makedev(7, 0)));
        for (size_t i = 0; i < volume->n_mounts; i++) {
                bool inner = streq(volume->mounts[i].mount_point, "/inner");

                assert_int_equal(volume->mounts[i].direct, !inner);
                assert_int_equal(volume->mounts[i].depth, inner ? 0 : 1);
        }
}

/* What only another namespace has mounted is reached through a process of it. */
static void test_mounted_elsewhere(void **state) {
        _cleanup_(volume_freep) Volume *far = volume_at("vg/far"), *luks = volume_at("vg/luks");
        _cleanup_(volume_world_freep) VolumeWorld *world = look();
        _cleanup_free_ char *found = NULL;
        const char *inside;

        assert_int_equal(far->n_mounts, 1);
        assert_false(far->mounts[0].direct);
        assert_string_equal(far->mounts[0].type, "xfs");
        assert_int_equal(far->mounts[0].mount_id, 122); /* it shows more than the other */
        assert_int_equal(far->mounts[0].device, makedev(253, 7));
        inside = strstr(far->mounts[0].mount_point, "/proc/7");
        assert_non_null(inside);
        assert_string_equal(inside + strlen("/proc/7x"), "/root/inside");
        assert_int_equal(far->n_mount_points, 0);
        assert_null(far->unreachable);
        assert_int_equal(volume_world_find_mount(world, 122, &found), 0);
        assert_string_equal(found, far->mounts[0].mount_point);

        assert_int_equal(luks->n_mounts, 1);
        assert_string_equal(luks->mounts[0].mount_point, "/secret"); /* ours is better */
}

static void test_mounted_where_nobody_is(void **state) {
        _cleanup_(volume_freep) Volume *lost = volume_at("vg/lost"), *idle = volume_at("vg/idle");

        assert_int_equal(lost->n_mounts, 0);
        assert_string_equal(lost->unreachable, "lost");
        assert_int_equal(idle->n_mounts, 0);
        assert_null(idle->unreachable);
}

static void test_find_mount(void **state) {
        _cleanup_(volume_world_freep) VolumeWorld *world = look();
        _cleanup_free_ char *found = NULL;

        assert_int_equal(volume_world_find_mount(world, 32, &found), 0);
        assert_string_equal(found, "/secret");
        assert_int_equal(volume_world_find_mount(world, 4711, &found), -ENOENT);
}

/* A real namespace: its mount is opened from outside, by its id. */
static void test_open_elsewhere(void **state) {
        _cleanup_(volume_world_freep) VolumeWorld *world = NULL;
        char directory[] = "/tmp/test-volumes-far.XXXXXX";
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -EBADF;
        struct statx st = {};
        int ready[2];
        pid_t child;

        assert_non_null(mkdtemp(directory));
        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
                if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                    mount("far", directory, "tmpfs", 0, NULL) < 0 ||
                    statx(AT_FDCWD, directory, 0, STATX_MNT_ID, &st) < 0)
                        st.stx_mnt_id = 0;
                (void) write(ready[1], &st.stx_mnt_id, sizeof(st.stx_mnt_id));
                (void) pause();
                _exit(0);
        }
        assert_int_equal(read(ready[0], &st.stx_mnt_id, sizeof(st.stx_mnt_id)), sizeof(st.stx_mnt_id));
        if (st.stx_mnt_id != 0) { /* else we may not do that here */
                assert_int_equal(volume_world_new(&world, NULL), 0);
                assert_int_equal(volume_world_find_mount(world, st.stx_mnt_id, &path), 0);
                assert_string_equal(strrchr(path, '/'), strrchr(directory, '/'));
                fd = volume_mount_open(path, st.stx_mnt_id);
                assert_true(fd >= 0);
                assert_int_equal(volume_mount_open(path, st.stx_mnt_id + 1), -ESTALE);
        }
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        (void) close(ready[0]);
        (void) close(ready[1]);
        assert_int_equal(rmdir(directory), 0);
        if (st.stx_mnt_id == 0)
                skip();
}

/* Commands of e2fsprogs and xfsprogs in the folder of the images; skipped if they are not installed. */
static void make_images(const char *commands) {
        _cleanup_free_ char *line = NULL;
        int status;

        assert_true(
                asprintf(
                        &line,
                        "export PATH=\"$PATH:/usr/sbin:/sbin\"; cd %s/dev/mapper && rm -f vg-fs vg-other || exit; "
                        "for tool in mkfs.ext4 debugfs blkid mkfs.xfs; do command -v $tool > /dev/null || exit 77; done; "
                        "(set -e; %s) > log 2>&1 || { cat log >&2; exit 1; }",
                        root, commands) > 0);
        status = system(line); /* NOLINT: of our own making */
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 77)
                skip();
        assert_int_equal(WEXITSTATUS(status), 0);
}

/* What the child tells of vg/fs, as it is taken over. */
static Volume *look_beside(void) {
        _cleanup_(volume_world_freep) VolumeWorld *world = look();
        _cleanup_fclose_ FILE *told = tmpfile();
        Volume *volume = volume_at("vg/fs");
        int saved = dup(STDOUT_FILENO);
        char text[1024] = "";

        assert_true(told && saved >= 0);
        (void) fflush(stdout);
        assert_true(dup2(fileno(told), STDOUT_FILENO) >= 0);
        volume_child_tell_beside(world, volume);
        assert_true(dup2(saved, STDOUT_FILENO) >= 0);
        (void) close(saved);
        rewind(told);
        (void) fread(text, 1, sizeof(text) - 1, told);
        assert_int_equal(volume_note_beside(volume, text), 0);
        return volume;
}

static void test_beside_nothing(void **state) {
        static const char *const plain[] = {
                "truncate -s 16M vg-fs; mkfs.ext4 -q -F vg-fs",
                "truncate -s 16M vg-fs; mkfs.ext4 -q -F -O ^has_journal vg-fs",
                "truncate -s 512M vg-fs; mkfs.xfs -q vg-fs",
                "truncate -s 16M vg-fs; mkfs.ext4 -q -F -O journal_dev vg-fs",
                "truncate -s 1M vg-fs",
                "truncate -s 100 vg-fs",
                ":",
        };

        for (size_t i = 0; i < ELEMENTSOF(plain); i++) {
                _cleanup_(volume_freep) Volume *volume = NULL;

                make_images(plain[i]);
                volume = look_beside();
                assert_int_equal(volume->n_beside, 0);
        }
}

/* mkfs.ext4 takes only a block device for a journal; debugfs writes the same into the superblock. */
#define EXT4_WITH_JOURNAL(device)                                                                       \
        "truncate -s 16M vg-fs vg-other; mkfs.ext4 -q -F -b 4096 -O journal_dev vg-other; "             \
        "mkfs.ext4 -q -F -b 4096 -O ^has_journal vg-fs; "                                               \
        "debugfs -w -R \"ssv journal_uuid $(blkid -p -o value -s UUID vg-other)\" vg-fs; "              \
        "debugfs -w -R 'feature has_journal' vg-fs; debugfs -w -R 'ssv journal_dev " device "' vg-fs; " \
        "dumpe2fs -h vg-fs | grep 'Journal device'; "

static void test_beside_ext4_journal(void **state) {
        static const char *const makes[] = {EXT4_WITH_JOURNAL("0xfd0d"),
                                            EXT4_WITH_JOURNAL("0x801") /* the number was another then */};

        for (size_t i = 0; i < ELEMENTSOF(makes); i++) {
                _cleanup_(volume_freep) Volume *volume = NULL;

                make_images(makes[i]);
                volume = look_beside();
                assert_int_equal(volume->n_beside, 1);
                assert_int_equal(volume->beside[0].device, makedev(253, 13));
                assert_string_equal(volume->beside[0].name, "vg/other");
        }
}

static void test_beside_journal_is_not_there(void **state) {
        _cleanup_(volume_freep) Volume *volume = NULL;

        make_images(EXT4_WITH_JOURNAL("0xfd0d") "mkfs.ext4 -q -F -b 4096 -O journal_dev -U "
                                                "01234567-89ab-cdef-0123-456789abcdef vg-other; "
                                                "debugfs -w -R 'ssv journal_uuid "
                                                "01234567-89ab-cdef-0123-456789abcdee' vg-fs");
        volume = look_beside();
        assert_int_equal(volume->n_beside, 1);
        assert_int_equal(volume->beside[0].device, 0);
        assert_non_null(strstr(volume->beside[0].name, "01234567-89ab-cdef-0123-456789abcdee"));
}

static void test_beside_xfs(void **state) {
        static const char *const makes[] = {
                "truncate -s 512M vg-fs; truncate -s 64M vg-other; mkfs.xfs -q -l logdev=vg-other vg-fs",
                "truncate -s 512M vg-fs; truncate -s 300M vg-other; mkfs.xfs -q -r rtdev=vg-other vg-fs",
        };

        for (size_t i = 0; i < ELEMENTSOF(makes); i++) {
                _cleanup_(volume_freep) Volume *volume = NULL;

                make_images(makes[i]);
                volume = look_beside(); /* mounted: its options name them */
                assert_int_equal(volume->n_beside, 1);
                assert_int_equal(volume->beside[0].device, makedev(253, 13));
                assert_string_equal(volume->beside[0].name, "vg/other");
        }
        put("mountinfo", "20 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n");
        for (size_t i = 0; i < ELEMENTSOF(makes); i++) {
                _cleanup_(volume_freep) Volume *volume = NULL;

                make_images(makes[i]);
                volume = look_beside();
                assert_int_equal(volume->n_beside, 1);
                assert_int_equal(volume->beside[0].device, 0);
                assert_non_null(strstr(volume->beside[0].name, i == 0 ? "log device" : "realtime device"));
        }
        put("mountinfo", mountinfo);
}

static void test_beside_nonsense(void **state) {
        _cleanup_(volume_freep) Volume *volume = volume_at("vg/fs");

        assert_int_equal(volume_note_beside(volume, "no such line\n"), -EBADMSG);
        assert_int_equal(volume_note_beside(volume, "1:2\n"), -EBADMSG);
        assert_int_equal(volume_note_beside(volume, ""), 0);
        assert_int_equal(volume->n_beside, 0);
}

static void test_partition(void **state) {
        _cleanup_(volume_freep) Volume *disk = volume_at("/dev/sda");
        _cleanup_(volume_freep) Volume *partition = volume_at("/");

        assert_true(volume_carries(disk, partition->device));
        assert_int_equal(disk->n_mounts, 1);
        assert_false(disk->mounts[0].direct);
        assert_string_equal(partition->key, "block:8:1");
        assert_null(partition->vg);
}

static void test_swap(void **state) {
        _cleanup_(volume_freep) Volume *volume = volume_at("vg/swap");

        assert_string_equal(volume->swap, "/dev/dm-4");
}

static void test_logical(void **state) {
        _cleanup_(volume_world_freep) VolumeWorld *world = look();

        /* Parts ("-real") and other dm devices do not count. */
        assert_int_equal(volume_world_count_logical(world), 9);
}

static void test_mapped(void **state) {
        _cleanup_(volume_world_freep) VolumeWorld *world = look();

        /* Neither LVs, nor what is on them or below them. */
        bool found = false;

        assert_int_equal(volume_world_count_mapped(world), 2);
        for (size_t i = 0; i < 2; i++)
                found |= volume_world_get_mapped(world, i) == makedev(253, 14);
        assert_true(found);
}

static void test_no_uuid(void **state) {
        _cleanup_(volume_world_freep) VolumeWorld *world = look();
        _cleanup_(volume_freep) Volume *plain = NULL;

        assert_int_equal(volume_new(&plain, world, makedev(253, 16)), 0);
        assert_null(plain->dm_uuid);
        assert_string_equal(plain->key, "block:253:16");
}

static void test_fd(void **state) {
        _cleanup_(volume_world_freep) VolumeWorld *world = look();
        _cleanup_close_ int fd = open("/proc/self", O_PATH | O_CLOEXEC);
        dev_t device;

        /* Our own mountinfo does not know this mount, nor is there a device behind it. */
        assert_int_equal(volume_world_find_fd(world, fd, &device), VOLUME_NOT_ON_DEVICE);
}

static void test_split(void **state) {
        static const char *const bad[] = {"", "vg", "vg-", "-lv", "vg-lv-real", "--", "vg--lv"};
        _cleanup_free_ char *vg = NULL, *lv = NULL;

        assert_int_equal(lvm_name_split("a--b--c-d--e", &vg, &lv), 0);
        assert_string_equal(vg, "a-b-c");
        assert_string_equal(lv, "d-e");
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_free_ char *v = NULL, *l = NULL;

                assert_int_equal(lvm_name_split(bad[i], &v, &l), -EINVAL);
        }
}

static void test_uuid(void **state) {
        char uuid[129];

        assert_int_equal(lvm_uuid_make(uuid, sizeof(uuid), "012345-6789-abcd-efgh-ijkl-mnop-qrstuv",
                                       "aaaaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaaaa", "-cow"),
                         0);
        assert_string_equal(uuid, VG LV_A "-cow");
        assert_false(lvm_uuid_is_volume(uuid));
        assert_true(lvm_uuid_is_volume(VG LV_A));
        assert_int_equal(lvm_uuid_make(uuid, sizeof(uuid), "short", LV_A, ""), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_no_names),
                cmocka_unit_test(test_paths),
                cmocka_unit_test(test_direct),
                cmocka_unit_test(test_encrypted),
                cmocka_unit_test(test_loop),
                cmocka_unit_test(test_partition),
                cmocka_unit_test(test_swap),
                cmocka_unit_test(test_logical),
                cmocka_unit_test(test_mapped),
                cmocka_unit_test(test_no_uuid),
                cmocka_unit_test(test_fd),
                cmocka_unit_test(test_split),
                cmocka_unit_test(test_uuid),
                cmocka_unit_test(test_below),
                cmocka_unit_test(test_mounted_elsewhere),
                cmocka_unit_test(test_find_mount),
                cmocka_unit_test(test_mounted_where_nobody_is),
                cmocka_unit_test(test_open_elsewhere),
                cmocka_unit_test(test_beside_nothing),
                cmocka_unit_test(test_beside_ext4_journal),
                cmocka_unit_test(test_beside_journal_is_not_there),
                cmocka_unit_test(test_beside_xfs),
                cmocka_unit_test(test_beside_nonsense),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
