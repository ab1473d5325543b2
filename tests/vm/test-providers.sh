#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 900
#
# Snapshot sets through sets-driver, which does without bus and writers: thick and thin, ext4, xfs, raw and LUKS in one
# set over two volume groups; given up and killed at each step (with --all; else at those that leave most), and recovered;
# what is refused and why.
# Judged from outside: content of the snapshots, dmsetup, lvs, links in /dev/disk/by-uuid, writes to the volumes.
# shellcheck disable=SC2317 # cases are called by name
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

here=$(dirname "$(readlink -f "$0")")
for build in build-test build; do
        tools=$(readlink -f "$here/../../$build")
        [ ! -x "$tools/sets-driver" ] || break
done
mnt=$test_work/mnt
runtime=$test_work/runtime
mounted=(vg0/e vg0/x vg1/te vg1/tx)

driver() { within 400 "$tools/sets-driver" --runtime "$runtime" "$@"; }

make_volumes() {
        local v
        make_vg vg0 /dev/vdb
        make_vg vg1 /dev/vdc
        make_thick vg0 e 64M
        make_thick vg0 x 320M
        make_thick vg0 raw 16M
        make_thick vg0 luks 48M
        make_thick vg0 swap 16M
        make_pool vg1 pool 800M
        make_thin vg1 pool te 64M
        make_thin vg1 pool tx 320M
        for v in "${mounted[@]}"; do
                case $v in */e | */te) make_fs ext4 "/dev/$v" "$mnt/$v" ;; *) make_fs xfs "/dev/$v" "$mnt/$v" ;; esac
        done
        must dd if=/dev/urandom of=/dev/vg0/raw bs=1M count=16 oflag=direct status=none
        printf secret > "$test_work/key"
        must cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
                /dev/vg0/luks "$test_work/key"
        must cryptsetup open --key-file "$test_work/key" /dev/vg0/luks secret
        make_fs ext4 /dev/mapper/secret "$mnt/secret"
        must mkswap -q /dev/vg0/swap
        must swapon /dev/vg0/swap
        mkdir -p "$runtime" "$test_work/trees"
        udevadm settle
        outside_baseline
}

start_counter() {
        "$tools/hold-counter" "${mounted[@]/#/$mnt/}" "$mnt/secret" & counter=$!
        # It has begun when the last counter is there.
        until [ -s "$mnt/secret/counter" ]; do read -r -t 0.05 < <(:) || :; done
}

stop_counter() {
        kill "$counter"
        wait "$counter" 2> /dev/null
}

# What is looked at while the set exists, in a program of its own that sets-driver runs; its arguments are devices.
cat > "$test_work/look" << 'END'
#!/bin/bash
work=$(dirname "$0")
lowest=999999999999 highest=0 bad=0
problem() { echo "PROBLEM: $*"; bad=1; }
[ -e "$work/mnt/vg0/e/after" ] || touch "$work"/mnt/vg0/{e,x}/after "$work"/mnt/vg1/{te,tx}/after
udevadm settle
for device; do
        case $device in *quiesced_*) ;; *) problem "$device is no name of ours" ;; esac
        [ -b "$device" ] || { problem "$device is no device"; continue; }
        type=$(blkid -p -o value -s TYPE "$device")
        case $type in
        ext4) e2fsck -fn "$device" > /dev/null 2>&1 || problem "e2fsck $device" ;;
        xfs)
                # A frozen xfs keeps its log dirty on purpose: what is checked is a copy that was mounted once.
                mkdir -p "$work/copied"
                cp --sparse=always "$device" "$work/copy" && mount -o loop,nouuid "$work/copy" "$work/copied" &&
                        umount "$work/copied" && xfs_repair -n "$work/copy" > /dev/null 2>&1 ||
                        problem "xfs_repair $device"
                rm -f "$work/copy" ;;
        esac
        uuid=$(blkid -p -o value -s UUID "$device")
        link=$(readlink -f "/dev/disk/by-uuid/$uuid")
        [ -z "$uuid" ] || [ "$link" != "$(readlink -f "$device")" ] || problem "by-uuid points at the snapshot $device"
done
for tree in "$work"/trees/*; do
        mountpoint -q "$tree" || continue
        n=$((10#$(cat "$tree/counter")))
        [ "$n" -lt "$lowest" ] && lowest=$n
        [ "$n" -gt "$highest" ] && highest=$n
        [ ! -e "$tree/after" ] || problem "$tree has what was written after"
        ! touch "$tree/x" 2> /dev/null || problem "$tree takes writes"
        seen=$((seen + 1))
done
echo "trees ${seen:-0} counters $lowest $highest"
[ $((highest - lowest)) -le 1 ] || problem "the instant is not one"
[ "${seen:-0}" -eq 4 ] || problem "not four trees"
[ "$(md5sum < /dev/vg0/raw)" = "$(for d; do case $(blockdev --getsize64 "$d") in 16777216) md5sum < "$d" ;; esac; done)" ] ||
        problem "the raw volume's snapshot differs"
exit $bad
END
chmod +x "$test_work/look"

content() {
        rm -f "$mnt"/vg*/*/after
        start_counter
        check "$1: a set of six, looked into" driver "${@:2}" --trees "$test_work/trees" --then "$test_work/look" \
                "$mnt/vg0/e" /dev/vg0/x vg1/te /dev/mapper/vg1-tx vg0/raw "$mnt/secret"
        explain < "$test_work/output"
        stop_counter
        outside_check "$1: nothing left"
}

abort_everywhere() {
        local step steps=(lock)
        [ "${QUIESCED_TEST_ALL:-no}" = no ] || steps=(end-prepare lock pre-commit commit post-commit final-commit)
        for step in "${steps[@]}"; do
                check_status "given up at $step" 1 driver --freeze --abort-at "$step" vg0/e vg1/tx
                outside_check "given up at $step: nothing left"
        done
}

die_everywhere() {
        local step steps=(commit)
        [ "${QUIESCED_TEST_ALL:-no}" = no ] || steps=(end-prepare lock pre-commit commit post-commit)
        for step in "${steps[@]}"; do
                check_status "killed after $step" 137 driver --die-at "$step" vg0/e vg1/te
                # What the hold holds it lets go by itself, and recovery is right meanwhile.
                check "recovered after $step" driver --recover
                outside_check "recovered after $step: nothing left"
        done
}

persistent() {
        local snapshot
        check "a persistent set" driver --persistent --keep vg0/e vg1/te
        # As at boot. A thick one comes and goes with its origin.
        snapshot=$(lvs --noheadings -o lv_name vg1 | grep -o 'quiesced_[0-9a-f]*')
        must lvchange -qq -an "vg1/$snapshot"
        must vgchange -qq -aay vg1
        check "its thin snapshot is activated with its group" test -b "/dev/vg1/$snapshot"
        check "found again" driver --recover
        check_equal "two snapshots are found again" 2 "$(grep -c '^snapshot .*state=created' "$test_work/output")"
        check "deleted" driver --recover --delete
        outside_check "persistent: nothing left"
}

left_over() {
        check "an auto-release set left over" driver --keep vg0/e vg1/te
        check "is removed" driver --recover
        outside_check "left over: nothing left"
}

refusals() {
        check_fails "a disk" 'no logical volume' driver /dev/vdb
        check_fails "no device" 'block device' driver /proc
        check_fails "nothing" 'is no volume' driver /nowhere
        check_fails "swap" 'swap' driver vg0/swap
        must lvcreate -qq -y -l 100%FREE -n filler vg0
        check_fails "a full group, named" 'InsufficientStorage.*vg0' driver vg0/e
        must lvremove -qq -y vg0/filler
        check_fails "a pool" 'NotSupported' driver vg1/pool
        must dmsetup suspend vg0-raw
        check_fails "a suspended volume" 'VolumeBusy' driver vg0/raw
        must dmsetup resume vg0-raw
        outside_check "refused: nothing left"
}

# Somebody has the snapshot open when it is to be deleted.
still_open() {
        cat > "$test_work/open" << 'END'
#!/bin/bash
# The volume itself is free.
umount "$(dirname "$0")/mnt/vg0/e" && mount /dev/vg0/e "$(dirname "$0")/mnt/vg0/e" || exit 1
# Leaves one behind that has the device open until it is killed.
tail -f /dev/null < "$1" > /dev/null 2>&1 &
echo $! > "$(dirname "$0")/holder"
END
        chmod +x "$test_work/open"
        check_fails "an open snapshot is not torn away" 'tail \(pid' driver --then "$test_work/open" vg0/e
        must kill "$(< "$test_work/holder")"
        check "and goes later" driver --recover
        outside_check "open: nothing left"
}

make_volumes
content_frozen() { content "frozen by writers" --freeze; }

if [ $# -gt 0 ]; then
        for part; do "$part"; done
else
        content_frozen
        rm -f "$mnt/secret/counter"
        refusals
        abort_everywhere
        die_everywhere
        persistent
        # test-daemon-crash.sh and test-run.sh (T25) have these with quiesced.
        [ "${QUIESCED_TEST_ALL:-no}" = no ] || { left_over; still_open; }
fi
swapoff /dev/vg0/swap
umount "$mnt/secret" "${mounted[@]/#/$mnt/}"
cryptsetup close secret
finish
