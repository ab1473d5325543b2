#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 1500
#
# C8, one instant: the main job's promise, 20 times with --all, 4 times without: what `quiescectl run` shows of four volumes (thick and
# thin, ext4 and xfs, two volume groups) is one instant. A program bumps the same counter on all of them in turn, with fsync: in the snapshots the
# counters never differ by more than the one write in flight, none is older than what was acknowledged before, none
# newer than what was written when the command began. A record written, unsynced, just before is in every snapshot; one
# written just after is in none. Afterwards file systems and LVM are as they were.
# shellcheck disable=SC2317 # functions are run by name
set -uo pipefail

here=$(dirname "$(readlink -f "$0")")
# shellcheck source=tests/vm/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/vm/job-functions.sh
. "$here/job-functions.sh"

make_job_volumes
outside_baseline
start_counter
rounds=4
[ "${QUIESCED_TEST_ALL:-no}" = no ] || rounds=20
for round in $(seq "${ROUNDS:-$rounds}"); do
        check "content-at-the-instant-$round" one_run "$round"
done
stop_counter
outside_check after-the-runs

# A later plain snapshot still freezes the file system (kernel-notes fact 1), which unmounts and mounts again.
plain_snapshot() {
        echo later >"$2/later"
        if [ "${1%%/*}" = one ]; then lvcreate -qq -y -s -kn -n later "$1"; else lvcreate -qq -y -s -L 64M -n later "$1"; fi
        mkdir -p /mnt/later
        mount -o ro,nouuid "/dev/${1%%/*}/later" /mnt/later 2>/dev/null || mount -o ro "/dev/${1%%/*}/later" /mnt/later
        [ "$(cat /mnt/later/later)" = later ]
        umount /mnt/later
        lvremove -qq -y "${1%%/*}/later"
}
frozen_later=(one/tx two/e)
[ "${QUIESCED_TEST_ALL:-no}" = no ] || frozen_later+=(one/te two/x)
for volume in one/te one/tx two/e two/x; do
        [[ " ${frozen_later[*]} " != *" $volume "* ]] ||
                check "a-later-lvcreate-freezes-$volume" plain_snapshot "$volume" "/mnt/${volume#*/}"
        check "unmounts-$volume" umount "/mnt/${volume#*/}"
        case $volume in
        */te | */e) check "e2fsck-$volume" e2fsck -fn "/dev/$volume" ;;
        *) check "xfs_repair-$volume" xfs_repair -n "/dev/$volume" ;;
        esac
        check "mounts-again-$volume" mount "/dev/$volume" "/mnt/${volume#*/}"
done
# A persistent set is LVM's own: it outlives vgchange -an and -ay, lvremove removes what is in it, and lvconvert --merge gives
# back the instant's content. With --all of all volumes, else of one kind each.
merged() { [ -z "$(lvs --noheadings -o lv_name "$1" 2>/dev/null)" ]; }
give_back() {
        lvconvert -qq -y --merge "$1" || return
        while ! merged "$1"; do
                lvchange -qq --poll y "$2"
                read -r -t 0.5 <> <(:)
        done
}
snapshot_of() { lvs --noheadings -o lv_name -S "lv_name=~^quiesced_ && origin=${1#*/}" "${1%%/*}" | tr -d ' '; }
remove_with_lvm() {
        local volume
        for volume; do
                check "lvremove-$volume" lvremove -qq -y "${volume%%/*}/$(snapshot_of "$volume")"
        done
}
merged_volumes=(one/te two/x)
[ "${QUIESCED_TEST_ALL:-no}" = no ] || merged_volumes=(one/te one/tx two/e two/x)
for volume in "${volumes[@]}"; do echo instant >"$volume/state"; done
check "a-persistent-set" quiescectl create -q "${volumes[@]}"
for volume in "${volumes[@]}"; do
        echo later >"$volume/state"
        umount "$volume"
done
check "vgchange-off-and-on" sh -c "vgchange -qq -an one two && vgchange -qq -ay one two"
[ "${QUIESCED_TEST_ALL:-no}" != no ] || remove_with_lvm one/tx two/e
for volume in "${merged_volumes[@]}"; do
        check "merge-$volume" within 60 give_back "${volume%%/*}/$(snapshot_of "$volume")" "$volume"
        check "mounts-after-merge-$volume" mount "/dev/$volume" "/mnt/${volume#*/}"
        check_equal "has-the-content-of-the-instant-$volume" instant "$(cat "/mnt/${volume#*/}/state")"
done
for volume in one/te one/tx two/e two/x; do
        mountpoint -q "/mnt/${volume#*/}" || must mount "/dev/$volume" "/mnt/${volume#*/}"
done
outside_check "after-the-merge"

if [ "${QUIESCED_TEST_ALL:-no}" != no ]; then
        check "another-persistent-set" quiescectl create -q "${volumes[@]}"
        remove_with_lvm one/te one/tx two/e two/x
        outside_check "after-lvremove"
fi
check_equal "quiesced-knows-of-no-snapshot-any-more" "" "$(quiescectl list snapshots --no-legend)"
finish
