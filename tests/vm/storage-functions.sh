# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # what lib.sh has set
#
# Volumes on devices that can be made to fail, to be slow, or to answer nothing, each part of a snapshot on one of its own:
#
#   one/thick   ext4 on the device "origin"; its snapshots' stores lie on the device "store"
#   two/thin    xfs, two/more ext4: thin, their pool's data on the device "data", its metadata on "meta"
#   one/well    ext4 on a device that is always well
#
# Mounted below /mnt. Needs two disks and lib.sh.

# LVM's own area at a device's beginning stays well, so that what fails is what a volume needs.
lvm_area=2048
declare -A device_disk=([origin]=/dev/vdb [store]=/dev/vdb [well]=/dev/vdb [data]=/dev/vdc [meta]=/dev/vdc)
declare -A device_start=([origin]=2048 [store]=821248 [well]=1640448 [data]=2048 [meta]=2099200)
declare -A device_size=([origin]=614400 [store]=614400 [well]=614400 [data]=2048000 [meta]=204800)

# device_table NAME KIND…: linear; error: reads and writes fail; error-writes; slow MSEC: writes and discards take that long.
device_table() {
        local disk=${device_disk[$1]} start=${device_start[$1]} size=$((device_size[$1] - lvm_area)) at
        at="$disk $((start + lvm_area))"
        echo "0 $lvm_area linear $disk $start"
        case $2 in
        linear) echo "$lvm_area $size linear $at" ;;
        error) echo "$lvm_area $size error" ;;
        error-writes) echo "$lvm_area $size flakey $at 0 1000000 1 error_writes" ;;
        slow) echo "$lvm_area $size delay $at 0 $at $3" ;;
        esac
}

# set_device NAME KIND…: from now on; what is under way in the one before is finished by it.
set_device() {
        must dmsetup load "$1" --table "$(device_table "$@")"
        must dmsetup suspend --noflush --nolockfs "$1"
        must dmsetup resume "$1"
}

make_storage() {
        local name
        for name in dm-flakey dm-delay; do must modprobe "$name"; done
        for name in origin store well data meta; do
                must dmsetup create "$name" --table "$(device_table "$name" linear)"
                must wipefs -qaf "/dev/mapper/$name"
        done
        # LVM's metadata are where nothing fails.
        must pvcreate -qq -y --metadatacopies 0 /dev/mapper/origin /dev/mapper/store /dev/mapper/meta
        must pvcreate -qq -y /dev/mapper/well /dev/mapper/data
        must vgcreate -qq one /dev/mapper/well /dev/mapper/origin /dev/mapper/store
        must vgcreate -qq two /dev/mapper/data /dev/mapper/meta
        must lvcreate -qq -y -Wy -n thick -l 100%PVS one /dev/mapper/origin
        must lvcreate -qq -y -Wy -n well -L 100M one /dev/mapper/well
        # No room for a store there.
        must pvchange -qq -x n /dev/mapper/well
        must lvcreate -qq -y -Wy -n pool -L 800M two /dev/mapper/data
        must lvcreate -qq -y -Wy -n meta -L 16M two /dev/mapper/meta
        must lvconvert -qq -y --type thin-pool --poolmetadata two/meta two/pool --poolmetadataspare n
        make_thin two pool thin 320M
        make_thin two pool more 64M
        # What a file system would do later, by itself, would be in the way of what is looked for.
        must mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 /dev/one/thick
        must mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 /dev/two/more
        must mkdir -p /mnt/thick /mnt/more
        must mount /dev/one/thick /mnt/thick
        must mount /dev/two/more /mnt/more
        make_fs ext4 /dev/one/well /mnt/well
        make_fs xfs /dev/two/thin /mnt/thin
}

remove_storage() {
        local name
        (clean_disks) || exit 1
        for name in origin store well data meta; do must dmsetup remove "$name"; done
}

# As an administrator does once a disk works again: a file system that has seen errors is checked. Its device was "linear" again.
mend_thick() {
        must umount /mnt/thick
        e2fsck -fy /dev/one/thick > "$test_work/e2fsck" 2>&1
        [ $? -le 1 ] || { not_ok "e2fsck of one/thick"; explain < "$test_work/e2fsck"; }
        must mount /dev/one/thick /mnt/thick
}

# A pool that has failed is what its metadata say once they were checked and it is activated anew.
mend_pool() {
        must umount /mnt/thin /mnt/more
        must vgchange -qq -an two
        must dmsetup create repair --table "0 32768 linear /dev/mapper/meta $lvm_area"
        must thin_check -q --clear-needs-check-flag /dev/mapper/repair
        must dmsetup remove --retry repair
        must vgchange -qq -ay two
        check "the pool is well again" pool_is_well
        must mount /dev/two/thin /mnt/thin
        e2fsck -fp /dev/two/more > "$test_work/e2fsck" 2>&1
        [ $? -le 1 ] || { not_ok "e2fsck of two/more"; explain < "$test_work/e2fsck"; }
        must mount /dev/two/more /mnt/more
}
pool_is_well() { [[ $(dmsetup status two-pool-tpool) = *" rw "* ]]; }

# Unsynced, so that it is written when the file system is frozen.
dirty() { dd if=/dev/urandom of="$1/dirty" bs=64k count=16 status=none; }
