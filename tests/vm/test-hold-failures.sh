#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 1500
# vm-all
#
# C30, the hold limit: quiesced-hold, its guard or its peer killed, stopped or late, in each phase. Each time nothing may stay suspended or
# frozen, and the snapshots must be such that lvremove removes them.
# Arguments: the case to run, and its arguments; without them all are run.
# shellcheck disable=SC2317 # cases are called by name
# shellcheck source=tests/vm/hold-functions.sh
. "$(dirname "$0")/hold-functions.sh"

case_kill_hold() {
        bring_to "$1"
        kill -KILL "$(hold_pid)"
        ask_for_report 60
        expect_error none "its guard has let every volume go"
        # Volumes 0 and 2 have their file systems frozen by then.
        [ "$1" != committed ] || expect_error none "while it held vg0-e, vg2-te; "
        stop_driver
}

case_kill_guard() {
        bring_to "$1"
        kill -KILL "$(guard_pid)"
        ask_for_report 60
        expect_error none "guard was killed"
        stop_driver
}

case_kill_driver() {
        bring_to "$1"
        kill -KILL "$driver_pid"
        stop_driver
}

case_abort() {
        bring_to "$1"
        expect_ok abort
        stop_driver
}

case_deadline() {
        bring_to "$1"
        ask_for_report 10
        expect_error none "the hold limit has passed"
        stop_driver
}

hold_is_there() { [ -n "$(hold_pid)" ]; }

# In the middle of a step, wherever that is: any answer will do, only the look from outside counts.
# $1: step; $2: delay in µs
case_kill_hold_within() {
        if [ "$1" = commit ]; then
                bring_to armed
        else
                ready_snapshots
                start_driver "$limit" 1
                await 30 hold_is_there || fail "no hold was started"
        fi
        tell send-and-kill "$1" "$2" "$(hold_pid)"
        ask_for_report 20
        stop_driver
}

# The hold cannot act, but is not dead: the guard does, and ends it.
case_hold_stopped() {
        bring_to "$1"
        kill -STOP "$(hold_pid)"
        ask_for_report 20
        expect_error none "the guard has let every volume go"
        stop_driver
}

case_guard_stopped() {
        bring_to locked
        kill -STOP "$(guard_pid)"
        ask pre-commit
        expect_error pre-commit "guard does not answer"
        stop_driver
}

case_terminated() {
        bring_to "$1"
        kill -TERM "$(hold_pid)"
        if [ "$1" = locked ]; then
                ask_for_report 60
                expect_error none "told to stop"
        else
                expect_ok commit
                expect_ok end
        fi
        stop_driver
}

# What a set leaves that failed in any phase, LVM removes.
case_failed_and_removed() {
        bring_to "$1"
        kill -KILL "$(hold_pid)" "$driver_pid"
        stop_driver
        case_removal
        rm "$test_work"/made-*
}

volumes=(vg0/e vg1/x vg2/te)
make_volumes

run_all() {
        local phase
        for phase in locked armed committed; do
                run_case kill_hold $phase
                run_case kill_guard $phase
                run_case kill_driver $phase
                run_case failed_and_removed $phase
        done
        run_case kill_hold_within lock 30000
        run_case kill_hold_within lock 100000
        run_case kill_hold_within commit 5000
        run_case kill_hold_within commit 15000
        run_case kill_hold_within commit 25000
        run_case abort armed
        run_case deadline armed
        run_case deadline committed
        run_case hold_stopped committed
        run_case guard_stopped
        run_case terminated locked
        run_case terminated armed
        run_case removal
}

if [ $# -gt 0 ]; then run_case "$@"; else run_all; fi
end_cases
