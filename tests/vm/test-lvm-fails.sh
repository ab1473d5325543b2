#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 600
# vm-all
#
# What LVM, or who is killed, leaves behind is mended: a file system that somebody else holds frozen is found before LVM
# meets it, and stays frozen; an lvm that fails or is killed in the middle leaves no device, no LV and no suspended
# origin, nor does its death together with quiesced's; what LVM activates meanwhile is left alone. Judged from outside.
# shellcheck disable=SC2016,SC2317 # what lvm's stand-in does is written down; parts are called by name
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

tools=${QUIESCED_BUILD:?}
mnt=$test_work/mnt
runtime=/run/quiesced # where trials leave their notes
real=/run/real-lvm

driver() { within 150 "$tools/sets-driver" --runtime "$runtime" "$@"; }
slow_table() { echo "0 $(($(blockdev --getsz /dev/vdc) - 2048)) delay /dev/vdc 2048 0 /dev/vdc 2048 $1"; }

make_volumes() {
        must modprobe dm-delay
        must dmsetup create pv --table "$(slow_table 0)"
        make_vg vg0 /dev/vdb
        make_vg vg1 /dev/mapper/pv
        make_thick vg0 e 64M
        make_thick vg0 raw 16M
        make_thick vg0 luks 48M
        make_thick vg1 x 64M
        make_pool vg1 pool 300M
        make_thin vg1 pool t 64M
        make_fs ext4 /dev/vg0/e "$mnt/e"
        make_fs ext4 /dev/vg1/x "$mnt/x"
        make_fs ext4 /dev/vg1/t "$mnt/t"
        printf secret > "$test_work/key"
        must cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
                /dev/vg0/luks "$test_work/key"
        must cryptsetup open --key-file "$test_work/key" /dev/vg0/luks secret
        make_fs ext4 /dev/mapper/secret "$mnt/secret"
        mkdir -p "$runtime"
        udevadm settle
        outside_baseline
}

# lvm is a script of ours that does what a file says, once, when the command comes for which it is named.
wrap_lvm() {
        mkdir "$real"
        cp /sbin/lvm "$real/lvm"
        mv /sbin/lvm "$real/replaced"
        cat > /sbin/lvm << END2
#!/bin/bash
real=$real
slow_pv() { dmsetup suspend pv; dmsetup load pv --table "0 $(($(blockdev --getsz /dev/vdc) - 2048)) delay /dev/vdc 2048 0 /dev/vdc 2048 \$1"; dmsetup resume pv; }
# Writes take a while, so that lvm can be caught between suspend and resume. \$1: the origin's device
kill_when_suspended() {
        local origin state lvm
        origin=\$(readlink -f "/dev/mapper/\$1")
        shift
        slow_pv 300
        "\$real/lvm" "\$@" &
        lvm=\$!
        until read -r state < "/sys/block/\${origin##*/}/dm/suspended" && [ "\$state" = 1 ]; do
                [ -d "/proc/\$lvm" ] || { echo missed > "\$real/missed"; break; }
        done
        kill -KILL "\$lvm"
        wait "\$lvm"
        slow_pv 0
}
name=\${0##*/}
[ "\$name" = lvm ] || exec "\$real/lvm" "\$name" "\$@"
if [ -e "\$real/on-\$1" ]; then
        mv "\$real/on-\$1" "\$real/now"
        . "\$real/now"
fi
exec "\$real/lvm" "\$@"
END2
        chmod 755 /sbin/lvm
}
unwrap_lvm() { mv "$real/replaced" /sbin/lvm; rm -r "$real"; }

frozen() { [[ $(within 10 fsfreeze -f "$1" 2>&1) = *busy* ]]; }

foreign() {
        must fsfreeze -f "$mnt/e"
        check_fails "a frozen file system is found" "end-prepare VolumeBusy: .*/mnt/e on vg0/e is frozen by someone else" \
                driver vg0/e vg1/t
        check "it stays frozen" frozen "$mnt/e"
        check_equal "LVM has left no device" "$base_dm" "$(list_dm)"
        check_equal "nor an LV" "$base_lvs" "$(within 30 list_lvs)"
        must fsfreeze -u "$mnt/e"
        outside_check "frozen by someone else: nothing left"
        check "thawed, a set is made" driver vg0/e vg1/t
        outside_check "and goes"
        # It comes after the look, and LVM meets it.
        printf 'fsfreeze -f %q; "$real/lvm" "$@"; status=$?; fsfreeze -u %q; exit $status\n' "$mnt/e" "$mnt/e" > "$real/on-lvcreate"
        check_fails "frozen in the last moment" "end-prepare " driver vg0/e
        explain < "$test_work/output"
        outside_check "frozen in the last moment: nothing left"
        # A snapshot is removed once its origin is thawed.
        check "a set is kept" driver --keep vg0/e
        must fsfreeze -f "$mnt/e"
        check_fails "its origin is frozen" "frozen by someone else" driver --recover
        check "the origin stays frozen" frozen "$mnt/e"
        must fsfreeze -u "$mnt/e"
        check "thawed, it goes" driver --recover
        outside_check "removed after the thaw"
        must umount "$mnt/e"
        must mount /dev/vg0/e "$mnt/e"
}

killed() {
        echo 'kill_when_suspended vg1-x "$@"; kill -KILL $$' > "$real/on-lvcreate"
        check_fails "lvcreate is killed, thick" "end-prepare .*ended by signal 9" driver vg1/x
        outside_check "lvcreate killed, thick: nothing left"
        echo 'kill_when_suspended vg1-t "$@"; kill -KILL $$' > "$real/on-lvcreate"
        check_fails "lvcreate is killed, thin" "end-prepare .*ended by signal 9" driver --persistent vg1/t
        outside_check "lvcreate killed, thin: nothing left"
        echo 'kill_when_suspended vg1-x "$@"; kill -KILL $$' > "$real/on-lvremove"
        check "lvremove is killed" driver vg1/x
        outside_check "lvremove killed: nothing left"
        check "each was caught while the origin was suspended" test ! -e "$real/missed"
}

# As when the whole of quiesced's unit is killed.
killed_together() {
        local command
        for command in lvcreate lvremove; do
                echo 'parent=$PPID; kill_when_suspended vg1-x "$@"; kill -KILL "$parent" $$' > "$real/on-$command"
                check_status "killed with its $command" 137 driver vg1/x
                check "recovered from $command" driver --recover
                outside_check "killed with $command: nothing left"
        done
        check "each was caught while the origin was suspended, too" test ! -e "$real/missed"
}

waits_for_lock() { grep -q -E -e "-> +FLOCK .*:$(stat -c %i /run/lock/lvm/V_vg0) " /proc/locks; }

# At boot LVM may activate a group while quiesced removes what is left over: each device that LVM makes is one that nobody
# has open, until it has made the next above it. It looks like what a killed lvm leaves, and is not to be touched: without
# it the volume would stay inactive.
activated() {
        local key lock driver
        key=$(dmsetup info -c --noheadings -o uuid vg0-raw)
        check_status "killed, with a snapshot made" 137 driver --die-at end-prepare vg0/raw
        # As if its lvm had been killed, too.
        echo "vg0 $(lvs --noheadings -o lv_name -S 'lv_name=~^quiesced_' vg0 | tr -d ' ')" > "$runtime/suspending-$key"
        must lvchange -an vg0/raw
        must mkfifo "$real/listed" "$real/go"
        echo '"$real/lvm" "$@"; status=$?; echo > "$real/listed"; read -r _ < "$real/go"; exit $status' > "$real/on-lvs"
        driver --recover > "$test_work/recover" 2>&1 &
        driver=$!
        read -r _ < "$real/listed"
        # What LVM has in the middle of an activation: its lock, and the device below the origin.
        exec {lock}>> /run/lock/lvm/V_vg0
        must flock "$lock"
        must dmsetup create vg0-raw-real --uuid "$key-real" --table "0 8192 linear /dev/vdb 2048"
        echo > "$real/go"
        check "recovery waits for the activation" await 60 waits_for_lock
        check "and leaves its device alone" dmsetup info vg0-raw-real
        exec {lock}>&-
        check "it ends" wait "$driver"
        explain < "$test_work/recover"
        must lvchange -ay vg0/raw
        outside_check "recovered beside an activation: nothing left"
}

trial() {
        local note
        note=/run/quiesced/trial-$(findmnt -n -o ID "$mnt/e")
        must fsfreeze -f "$mnt/e"
        echo frozen > "$note"
        check "what a killed trial left frozen" driver --recover
        check "has no note any more" test ! -e "$note"
        outside_check "a killed trial: thawed at start"
        must fsfreeze -f "$mnt/e"
        echo frozen > "$note"
        check "or it is thawed by the next trial" driver vg0/e
        check "which leaves no note" test ! -e "$note"
        outside_check "a killed trial: thawed by the next"
}

# Without writers nothing that is frozen is ours to thaw. This one lies above another device, so nobody freezes it.
outsider() {
        must fsfreeze -f "$mnt/secret"
        check_fails "a set without writers is given up" "abort OK" driver --abort-at commit "$mnt/secret"
        check "what an outsider froze stays frozen" frozen "$mnt/secret"
        must fsfreeze -u "$mnt/secret"
        outside_check "an outsider's freeze: nothing left"
}

contents() {
        check "a set of a file system, none, and an encrypted one" driver vg0/e vg0/raw vg0/luks
        cp "$test_work/output" "$test_work/said"
        explain < "$test_work/said"
        check "a file system is told" grep -q 'volume=vg0/e .* fs=ext4 .*no-tree=-$' "$test_work/said"
        check "and that there is none" grep -q 'volume=vg0/raw .* fs= .*no-tree=.*no file system' "$test_work/said"
        check "and that it is encrypted" grep -q 'volume=vg0/luks .* fs=crypto_LUKS .*no-tree=-$' "$test_work/said"
        outside_check "contents: nothing left"
}

make_volumes
wrap_lvm
[ $# -gt 0 ] || set -- foreign killed killed_together activated trial outsider contents
for part; do "$part"; done
unwrap_lvm
umount "$mnt/secret" "$mnt/e" "$mnt/x" "$mnt/t"
cryptsetup close secret
vgchange -qq -an vg0 vg1
dmsetup remove pv
finish
