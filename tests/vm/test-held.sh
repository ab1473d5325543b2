#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 900
#
# What is held when, and a set that fails in the middle, with quiesced and real volumes.
# T3: no volume is held before the last Freeze is answered, none is any more when Thaw is sent (contract C8). T1, T27: what
# a writer is told, the snapshots' devices in PostSnapshot alone (C24). T6: a set that fails in END_PREPARE, PRE_COMMIT or
# COMMIT is given up: one Abort to who takes part, nothing is left (C8, C11, C18). T17: a hold that does not go on is ended
# when its limit has passed, by its guard; T28: also if quiesced is dead (C30). Arguments: the parts to run.
# shellcheck disable=SC2317 # parts are called by name
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/gate-functions.sh
. "$(dirname "$0")/gate-functions.sh"

out=$test_work/out
events_to_freeze="identify prepare-for-backup prepare-for-snapshot freeze"
limit=10 # of the hold, in seconds: quiesced.conf(5)

# start EVENT RESULT…: a requester whose DoSnapshotSet is to end so; the writer waits in EVENT.
start() {
        gate_seen > /dev/null
        heard=''
        set_gate "$1"
        quiesce-test-requester --script=- > "$out" 2>&1 << END &
OpenBackup
GatherWriterMetadata
StartSnapshotSet
AddToSnapshotSet /srv
AddToSnapshotSet /srv/db
PrepareForBackup
DoSnapshotSet => ${*:2}
Release
END
        requester=$!
        await_gate || { not_ok "the writer is told $1"; explain < "$out"; }
}

# ends NAME: as it was to.
ends() {
        check "$1" await 90 ended "$requester"
        wait "$requester" || { not_ok "$1: its calls end as they must"; explain < "$out"; }
}

# The staged snapshot of /srv. LVM cannot be asked, its lock is held.
staged() { dmsetup info -c --noheadings -o name | grep -x 'one-quiesced_[0-9a-f]*'; }

test_T3() {
        echo early | tee /srv/record > /srv/db/record
        start freeze ok
        check_equal "T3: no volume is suspended before the last Freeze is answered" "" "$(volumes_suspended)"
        open_gate_until thaw
        check "T3: Thaw is sent" await_gate
        check_equal "T3: no volume is suspended any more when Thaw is sent" "" "$(volumes_suspended)"
        check "T3: what lies on the first takes writes before Thaw is answered" within 30 write_late /srv
        check "T3: what lies on the second, too" within 30 write_late /srv/db
        open_gate_until post-snapshot
        check "T3: PostSnapshot follows" await_gate
        check_equal "T3: what was written after the release is in no snapshot" "early early" "$(records_in_snapshots)"
        open_gate
        ends "T3: the set is made"
        check "T1, T27: each event once, in order, and devices in PostSnapshot alone" has_heard \
                "$events_to_freeze thaw post-snapshot/devices backup-shutdown/not-completed/released/set" ||
                echo "# it has heard:$heard"
        outside_check "T3: nothing is left"
}
volumes_suspended() {
        local volume
        for volume in one-srv two-db; do
                ! is_suspended "$volume" || echo "$volume"
        done
}
write_late() { echo late > "$1/record" && sync -f "$1"; }
records_in_snapshots() {
        local device at=$test_work/look
        mkdir -p "$at"
        for device in $(lvs --noheadings -o lv_path -S 'lv_name=~^quiesced_' one two); do
                mount -o ro,nouuid,norecovery "$device" "$at" 2> /dev/null || mount -o ro,noload "$device" "$at"
                cat "$at/record"
                umount "$at"
        done | xargs
}

# given_up NAME EVENTS: the requester has ended.
given_up() {
        check "$1: one Abort, and the end" await 30 has_heard \
                "$2( thaw[a-z/-]*)? abort[a-z/-]*( thaw[a-z/-]*)? backup-shutdown/not-completed/released/null" ||
                echo "# it has heard:$heard"
        check "$1: no snapshot is left" await 30 no_snapshot
        outside_check "$1: nothing is left"
}

# Somebody takes all space that is left before the snapshots are made.
test_T6_end_prepare() {
        start prepare-for-backup InsufficientStorage "srv"
        must lvcreate -qq -y -n filler -l 100%FREE one
        open_gate
        ends "T6: END_PREPARE fails, and the session is released"
        must lvremove -qq -y one/filler
        given_up "T6: END_PREPARE" "identify prepare-for-backup prepare-for-snapshot"
}

# Somebody takes away what LVM has staged; the hold looks in PRE_COMMIT, between levels back-end and system, and in COMMIT.
somebody_interferes() {
        set_gate_level "$2"
        start freeze any "somebody has changed the snapshot one-quiesced"
        must dmsetup clear "$(staged)"
        open_gate
        ends "$1 fails, and the session is released"
        given_up "$1" "$events_to_freeze"
        set_gate_level system
}
test_T6_pre_commit() { somebody_interferes "T6: PRE_COMMIT" back-end; }
test_T6_commit() { somebody_interferes "T6: COMMIT" system; }

# stop_hold NAME: quiesced-hold is stopped when it has suspended the volumes. Its disk keeps it from being faster.
stop_hold() {
        must dmsetup suspend --noflush --nolockfs pv
        open_gate
        check "$1: the first volume is suspended" await 30 is_suspended one-srv
        must kill -STOP "$(pgrep -x quiesced-hold)"
        must dmsetup resume pv
}

# let_go NAME: nobody but the guard can do it.
let_go() {
        local since=$SECONDS volume
        for volume in /srv /srv/db; do
                check "$1: writes to $volume go on within the limit of $limit s, and a bit" \
                        within $((limit + 20)) probe_write "$volume"
        done
        check_equal "$1: no volume is suspended" "" "$(volumes_suspended)"
        echo "# after $((SECONDS - since)) s"
}

test_T17() {
        start freeze HoldWritesTimeout
        stop_hold T17
        let_go T17
        ends "T17: the set fails, and the session is released"
        given_up "T6, T17: COMMIT past the hold limit" "$events_to_freeze"
        check_equal "T17: no process of the hold is left" "" "$(pgrep -x quiesced-hold; pgrep -x quiesced-guard)"
}

test_T28() {
        start freeze any
        stop_hold T28
        must systemctl kill -s KILL quiesced.service
        let_go T28
        wait "$requester" 2> /dev/null
        check "T28: quiesced is started again, and the session ends" await 60 no_session
        check "T28: the writer hears what it must" await 30 has_heard "$events_to_freeze( thaw[a-z/-]*| abort[a-z/-]*)+ \
identify/not-completed/daemon-restarted backup-shutdown/not-completed/daemon-restarted/null" || echo "# it has heard:$heard"
        check "T28: no snapshot is left" await 60 no_snapshot
        outside_check "T28: nothing is left"
}

make_gated_volumes
make_gate
must systemctl restart quiesced.service
outside_baseline
if [ $# -eq 0 ]; then
        set -- T3 T6_end_prepare T6_pre_commit T17
        [ "${QUIESCED_TEST_ALL:-no}" = no ] || set -- "$@" T6_commit T28
fi
for name in "$@"; do "test_$name"; done
remove_gate
remove_gated_volumes
finish
