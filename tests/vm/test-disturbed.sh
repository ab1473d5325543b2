#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 3600
# vm-all
#
# Others work on the volumes of a set all the while it is made: lvcreate -s and lvremove, vgchange -ay, lvchange --refresh
# and dmsetup resume, on thick and thin volumes of two volume groups. Each set shows the one instant on all volumes, or
# fails and says who or what disturbed it; none is wrong and none hangs. SETS=N makes it N sets, not 50.
# shellcheck disable=SC2317 # functions are run by name
set -uo pipefail

here=$(dirname "$(readlink -f "$0")")
# shellcheck source=tests/vm/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/vm/job-functions.sh
. "$here/job-functions.sh"

sets=${SETS:-50}

# --- who disturbs -----------------------------------------------------------------------------------------------------

# noted NAME: run disturb_NAME, with a line BEGIN END NAME STATUS in $test_work/times.
noted() {
        local begin=$EPOCHREALTIME
        "disturb_$1" > "$test_work/$1.output" 2>&1
        echo "$begin $EPOCHREALTIME $1 $?" >> "$test_work/times"
}
stopped() { [ -e "$test_work/stop" ]; }

disturb_create() { lvcreate -qq -y -s -L 64M -n other two/e && lvcreate -qq -y -s -n other one/te; }
disturb_remove() { lvremove -qq -y two/other one/other; }
disturb_activate() { vgchange -qq -ay; }
disturb_refresh() { lvchange -qq --refresh one/te one/tx two/e two/x; }
disturb_resume() { dmsetup resume one-te two-e one-tx two-x; }

# LVM's commands, one after the other.
disturb_by_lvm() {
        local name
        until stopped; do
                for name in create activate refresh remove refresh activate; do noted "$name"; done
        done
}

# dmsetup takes no lock of LVM's: only device-mapper's flags tell of it. It comes while there is a quiesced-hold, when LVM's
# commands wait, and so not in the middle of somebody's lvcreate: there it makes an origin live above a "-real" that has no
# table yet (seen with LVM alone). That explains, unproven, a volume that answered EIO when this loop ran all the time.
hold_is_there() { compgen -G '/sys/fs/cgroup/quiesced.slice/quiesced-hold.slice/*.service' > /dev/null; }
disturb_by_resume() {
        until stopped; do
                while hold_is_there; do noted resume; done
                read -r -t 0.02 <> <(:)
        done
}

stop_disturbing() {
        local pid
        : > "$test_work/stop"
        for pid in "${disturbers[@]}"; do timeout 60 tail --pid="$pid" -f /dev/null || return; done
}

# --- sets -------------------------------------------------------------------------------------------------------------

# What is an answer to a disturbance: it names the device, the lock, or the LVM command that found things changed.
explained='somebody|someone else|an LVM command holds'

# one_set ROUND: a run that tells its counters. Sets $verdict to right, disturbed or what is wrong.
one_set() {
        local before lowest highest now rest status
        read -r before rest <<< "$(counters "")"
        timeout 300 quiescectl run "${volumes[@]}" -- \
                bash -c "$(declare -f counters); $(declare -p volumes); echo \"\$(counters '') \$QUIESCE_INSTANT\"" \
                > "$test_work/seen" 2> "$test_work/err"
        status=$?
        read -r rest now <<< "$(counters "")"
        if [ "$status" -eq 124 ]; then
                verdict="it hangs"
        elif [ "$status" -ne 0 ]; then
                verdict="it fails and does not say who disturbed it"
                ! grep -q -E "$explained" "$test_work/err" || verdict=disturbed
        else
                read -r lowest highest instant < "$test_work/seen"
                echo "# set $1: before $before, snapshots $lowest to $highest, now $now"
                verdict=right
                [ $((highest - lowest)) -le 1 ] || verdict="not one instant: $lowest to $highest"
                [ "$before" -le "$highest" ] || verdict="an acknowledged write is missing: $before, $highest"
                [ "$highest" -le "$now" ] || verdict="a write from later is there: $highest, $now"
        fi
}

# Commands of others that were under way at the instant of a set.
count_met() {
        local at
        at=$(date -d "$instant" +%s.%6N)
        awk -v at="$at" '$1 < at && at < $2 { print $3 }' "$test_work/times" >> "$test_work/met"
}

make_job_volumes
must systemctl start quiesced.service
outside_baseline
start_counter
disturb_by_lvm &
disturbers=($!)
disturb_by_resume &
disturbers+=($!)

right=0 disturbed=0 instants=()
for round in $(seq "$sets"); do
        one_set "$round"
        case $verdict in
        right)
                right=$((right + 1))
                instants+=("$instant")
                ok "set $round shows one instant" ;;
        disturbed)
                disturbed=$((disturbed + 1))
                ok "set $round fails and says why"
                explain < "$test_work/err" ;;
        *)
                not_ok "set $round: $verdict"
                explain < "$test_work/err" ;;
        esac
done
check "the others end" stop_disturbing
stop_counter

: > "$test_work/met"
for instant in "${instants[@]}"; do count_met; done
echo "# $right sets were right, $disturbed disturbed; in the way of the right ones were:" \
        "$(sort "$test_work/met" | uniq -c | paste -sd ,)"
echo "# commands of others: $(awk '{ n[$3]++; if ($4) bad[$3]++ }
        END { for (k in n) printf "%d %s (%d failed) ", n[k], k, bad[k] }' "$test_work/times")"
check "some sets were made" [ "$right" -gt 0 ]
check "others met the sets" [ $(($(wc -l < "$test_work/met") + disturbed)) -gt 0 ]
for name in create remove activate refresh resume; do
        check "$name was at work" grep -q " $name 0$" "$test_work/times"
done
outside_check "nothing is left"

run_quietly() { quiescectl run -q "${volumes[@]}" -- true; }
check "a set without others is made" within 120 run_quietly
for volume in "${volumes[@]}"; do
        check "$volume unmounts" umount "$volume"
done
check "e2fsck" sh -c 'e2fsck -fn /dev/one/te && e2fsck -fn /dev/two/e'
check "xfs_repair" sh -c 'xfs_repair -n /dev/one/tx && xfs_repair -n /dev/two/x'
for volume in one/te one/tx two/e two/x; do
        check "$volume mounts again" mount "/dev/$volume" "/mnt/${volume#*/}"
done
finish
