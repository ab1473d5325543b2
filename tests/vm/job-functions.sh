# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # what lib.sh has set
#
# What the tests of the main job share: four volumes of every kind on two volume groups, a program that bumps the same
# counter on all of them in turn, and the reading of it in a snapshot.

volumes=(/mnt/te /mnt/tx /mnt/e /mnt/x) # thin ext4, thin xfs (VG one), thick ext4, thick xfs (VG two)
counter_program=${QUIESCED_BUILD:-$here/../../build}/hold-counter

make_job_volumes() {
        make_vg one /dev/vdb
        make_vg two /dev/vdc
        make_pool one pool 1200M
        make_thin one pool te 300M
        make_thin one pool tx 400M
        make_thick two e 300M
        make_thick two x 400M
        make_fs ext4 /dev/one/te /mnt/te
        make_fs xfs /dev/one/tx /mnt/tx
        make_fs ext4 /dev/two/e /mnt/e
        make_fs xfs /dev/two/x /mnt/x
}

start_counter() {
        for volume in "${volumes[@]}"; do echo 000000000000 >"$volume/counter"; done
        "$counter_program" "${volumes[@]}" &
        counter_pid=$!
}

stop_counter() {
        kill "$counter_pid"
        wait "$counter_pid" 2>/dev/null || :
}

# Prints the lowest and the highest counter below the prefix $1 (the snapshots' when run inside `quiescectl run`).
counters() {
        local volume n lowest=999999999999 highest=0
        for volume in "${volumes[@]}"; do
                n=$((10#$(<"$1$volume/counter")))
                [ "$n" -ge "$lowest" ] || lowest=$n
                [ "$n" -le "$highest" ] || highest=$n
        done
        echo "$lowest $highest"
}

# Runs inside `quiescectl run`: prints the counters, says "after?" and waits until the other side has written the record
# that no snapshot may have, then tells what of the records is there.
look() {
        local volume
        counters ""
        echo "after?" >&4
        read -r -u 5
        for volume in "${volumes[@]}"; do
                [ -e "$volume/before.$1" ] || echo "missing: $volume/before.$1"
                [ ! -e "$volume/after.$1" ] || echo "too late: $volume/after.$1"
                ! echo x 2>/dev/null >"$volume/intruder" || echo "writable: $volume"
        done
}

one_run() {
        local round=$1 volume before lowest highest now rest
        mkfifo "$test_work/ask" "$test_work/answer"
        read -r before rest <<<"$(counters "")"
        for volume in "${volumes[@]}"; do echo "$round" >"$volume/before.$round"; done
        exec 4<>"$test_work/ask" 5<>"$test_work/answer"
        quiescectl run -q "${volumes[@]}" -- bash -c "$(declare -f counters look); $(declare -p volumes); look $round" \
                >"$test_work/seen" 2>"$test_work/err" &
        read -r -t 120 -u 4 rest || { cat "$test_work/err"; kill %%; return 1; }
        read -r rest now <<<"$(counters "")"
        for volume in "${volumes[@]}"; do echo "$round" >"$volume/after.$round"; done
        echo go >&5
        wait %% || { cat "$test_work/err"; return 1; }
        exec 4>&- 5>&-
        rm -f "$test_work/ask" "$test_work/answer"
        { read -r lowest highest; rest=$(cat); } <"$test_work/seen"
        echo "round $round: before $before, snapshots $lowest to $highest, now $now"
        [ -z "$rest" ] || { echo "$rest"; return 1; }
        [ $((highest - lowest)) -le 1 ] || { echo "not one instant"; return 1; }
        [ "$before" -le "$highest" ] || { echo "an acknowledged write is missing"; return 1; }
        [ "$highest" -le "$now" ] || { echo "a write from later is there"; return 1; }
}
