#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 900
#
# Provider dm: a crypt device with ext4 and a linear one with xfs, on partitions, in one set with a thick and a thin LV of
# LVM. What the snapshots show is one instant, under load, with a record of just before in all and one of just after in
# none; their file systems are clean; afterwards the kernel's tables are what they were, keys and all. Stores that
# will not do are refused, each with its reason; a snapshot whose store overflows, or whose origin somebody gives another
# table, is lost and said to be. Who is killed: test-dm-killed.sh.
# shellcheck disable=SC2016,SC2317 # the commands' own shells expand; functions are run by name
set -uo pipefail
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=tests/vm/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/vm/job-functions.sh
. "$here/job-functions.sh"
# shellcheck source=tests/vm/dm-functions.sh
. "$here/dm-functions.sh"

run() { within 120 quiescectl run -q "$@"; }
# All links of /dev/disk but those that are a name or a uuid of a logical volume, or count devices that were made.
links() {
        find /dev/disk -type l -not -path '*/by-diskseq/*' -printf '%f %l\n' |
                grep -v '^dm-name-two-quiesced_\|^dm-uuid-LVM-' | sort
}
snapshots() { compgen -G '/dev/mapper/quiesced_????????????????????????????????'; }
# is_blank DEVICE BYTES: blkid(8) finds nothing, and there is nothing at either end of so much of it.
is_blank() {
        local status
        blkid -p "$1"
        status=$?
        [ "$status" -eq 2 ] || return
        cmp -n 1048576 "$1" /dev/zero && cmp -n 1048576 -i $(($2 - 1048576)):0 "$1" /dev/zero
}
# A frozen xfs has the superblock in its log on purpose, and xfs_repair -n looks into no log, for LVM's snapshots as well: what
# is checked is a copy that was mounted once.
xfs_is_whole() {
        mkdir -p "$test_work/copied"
        cp --sparse=always "$1" "$test_work/copy" && mount -o loop,nouuid "$test_work/copy" "$test_work/copied" &&
                umount "$test_work/copied" && xfs_repair -n "$test_work/copy" && rm "$test_work/copy"
}
# One that was not frozen has something in its journal.
ext4_is_whole() { ! dumpe2fs -h "$1" 2> /dev/null | grep -q needs_recovery && e2fsck -fn "$1"; }

make_dm_volumes
outside_baseline
tables=$(plain_tables)
names=$(links)

# --- one instant ------------------------------------------------------------------------------------------------------
start_counter
for round in 1 2; do check "content-at-the-instant-$round" one_run "$round"; done
stop_counter
check_left "instant"

# What somebody sees who looks while the snapshots are there: links as ever, no key in a log or a command line, clean file
# systems. Processes are looked at as long as the session lasts; that a key would be found shows a process that has it.
key=$(dmsetup table --showkeys c | awk '{ print $5 }')
check_equal "the key is what cryptsetup made" 128 "${#key}"
printf '%s\n' "$key" > "$test_work/the-key"
have_key() { grep -l -s -a -F -f "$test_work/the-key" /proc/[0-9]*/cmdline /proc/[0-9]*/environ; }
watch_key() { until [ -e "$test_work/watched" ]; do have_key; done; }
env "HAS=$key" tail -f /dev/null &
holder=$!
check "a process that has the key is found" await 10 have_key
kill "$holder"
wait "$holder" 2> /dev/null
check_equal "and nobody else has it" "" "$(have_key)"
watch_key > "$test_work/seen-key" &
watcher=$!
must busctl set-property org.quiesce1 /org/freedesktop/LogControl1 org.freedesktop.LogControl1 LogLevel s debug
start_counter
check "clean: a session" sh -c "quiescectl begin -q ${volumes[*]} > '$test_work/session'" ||
        journalctl -b -o cat -n 30 | explain
stop_counter
check_equal "clean: both stores are in use" "SnAp SnAp" "$(head -q -c 4 /dev/mapper/s1 /dev/vdd2 | sed 's/..../& /; s/ $//')"
# The sizes of the stores, in bytes, in the order of c and l.
mapfile -t sizes < <(dmsetup table | awk '/^quiesced_.*-cow/ { print $3 * 512 }' | sort -n)
check_equal "clean: the storage is what lies below" "$(blockdev --getsize64 /dev/vdd2)" \
        "$(quiescectl storage --json | jq '.storage[] | select(.name == "l").allocated')"
for device in $(snapshots); do
        case $(blkid -o value -s TYPE -p "$device") in
        xfs) check "clean: xfs is whole" xfs_is_whole "$device" ;;
        ext4) check "clean: ext4 is whole, and was frozen" ext4_is_whole "$device" ;;
        *) not_ok "clean: $device has a file system" ;;
        esac
done
check_equal "clean: both were looked at" 2 "$(snapshots | wc -l)"
check_status "clean: a live ext4 is not" 1 ext4_is_whole /dev/mapper/c
check_equal "clean: /dev/disk is the origins'" "$names" "$(links)"
# Not of what lies below the linear device, which has the same content.
mapfile -t devices < <(grep -L -x under /sys/block/dm-*/dm/name)
must udevadm trigger --settle --action=change "${devices[@]%/dm/name}"
check_equal "clean: nor do events change that" "$names" "$(links)"
check_equal "clean: no link there is ours" "" "$(for device in $(snapshots) /dev/mapper/quiesced_*-real /dev/mapper/quiesced_*-cow*; do
        find /dev/disk -lname "*/$(basename "$(readlink -f "$device")")"
done)"
check_fails "one at a time" "makes one of a volume at a time" run /mnt/c -- true
check_status "cryptsetup does not close it" 4 cryptsetup close c
check "clean: the session's end" within 60 quiescectl end "$(cat "$test_work/session")"
touch "$test_work/watched"
wait "$watcher"
check_equal "no process had the key" "" "$(sort -u "$test_work/seen-key")"
journalctl -b -o export > "$test_work/journal"
check "the log is a full one" grep -q . <(journalctl -q -b -u quiesced.service -p debug..debug)
check_status "no log has the key" 1 grep -q -a -F -f "$test_work/the-key" "$test_work/journal"
check_status "nor a file of ours" 1 grep -r -q -a -F -f "$test_work/the-key" /run/quiesced /var/lib/quiesced
must busctl set-property org.quiesce1 /org/freedesktop/LogControl1 org.freedesktop.LogControl1 LogLevel s info
check "the store of c is cleared" is_blank /dev/mapper/s1 "${sizes[0]}"
check "the store of l is cleared" is_blank /dev/vdd2 "${sizes[1]}"
check_left "clean"

# Looked into: the snapshot is of the volume as it is used, with c's above its encryption, so no key is asked for.
for volume in c l; do echo old > /mnt/$volume/file; done
check "looked into: a session" sh -c "quiescectl begin -q /mnt/c /mnt/l > '$test_work/session'"
for volume in c l; do echo new > /mnt/$volume/file; done
set=$(quiescectl list --json sets | jq -r '.sets[0].id')
must mkdir -p /mnt/look
check_equal "looked into: exec" "old old" "$(within 60 quiescectl exec "$set" -- cat /mnt/c/file /mnt/l/file | paste -s -d ' ')"
for volume in c l; do
        snapshot=$(quiescectl list --json snapshots | jq -r ".snapshots[] | select(.volume == \"$volume\").id")
        check "looked into: $volume is mounted" within 60 quiescectl mount "$snapshot" /mnt/look
        check_equal "looked into: $volume is of the instant" old "$(cat /mnt/look/file)"
        check_fails "looked into: $volume is not written" "Read-only file system" touch /mnt/look/new
        check_fails "looked into: $volume has no writable copy" "makes no writable copies" \
                within 60 quiescectl mount --rw "$snapshot" /mnt/look
        check "looked into: $volume is unmounted" within 60 quiescectl umount /mnt/look
done
check "looked into: files are restored" within 60 quiescectl restore -q "$set" /mnt/c/file /mnt/l/file
check_equal "looked into: to what they were" "old old" "$(cat /mnt/c/file /mnt/l/file | paste -s -d ' ')"
check "looked into: one is mounted when the session ends" within 60 quiescectl mount "$snapshot" /mnt/look
check "looked into: the session's end" within 60 quiescectl end "$(cat "$test_work/session")"
check_equal "looked into: nothing is mounted" "" "$(findmnt -rn -o TARGET /mnt/look)"
rm /mnt/c/file /mnt/l/file
check_left "looked into"

# C5: what somebody has open goes with him.
check "in use: a session" sh -c "quiescectl begin -q /mnt/c /mnt/l > '$test_work/session'"
read -r device <<< "$(snapshots)"
tail -f /dev/null < "$device" &
holder=$!
snapshot=$(quiescectl list --json | jq -r --arg device "$device" '.snapshots[] | select(.device == $device).id')
check_fails "in use: it is not deleted" "is in use|open in" within 60 quiescectl delete "$snapshot"
check "in use: the session's end" within 60 quiescectl end "$(cat "$test_work/session")"
check "in use: one is left" test "$(snapshots)" = "$device"
check "in use: the volumes go on" probe_write /mnt/c
kill "$holder"
wait "$holder" 2> /dev/null
check "in use: then it goes" await 30 no_dm_left
check_left "in use"

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
refused "one below the volume" "/dev/vdb2 is in use: by another snapshot, a mount" --store-on /dev/vdb2 /mnt/l
refused "one in use" "/dev/vda is in use: by another snapshot, a mount" --store-on /dev/vda /mnt/l
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
must dmsetup remove --retry n
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

remove_dm_volumes
finish
