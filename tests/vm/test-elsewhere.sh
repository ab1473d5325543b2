#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 600
# vm-all
#
# File systems that are not all in one place. Mounted in another mount namespace alone, on a volume and above LUKS: they are
# frozen there, through a process in it, and without one the set is refused. With their journal on another volume (ext4,
# xfs): the set is refused unless it has that, too. Judged by what the snapshots hold. Arguments: the parts to run.
# shellcheck disable=SC2016,SC2317 # another shell expands; parts are called by name
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

counter_program=${QUIESCED_BUILD:?}/hold-counter
apart=/mnt/apart
look=$test_work/look
mkdir -p "$look"

snapshot_of() {
        local path
        path=$(lvs --noheadings -o lv_path -S "lv_name=~^quiesced_ && origin=${1#*/}" "${1%%/*}")
        echo "${path// /}"
}
delete_sets() {
        local sets
        mapfile -t sets < <(quiescectl list sets --no-legend | awk '{ print $1 }')
        quiescectl delete -q "${sets[@]}"
}

# was_frozen DEVICE OPTION…: ext4 that was frozen has nothing in its journal.
was_frozen() {
        ! dumpe2fs -h "$1" 2> /dev/null | grep needs_recovery && e2fsck -fn "$@"
}

# What snapshots hold: the counters' range, and what is wrong.
lowest=999999999999 highest=0 wrong=''
# read_snapshot DEVICE OPTIONS
read_snapshot() {
        local n
        mount -o "$2" "$1" "$look" 2> "$test_work/output" || { wrong+="$1: $(< "$test_work/output"); "; return; }
        n=$((10#$(< "$look/counter")))
        [ "$n" -ge "$lowest" ] || lowest=$n
        [ "$n" -le "$highest" ] || highest=$n
        [ ! -e "$look/after" ] || wrong+="$1 has what was written after; "
        umount "$look"
}
# check_instant NAME: of those read since the last.
check_instant() {
        check_equal "$1: the snapshots have nothing from later" "" "$wrong"
        check "$1: they show one instant" [ $((highest - lowest)) -le 1 ]
        echo "# counters $lowest to $highest"
        lowest=999999999999 highest=0 wrong=''
}

# --- another mount namespace ------------------------------------------------------------------------------------------

# /mnt/apart/srv is mounted here, direct and secret only in a namespace that a file keeps, where a process bumps the same
# counter on all three.
make_apart() {
        make_vg one /dev/vdb
        make_thick one srv 64M
        make_thick one direct 64M
        make_thick one luks 96M
        make_fs ext4 /dev/one/srv "$apart/srv"
        printf secret > "$test_work/key"
        must cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
                /dev/one/luks "$test_work/key"
        must cryptsetup open --key-file "$test_work/key" /dev/one/luks secret
        must mkfs.ext4 -q /dev/one/direct
        must mkfs.ext4 -q /dev/mapper/secret
        must mkdir -p "$apart/direct" "$apart/secret" /run/kept
        must mount --bind --make-private /run/kept /run/kept
        must touch /run/kept/namespace
        unshare --mount=/run/kept/namespace --propagation private sh -c '
                mount /dev/one/direct "$1/direct" && mount /dev/mapper/secret "$1/secret" &&
                        exec "$2" "$1/srv" "$1/direct" "$1/secret"' - "$apart" "$counter_program" &
        counter=$!
        check "a process in another namespace writes" await 30 test -s "/proc/$counter/root$apart/secret/counter"
        check_equal "what it has mounted is not seen here" "" "$(findmnt -rn -o TARGET "$apart/direct" "$apart/secret")"
}

test_namespace() {
        local device
        make_apart
        outside_baseline
        check "a set of what only another namespace has mounted" within 120 \
                quiescectl create -q "$apart/srv" one/direct one/luks
        for device in srv direct secret; do touch "/proc/$counter/root$apart/$device/after"; done
        check "directly on a volume: it was frozen" was_frozen "$(snapshot_of one/direct)"
        must cryptsetup open --readonly --key-file "$test_work/key" "$(snapshot_of one/luks)" look
        check "above LUKS: it was frozen" was_frozen /dev/mapper/look
        for device in "$(snapshot_of one/srv)" "$(snapshot_of one/direct)" /dev/mapper/look; do
                read_snapshot "$device" ro,noload
        done
        check_instant "another namespace"
        must cryptsetup close look
        must delete_sets
        outside_check "another namespace: nothing is left"
        check "it writes on" kill -0 "$counter"
        kill "$counter"
        wait "$counter" 2> /dev/null
        check_fails "a namespace without a process: refused, with what to do" \
                'secret, which lies on one/luks, is mounted in a mount namespace that has no process.*Unmount it, or leave' \
                within 60 quiescectl create -q one/luks
        check "what lies directly on a volume is frozen even so" within 60 quiescectl create -q one/direct
        check "as its snapshot shows" was_frozen "$(snapshot_of one/direct)"
        must delete_sets
        must umount /run/kept/namespace
        must umount /run/kept
        # The kernel takes its mounts away some time later.
        must await 30 test ! -e "/sys/fs/ext4/$(basename "$(readlink -f /dev/mapper/secret)")"
        check "with the namespace gone the set is made" within 60 quiescectl create -q one/luks
        must delete_sets
        must umount "$apart/srv"
        must cryptsetup close secret
        check_equal "at the end no device is suspended" "" "$(outside_suspended)"
}

# --- a journal on another volume --------------------------------------------------------------------------------------

# writable NAME DEVICE OFFSET: a device NAME with the content of DEVICE, which can be written; what is written goes to
# /dev/vdd, from OFFSET sectors on.
writable() {
        must dmsetup create "$1-cow" --table "0 65536 linear /dev/vdd $3"
        must dd if=/dev/zero of="/dev/mapper/$1-cow" bs=4k count=1 oflag=direct
        must dmsetup create "$1" --table "0 $(blockdev --getsz "$2") snapshot $2 /dev/mapper/$1-cow N 8"
}

# A frozen xfs keeps its log dirty on purpose: it is mounted once before it is looked at.
xfs_is_whole() {
        mount -o nouuid,logdev=/dev/mapper/look-log /dev/mapper/look-x "$look" && umount "$look" &&
                xfs_repair -n -l /dev/mapper/look-log /dev/mapper/look-x
}

test_journal() {
        local counter
        make_vg two /dev/vdc
        make_thick two e 64M
        make_thick two journal 16M
        make_thick two x 320M
        make_thick two log 64M
        must mke2fs -q -b 1024 -O journal_dev /dev/two/journal
        must mkfs.ext4 -q -b 1024 -J device=/dev/two/journal /dev/two/e
        must mkfs.xfs -q -f -l logdev=/dev/two/log /dev/two/x
        must mkdir -p /mnt/e /mnt/x
        must mount /dev/two/e /mnt/e
        must mount -o logdev=/dev/two/log /dev/two/x /mnt/x
        "$counter_program" /mnt/e /mnt/x &
        counter=$!
        check "a process writes" await 30 test -s /mnt/x/counter
        outside_baseline
        check_fails "ext4 without its journal's volume is refused" 'two/e lies on two/journal as well.*Add that one' \
                within 60 quiescectl create -q /mnt/e
        check_fails "xfs without its log's volume is refused" 'two/x lies on two/log as well.*Add that one' \
                within 60 quiescectl create -q /mnt/x two/e two/journal
        outside_check "refused: nothing is left"
        # All of a journal is written again and again.
        check "with both a set is made" within 120 \
                quiescectl create -q --cow-size 60M /mnt/e two/journal /mnt/x two/log
        touch /mnt/e/after /mnt/x/after
        kill "$counter"
        wait "$counter" 2> /dev/null
        # e2fsck wants to write to a journal that lies elsewhere, even with -n, and snapshots are read-only: copies do.
        must dd if="$(snapshot_of two/e)" of="$test_work/ext4" bs=1M conv=sparse status=none
        must dd if="$(snapshot_of two/journal)" of="$test_work/journal" bs=1M conv=sparse status=none
        check "ext4: frozen and whole" was_frozen "$test_work/ext4" -j "$test_work/journal"
        rm -f "$test_work/ext4" "$test_work/journal"
        writable look-x "$(snapshot_of two/x)" 0
        writable look-log "$(snapshot_of two/log)" 65536
        check "xfs: whole with its log" xfs_is_whole
        read_snapshot "$(snapshot_of two/e)" ro,noload
        read_snapshot /dev/mapper/look-x ro,nouuid,logdev=/dev/mapper/look-log
        check_instant "journals elsewhere"
        must dmsetup remove look-x look-log look-x-cow look-log-cow
        must delete_sets
        outside_check "journals elsewhere: nothing is left"
        must umount /mnt/e /mnt/x
}

must systemctl start quiesced.service
[ $# -gt 0 ] || set -- namespace journal
for name in "$@"; do "test_$name"; done
finish
