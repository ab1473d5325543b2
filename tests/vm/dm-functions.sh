# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # what lib.sh has set; for those who source this
#
# Volumes of provider dm for its tests: a crypt device and a linear one on partitions, a thick and a thin LV, and stores.
# Sourced after lib.sh and job-functions.sh.

# partitions DISK SIZE_MIB…: of the kernel's, without a table on the disk.
partitions() {
        local disk=$1 start=2048 number=1 size
        shift
        must wipefs -qaf "$disk"
        for size; do
                delpart "$disk" "$number" 2> /dev/null
                must addpart "$disk" "$number" "$start" $((size * 2048))
                start=$((start + size * 2048))
                number=$((number + 1))
        done
        udevadm settle
        for disk in "$disk"[0-9]*; do must wipefs -qaf "$disk"; done
}

# linear NAME DEVICE
linear() { must dmsetup create "$1" --uuid "TEST-$1" --table "0 $(blockdev --getsz "$2") linear $2 0"; }

# crypt NAME DEVICE FORMAT: with its key in the table if that is luks1.
crypt() {
        printf secret > "$test_work/key"
        must cryptsetup luksFormat -q --type "$3" --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$2" "$test_work/key"
        must cryptsetup open --key-file "$test_work/key" "$2" "$1"
}

make_dm_volumes() {
        volumes=(/mnt/c /mnt/l /mnt/e /mnt/te)
        partitions /dev/vdb 256 400 256 128
        partitions /dev/vdd 320 320 16 256 320
        crypt c /dev/vdb1 luks1
        # Below it something that can be made to answer no more.
        linear under /dev/vdb2
        linear l /dev/mapper/under
        must cryptsetup open --type plain --key-file /dev/urandom --cipher aes-xts-plain64 --key-size 256 /dev/vdd1 s1
        make_vg two /dev/vdc
        make_pool two pool 600M
        make_thin two pool te 256M
        make_thick two e 256M
        make_fs ext4 /dev/mapper/c /mnt/c
        make_fs xfs /dev/mapper/l /mnt/l
        make_fs ext4 /dev/two/te /mnt/te
        make_fs ext4 /dev/two/e /mnt/e
        must mkdir -p /etc/quiesced
        printf '[Dm]\nStore=c /dev/mapper/s1\nStore=[l-n] /dev/vdd2\n[Space]\nCheckSec=1s\n' > /etc/quiesced/quiesced.conf
        must systemctl restart quiesced.service
        udevadm settle
}

remove_dm_volumes() {
        rm /etc/quiesced/quiesced.conf
        must systemctl restart quiesced.service
        clean_disks
        must cryptsetup close c
        must cryptsetup close s1
        must dmsetup remove l
        must dmsetup remove under
}

# The tables of all that is not LVM's, keys and all.
plain_tables() { dmsetup table --showkeys | grep -v '^two-' | sort; }
no_dm_left() { ! dmsetup ls | grep -q '^quiesced_'; }
# check_left NAME: nothing is over, and the tables are what they were when `tables` was set.
check_left() {
        check_equal "$1: the tables are as before" "$tables" "$(plain_tables)"
        outside_check "$1: nothing is left"
}
