#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 1500
# vm-all
#
# quiesced-hold with a disk that does not answer, and with somebody who interferes: reported by the device's name, all
# that answers is let go in time, and nothing stays suspended or frozen.
# Arguments: the case to run, and its arguments; without them all are run.
# shellcheck disable=SC2317 # cases are called by name
# shellcheck source=tests/vm/hold-functions.sh
. "$(dirname "$0")/hold-functions.sh"

# --- a disk that does not answer: vg1/x is in the middle of its suspend -----------------------------------------------

bring_to_stuck() {
        ready_snapshots
        start_driver "$limit" 1
        expect_ok lock
        expect_ok pre-commit
        dd if=/dev/urandom of="$mnt/vg1/x/dirty" bs=64k count=16 status=none
        dmsetup suspend --noflush --nolockfs pv
        tell send commit
        await 30 is_suspended vg0/e || fail "vg0/e is never suspended"
}

# All others are free although vg1/x is not.
check_others_are_free() {
        local v
        for v in vg0/e vg2/te; do is_free "$v" || fail "$v is not let go"; done
}

case_stuck_deadline() {
        bring_to_stuck
        ask_for_report 15
        expect_error commit "vg1-x does not answer"
        check_others_are_free
        dmsetup resume pv
        stop_driver
}

case_stuck_kill_hold() {
        bring_to_stuck
        kill -KILL "$(hold_pid)"
        # No descriptor tells of it: the hold is not gone, the deadline is the rule.
        await 30 is_free vg0/e
        check_others_are_free
        dmsetup resume pv
        ask_for_report 15
        expect_error commit "guard has let every volume go"
        stop_driver
}

case_stuck_driver_killed() {
        bring_to_stuck
        kill -KILL "$driver_pid"
        await 30 is_free vg0/e
        check_others_are_free
        dmsetup resume pv
        stop_driver
}

# --- somebody interferes ------------------------------------------------------------------------------------------------

case_origin_resumed() {
        bring_to_stuck
        dmsetup resume vg0-e
        dmsetup resume pv
        ask_for_report 60
        expect_error commit "somebody has resumed vg0-e"
        stop_driver
}

case_staged_cleared() {
        bring_to "$1"
        dmsetup clear vg0-e_s
        if [ "$1" = locked ]; then ask pre-commit; else ask commit; fi
        expect_error "$([ "$1" = locked ] && echo pre-commit || echo commit)" "somebody has changed the snapshot vg0-e_s"
        stop_driver
}

case_staged_activated() {
        bring_to "$1"
        dmsetup resume vg1-x_s
        ask commit
        expect_error commit "somebody has changed the snapshot vg1-x_s"
        stop_driver
}

# What somebody else has suspended is not ours to resume.
case_suspended_by_another() {
        bring_to locked
        dmsetup suspend vg0-e
        ask pre-commit
        expect_error pre-commit "vg0-e is suspended by someone else"
        is_suspended vg0/e || fail "vg0-e was resumed"
        stop_driver
        is_suspended vg0/e || fail "vg0-e was resumed"
        dmsetup resume vg0-e
}

case_frozen_by_another() {
        ready_snapshots
        start_driver "$limit" 0
        expect_ok lock
        expect_ok pre-commit
        fsfreeze --freeze "$mnt/vg0/e"
        ask commit
        expect_error commit "cannot suspend vg0-e, is its file system frozen by someone else?"
        stop_driver
        fsfreeze --unfreeze "$mnt/vg0/e" || fail "vg0/e was thawed"
}

case_lvm_busy() {
        ready_snapshots
        exec {lock}> /run/lock/lvm/V_vg1
        flock "$lock"
        start_driver "$limit" 1
        ask lock
        expect_error lock "an LVM command holds /run/lock/lvm/V_vg1 for too long"
        exec {lock}>&-
        stop_driver
}

# LVM commands wait from LOCK to END.
case_lvm_waits() {
        bring_to locked
        ! timeout 2 lvs vg0 > /dev/null 2>&1 || fail "lvs did not wait"
        ask abort
        timeout 10 lvs vg0 > /dev/null || fail "lvs still waits"
        stop_driver
}

case_parked_twice() {
        bring_to locked
        kill -KILL "$driver_pid"
        stop_driver
        start_driver "$limit" 1
        ask lock
        expect_error lock "is parked already"
        stop_driver
}

case_snapshot_open() {
        ready_snapshots
        exec {open}< /dev/vg0/e_s
        start_driver "$limit" 1
        ask lock
        expect_error lock "vg0-e_s of vg0-e is open"
        exec {open}<&-
        stop_driver
}

volumes=(vg0/e vg1/x vg2/te)
make_volumes

run_all() {
        run_case stuck_deadline
        run_case stuck_kill_hold
        run_case stuck_driver_killed
        run_case origin_resumed
        run_case staged_cleared locked
        run_case staged_cleared armed
        run_case staged_activated armed
        run_case suspended_by_another
        run_case frozen_by_another
        run_case lvm_busy
        run_case lvm_waits
        run_case parked_twice
        run_case snapshot_open
        run_case removal
}

if [ $# -gt 0 ]; then run_case "$@"; else run_all; fi
end_cases
