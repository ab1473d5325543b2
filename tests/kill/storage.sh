# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # what guest reads and has set
#
# A thin pool's metadata fail between two steps of the hold: after the snapshots' devices were deleted, and before they are
# created, one of them or both. The pool answers 0 to a message whose commit failed: the set must fail all the same, and no
# snapshot be reported. Then the metadata work again, the pool is activated anew, and all is as it was. Sourced by
# guest; needs storage-functions.sh.

# one_fault PLACE DEVICE HOW VOLUMES TEXT: at the failpoint the device begins to fail; quiescectl says TEXT.
one_fault() {
        local place=$1 device=$2 how=$3 volumes=$4 text=$5 name="storage $1 $2 $3" problems started=$SECONDS status
        paths[storage]=$volumes kind=storage
        mkfifo "$failpoints/$place.stall"
        start_run
        if ! await_place "$place"; then
                not_ok "$name: it was not reached"
                explain < "$test_work/err"
                exit 1
        fi
        set_device "$device" "$how"
        release_place
        check "$name: what is well takes writes" within $((hold_limit + 2)) probe_write /mnt/well
        timeout 120 tail --pid="$run" -f /dev/null
        wait "$run"
        status=$?
        check_equal "$name: the set fails" 125 "$status"
        check "$name: it says: $text" grep -q -E -e "$text" "$test_work/err" || explain < "$test_work/err"
        check_equal "$name: no snapshot is reported" "" "$(quiescectl list snapshots --no-legend)"
        set_device "$device" linear
        case $device in
        meta) mend_pool ;;
        origin) mend_thick ;;
        esac
        must systemctl restart quiesced.service
        problems=$(problems_after)
        [ -z "$problems" ] || { not_ok "$name: nothing is left"; explain <<< "$problems"; exit 1; }
        ok "$name: nothing is left"
        explain < "$test_work/err"
        echo "# $((SECONDS - started)) s"
}

all_faults() {
        local thin="/mnt/thin /mnt/more /mnt/well" how
        one_fault hold.all-suspended meta error-writes "/mnt/thin /mnt/well" "thin pool two/pool is not well"
        [ "${QUIESCED_TEST_ALL:-no}" != no ] || return 0
        one_fault hold.all-suspended meta error "/mnt/thin /mnt/well" "thin pool two/pool is not well"
        for how in error-writes error; do
                one_fault hold.thin-deleted-0 meta "$how" "$thin" "thin pool two-pool-tpool of two-[a-z]+ is not plainly writable"
                one_fault hold.thin-deleted-1 meta "$how" "$thin" "snapshot of two-[a-z]+"
                one_fault hold.all-suspended meta "$how" "$thin" "snapshot of two-[a-z]+"
                one_fault hold.committed-0 meta "$how" "$thin" "two"
        done
}
