# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
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
