#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 900
#
# A volume's disk stops answering while its file system is being frozen: by FIFREEZE, of the fsfreeze writer, which writes
# out what is dirty, or waits for somebody's write; or by the suspend of its device, of the hold. Nobody can end such a call, and it freezes later (kernel-notes, fact 6). Meanwhile
# nobody, the hold, quiesced, both, or the writer is killed. The other volume takes writes again within the hold limit; when
# the disk answers, this one, too, with no one calling anything; and nothing is left.
# Arguments: the cases to run, as fifreeze/hold; without them one, and with --all all.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/gate-functions.sh
. "$(dirname "$0")/gate-functions.sh"
# shellcheck source=tests/vm/storage-functions.sh
. "$(dirname "$0")/storage-functions.sh"

limit=10 # of the hold, in seconds: quiesced.conf(5)
out=$test_work/out

# Above devices of their own, so that FIFREEZE has them, not device-mapper.
raise() {
        local name
        for name in thick well; do
                must umount "/mnt/$name"
                must dmsetup create "above-$name" --table "0 $(blockdev --getsz "/dev/one/$name") linear /dev/one/$name 0"
                must mount "/dev/mapper/above-$name" "/mnt/$name"
        done
        udevadm settle
}
lower() {
        local name
        for name in thick well; do
                must umount "/mnt/$name"
                must dmsetup remove --retry "above-$name"
                must mount "/dev/one/$name" "/mnt/$name"
        done
}

start() {
        set_gate "$1"
        quiescectl run -q /mnt/thick /mnt/well -- true > "$out" 2>&1 &
        run=$!
        await_gate || { not_ok "the writer is told $1"; explain < "$out"; }
}

writer_pid() { systemctl show -P MainPID quiesced-writer-fsfreeze.service; }
# Somebody of that process sits in a call that no signal ends.
sits() { grep -q -s '^State:.D' "/proc/$1/task/"*/status; }
snapshots_suspended() {
        [ "$(dmsetup info -c --noheadings --separator ' ' -o name,suspended | grep -c -x 'one-quiesced_[0-9a-f]* Suspended')" -eq 2 ]
}
stop_disk() { must dmsetup suspend --noflush --nolockfs origin; }

# The writer stands still until everything has been synced: only what was written since is left for FIFREEZE.
reach_fifreeze() {
        start freeze
        fsfreeze_pid=$(writer_pid)
        kill -STOP "$fsfreeze_pid"
        open_gate
        check "$name: the hold is armed" await 30 snapshots_suspended
        dirty /mnt/thick
        stop_disk
        kill -CONT "$fsfreeze_pid"
        check "$name: FIFREEZE is under way" await 10 sits "$fsfreeze_pid"
}

# Somebody is in the middle of a write: FIFREEZE waits for him without being in the way of FITHAW, which finds nothing frozen.
reach_busy() {
        local busy
        dd if=/dev/zero of=/mnt/thick/busy bs=4k count=1 conv=fsync status=none
        start freeze
        fsfreeze_pid=$(writer_pid)
        kill -STOP "$fsfreeze_pid"
        open_gate
        check "$name: the hold is armed" await 30 snapshots_suspended
        stop_disk
        dd if=/dev/zero of=/mnt/thick/busy bs=4k count=1 conv=notrunc oflag=direct status=none &
        busy=$!
        check "$name: a write is under way" await 10 sits "$busy"
        kill -CONT "$fsfreeze_pid"
        check "$name: FIFREEZE is under way" await 10 sits "$fsfreeze_pid"
}

reach_suspend() {
        start freeze
        fsfreeze_pid=$(writer_pid)
        dirty /mnt/thick
        stop_disk
        open_gate
        check "$name: the other volume is suspended" await 10 is_suspended one-well
        check "$name: the suspend is under way" await 10 sits "$(pgrep -x quiesced-hold)"
}

# The set is given up, and all that could be let go is, before the writer is killed in the call: nobody comes after it.
abandon() {
        kill -KILL "$run"
        check "$name: the set is given up" await 90 test ! -e /run/quiesced/held.json
        kill -KILL "$fsfreeze_pid"
}

kill_whom() {
        local pids=()
        case $1 in
        nobody) return ;;
        requester-then-writer) abandon; return ;;
        *hold*) mapfile -t pids < <(pgrep -x quiesced-hold) ;;&
        *guard*) mapfile -t -O "${#pids[@]}" pids < <(pgrep -x quiesced-guard) ;;&
        *writer*) pids+=("$fsfreeze_pid") ;;&
        *quiesced*) mapfile -t -O "${#pids[@]}" pids < /sys/fs/cgroup/system.slice/quiesced.service/cgroup.procs ;;
        esac
        must kill -KILL "${pids[@]}"
}

# one_case HOW WHOM
one_case() {
        local name="disk stops in $1, killed: $2" since status expected=125
        "reach_$1"
        since=$SECONDS
        kill_whom "$2"
        check "$name: the other volume takes writes within $limit s, and a bit" within $((limit + 5)) probe_write /mnt/well
        echo "# after $((SECONDS - since)) s"
        must dmsetup resume origin
        check "$name: when the disk answers, this one, too" within 30 probe_write /mnt/thick
        check "$name: quiescectl ends" await 90 ended "$run"
        wait "$run"
        status=$?
        [ "$2" != requester-then-writer ] || expected=137
        check_equal "$name: the set has failed" "$expected" "$status"
        explain < <(tail -n 3 "$out")
        check "$name: no snapshot is left" await 90 no_snapshot
        # Who was killed in the call may freeze it when the last look is over: it is really gone by now.
        check "$name: who froze is gone, or idle" await 30 not_sitting
        outside_check "$name: nothing is left"
}
not_sitting() { ! sits "$fsfreeze_pid" && ! pgrep -x quiesced-hold && ! pgrep -x quiesced-guard; }

cases() {
        local how=$1 case
        for case in "${wanted[@]}"; do
                [[ $case != "$how/"* ]] || one_case "$how" "${case#*/}"
        done
}

wanted=("$@")
if [ $# -eq 0 ]; then
        wanted=(fifreeze/hold+quiesced)
        if [ "${QUIESCED_TEST_ALL:-no}" != no ]; then
                wanted=({fifreeze,busy,suspend}/{nobody,hold,quiesced,hold+quiesced,hold+guard+quiesced} {fifreeze,busy}/{writer,writer+hold+guard+quiesced} busy/requester-then-writer)
        fi
fi
make_storage
make_gate
must mkdir -p /run/systemd/system/quiesced.service.d
printf '[Unit]\nStartLimitIntervalSec=0\n' > /run/systemd/system/quiesced.service.d/limit.conf
must systemctl daemon-reload
must systemctl restart quiesced.service
# Since Linux 6.6 the writer freezes those as well, so that the suspend finds nothing to write.
if ! printf '%s\n' "$(uname -r)" 6.6 | sort -V -C; then wanted=("${wanted[@]/suspend\/*/}"); fi
outside_baseline
cases suspend
raise
outside_baseline
set_gate_level back-end
cases fifreeze
cases busy
lower
rm -r /run/systemd/system/quiesced.service.d
must systemctl daemon-reload
remove_gate
remove_storage
finish
