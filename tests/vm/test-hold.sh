#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 1500
# vm-all
#
# quiesced-hold alone on real volumes: thick and thin, ext4 and xfs, three volume groups, driven by hold-driver.
# Arguments: the case to run, and its arguments; without them all are run.
# Judged from outside: dmsetup, lvs, fsck, mounts of the snapshots, writes to the volumes.
# shellcheck disable=SC2317 # cases are called by name
# shellcheck source=tests/vm/hold-functions.sh
. "$(dirname "$0")/hold-functions.sh"

# --- content: what the snapshots hold after a set that went well ------------------------------------------------------

# A thick snapshot is there with its origin.
activate_snapshot() { ! is_thin "$1" || lvchange -qq -K -ay "$1_s"; }
deactivate_snapshot() { ! is_thin "$1" || lvchange -qq -an "$1_s"; }

# $1: volume; leaves it checked and mounted read-only on $mnt/snapshot
open_snapshot() {
        local v=$1 device=/dev/${1}_s
        mkdir -p "$mnt/snapshot"
        activate_snapshot "$v"
        case $v in
        */e | */te)
                ! dumpe2fs -h "$device" 2> /dev/null | grep -q needs_recovery || fail "${v}_s was not frozen"
                e2fsck -fn "$device" > /tmp/fsck.log 2>&1 || fail "e2fsck of ${v}_s: $(tail -n 5 /tmp/fsck.log)"
                mount -o ro "$device" "$mnt/snapshot" ;;
        *)
                # xfs keeps its log dirty on purpose when it is frozen: first mounted, then looked at.
                mount -o nouuid "$device" "$mnt/snapshot"
                umount "$mnt/snapshot"
                xfs_repair -n "$device" > /tmp/fsck.log 2>&1 ||
                        fail "xfs_repair of ${v}_s: $(grep -v "^ *- \|^Phase" /tmp/fsck.log | head -n 12)"
                mount -o ro,nouuid,norecovery "$device" "$mnt/snapshot" ;;
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

# $1: round; $2: freeze the mounts with FIFREEZE, or leave it to lockfs; $3: known, see make_snapshot
make_set() {
        local i
        make_snapshots "${3:-new}"
        start_writer
        start_driver 10000 1
        expect_ok lock
        write_all "before-$1"
        expect_ok pre-commit
        [ "$2" = lockfs ] || for i in "${!volumes[@]}"; do expect_done freeze "$i"; done
        expect_ok commit
        [ "$2" = lockfs ] || for i in "${!volumes[@]}"; do expect_done thaw "$i"; done
        expect_ok end
        stop_driver
        write_all "after-$1"
        stop_writer
}

case_lockfs() {
        make_set "$1" lockfs
        check_content "$1"
        check_others
}

case_fifreeze() {
        make_set "$1" fifreeze
        check_content "$1"
        check_others
}

# Afterwards a file system is still frozen by a plain snapshot of LVM's, and can be unmounted and mounted.
case_plain_snapshot() {
        local v
        for v in "${volumes[@]}"; do
                date +%N > "$mnt/$v/plain"
                if is_thin "$v"; then lvcreate -qq -s -kn -n "${v#*/}_s" "$v"; else make_snapshot "$v" new; fi
                open_snapshot "$v"
                cmp "$mnt/snapshot/plain" "$mnt/$v/plain" || fail "plain snapshot of $v misses what was just written"
                umount "$mnt/snapshot" "$mnt/$v"
                deactivate_snapshot "$v"
                mount "/dev/$v" "$mnt/$v" || fail "$v cannot be mounted again"
        done
}

# LVM's own commands on what a set has left: it stays an ordinary LVM snapshot.
case_lvm_afterwards() {
        local v
        make_set lvm lockfs known
        for v in "${volumes[@]}"; do lvchange --refresh "$v" || fail "refresh of $v"; done
        check_content lvm
        for v in "${volumes[@]}"; do umount "$mnt/$v"; done
        for v in vg0 vg1 vg2; do
                vgchange -qq -an "$v" || fail "vgchange -an $v"
                vgchange -qq -ay "$v" || fail "vgchange -ay $v"
        done
        check_content lvm
        for v in "${volumes[@]}"; do
                lvconvert -qq -y --merge "${v}_s" || fail "merge of ${v}_s"
                await_not_merging "$v" || fail "merge of ${v}_s does not end"
                mount "/dev/$v" "$mnt/$v"
                if [ ! -e "$mnt/$v/before-lvm" ] || [ -e "$mnt/$v/after-lvm" ]; then fail "$v is not what ${v}_s was"; fi
        done
        check_others
}

merged() { ! lvs "${1}_s" > /dev/null 2>&1; }
await_not_merging() { lvchange -qq --poll y "$1" 2> /dev/null || :; await 30 merged "$1"; }

make_volumes

run_all() {
        run_case lockfs 1
        run_case removal
        run_case fifreeze 2
        run_case removal
        run_case plain_snapshot
        run_case removal
        run_case lvm_afterwards
        run_case removal
}

if [ $# -gt 0 ]; then run_case "$@"; else run_all; fi
end_cases
