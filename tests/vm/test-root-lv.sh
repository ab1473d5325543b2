#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --root-lv --disk 1G --timeout 600
# vm-all
#
# The device that carries the root is in the set. While it is suspended nothing can be read from it, so what quiesced and
# the hold need must be in memory already: a writer drops the page cache, as the last thing before the file systems are
# frozen. It also writes a record, unsynced, that must be in every snapshot, and one when it is thawed that must be in none.
# Then the hold, or its guard, is killed or stopped while the root device is suspended: the other brings the machine back.
# Arguments: the parts to run (persistent, run, later, hold); without them all are run.
# shellcheck disable=SC2016,SC2317 # the commands' own shells expand; parts and cases are called by name
# shellcheck source=tests/vm/hold-functions.sh
. "$(dirname "$0")/hold-functions.sh"

volumes=(rootvg/root vg2/te)
vgs=(rootvg vg2)
round=0

set_up() {
        make_vg vg2 /dev/vdb
        make_pool vg2 pool 700M
        make_thin vg2 pool te 300M
        make_fs ext4 /dev/vg2/te /srv
        # The hold's cases reach both through one directory.
        must mkdir -p "$mnt/rootvg/root" "$mnt/vg2/te" /var/lib/live /mnt/tmpfs /mnt/snapshot
        # Private, or what is mounted later would appear in it too.
        must mount --bind --make-private / "$mnt/rootvg/root"
        must mount --bind /srv "$mnt/vg2/te"
        must mount -t tmpfs tmpfs /mnt/tmpfs
        make_canary
        must systemctl start quiesced.service
        outside_baseline
}

# A writer in a unit of its own, as one that needs more than the sandbox gives.
make_canary() {
        cat > /usr/local/bin/canary <<'END'
#!/bin/bash
case $1 in
freeze)
        for directory in / /srv/; do date > "${directory}before.$(< /run/canary-round)"; done
        echo 3 > /proc/sys/vm/drop_caches ;;
thaw)
        for directory in / /srv/; do date > "${directory}after.$(< /run/canary-round)"; done ;;
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

next_round() {
        round=$((round + 1))
        echo "$round" > /run/canary-round
}

# canaries_in ROOT SRV: what of this round's records is wrong there.
canaries_in() {
        local directory
        for directory in "$1" "$2"; do
                [ -s "$directory/before.$round" ] || echo "missing: $directory/before.$round"
                [ ! -e "$directory/after.$round" ] || echo "too late: $directory/after.$round"
                [ -e "/after.$round" ] || echo "the thaw wrote no record"
        done
}

# --- the whole way ----------------------------------------------------------------------------------------------------

snapshot_of() { quiescectl list snapshots --json | jq -r --arg v "$1" '.[][] | select(.volume == $v) | .Id // .id'; }

test_persistent() {
        local set device root srv
        next_round
        check "a persistent set with the root" within 240 quiescectl create --json / /srv
        grep -v '^quiescectl:' "$test_work/output" > "$test_work/set"
        set=$(jq -r '.[][].id' "$test_work/set")
        check_equal "is application-consistent" application "$(jq -r '.[][].consistency' "$test_work/set")"
        check "held within the limit" test "$(jq -r '.[][].hold' "$test_work/set")" -le 10000000
        root=$(snapshot_of rootvg/root)
        srv=$(snapshot_of vg2/te)
        mkdir -p /run/look/root /run/look/srv
        check "the root's snapshot is mounted" quiescectl mount "$root" /run/look/root
        check "the other's, too" quiescectl mount "$srv" /run/look/srv
        check_equal "both hold the instant" "" "$(canaries_in /run/look/root /run/look/srv)"
        check "and are taken away" quiescectl umount "$root" "$srv"
        device=$(lvs --noheadings -o lv_path -S 'origin=root' rootvg)
        check "e2fsck -fn of the root's snapshot" e2fsck -fn "${device// /}"
        check "deleted" quiescectl delete "$set"
        outside_check "after the persistent set"
}

# `run /` replaces the root and keeps all other mounts, /tmp, /var/tmp, /run and each --live path.
test_run() {
        next_round
        echo old > /file
        check "run / ends well" within 240 quiescectl run --live /var/lib/live / -- bash -c '
                '"$(declare -f canaries_in); round=$round"'
                canaries_in "" /srv | grep -v "the thaw wrote"
                for d in / /etc /var/lib /srv; do ! : 2> /dev/null > $d/intruder || echo "writable: $d"; done
                for d in /tmp /var/tmp /run /var/lib/live /mnt/tmpfs /dev/shm; do : > $d/live || echo "not live: $d"; done
                [ -e /proc/self/root/etc/debian_version ] || echo "no proc"
                [ -b /dev/vda ] || echo "no dev"
                [ -e /sys/kernel/rcu_expedited ] || echo "no sys"
                [ -e '"$(printf %q "$(readlink -f "$0")")"' ] || echo "another mount is gone"
                [ "$(< /file)" = old ] || echo "another content"
                [ "$(stat -f -c %T /)" = ext2/ext3 ] || echo "the root is no ext4"
                findmnt -n -o SOURCE / | grep quiesce > /dev/null || { echo "the root is"; findmnt /; }
                quiescectl list sessions | grep . > /dev/null || echo "the bus is not reached"'
        check_equal "with all at its place" "" "$(grep -v '^quiescectl:' "$test_work/output")"
        for directory in /tmp /var/tmp /run /var/lib/live /mnt/tmpfs /dev/shm; do
                check "written live: $directory" rm "$directory/live"
        done
        check "the instant was the run's" test -e "/after.$round" -a -e "/srv/after.$round"
        outside_check "after run /"
}

# A later plain snapshot still freezes the root's file system (kernel-notes fact 1).
test_later() {
        echo later > /later
        check "a plain lvcreate -s" within 60 lvcreate -qq -y -s -L 64M -n later rootvg/root
        must mount -o ro /dev/rootvg/later /mnt/snapshot
        check_equal "has what was written just before" later "$(cat /mnt/snapshot/later)"
        must umount /mnt/snapshot
        check "e2fsck -fn of it" e2fsck -fn /dev/rootvg/later
        must lvremove -qq -y rootvg/later
        outside_check "after a plain snapshot"
}

# --- the root device is suspended, and one of the two processes is lost ------------------------------------------------

# $1: KILL or STOP; $2: hold or guard; $3: frozen: by FIFREEZE before; or not
case_lost_while_suspended() {
        local pid uuid
        ready_snapshots
        start_driver "$limit" 1
        expect_ok lock
        expect_ok pre-commit
        [ "$3" != frozen ] || { expect_done freeze 0; expect_done freeze 1; }
        pid=$("$2_pid")
        uuid=$(dm_uuid rootvg-root)
        echo 3 > /proc/sys/vm/drop_caches
        tell send-and-signal-suspended commit "$(kill -l "$1")" "$pid" "$uuid"
        ask_for_report 60
        if [ "$2" = hold ]; then
                expect_error commit "guard has let every volume go"
        elif [[ $answer = "report step=commit error=0 "* ]]; then
                # The step was over before the death was seen.
                hear 60
                expect_error none "guard was killed"
        else
                expect_error commit "guard was killed"
        fi
        stop_driver
}

test_hold() {
        run_case lost_while_suspended KILL hold frozen
        run_case lost_while_suspended KILL hold not
        run_case lost_while_suspended STOP hold frozen
        run_case lost_while_suspended KILL guard frozen
        remove_snapshots
        outside_check "after the hold's cases"
}

set_up
case_running=''
[ $# -gt 0 ] || set -- persistent run later hold
for name in "$@"; do "test_$name"; done
must umount "$mnt/rootvg/root" "$mnt/vg2/te" /mnt/tmpfs /srv
rm -f /etc/quiesced/writers.d/canary.writer /etc/systemd/system/canary.service /usr/local/bin/canary
systemctl daemon-reload
end_cases
