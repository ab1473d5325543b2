#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 900
# vm-all
#
# Provider dm: whoever is killed, and wherever, writes go on, nothing is left over, and the kernel's tables are what they
# were. While a snapshot is read, which goes on if its reader lives, as device-mapper tells which set it is of; while its
# devices are made, with a disk that does not answer; while writes are held.
# shellcheck disable=SC2016,SC2317 # the commands' own shells expand; functions are run by name
set -uo pipefail
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=tests/vm/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/vm/job-functions.sh
. "$here/job-functions.sh"
# shellcheck source=tests/vm/gate-functions.sh
. "$here/gate-functions.sh"
# shellcheck source=tests/vm/dm-functions.sh
. "$here/dm-functions.sh"

make_dm_volumes
make_gate
outside_baseline
tables=$(plain_tables)
cut() { within 60 systemctl kill --kill-whom=all --signal=KILL quiesced.service; }
gone() { await 60 no_session && await 60 no_dm_left; }

# --- while it is read -------------------------------------------------------------------------------------------------
# start_reader: a backup, in a process group of its own, whose command reads when it is told to go.
start_reader() {
        rm -f "$test_work/runs" "$test_work/go" "$test_work/seen"
        must mkfifo "$test_work/go"
        echo instant > /mnt/l/state
        setsid quiescectl run "${volumes[@]}" -- \
                sh -c "touch '$test_work/runs'; read -r _ < '$test_work/go'; cat /mnt/l/state > '$test_work/seen'" > "$test_work/out" 2>&1 &
        reader=$!
        check "$1: it is read" await 60 test -e "$test_work/runs"
}
is_lost() { quiescectl list sessions --json | jq -e '.sessions[0].state == "lost"'; }
described() { quiescectl list --json | jq -S -c '[.snapshots[] | {id, set, device, volume, provider, created, consistency}] | sort_by(.id)'; }

# C32: who reads goes on.
start_reader "found again"
was=$(described)
check_equal "found again: all four" 4 "$(jq length <<< "$was")"
check "found again: quiesced is killed" cut
echo later > /mnt/l/state
check "found again: the session is lost" await 60 is_lost
check_equal "found again: its snapshots are what they were" "$was" "$(described)"
check "found again: the reader is let go" within 10 sh -c "echo go > '$test_work/go'"
wait "$reader"
check_equal "found again: that the backup is not complete is no success" 125 $?
check_equal "found again: it has read the instant" instant "$(< "$test_work/seen")"
check "found again: then it goes" gone
check_left "found again"

# Who has read is dead when quiesced comes back.
start_reader "nobody's"
must systemctl stop quiesced.service
check_equal "nobody's: the snapshots outlive quiesced" 2 "$(dmsetup table | grep -c '^quiesced_.*: 0 [0-9]* snapshot ')"
{
        must kill -KILL -- "-$reader"
        wait "$reader"
} 2> /dev/null
check "nobody's: quiesced comes back" within 60 systemctl start quiesced.service
check "nobody's: they go" gone
check_left "nobody's"

# --- in the middle ----------------------------------------------------------------------------------------------------
# start_run EVENT NAME: a backup of c and l that waits in that event of its writers, under load.
start_run() {
        rm -f "$test_work/runs"
        set_gate "$1"
        within 120 quiescectl run /mnt/c /mnt/l -- touch "$test_work/runs" > "$test_work/out" 2>&1 &
        run=$!
        check "$2: the backup waits" await_gate
        start_counter
}
# stalled NAME COMMAND…: what l lies on does not answer, the backup goes on, and comes to where the command succeeds.
stalled() {
        must dmsetup suspend --noflush --nolockfs under
        open_gate
        check "$1: it is there" await 60 "${@:2}"
}
# answers NAME: it answers again, and the backup has failed.
answers() {
        local status
        must dmsetup resume under
        wait "$run"
        status=$?
        check "$1: the backup fails" test "$status" -ne 0 -a "$status" -ne 124
        check "$1: no snapshot is read" test ! -e "$test_work/runs"
        check "$1: all is given up" gone
        stop_counter
        check_left "$1"
}

# l cannot get its table, as its writes do not end.
all_made() { [ "$(dmsetup ls | grep -c '^quiesced_')" = 6 ]; }
start_run prepare-for-backup "while it is made"
stalled "while it is made" all_made
check "while it is made: quiesced is killed" cut
answers "while it is made"

# c's writes are held, as l cannot be suspended.
holding() { [ "$(dmsetup info -c --noheadings -o suspended c)" = Suspended ]; }
for who in hold quiesced both; do
        start_run freeze "$who, while writes are held"
        stalled "$who, while writes are held" holding
        [ "$who" = quiesced ] || check "$who, while writes are held: the hold is killed" pkill -KILL -x quiesced-hold
        [ "$who" = hold ] || check "$who, while writes are held: quiesced is killed" cut
        answers "$who, while writes are held"
done
remove_gate
check "and again" within 120 quiescectl run -q "${volumes[@]}" -- true
check_left "and again"
remove_dm_volumes
finish
