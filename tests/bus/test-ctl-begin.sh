#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# quiescectl begin, complete, abort and end, against the real quiesced on a private bus. There is no systemd here, so the
# resident requester runs with --foreground, as its unit runs it; tests/vm/test-begin.sh has the unit, and real volumes.
# shellcheck source=tests/bus/ctl-functions.sh
. "$(dirname "$0")/ctl-functions.sh"

export QUIESCECTL_RUNTIME_DIR=$work/resident
resident='' id=''

# start OPTION…: a resident requester; its id in $id, what it says in $work/resident.err.
start() {
        rm -f "$work/resident.out"
        mkfifo "$work/resident.out"
        "$build/quiescectl" begin --foreground "$@" > "$work/resident.out" 2> "$work/resident.err" &
        resident=$!
        pids[2]=$resident
        id=''
        read -r -t 60 id < "$work/resident.out"
}
# ends STATUS: the resident's end and exit status.
ends() {
        local status
        wait "$resident"
        status=$?
        unset 'pids[2]'
        [ "$status" -eq "$1" ] || { echo "status $status"; cat "$work/resident.err"; return 1; }
}
resident_says() { grep -q -E -e "$1" "$work/resident.err" || { cat "$work/resident.err"; return 1; }; }
# await_event PATTERN: until the writer has logged such an event of $id.
await_event() {
        local log follower status
        exec {log}< <(exec timeout 60 tail -n +1 -f "$work/log" 2> /dev/null)
        follower=$!
        grep -q -m 1 -E -e "^good $1 $id( |\$)" <&"$log"
        status=$?
        exec {log}<&-
        kill "$follower" 2> /dev/null
        [ $status -eq 0 ] || cat "$work/log"
        return $status
}
had_event() { grep -q -E -e "^good $1 $id( |\$)" "$work/log"; }
no_event() { ! had_event "$1"; }
nothing_is_left() {
        local left
        left=$(ctl list --no-legend; ctl list sets --no-legend; ctl list sessions --no-legend; ls -A "$work/resident")
        [ -z "$left" ] || { echo "$left"; return 1; }
}

start_all

fails "without a service manager it says so" 1 'no service manager answers.*--foreground' ctl begin test:one
check "and leaves nothing" test -z "$(ls -A "$work/resident")"

start test:one test:two
check "begin prints its session's id" grep -q -x -E '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' <<< "$id"
check "the session is created" is "$id,created" '.sessions[0].id + "," + .sessions[0].state' list sessions --json
check "with two snapshots" is 2 '.snapshots | length' list --json
check "which go with it" is false '.sets[0].persistent' list sets --json
check "the writer was frozen" had_event freeze
check "and not told yet that the backup is complete" no_event backup-complete
check "complete" ctl complete "$id"
check "tells the writer" had_event backup-complete
check "and keeps the snapshots" is 2 '.snapshots | length' list --json
check "the session is completed" is completed '.sessions[0].state' list sessions --json
fails "a second one is refused" 1 'could not be told.*completed' ctl complete "$id"
check "end" ctl end "$id"
check "ends the resident" ends 0
check "tells the writer the outcome" had_event 'backup-shutdown'
check "as completed" grep -q -E "^good backup-shutdown $id [0-9a-f-]+ completed released" "$work/log"
check "and leaves nothing" nothing_is_left
fails "then there is nobody to ask" 1 'is held by no' ctl end "$id"
fails "what is no id" 1 'no session.s id' ctl end ../../etc/passwd
fails "no id" 1 'one ID' ctl complete

start --quiet test:one
check "--quiet says nothing" test ! -s "$work/resident.err"
check "abort" ctl abort "$id"
check "makes the session aborted" is aborted '.sessions[0].state' list sessions --json
fails "so that it cannot be complete any more" 1 'could not be told' ctl complete "$id"
check "end after abort" ctl end "$id"
check "is an end, too" ends 0
check "the writer is told so" grep -q -E "^good backup-shutdown $id [0-9a-f-]+ aborted released" "$work/log"
check "and nothing is left after it" nothing_is_left

mkfifo "$work/json"
"$build/quiescectl" begin --foreground --json --quiet test:one > "$work/json" 2> "$work/resident.err" &
resident=$!
pids[2]=$resident
# It stays, so its output is read as far as it goes: jq ends with the first document.
jq -n -e -r 'input | [.sessions[0].id, .sessions[0].set == .sets[0].id, .sets[0].consistency,
        (.sets[0].created | test("^20.*Z$")), (.snapshots | length), .snapshots[0].volume, .snapshots[0].mounted,
        (.snapshots[0] | has("device"))] | join(" ")' < "$work/json" > "$work/json.said" &
reader=$!
wait "$reader"
read -r id rest < "$work/json.said"
check "--json tells session, set, instant and snapshots" test "$rest" = "true application true 1 test:one  true"
check "and of which session" ctl end "$id"
check "which can be ended" ends 0

start --ttl 1s test:one
check "when its time is over it ends by itself" ends 1
check "and says why" resident_says 'was not ended within 1\.00 s \(--ttl\)'
check "the writer learns that it is not completed" grep -q -E "^good backup-shutdown $id [0-9a-f-]+ not-completed released" \
        "$work/log"
check "and nothing is left then" nothing_is_left

start test:one
kill -KILL "$resident"
check "killed: quiesced releases the session" await_event backup-shutdown
check "as vanished" grep -q -E "^good backup-shutdown $id [0-9a-f-]+ not-completed requester-vanished" "$work/log"
check "killed: it has ended" ends 137
fails "killed: there is nobody to ask" 1 'is held by no' ctl end "$id"
check "killed: nothing is left" nothing_is_left

start test:one
kill -TERM "$resident"
check "stopped: it ends well" ends 0
check "stopped: the writer is told" grep -q -E "^good backup-shutdown $id [0-9a-f-]+ aborted released" "$work/log"
check "stopped: nothing is left" nothing_is_left

start --no-writers test:one
check "--no-writers asks none" no_event freeze
check "and has none to tell" ctl complete "$id"
check "and is ended like others" ctl end "$id"
check "without writers: it has ended" ends 0

# C32: who reads is not cut off when quiesced is restarted.
start test:one
kill -KILL "${pids[1]}"
wait "${pids[1]}" 2> /dev/null
start_quiesced
check "quiesced was restarted: the session is lost" is "$id,lost" '.sessions[0].id + "," + .sessions[0].state' \
        list sessions --json
fails "it cannot be complete" 1 'could not be told' ctl complete "$id"
check "it can be ended" ctl end "$id"
check "and has ended then" ends 0
check "quiesced was restarted: nothing is left" nothing_is_left

fails "a volume that is none" 1 'test:none' ctl begin --foreground test:none
fails "a path that is none" 1 '/nonexistent: No such file' ctl begin --foreground /nonexistent
fails "a path on no volume" 1 '/proc.*' ctl begin --foreground /proc
fails "--mount of what is not mounted" 1 'test:one is no path' ctl begin --foreground --mount "$work" test:one
fails "a time that is none" 1 'no time such as' ctl begin --ttl tomorrow test:one
fails "no path" 1 'no PATH' ctl begin
check "failures leave nothing" nothing_is_left

printf '[Writer]\nExec=%s log=%s backup-complete=hang\nUser=%s\n' "$build/quiesce-test-writer" "$work/log" \
        "$(id -un)" > "$work/writers.d/slow.writer"
kill "${pids[1]}" && wait "${pids[1]}"
start_quiesced
start test:one
ctl complete "$id" > "$work/complete" 2>&1 &
complete=$!
check "a writer is told" await_event backup-complete
kill -KILL "${pids[1]}"
wait "${pids[1]}" 2> /dev/null
wait "$complete"
status=$?
check "quiesced dies while it tells the writers: complete fails" test "$status" -eq 1
check "and says what, in which session, and what to do" grep -q -E \
        "quiesced died or was restarted while it was telling the writers.*\(session $id\).*journalctl -u quiesced" \
        "$work/complete"
# A child of quiesced's here; on a machine its unit would be stopped.
kill -KILL "$(awk '$1 == "slow" && $2 == "backup-complete" { print $8 }' "$work/log")"
rm "$work/writers.d/slow.writer"
start_quiesced
check "it can be ended all the same" ctl end "$id"
check "and the resident with it" ends 0
check "at the end nothing is left" nothing_is_left

# Nobody undoes 'systemctl stop quiesced': what ends a session starts no other quiesced.
start test:one
make_activatable
kill "${pids[1]}" && wait "${pids[1]}"
fails "quiesced is stopped: complete fails, as no writer was told" 1 \
        "could not be told .*quiesced has ended, and session $id with it" ctl complete "$id"
check "to abort is all the same" ctl abort "$id"
check "and so is to end" ctl end "$id"
check "the resident ends well" ends 0
check "and nobody has started quiesced again" test ! -e "$work/was-activated"
fails "as another call would have" 1 . ctl list sets
check "by the bus" test -e "$work/was-activated"

[ "$failures" -eq 0 ]
