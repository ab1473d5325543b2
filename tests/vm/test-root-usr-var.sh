#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --root-lv --disk 2G --disk 2G --disk 2G --timeout 900
# vm-all
#
# A set with /, /usr and /var, each a volume of its own, and one on which the machine swaps. A writer drops the page cache as
# the last thing before the file systems are frozen: what quiesced and the hold need must be in memory. Then the first two
# guards, each alone, bring the machine back while all of them are suspended: the guard's watch, the hold killed or stopped; the
# hold's own deadline, its guard stopped, while the disk of /var does not answer. And sets are made while a process whose
# memory does not suffice swaps to a file on a volume of the set.
# Arguments: the parts to run (set, guards, swap); without them all are run.
# shellcheck disable=SC2317 # parts and cases are called by name
# shellcheck source=tests/vm/hold-functions.sh
. "$(dirname "$0")/hold-functions.sh"

volumes=(rootvg/root vg0/usr vg1/var)
vgs=(rootvg vg0 vg1)
directories=(/ /usr/ /var/ /srv/)
round=0

# put_on DEVICE DIRECTORY: what is there, on a volume of its own, mounted over it.
put_on() {
        must mkfs.ext4 -q -F -d "$2" "$1"
        must mount "$1" "$2"
}

set_up() {
        local v
        must dmsetup create pv --table "0 $(($(blockdev --getsz /dev/vdc) - 2048)) linear /dev/vdc 2048"
        make_vg vg0 /dev/vdb
        make_vg vg1 /dev/mapper/pv
        make_vg vg2 /dev/vdd
        make_thick vg0 usr 1300M
        make_thick vg1 var 400M
        make_pool vg2 pool 1500M
        make_thin vg2 pool te 500M
        must systemctl stop quiesced.service quiesced-hold.socket
        put_on /dev/vg0/usr /usr
        put_on /dev/vg1/var /var
        make_fs ext4 /dev/vg2/te /srv
        # The hold's cases reach all of them through one directory.
        for v in "${volumes[@]}"; do must mkdir -p "$mnt/$v"; done
        must mount --bind --make-private / "$mnt/rootvg/root"
        must mount --bind --make-private /usr "$mnt/vg0/usr"
        must mount --bind --make-private /var "$mnt/vg1/var"
        make_canary
        must systemctl start quiesced-hold.socket quiesced.service
        outside_baseline
}

# A writer in a unit of its own, as one that needs more than the sandbox gives.
make_canary() {
        cat > /usr/local/bin/canary << END
#!/bin/bash
case \$1 in
freeze)
        for directory in ${directories[*]}; do date > "\${directory}before.\$(< /run/canary-round)"; done
        echo 3 > /proc/sys/vm/drop_caches ;;
thaw)
        for directory in ${directories[*]}; do date > "\${directory}after.\$(< /run/canary-round)"; done ;;
*) exit 2 ;;
esac
END
        must chmod 755 /usr/local/bin/canary
        mkdir -p /etc/quiesced/writers.d
        printf '[Service]\nType=exec\nEnvironment=QUIESCE_WRITER_NAME=canary\nExecStart=/usr/libexec/quiesced/quiesced-hook %s\n' \
                /usr/local/bin/canary > /etc/systemd/system/canary.service
        printf '[Writer]\nService=canary.service\n' > /etc/quiesced/writers.d/canary.writer
        must systemctl daemon-reload
}

# --- the whole way ----------------------------------------------------------------------------------------------------

# What of this round's records is wrong in the snapshots, a line each.
records() {
        local device n=0
        for device in $(lvs --noheadings -o lv_path -S 'lv_name=~^quiesced_'); do
                mount -o ro,noload "$device" /mnt/snapshot || continue
                [ -s "/mnt/snapshot/before.$round" ] || echo "missing in $device"
                [ ! -e "/mnt/snapshot/after.$round" ] || echo "too late in $device"
                umount /mnt/snapshot
                n=$((n + 1))
        done
        [ "$n" -eq 4 ] || echo "$n snapshots"
        for device in "${directories[@]}"; do
                [ -e "$device/after.$round" ] || echo "the thaw wrote no record in $device"
        done
}

# one_set NAME
one_set() {
        local set hold
        round=$((round + 1))
        echo "$round" > /run/canary-round
        check "$1: a set with /, /usr and /var" within 240 quiescectl create --json / /usr /var /srv
        grep -v '^quiescectl:' "$test_work/output" > "$test_work/set"
        set=$(jq -r '.[][].id' "$test_work/set")
        hold=$(jq -r '.[][].hold' "$test_work/set")
        check "$1: held within the limit" test "$hold" -le 10000000
        echo "# held for $hold µs"
        check_equal "$1: its snapshots hold the instant" "" "$(records)"
        check "$1: deleted" within 120 quiescectl delete "$set"
}

test_set() {
        one_set "page cache dropped"
        outside_check "after the set nothing is left"
}

# --- the first two guards, each alone -----------------------------------------------------------------------------------

bring_to_armed() {
        ready_snapshots
        start_driver "$limit" 1
        expect_ok lock
        expect_ok pre-commit
}

# $1: KILL or STOP
case_watch() {
        local pid
        bring_to_armed
        pid=$(hold_pid)
        echo 3 > /proc/sys/vm/drop_caches
        tell send-and-signal-suspended commit "$(kill -l "$1")" "$pid" "$(dm_uuid rootvg-root)"
        ask_for_report 60
        expect_error commit "guard has let every volume go"
        stop_driver
}

case_deadline() {
        local pid root_uuid v
        bring_to_armed
        pid=$(guard_pid)
        root_uuid=$(dm_uuid rootvg-root)
        dd if=/dev/urandom of=/var/dirty bs=64k count=16 status=none
        dmsetup suspend --noflush --nolockfs pv
        echo 3 > /proc/sys/vm/drop_caches
        tell send-and-signal-suspended commit "$(kill -l STOP)" "$pid" "$root_uuid"
        ask_for_report 60
        expect_error commit "vg1-var does not answer"
        for v in rootvg/root vg0/usr; do is_free "$v" || fail "$v is not let go"; done
        dmsetup resume pv
        kill -CONT "$pid"
        stop_driver
}

test_guards() {
        run_case watch KILL
        run_case watch STOP
        run_case deadline
        remove_snapshots
        outside_check "after the guards nothing is left"
}

# --- memory that does not suffice ---------------------------------------------------------------------------------------

swapped() { awk '$1 == "pswpout" { print $2 }' /proc/vmstat; }
has_swapped() { [ "$(swapped)" -gt "$1" ]; }

test_swap() {
        local before name
        must dd if=/dev/zero of=/srv/swap bs=1M count=256 status=none
        must chmod 600 /srv/swap
        must mkswap -q /srv/swap
        must swapon /srv/swap
        # shellcheck disable=SC2016 # Perl's
        must systemd-run -q --unit=hog -p MemoryMax=48M perl -e \
                'my @a = map { chr(65 + $_ % 26) x 65536 } 1 .. 2000; while (1) { substr($_, int(rand 65536), 1) = "x" for @a }'
        check "a process swaps" await 120 has_swapped 20000
        for name in first second third; do
                before=$(swapped)
                one_set "swapping, the $name set"
                check "meanwhile it has swapped" has_swapped "$before"
                check "swapping, the $name set: the process lives" systemctl -q is-active hog.service
        done
        must systemctl stop hog.service
        must swapoff /srv/swap
        rm /srv/swap
        outside_check "after the swapping nothing is left"
}

set_up
mkdir -p /mnt/snapshot
case_running=''
[ $# -gt 0 ] || set -- set guards swap
for name in "$@"; do "test_$name"; done
rm -f /etc/quiesced/writers.d/canary.writer /etc/systemd/system/canary.service /usr/local/bin/canary
systemctl daemon-reload
must systemctl stop quiesced.service quiesced-hold.socket
must umount "$mnt/rootvg/root" "$mnt/vg0/usr" "$mnt/vg1/var" /srv
# What was started from there keeps them busy: the guest ends with them.
finish
