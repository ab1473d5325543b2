#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 300
#
# An active snapshot has the same UUID and label as its origin: the links in /dev/disk stay the origin's.

# shellcheck source=tests/vm/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

make_vg vg /dev/vdb
must lvcreate -qq -y -L 400M -T vg/pool
must lvcreate -qq -y -V 100M -T vg/pool -n origin
must mkfs.ext4 -q -L the-label /dev/vg/origin
udevadm settle
uuid=$(blkid -p -s UUID -o value /dev/vg/origin)
link=/dev/disk/by-uuid/$uuid
label=/dev/disk/by-label/the-label
must test -b "$link"

links() { udevadm settle; readlink -f "$link" "$label" | sort -u; }
dm_node() { readlink -f "/dev/vg/$1"; }
appear() {
        must lvcreate -qq -y -s -kn -n "$1" vg/origin
        must lvchange -qq -ay -K "vg/$1"
}

# Without the name that the rule knows, a thin snapshot takes the links over: the test sees what it is for.
appear other
check_equal "without the rule the links are taken over" "$(dm_node other)" "$(links)"
must lvremove -qq -f -y vg/other
check_equal "and come back" "$(dm_node origin)" "$(links)"

name=quiesced_00112233445566778899aabbccddeeff
appear $name
check_equal "an active snapshot does not take the links" "$(dm_node origin)" "$(links)"
must udevadm trigger --settle --action=change "$(dm_node $name)"
check_equal "nor when it changes" "$(dm_node origin)" "$(links)"
must udevadm trigger --settle --action=change --subsystem-match=block
check_equal "nor at coldplug" "$(dm_node origin)" "$(links)"
must dmsetup suspend vg-origin
must dmsetup resume vg-origin
check_equal "nor after the origin was suspended" "$(dm_node origin)" "$(links)"
check "udisks is told to ignore it" grep -q '^E: UDISKS_IGNORE=1' <(udevadm info "$(dm_node $name)")
check_fails "the origin is not ignored" . grep -c UDISKS_IGNORE <(udevadm info "$(dm_node origin)")
must lvremove -qq -f -y vg/$name
check_equal "the links stay when it goes" "$(dm_node origin)" "$(links)"

# Thick, the same.
must lvcreate -qq -y -L 64M -n thick vg
must mkfs.ext4 -q /dev/vg/thick
udevadm settle
link=/dev/disk/by-uuid/$(blkid -p -s UUID -o value /dev/vg/thick) label=$link
must lvcreate -qq -y -s -L 16M --monitor n -n $name vg/thick
check_equal "an active thick snapshot does not take the links" "$(dm_node thick)" "$(links)"
must udevadm trigger --settle --action=change "$(dm_node $name)"
check_equal "nor when it changes (thick)" "$(dm_node thick)" "$(links)"

# Of provider dm, which the device's uuid tells.
must lvremove -qq -f -y vg/$name
over_thick() { must dmsetup create "$1" --uuid "$2" --table "0 $(blockdev --getsz /dev/vg/thick) linear /dev/vg/thick 0"; }
over_thick other TEST-other
check_equal "without our uuid the links are taken over" "$(readlink -f /dev/mapper/other)" "$(links)"
must dmsetup remove other
check_equal "and come back (dm)" "$(dm_node thick)" "$(links)"
over_thick $name QUIESCED-dm-00112233445566778899aabbccddeeff
snapshot=$(readlink -f /dev/mapper/$name)
check_equal "a snapshot of provider dm does not take the links" "$(dm_node thick)" "$(links)"
must udevadm trigger --settle --action=change "$snapshot"
must udevadm trigger --settle --action=change --subsystem-match=block
check_equal "nor when it changes (dm)" "$(dm_node thick)" "$(links)"
check_equal "nor has it a link of its own" "" "$(find /dev/disk -lname "*/${snapshot##*/}")"
check "udisks is told to ignore it (dm)" grep -q '^E: UDISKS_IGNORE=1' <(udevadm info "$snapshot")
must dmsetup remove $name
must lvremove -qq -f -y vg
finish
