#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# quiescectl freeze and thaw against the real quiesced on a private bus: the provider "external" with volumes of the
# test provider, which have no file systems. tests/vm/test-external.sh has real ones, and the QEMU guest agent.
# shellcheck source=tests/bus/ctl-functions.sh
. "$(dirname "$0")/ctl-functions.sh"

export QUIESCECTL_RUNTIME_DIR=$work/resident
export log=$work/log
frozen='' id=''

# The writer's events of session $1, in order, in one line.
events_of() { awk -v id="$1" '$1 == "good" && $3 == id { printf "%s ", $2 }' "$log"; }
last_session() { awk '$1 == "good" && $2 == "freeze" { id = $3 } END { print id }' "$log"; }
had() { case "$(events_of "$id")" in *$1*) true ;; *) events_of "$id"; false ;; esac; }
never_had() { ! had "$1" > /dev/null; }
await_had() { await had "$1"; }
nothing_is_left() {
        local left
        left=$(ctl list --no-legend; ctl list sets --no-legend; ctl list sessions --no-legend
                [ ! -d "$work/resident" ] || ls -A "$work/resident")
        [ -z "$left" ] || { echo "$left"; return 1; }
}
# start OPTION…: frozen in the foreground; its id in $id, what it says in $work/frozen.err.
start() {
        local word
        rm -f "$work/frozen.out"
        mkfifo "$work/frozen.out"
        "$build/quiescectl" freeze --foreground "$@" > "$work/frozen.out" 2> "$work/frozen.err" &
        frozen=$!
        pids[2]=$frozen
        exec {out}< "$work/frozen.out"
        read -r -t 60 id <&"$out"
        read -r -t 60 word <&"$out"
        exec {out}<&-
        [ "$word" = frozen ] || { echo "not ok it is frozen"; cat "$work/frozen.err"; failures=$((failures + 1)); }
}
# ends STATUS
ends() {
        local status
        wait "$frozen"
        status=$?
        unset 'pids[2]'
        [ "$status" -eq "$1" ] || { echo "status $status"; cat "$work/frozen.err"; return 1; }
}
# Somebody has connected to the socket of session $1: the kernel lists both ends by the name it was bound to.
reached() { [ "$(grep -c -F "$1" /proc/net/unix)" -ge 2 ]; }
frozen_says() { grep -q -E -e "$1" "$work/frozen.err" || { cat "$work/frozen.err"; return 1; }; }

start_all
# shellcheck disable=SC2016 # for the command
sees='grep -q "^good freeze $QUIESCE_SESSION" "$log" && ! grep -q "^good thaw $QUIESCE_SESSION" "$log"'

check "the provider is listed" is external '.providers[] | select(.name == "external").kind' list providers --json
check "the command sees the writer frozen" ctl freeze test:one test:two -- sh -c "$sees"
id=$(last_session)
check "then it is thawed, and has PostSnapshot" test "$(events_of "$id")" = \
        "prepare-for-backup prepare-for-snapshot freeze thaw post-snapshot backup-shutdown "
check "and learns that the backup is not completed" grep -q -E "^good backup-shutdown $id [0-9a-f-]+ not-completed released" "$log"
check "nothing is left" nothing_is_left
check "--complete" ctl freeze --complete test:one -- true
id=$(last_session)
check "tells the writer that it is" had backup-complete
check "the command's output comes out" test "$(ctl freeze -q test:one -- echo said)" = said
ctl freeze -q test:one -- echo said > "$work/output"
check "into a file, too" test "$(cat "$work/output")" = said
check "its identity may be its last line" test "$(ctl freeze -q -O test:one -- printf 'a\nsnap-1\n' | tail -n 1)" = snap-1
# shellcheck disable=SC2016
check "it is told its time" ctl freeze --limit 9s test:one -- \
        sh -c '[ "$QUIESCE_LIMIT_USEC" -gt 3000000 ] && [ "$QUIESCE_LIMIT_USEC" -lt 9000000 ]'
check "another status may mean success" test "$(ctl freeze -q -s 0,3 test:one -- sh -c 'exit 3'; echo $?)" = 3
id=$(last_session)
check "and is one" had post-snapshot

fails "a command that fails" 3 'could not take the snapshot: the command ended with 3' ctl freeze test:one -- sh -c 'exit 3'
id=$(last_session)
check "aborts the backup" had abort
check "without PostSnapshot" never_had post-snapshot
# shellcheck disable=SC2016
fails "a command that dies" 137 'died of SIGKILL' ctl freeze test:one -- sh -c 'kill -KILL $$'
fails "one that is not there" 127 'cannot be run' ctl freeze test:one -- /nonexistent
fails "one that cannot be run" 126 'cannot be run' ctl freeze test:one -- /etc/passwd
fails "one that takes too long" 125 'freeze was lost before the command ended: it was killed' \
        ctl freeze --limit 1s test:one -- sh -c 'echo $$ > '"$work/hangs"'; exec tail -f /dev/null'
check "is killed" test ! -d "/proc/$(cat "$work/hangs")"
id=$(last_session)
check "and the writer aborted" had abort
check "nothing is left of those that failed" nothing_is_left

fails "no command" 125 'no command given' ctl freeze test:one
fails "no path" 125 'no PATH given' ctl freeze -- true
fails "a volume that is none" 125 'test:../../x|no volume' ctl freeze nosuchvolume -- true
fails "a path on no device" 125 'without a block device|no block device' ctl freeze /proc -- true
fails "a persistent snapshot is not quiesced's" 1 "not quiesced's to keep" ctl create --provider external test:one
fails "begin has no moment" 1 'option "moment"' ctl begin --foreground --provider external test:one

# A signal ends the command, and gives the backup up.
"$build/quiescectl" freeze test:one -- sh -c "echo \$QUIESCE_SESSION > $work/session.new; mv $work/session.new $work/session; exec tail -f /dev/null" \
        2> "$work/frozen.err" &
frozen=$!
await test -e "$work/session"
id=$(cat "$work/session")
kill -TERM "$frozen"
check "terminated" ends 143
check "it says so" frozen_says 'interrupted by SIGTERM'
check "the writer is aborted" had abort
check "and hears of the end" had backup-shutdown
check "nothing is left after a signal" nothing_is_left

# Killed: nobody says anything; the socket's end does.
rm "$work/session"
"$build/quiescectl" freeze test:one -- sh -c "echo \$\$ > $work/hangs; echo \$QUIESCE_SESSION > $work/session.new; mv $work/session.new $work/session; exec tail -f /dev/null" &
frozen=$!
await test -e "$work/session"
id=$(cat "$work/session")
kill -KILL "$frozen"
check "killed: the writer is aborted" await_had abort
check "killed: the session ends" await_had backup-shutdown
check "killed: the requester vanished" grep -q -E "^good backup-shutdown $id [0-9a-f-]+ not-completed requester-vanished" "$log"
check "killed: the command is gone" await test ! -d "/proc/$(cat "$work/hangs")"
wait "$frozen" 2> /dev/null
check "killed: nothing is left" nothing_is_left

# The writer dies while it is frozen: what is taken is worth nothing, and that is said.
# shellcheck disable=SC2016
fails "a writer that dies while frozen" 125 'freeze was lost before the command ended.*writer good' ctl freeze test:one -- \
        sh -c 'kill -KILL $(awk -v id="$QUIESCE_SESSION" '\''$2 == "freeze" && $3 == id { print $8 }'\'' "$log")'
# And one that does not freeze at all.
printf '[Writer]\nExec=%s log=%s freeze=fail:retryable\nUser=%s\n' "$build/quiesce-test-writer" "$work/bad.log" \
        "$(id -un)" > "$work/writers.d/bad.writer"
fails "a writer that fails" 125 'writer bad' ctl freeze test:one -- touch "$work/ran"
check "keeps the command from being run" test ! -e "$work/ran"
check "unless it is ignored" ctl freeze --ignore-writer bad test:one -- touch "$work/ran"
check "and then it is run" test -e "$work/ran"
rm "$work/writers.d/bad.writer"

# Level system is left out where the caller holds the file systems.
printf '[Writer]\nExec=%s log=%s level=system\nUser=%s\nLevel=system\n' "$build/quiesce-test-writer" "$work/system.log" \
        "$(id -un)" > "$work/writers.d/deep.writer"
check "a writer at level system is frozen, too" ctl freeze test:one -- grep -q '^deep freeze' "$work/system.log"
rm -f "$work/system.log"
check "but not with --applications-only" ctl freeze --applications-only test:one -- sh -c "$sees"
check "which it is not told of at all" test ! -s "$work/system.log"
rm "$work/writers.d/deep.writer"

# Two processes.
from=$(wc -l < "$log")
start test:one
check "frozen: an id is printed" grep -q -x -E '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' <<< "$id"
check "frozen: the writer is frozen" had freeze
check "frozen: and not thawed" never_had thaw
fails "frozen: other verbs are refused" 1 'ends when it is thawed' ctl complete "$id"
# Another one waits for the dark to end, and then finds the slot taken or free; it never freezes beside it.
"$build/quiescectl" freeze test:two -- true 2> "$work/second.err" &
second=$!
check "thaw" ctl thaw "$id"
check "thaws" had post-snapshot
check "and ends the process" ends 0
wait "$second"
status=$?
check "a second freeze was refused, or came after it" test "$status" -eq 0 -o \
        "$(grep -c 'being made' "$work/second.err")" -gt 0
# shellcheck disable=SC2016 # awk's
check "never beside it" awk -v from="$from" 'NR <= from || $1 != "good" { next } $2 == "freeze" && frozen { bad = 1 } $2 == "freeze" { frozen = 1 }
        $2 == "thaw" || $2 == "abort" { frozen = 0 } END { exit bad }' "$log"
fails "thaw once more" 1 'is held by no' ctl thaw "$id"
fails "thaw of nothing" 1 'nothing is frozen' ctl thaw

start test:one
check "thaw without an id" ctl thaw --complete
check "finds the one that is frozen" ends 0
check "and completes it" had backup-complete
start test:one
check "thaw --failed" ctl thaw --failed
check "is no failure of the freeze" ends 0
check "but the backup is given up" had abort
start --limit 1s test:one
check "a thaw that never comes" ends 1
check "is not waited for" frozen_says 'did not say in time'
check "and the writer is aborted by then" had abort
fails "a thaw that comes too late" 1 'nothing is frozen.*is not consistent' ctl thaw
start test:one
kill -KILL "$frozen"
check "killed while frozen: the writer is aborted" await_had abort
check "killed while frozen: it has ended" ends 137
# It ends when thaw has reached it already, and before it has answered.
start test:one
kill -STOP "$frozen"
"$build/quiescectl" thaw "$id" 2> "$work/unanswered.err" &
unanswered=$!
check "thaw reaches it" await reached "$id"
kill -KILL "$frozen"
check "and dies with it: it has ended" ends 137
wait "$unanswered"
check "thaw fails" test $? -eq 1
check "and says what that means" grep -q 'nothing is frozen.*is not consistent' "$work/unanswered.err"
start test:one
kill -TERM "$frozen"
check "terminated while frozen" ends 143
check "terminated: the writer is aborted" had abort
fails "what is not frozen is not thawed" 1 'nothing is frozen' ctl thaw

# quiesced dies: the writer thaws by itself, and thaw says that it is lost.
start test:one
kill -KILL "${pids[1]}"
wait "${pids[1]}" 2> /dev/null
check "quiesced dies: the resident ends" ends 1
start_quiesced
check "quiesced dies: nothing is left" nothing_is_left

[ "$failures" -eq 0 ]
