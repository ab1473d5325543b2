#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 900
#
# Provider dm: a crypt device with ext4 and a linear one with xfs, on partitions, in one set with a thick and a thin LV of
# LVM. What the snapshots show is one instant, under load, with a record of just before in all and one of just after in
# none; their file systems are clean; afterwards the kernel's tables are what they were, keys and all. Stores that
# will not do are refused, each with its reason; a snapshot whose store overflows, or whose origin somebody gives another
# table, is lost and said to be. Whoever is killed, nothing is left over and writes go on.
# shellcheck disable=SC2016,SC2317 # the commands' own shells expand; functions are run by name
set -uo pipefail
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=tests/vm/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/vm/job-functions.sh
. "$here/job-functions.sh"
# shellcheck source=tests/vm/gate-functions.sh
. "$here/gate-functions.sh"
# shellcheck source=tests/vm/dm-functions.sh
. "$here/dm-functions.sh"

run() { within 120 quiescectl run -q "$@"; }
links() { find /dev/disk/by-uuid /dev/disk/by-id -type l -printf '%f %l\n' | sort; }
no_dm_left() { ! dmsetup ls | grep -q '^quiesced_'; }
# check_left NAME: nothing is over, and the tables are as at the beginning.
check_left() {
        check_equal "$1: the tables are as before" "$tables" "$(plain_tables)"
        outside_check "$1: nothing is left"
}

make_dm_volumes
outside_baseline
tables=$(plain_tables)
names=$(links)

# --- one instant ------------------------------------------------------------------------------------------------------
start_counter
for round in 1 2; do check "content-at-the-instant-$round" one_run "$round"; done
stop_counter
check_left "instant"

# What somebody sees who looks while the snapshots are there: links as ever, no key in a log, clean file systems.
check "clean: a session" sh -c "quiescectl begin -q ${volumes[*]} > '$test_work/session'" ||
        journalctl -b -o cat -n 30 | explain
udevadm settle
check_equal "clean: /dev/disk is the origins'" "$names" "$(links)"
for device in /dev/mapper/quiesced_????????????????????????????????; do
        if [ "$(blkid -o value -s TYPE -p "$device")" = xfs ]; then
                check "clean: xfs_repair" xfs_repair -n "$device"
        else
                check "clean: e2fsck" e2fsck -fn "$device"
        fi
done
check_equal "clean: both were looked at" 2 "$(dmsetup table | grep -c '^quiesced_.*: 0 [0-9]* snapshot ')"
check_fails "one at a time" "makes one of a volume at a time" run /mnt/c -- true
check_status "cryptsetup does not close it" 4 cryptsetup close c
check "clean: the session's end" within 60 quiescectl end "$(cat "$test_work/session")"
key=$(dmsetup table --showkeys c | awk '{ print $5 }')
check_equal "the key is what cryptsetup made" 128 "${#key}"
journalctl -b -o export > "$test_work/journal"
check_status "no log has the key" 1 grep -q "$key" "$test_work/journal"
check_equal "stores are cleared" "" "$(blkid -p /dev/mapper/s1 /dev/vdd2)"
check_left "clean"

# A backup of what is removed before it is read.
for volume in "${volumes[@]}"; do must cp -a /usr/lib/systemd/system "$volume/data"; done
check "tar" run "${volumes[@]}" -- sh -c "rm -r /proc/1/root/mnt/[cl]/data && sync && tar -C / -cf '$test_work/tar' mnt/c mnt/l mnt/e"
must mkdir "$test_work/restored"
must tar -C "$test_work/restored" -xf "$test_work/tar"
check "tar: it was removed" test ! -e /mnt/c/data
for volume in c l e; do
        check "tar: all of $volume is there" diff -r --no-dereference /mnt/te/data "$test_work/restored/mnt/$volume/data"
done
rm -r "$test_work/restored" "$test_work/tar"
check_left "tar"

# --- what is refused --------------------------------------------------------------------------------------------------
truncate -s 300M "$test_work/file"
refused() { check_fails "refused: $1" "$2" run --provider dm "${@:3}" -- true; }
check_fails "refused: a persistent set" "cannot be persistent" within 60 quiescectl create /mnt/c
refused "no dm device" "cannot take a snapshot of two/e" /mnt/e
refused "a store that is no device" "is no block device" --store-on /dev/null /mnt/l
refused "one that is not there" "There is no /dev/nothing" --store-on /dev/nothing /mnt/l
refused "one on the volume itself" "is, or lies on, l itself" --store-on /dev/mapper/l /mnt/l
refused "one below the volume" "in use" --store-on /dev/vdb2 /mnt/l
refused "one in use" "in use" --store-on /dev/vda /mnt/l
refused "one that is too small" "too few for a store" --store-on /dev/vdd3 /mnt/l
refused "one that is too small, but for another" "too few for a store" --cow-size 300M --store-on /dev/vdd4 /mnt/l
refused "an encrypted volume's, not encrypted" "is not encrypted, but c is" --store-on /dev/vdd4 /mnt/c
must mkfs.ext4 -q -F /dev/vdd4
refused "one with something on it" "not empty \(ext4\)" --store-on /dev/vdd4 /mnt/l
must wipefs -qa /dev/vdd4
check_fails "refused: two volumes, one store" "taken by another volume" run --store-on /dev/mapper/s1 /mnt/c /mnt/l -- true
check "two stores are taken in turn" run --store-on /dev/mapper/s1 --store-on /dev/vdd4 /mnt/c /mnt/l -- true
image=$(losetup --show -f "$test_work/file")
mkdir -p /mnt/c/store
truncate -s 120M /mnt/c/store/file
on_c=$(losetup --show -f /mnt/c/store/file)
refused "a store in a file on the volume" "is, or lies on, c itself" --store-on "$on_c" /mnt/c
check_fails "refused: a store in a file on another volume of the set" "lies on c, which is in the same set" \
        run --store-on /dev/mapper/s1 --store-on "$on_c" /mnt/c /mnt/l -- true
must losetup -d "$on_c"
rm -r /mnt/c/store
check "a loop device is a store" run --store-on "$image" /mnt/l -- true
must losetup -d "$image"
# A key that no second table gets.
crypt k /dev/vdb3 luks2
make_fs ext4 /dev/mapper/k /mnt/k
refused "a key in the keyring" "cryptsetup refresh --disable-keyring k" --store-on /dev/mapper/s1 /mnt/k
must cryptsetup refresh --disable-keyring --key-file "$test_work/key" k
check "with the key in the table" run --store-on /dev/mapper/s1 /mnt/k -- true
must umount /mnt/k
must cryptsetup close k
# No uuid, a physical volume, swap.
# Not from the partition's beginning, or LVM would find the physical volume on both.
must dmsetup create n --table "0 $(($(blockdev --getsz /dev/vdb4) - 2048)) linear /dev/vdb4 2048"
make_fs ext4 /dev/mapper/n /mnt/n
refused "no uuid" "no uuid.*--setuuid" /mnt/n
must dmsetup rename n --setuuid TEST-n
check "with a uuid" run /mnt/n -- true
must umount /mnt/n
must mkswap -q -f /dev/mapper/n
must swapon /dev/mapper/n
refused "swap" "is a swap area" /dev/mapper/n
must swapoff /dev/mapper/n
make_vg three /dev/mapper/n
make_thick three v 64M
refused "a physical volume" "is a physical volume of LVM" /dev/mapper/n
must vgremove -qq -ff -y three
must dmsetup remove n
check_left "refused"

# --- what is lost -----------------------------------------------------------------------------------------------------
# lost NAME REASON COMMAND OPTION…: during a backup that reads nothing the command makes the snapshot of l invalid.
lost() {
        printf '#!/bin/sh\n%s\nuntil quiescectl list snapshots --json | grep -q "\\"invalid-since\\": [^n]"; do :; done\n' "$3" \
                > "$test_work/command"
        chmod +x "$test_work/command"
        within 120 quiescectl run "${@:4}" -- "$test_work/command" > "$test_work/out"
        check_equal "lost, $1: the backup fails" 125 $?
        check "lost, $1: and says why" grep -q -E "$2" "$test_work/out" || explain < "$test_work/out"
        check "lost, $1: the volume goes on" probe_write /mnt/l
}
lost overflow "its store ran full" \
        'dd if=/dev/urandom of=/proc/1/root/mnt/l/f bs=1M count=40 conv=fsync 2> /dev/null' --cow-size 8M /mnt/l
rm /mnt/l/f
check_left "lost, overflow"
lost "another table" "another table, or closed it" 'dmsetup reload l --table "0 819200 linear /dev/mapper/under 0" && dmsetup resume l' /mnt/l
check_left "lost, another table"
umount /mnt/l
check "the volume is whole" xfs_repair -n /dev/mapper/l
must mount /dev/mapper/l /mnt/l

# --- killed -----------------------------------------------------------------------------------------------------------
cut() { within 60 systemctl kill --kill-whom=all --signal=KILL quiesced.service; }
gone() { await 60 no_session && await 60 no_dm_left; }
within 120 quiescectl run "${volumes[@]}" -- sh -c "touch '$test_work/runs'; sleep 1000" > "$test_work/out" 2>&1 &
run=$!
check "killed while it is read: it is read" await 60 test -e "$test_work/runs"
check "killed while it is read: quiesced is killed" cut
wait "$run"
check "killed while it is read: all is given up" gone
check_left "killed while it is read"

# start_run EVENT: a backup of c and l that waits in that event of its writers, under load.
start_run() {
        rm -f "$test_work/runs"
        set_gate "$1"
        within 120 quiescectl run /mnt/c /mnt/l -- touch "$test_work/runs" > "$test_work/out" 2>&1 &
        run=$!
        check "killed, $2: the backup waits" await_gate
        start_counter
}
# stalled NAME COMMAND…: what l lies on does not answer, the backup goes on, and comes to where the command succeeds.
stalled() {
        must dmsetup suspend --noflush --nolockfs under
        open_gate
        check "killed, $1: it is there" await 60 "${@:2}"
}
# ended NAME: it answers again.
ended() {
        must dmsetup resume under
        wait "$run"
        check "killed, $1: no snapshot is read" test ! -e "$test_work/runs"
        check "killed, $1: all is given up" gone
        stop_counter
        check_left "killed, $1"
}
make_gate
must systemctl restart quiesced.service
outside_baseline

# While the devices are made: l cannot get its table, as its writes do not end.
all_made() { [ "$(dmsetup ls | grep -c '^quiesced_')" = 6 ]; }
start_run prepare-for-backup "while it is made"
stalled "while it is made" all_made
check "killed, while it is made: quiesced is killed" cut
ended "while it is made"

# While writes are held: c's, as l cannot be suspended.
holding() { [ "$(dmsetup info -c --noheadings -o suspended c)" = Suspended ]; }
for who in hold quiesced both; do
        start_run freeze "$who, while writes are held"
        stalled "$who, while writes are held" holding
        [ "$who" = quiesced ] || pkill -KILL -x quiesced-hold
        [ "$who" = hold ] || cut
        ended "$who, while writes are held"
done
remove_gate
check "and again" run "${volumes[@]}" -- true
check_left "and again"
remove_dm_volumes
finish
