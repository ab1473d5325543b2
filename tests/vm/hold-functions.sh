# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What the hold's tests share: volumes to hold, snapshots to stamp, the driver, and the look from outside.

# shellcheck source=tests/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

tools=${QUIESCED_BUILD:-$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/../../build")}
mnt=/mnt/hold
volumes=(vg0/e vg1/x vg2/te vg2/tx) # ext4 thick, xfs thick, ext4 thin, xfs thin
vgs=(vg0 vg1 vg2)                   # in order of names

say() { echo "# $*"; }
fail() { say "$*"; case_failed=yes; }

dm_name() { local v=${1#*/}; echo "${1%%/*}-${v//-/--}${2:-}"; }
dm_uuid() { dmsetup info -c --noheadings -o uuid "$1"; }
is_thin() { [[ $1 == vg2/* ]]; }

make_volumes() {
        local v type
        # vg1 lies on a device that can be made to answer nothing.
        must dmsetup create pv --table "0 $(($(blockdev --getsz /dev/vdc) - 2048)) linear /dev/vdc 2048"
        make_vg vg0 /dev/vdb
        make_vg vg1 /dev/mapper/pv
        make_vg vg2 /dev/vdd
        make_thick vg0 e 64M
        make_thick vg1 x 320M
        make_pool vg2 pool 800M
        make_thin vg2 pool te 64M
        make_thin vg2 pool tx 320M
        for v in "${volumes[@]}"; do
                case $v in */e | */te) type=ext4 ;; *) type=xfs ;; esac
                make_fs "$type" "/dev/$v" "$mnt/$v"
        done
        # Somebody else's snapshots, which must stay as they are.
        echo other > "$mnt/vg0/e/other"
        echo other > "$mnt/vg2/te/other"
        sync
        must lvcreate -qq -y -s -L 32M -n other vg0/e
        must lvcreate -qq -y -s -kn -n tother vg2/te
        other_sum=$(sum_of /dev/vg0/other)
        tother_sum=$(sum_of /dev/vg2/tother)
        outside_baseline
}

sum_of() { dd if="$1" bs=1M iflag=direct status=none | md5sum; }

# The snapshot LVs, as LVM makes them before the window. A thin one is made without touching the origin, unless it shall
# be one that LVM knows as a snapshot. $1: volume; $2: known or new
make_snapshot() {
        local size
        if is_thin "$1" && [ "$2" = known ]; then
                must lvcreate -qq -y -s -n "${1#*/}_s" "$1"
        elif is_thin "$1"; then
                size=$(lvs --noheadings --nosuffix --units b -o size "$1")
                must lvcreate -qq -y -an -ky -V "${size// /}b" -T vg2/pool -n "${1#*/}_s"
        else
                must lvcreate -qq -y -s --monitor n -L 64M -n "${1#*/}_s" "$1"
        fi
}

make_snapshots() { local v; for v in "${volumes[@]}"; do make_snapshot "$v" "$1"; done; }

write_all() { local v; for v in "${volumes[@]}"; do echo "$1" > "$mnt/$v/$1"; done; }

remove_snapshots() {
        local v
        for v in "${volumes[@]}"; do
                lvs "${v}_s" > /dev/null 2>&1 || continue
                lvremove -qq -y "${v}_s" || fail "cannot remove ${v}_s"
        done
}

thin_id() { local id; id=$(lvs --noheadings -o thin_id "$1"); echo "${id// /}"; }

# The description of the whole set, as commands of the driver. $1: hold limit in ms; $2: may the mounts be frozen
describe() {
        local v i=0
        echo "begin ${#vgs[@]} ${#volumes[@]} ${#volumes[@]} $1 20 ${EXPEDITE:-1}"
        printf 'group /run/lock/lvm/V_%s\n' "${vgs[@]}"
        for v in "${volumes[@]}"; do
                if is_thin "$v"; then
                        echo "thin 0 $(dm_uuid "$(dm_name "$v")") $(dm_uuid vg2-pool-tpool) $(thin_id "${v}_s")" \
                                "$([ ! -e "/dev/mapper/$(dm_name "$v" -real)" ] || dm_uuid "$(dm_name "$v" -real)")"
                else
                        echo "cow 0 $(dm_uuid "$(dm_name "$v")") $(dm_uuid "$(dm_name "${v}_s")")" \
                                "$(dm_uuid "$(dm_name "${v}_s" -cow)")"
                fi
        done
        for v in "${volumes[@]}"; do
                echo "mount $i 1 $2 $mnt/$v"
                i=$((i + 1))
        done
}

# The driver as a coprocess; `tell` sends it a command, `ask` waits for the answer, in $answer.
start_driver() {
        coproc DRIVER { exec "$tools/hold-driver"; }
        driver_pid=${DRIVER_PID:?}
        to_driver=${DRIVER[1]} from_driver=${DRIVER[0]}
        describe "$1" "$2" >&"$to_driver"
}
tell() { echo "$*" >&"$to_driver"; }
# $1: for how many seconds
hear() {
        answer=''
        IFS= read -r -t "$1" -u "$from_driver" answer || answer="no answer"
        [ "$answer" = said ] || say "    $answer"
}
ask() { tell "$*"; hear 60; }
ask_for_report() { tell await; hear "$1"; }
expect_ok() { ask "$@"; [[ $answer == "report step=$1 error=0 "* ]] || fail "$1: $answer"; }
# A command that the driver carries out itself says nothing if all is well; what follows would.
expect_done() { tell "$@"; tell say; hear 60; [ "$answer" = said ] || fail "$*: $answer"; }
# $1: step that is reported; $2: text that the report must contain
expect_error() {
        [[ $answer == "report step=$1 error=-"*"$2"* ]] || fail "not the error of $1 with '$2': $answer"
}
driver_is_gone() { ! kill -0 "$driver_pid" 2> /dev/null; }
stop_driver() {
        exec {to_driver}>&- {from_driver}<&-
        # One that still waits for an answer does not see the end of its input.
        await 30 driver_is_gone || { fail "the driver got no answer"; kill -KILL "$driver_pid"; }
        await_gone
}

hold_pid() { pgrep -x quiesced-hold || :; }
guard_pid() { pgrep -x quiesced-guard || :; }
no_hold() { [ -z "$(hold_pid)$(guard_pid)" ]; }
await_gone() { await 30 no_hold || fail "the hold does not go: $(pgrep -a 'quiesced-')"; }

# Writers: each bumps the same counter on all volumes in turn, with fsync, from the set's beginning to its end.
start_writer() {
        "$tools/hold-counter" "${volumes[@]/#/$mnt/}" &
        writer_pid=$!
        await 30 test -s "$mnt/${volumes[3]}/counter"
}
stop_writer() { kill "$writer_pid"; wait "$writer_pid" 2> /dev/null || :; }

check_others() {
        [ "$(sum_of /dev/vg0/other)" = "$other_sum" ] || fail "vg0/other has changed"
        [ "$(sum_of /dev/vg2/tother)" = "$tother_sum" ] || fail "vg2/tother has changed"
}

limit=3000 # of the hold, in ms

# Snapshots ready to be stamped. They are used again and again: a thick one that a failed set has left parked is live
# again after LVM has reloaded its origin.
ready_snapshots() {
        local v
        for v in "${volumes[@]}"; do
                if [ ! -e "$test_work/made-${v/\//-}" ]; then
                        make_snapshot "$v" new
                        : > "$test_work/made-${v/\//-}"
                elif ! is_thin "$v" && [[ $(dmsetup table "$(dm_name "${v}_s")") == *error* ]]; then
                        must lvchange --refresh "$v"
                fi
        done
}

# A set brought to a phase: locked, armed (two file systems frozen), or committed (these still frozen).
bring_to() {
        ready_snapshots
        start_driver "$limit" 1
        expect_ok lock
        [ "$1" != locked ] || return 0
        expect_ok pre-commit
        expect_done freeze 0
        expect_done freeze 2
        [ "$1" != armed ] || return 0
        expect_ok commit
}

is_suspended() { [ "$(dmsetup info -c --noheadings -o suspended "$(dm_name "$1")")" = Suspended ]; }
is_free() { ! is_suspended "$1" && timeout 5 sh -c "date > $mnt/$1/free && sync -f $mnt/$1"; }

# What may not be left at any time, and is quick to see.
light_problems() { outside_suspended; outside_kernel; outside_processes; outside_locks; outside_writable; }

# $1: name of the case, then its arguments. The look from outside comes while the snapshots are still there.
run_case() {
        local problems
        case_failed=no case_running=$*
        SECONDS=0
        say "$*"
        "case_$1" "${@:2}"
        problems=$(light_problems)
        [ -z "$problems" ] || fail "$problems"
        if [ "$case_failed" = no ]; then ok "$*"; else not_ok "$*"; fi
        say "$SECONDS s"
        case_running=''
}

# An error of the shell ends what runs, not the script: a case that broke off so has failed, and what came after it too.
end_cases() {
        [ -z "$case_running" ] || not_ok "$case_running: broke off"
        (clean_disks) # the next test finds them empty
        [ ! -e /dev/mapper/pv ] || must dmsetup remove pv
        finish
}

# Removal of the snapshots, in whatever state, and the whole look from outside. A file system whose device the kernel
# still counts as frozen looks well, but is not frozen by later suspends, and cannot be mounted again.
case_removal() {
        local problems v
        remove_snapshots
        for v in "${volumes[@]}"; do
                umount "$mnt/$v" || fail "$v cannot be unmounted"
                mount "/dev/$v" "$mnt/$v" || fail "$v cannot be mounted again"
        done
        problems=$(outside_problems)
        [ -z "$problems" ] || fail "$problems"
}
