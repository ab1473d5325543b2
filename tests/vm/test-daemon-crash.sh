#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 600
#
# quiesced is killed or restarted while somebody reads: the reader is not cut off, the snapshot goes when the reader does,
# also when the reader dies while there is no quiesced (contract C32).
# shellcheck disable=SC2016,SC2317 # expanded by the commands' own shells; called by name
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

snapshots() { lvs --noheadings -o lv_name vg | grep -c quiesced_; }

no_snapshots() { [ "$(snapshots)" = 0 ]; }

# A requester that has its set and waits, in a process group of its own.
start_reader() {
        rm -f "$test_work/go" "$test_work/out"
        must mkfifo "$test_work/go"
        setsid quiescectl run /srv -- sh -c 'echo ready; read -r go < "$1"; cat /srv/file' - \
                "$test_work/go" > "$test_work/out" 2> "$test_work/err" &
        reader=$!
        await 90 grep -q ready "$test_work/out" || explain < "$test_work/err"
}

# It is our child: when it has ended it is a zombie until it is waited for.
reader_ended() { ! grep -q '^State:.[^Z]' "/proc/$reader/status"; }

# The reader ends, and with 125: that the backup is not complete is no success.
let_go() {
        timeout 10 sh -c 'echo go > "$1"' - "$test_work/go" && await 60 reader_ended || return
        wait "$reader"
        [ $? -eq 125 ]
}

make_vg vg /dev/vdb
make_thick vg srv 200M
make_fs ext4 /dev/vg/srv /srv
must bash -c 'echo old > /srv/file'
must systemctl daemon-reload
must systemctl start quiesced-hold.socket quiesced.socket quiesced.service

# Killed: the reader goes on.
start_reader
check_equal "there is a snapshot" 1 "$(snapshots)"
kill -KILL "$(systemctl show -P MainPID quiesced.service)"
check "it comes back" within 30 systemctl start quiesced.service
check "the session is lost" await 30 bash -c 'quiescectl list sessions | grep -q lost'
check_equal "the snapshot stays for its reader" 1 "$(snapshots)"
echo new > /srv/file
check "the reader is let go" let_go
check "it has read on" grep -q -x old "$test_work/out"
check "then the snapshot goes" await 60 no_snapshots

# Stopped in order and started again: likewise.
start_reader
check "it is restarted" within 90 systemctl restart quiesced.service
check "the session is lost, again" await 30 bash -c 'quiescectl list sessions | grep -q lost'
check_equal "the snapshot stays, again" 1 "$(snapshots)"
check "the reader is let go, again" let_go
check "it has read on, again" grep -q -x new "$test_work/out"
check "then the snapshot goes, again" await 60 no_snapshots

# The reader dies while there is no quiesced: its snapshot goes at the next start.
start_reader
must systemctl stop quiesced.service
check_equal "the snapshot outlives quiesced" 1 "$(snapshots)"
must kill -KILL -- "-$reader"
check "it starts" within 30 systemctl start quiesced.service
check "the snapshot of the dead goes" await 60 no_snapshots
check "so does its session" await 30 bash -c '[ -z "$(quiescectl list sessions --no-legend)" ]'
must umount /srv
finish
