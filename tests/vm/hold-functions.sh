# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What the hold's tests share: volumes to hold, snapshots to stamp, the driver, and the look from outside.

driver=${HOLD_DRIVER:-$here/../../build/hold-driver}
mnt=/tmp/mnt
volumes=(vg0/e vg1/x vg2/te vg2/tx) # ext4 thick, xfs thick, ext4 thin, xfs thin
passed=0 failed=0

say() { printf '%s\n' "$*"; }
fail() { say "FAIL: $*"; case_failed=yes; }
check() { local what=$1; shift; "$@" || fail "$what"; }

dm_name() { local v=${1#*/}; echo "${1%%/*}-${v//-/--}${2:-}"; }
dm_uuid() { dmsetup info -c --noheadings -o uuid "$1"; }
is_thin() { [[ $1 == vg2/* ]]; }

make_volumes() {
        local v
        # vg1 lies on a device that can be made to answer nothing.
        dmsetup create pv --table "0 $(blockdev --getsz /dev/vdc) linear /dev/vdc 0"
        vgcreate -qq vg0 /dev/vdb && vgcreate -qq vg1 /dev/mapper/pv && vgcreate -qq vg2 /dev/vdd
        lvcreate -qq -y -L 200M -n e vg0
        lvcreate -qq -y -L 320M -n x vg1
        lvcreate -qq -y -L 800M -T vg2/pool
        lvcreate -qq -y -V 200M -T vg2/pool -n te
        lvcreate -qq -y -V 320M -T vg2/pool -n tx
        for v in "${volumes[@]}"; do
                mkdir -p $mnt/$v
                case $v in
                */e | */te) mkfs.ext4 -q /dev/$v ;;
                *) mkfs.xfs -q /dev/$v ;;
                esac
                mount /dev/$v $mnt/$v
        done
        # Somebody else's snapshots, which must stay as they are.
        echo other > $mnt/vg0/e/other
        echo other > $mnt/vg2/te/other
        sync
        lvcreate -qq -y -s -L 32M -n other vg0/e
        lvcreate -qq -y -s -kn -n tother vg2/te
        other_sum=$(sum_of /dev/vg0/other)
        tother_sum=$(sum_of /dev/vg2/tother)
}

sum_of() { dd if="$1" bs=1M iflag=direct status=none | md5sum; }

# The snapshot LVs, as LVM makes them before the window. $1: volume
make_snapshot() {
        local size
        if is_thin "$1"; then
                size=$(lvs --noheadings --nosuffix --units b -o size "$1")
                lvcreate -qq -y -an -ky -V "${size// /}b" -T vg2/pool -n "${1#*/}_s" 2>&1 | grep -v 'WARNING\|over the size' || :
        else
                lvcreate -qq -y -s --monitor n -L 64M -n "${1#*/}_s" "$1"
        fi
}

make_snapshots() { local v; for v in "${volumes[@]}"; do make_snapshot "$v"; done; }

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
        echo "begin 3 ${#volumes[@]} ${#volumes[@]} $1 20 ${EXPEDITE:-1}"
        printf 'group /run/lock/lvm/V_%s\n' vg0 vg1 vg2
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
        coproc DRIVER { exec "$driver"; }
        driver_pid=$DRIVER_PID
        to_driver=${DRIVER[1]} from_driver=${DRIVER[0]}
        describe "$1" "$2" >&"$to_driver"
}
tell() { echo "$*" >&"$to_driver"; }
hear() { answer=''; IFS= read -r -t "${1:-60}" -u "$from_driver" answer || answer="no answer"; [ "$answer" = said ] || say "    $answer"; }
ask() { tell "$*"; hear; }
expect_ok() { ask "$@"; [[ $answer == "report step=$1 error=0 "* ]] || fail "$1: $answer"; }
# A command that the driver carries out itself says nothing if all is well; what follows would.
expect_done() { tell "$@"; tell say; hear; [ "$answer" = said ] || fail "$*: $answer"; }
# $1: step that is reported; $2: text that the report must contain
expect_error() {
        [[ $answer == "report step=$1 error=-"*"$2"* ]] || fail "not the error of $1 with '$2': $answer"
}
stop_driver() {
        exec {to_driver}>&- {from_driver}<&-
        wait "$driver_pid" 2> /dev/null || :
        await_gone
}

hold_pid() { pgrep -x quiesced-hold || :; }
guard_pid() { pgrep -x quiesced-guard || :; }
await() { local n=0; until "$@"; do n=$((n + 1)); [ $n -lt 300 ] || return 1; sleep 0.1; done; }
no_hold() { [ -z "$(hold_pid)$(guard_pid)" ]; }
await_gone() { await no_hold || fail "the hold does not go: $(pgrep -a 'quiesced-')"; }

# Writers: each bumps the same counter on all volumes in turn, with fsync, from the set's beginning to its end.
start_writer() {
        "${driver%/*}/hold-counter" "${volumes[@]/#/$mnt/}" &
        writer_pid=$!
        await test -s "$mnt/${volumes[3]}/counter"
}
stop_writer() { kill "$writer_pid"; wait "$writer_pid" 2> /dev/null || :; }

# Nothing is suspended, frozen or left; each volume takes a write.
check_outside() {
        local v
        if dmsetup info -c --noheadings -o name,suspended,attr 2> /dev/null | grep -i 'Suspended'; then
                fail "something is suspended"
        fi
        if dmsetup info -c --noheadings -o name,tables_loaded | grep -i 'inactive\|both'; then fail "a table waits"; fi
        for v in "${volumes[@]}"; do
                timeout 10 sh -c "date > $mnt/$v/canwrite && sync -f $mnt/$v" || fail "$v takes no write"
        done
        [ "$(cat /sys/kernel/rcu_expedited)" = "$rcu_before" ] || fail "rcu_expedited is not put back"
        timeout 10 lvs > /dev/null || fail "LVM is locked"
        no_hold || fail "a hold is left"
}

check_others() {
        [ "$(sum_of /dev/vg0/other)" = "$other_sum" ] || fail "vg0/other has changed"
        [ "$(sum_of /dev/vg2/tother)" = "$tother_sum" ] || fail "vg2/tother has changed"
}

run_case() {
        case_failed=no
        rcu_before=$(cat /sys/kernel/rcu_expedited)
        say "== $*"
        SECONDS=0
        "case_$1" "${@:2}"
        check_outside
        remove_snapshots
        if [ "$case_failed" = no ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
        say "== $*: $([ "$case_failed" = no ] && echo ok || echo FAILED) ($SECONDS s)"
}

finish() {
        say "$passed passed, $failed failed"
        [ "$failed" -eq 0 ]
}
