#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# quiesced-hold alone on real volumes: thick and thin, ext4 and xfs, three volume groups, driven by hold-driver.
# Run in the guest: scripts/vm run --disk 1G --disk 1G --disk 1G tests/vm/test-hold.sh [CASE…]
# Judged from outside: dmsetup, lvs, fsck, mounts of the snapshots, writes to the volumes.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
# shellcheck source=tests/vm/hold-functions.sh
. "$here/hold-functions.sh"

# --- content: what the snapshots hold after a set that went well ------------------------------------------------------

# A thick snapshot is there with its origin.
activate_snapshot() { ! is_thin "$1" || lvchange -qq -K -ay "$1_s"; }
deactivate_snapshot() { ! is_thin "$1" || lvchange -qq -an "$1_s"; }

# $1: volume; leaves it mounted read-only below $mnt/snapshot and checked
open_snapshot() {
        local v=$1 device=/dev/${1}_s
        activate_snapshot "$v"
        case $v in
        */e | */te)
                # A journal to be replayed is right for an instant without a freeze only.
                e2fsck -fn "$device" > /tmp/fsck.log 2>&1 || fail "e2fsck of ${v}_s: $(tail -n 5 /tmp/fsck.log)" ;;
        *)
                xfs_repair -n "$device" > /tmp/fsck.log 2>&1 || fail "xfs_repair of ${v}_s: $(grep -v "^ *- \|^Phase" /tmp/fsck.log | head -n 12)" ;;
        esac
        mkdir -p "$mnt/snapshot"
        case $v in
        */x | */tx) mount -o ro,nouuid,norecovery "$device" "$mnt/snapshot" ;;
        *) mount -o ro,noload "$device" "$mnt/snapshot" ;;
        esac
}

# The instant is one: counters differ by one at most; what was written before is in, what came after is not.
check_content() {
        local v n lowest=999999999999 highest=0
        for v in "${volumes[@]}"; do
                open_snapshot "$v"
                n=$((10#$(cat "$mnt/snapshot/counter")))
                [ "$n" -lt "$lowest" ] && lowest=$n
                [ "$n" -gt "$highest" ] && highest=$n
                [ -e "$mnt/snapshot/before-$1" ] || fail "${v}_s misses what was written before"
                [ ! -e "$mnt/snapshot/after-$1" ] || fail "${v}_s has what was written after"
                umount "$mnt/snapshot"
                deactivate_snapshot "$v"
        done
        say "    counters $lowest to $highest"
        [ $((highest - lowest)) -le 1 ] || fail "the instant is not one: counters $lowest to $highest"
}

write_all() { local v; for v in "${volumes[@]}"; do echo "$1" > "$mnt/$v/$1"; done; }

make_snapshots() { local v; for v in "${volumes[@]}"; do make_snapshot "$v"; done; }

# $1: round; $2: freeze the mounts with FIFREEZE or leave it to lockfs
make_set() {
        local i
        make_snapshots
        start_writer
        start_driver 10000 1
        expect_ok lock
        write_all "before-$1"
        expect_ok pre-commit
        [ "$2" = lockfs ] || for i in "${!volumes[@]}"; do tell "freeze $i"; done
        expect_ok commit
        [ "$2" = lockfs ] || for i in "${!volumes[@]}"; do tell "thaw $i"; done
        expect_ok end
        stop_driver
        write_all "after-$1"
        stop_writer
}

case_happy() {
        make_set 1 lockfs
        check_content 1
        check_others
}

make_volumes

cases=(happy)
[ $# -eq 0 ] || cases=("$@")
for case in "${cases[@]}"; do run_case "$case"; done
finish
