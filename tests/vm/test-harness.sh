#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 600
# vm-all
#
# The checks themselves: each must see what it is there for. Something is left behind on purpose, the check from outside
# must name it and nothing else, and must be content again when it is cleared away: much of it together, and with --all one
# by one.

# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

# What hangs here hangs for good, no need to wait for long.
outside_patience=3

# expect_problem NAME PATTERN…: the problems told are just those: each line matches a pattern, each pattern a line.
expect_problem() {
        local name=$1 problems pattern patterns=() wrong
        shift
        problems=$(outside_problems)
        for pattern; do
                patterns+=(-e "$pattern")
                grep -q -E -e "$pattern" <<< "$problems" || wrong+=" missing: $pattern"
        done
        ! grep -v -q -E "${patterns[@]}" <<< "$problems" || wrong+=" too much"
        if [ -z "${wrong:-}" ]; then
                ok "seen: $name"
        else
                not_ok "seen: $name"
                echo "#$wrong"
                explain <<< "$problems"
        fi
}

results_are_told() {
        local said
        said=$(
                check "right" true
                check "wrong" false
                check_status "status" 3 sh -c 'exit 3'
                check_fails "other text" "volume is full" sh -c 'echo volume is busy; exit 1'
                check_fails "no failure" "." echo text
                check_equal "equal" a b
                finish
        )
        check_equal "a test with wrong results fails" 1 "$?"
        check_equal "each result is told" "ok right,not ok wrong,ok status,not ok other text,not ok no failure,not ok equal,done" \
                "$(grep -v '^#' <<< "$said" | paste -sd ,)"
        test_work=$(mktemp -d /run/vm-test.XXXXXX)
        said=$(must false)
        check_equal "failed preparation ends the test" "1 0" "$? $(grep -c '^done' <<< "$said")"
}

# A process of that name which runs until it is killed.
run_as() {
        cp "$(command -v sleep)" "$test_work/$1"
        "$test_work/$1" 600 &
        echo $! > "$test_work/pid"
}

# The mount is there until it is told to end.
mount_elsewhere() {
        rm -f "$test_work/up" "$test_work/down"
        mkdir -p /mnt/stray
        mkfifo "$test_work/up" "$test_work/down"
        # shellcheck disable=SC2016 # that shell expands it
        unshare -m --propagation slave sh -c 'mount --bind /mnt/one /mnt/stray && echo up > "$1/up" && read -r end < "$1/down"' \
                sh "$test_work" &
        holder=$!
        must read -r _ < "$test_work/up"
}
unmount_elsewhere() {
        echo down > "$test_work/down"
        wait "$holder"
}

together() {
        make_thick vg0 stray 16M
        must lvremove -qq -y vg0/gone
        must dmsetup create stray --table "0 8 zero"
        must dmsetup load vg0-spare --table "$(dmsetup table vg0-spare)"
        must mkdir -p /mnt/bound
        must mount --bind /mnt/one /mnt/bound
        mount_elsewhere
        must umount /mnt/three
        must tee /sys/kernel/rcu_expedited <<< 1
        base_tainted=$((base_tainted ^ 512))
        run_as quiesced-guard
        must udevadm settle
        must udevadm control --stop-exec-queue
        must udevadm trigger --subsystem-match=mem --sysname-match=null
        must fsfreeze -f /mnt/two
        must dmsetup suspend vg0-one
        expect_problem "what is wrong, all together" \
                '^file system takes no write: /mnt/(one|bound) ' '^file system takes no write: /mnt/two ' '^device is suspended: vg0-one' \
                '^device has an inactive table: vg0-spare' '^LV left over: .*stray' '^device left over: vg0-stray' \
                '^LV gone: .*gone' '^device gone: vg0-gone' '^device left over: stray' '^mount left over: /mnt/bound' \
                '^mount in a namespace left over: /mnt/(stray|bound)' '^mount gone: /mnt/three' \
                '^mount in a namespace gone: /mnt/three' '^rcu_expedited is 1' '^the kernel complained \(tainted [0-9]+\)' \
                '^process left over: [0-9]+ .*quiesced-guard' '^udev does not settle'
        # First udev: dmsetup and LVM wait for it.
        must udevadm control --start-exec-queue
        must dmsetup resume vg0-one
        must fsfreeze -u /mnt/two
        kill "$(cat "$test_work/pid")"
        wait "$(cat "$test_work/pid")" 2>/dev/null
        base_tainted=$((base_tainted ^ 512))
        must tee /sys/kernel/rcu_expedited <<< 0
        must mount /dev/vg0/three /mnt/three
        unmount_elsewhere
        must umount /mnt/bound
        must dmsetup clear vg0-spare
        must dmsetup remove stray
        must lvremove -qq -y vg0/stray
        outside_baseline
}

one_by_one() {
        for name in one two; do
                must fsfreeze -f "/mnt/$name"
                expect_problem "a frozen $(findmnt -n -o FSTYPE "/mnt/$name")" "^file system takes no write: /mnt/$name "
                must fsfreeze -u "/mnt/$name"
        done

        must dmsetup suspend vg0-one
        expect_problem "a suspended device" '^device is suspended: vg0-one' '^file system takes no write: /mnt/one '
        must dmsetup resume vg0-one

        must dmsetup load vg0-one --table "$(dmsetup table vg0-one)"
        expect_problem "an inactive table" '^device has an inactive table: vg0-one'
        must dmsetup clear vg0-one

        make_thick vg0 stray 16M
        expect_problem "a stray LV" '^LV left over: .*stray' '^device left over: .*stray'
        must lvchange -an vg0/stray
        expect_problem "a stray LV that is not active" '^LV left over: .*stray'
        must lvremove -qq -y vg0/stray

        must lvchange -an vg0/spare
        expect_problem "a device that is gone" '^device gone: vg0-spare'
        must lvremove -qq -y vg0/spare
        expect_problem "an LV that is gone" '^LV gone: +vg0 spare' '^device gone: vg0-spare'
        outside_baseline

        must dmsetup create stray --table "0 8 zero"
        expect_problem "a stray device" '^device left over: stray'
        must dmsetup remove stray

        must mkdir -p /mnt/stray
        must mount --bind /mnt/one /mnt/stray
        expect_problem "a stray mount" '^mount left over: /mnt/stray' '^mount in a namespace left over: /mnt/stray'
        must umount /mnt/stray

        mount_elsewhere
        expect_problem "a stray mount in another namespace" '^mount in a namespace left over: /mnt/stray'
        unmount_elsewhere

        must umount /mnt/two
        expect_problem "a mount that is gone" '^mount gone: /mnt/two' '^mount in a namespace gone: /mnt/two'
        must mount /dev/vg0/two /mnt/two

        must tee /sys/kernel/rcu_expedited <<< 1
        expect_problem "rcu_expedited" '^rcu_expedited is 1'
        must tee /sys/kernel/rcu_expedited <<< 0

        # A taint cannot be taken back: what is changed is what there was before.
        base_tainted=$((base_tainted ^ 512))
        expect_problem "a kernel that complained" '^the kernel complained \(tainted [0-9]+\)'
        base_tainted=$((base_tainted ^ 512))

        must udevadm control --stop-exec-queue
        must udevadm trigger --subsystem-match=mem --sysname-match=null
        expect_problem "a udev that does not settle" '^udev does not settle'
        must udevadm control --start-exec-queue

        must systemd-run --quiet --no-block --unit=stray --property=Type=oneshot tail -f /dev/null
        expect_problem "a unit that does not get started" '^systemd has not done: .*stray.service'
        must systemctl stop stray.service

        for name in quiesced-hold quiesced-guard quiesced-hook quiesced-writer-fsfreeze quiesce-reaper; do
                run_as "$name"
                expect_problem "a process left over: $name" "^process left over: [0-9]+ .*$name"
                kill "$(cat "$test_work/pid")"
                wait "$(cat "$test_work/pid")" 2>/dev/null
        done
}

lock_is_held() {
        [ -p "$test_work/up" ] || mkfifo "$test_work/up"
        # shellcheck disable=SC2016 # that shell expands it
        flock /run/lock/lvm/V_vg0 sh -c 'echo held > "$1"; exec sleep 600' sh "$test_work/up" &
        must read -r _ < "$test_work/up"
        expect_problem "a lock of LVM that is held" '^LVM.s lock is held: /run/lock/lvm/V_vg0' '^lvs does not answer: no end within'
        must pkill -P $! sleep
        wait $!
}

results_are_told

make_vg vg0 /dev/vdb
make_thick vg0 one 64M
make_thick vg0 two 304M
make_thick vg0 three 16M
make_thick vg0 spare 16M
make_thick vg0 gone 16M
make_fs ext4 /dev/vg0/one /mnt/one
make_fs xfs /dev/vg0/two /mnt/two
make_fs ext4 /dev/vg0/three /mnt/three
outside_baseline
outside_check "nothing is wrong at the start"
together
[ "${QUIESCED_TEST_ALL:-no}" = no ] || one_by_one
lock_is_held
outside_check "all cleared away"

check "the disks are given back empty" clean_disks
check_equal "no VG is left" "" "$(vgs --noheadings -o vg_name)"
finish
