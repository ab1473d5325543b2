#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# quiescectl monitor: what it tells of a backup, of a snapshot that is lost, of restarts of quiesced, here and of another
# machine; and how it ends. Its screen is kept in expected/monitor, with ids and times replaced.
# shellcheck source=tests/bus/ctl-functions.sh
. "$(dirname "$0")/ctl-functions.sh"

# follow NAME OPTION…: a monitor that writes to $work/NAME, from when it listens
follow() {
        local name=$1
        shift
        "$build/quiescectl" monitor "$@" > "$work/$name" 2> "$work/$name.said" &
        pids+=($!)
        await grep -q following "$work/$name.said" || { echo "not ok $name follows"; exit 1; }
}
# ends NAME SIGNAL STATUS: the last one
ends() {
        kill "-$2" "${pids[-1]}"
        wait "${pids[-1]}"
        check "$1" test $? -eq "$3"
        unset 'pids[-1]'
}
# Ids in the order in which they come first, and no times.
anonymous() {
        awk '{
                gsub(/^[0-9-]*T[0-9:.]*Z/, "TIME")
                gsub(/(freeze|hold|owner|size)=[0-9]+/, "&#"); gsub(/=[0-9]+#/, "=NUMBER")
                while (match($0, /[0-9a-f]+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+/)) {
                        id = substr($0, RSTART, RLENGTH)
                        if (!(id in known)) known[id] = "ID" ++n
                        gsub(id, known[id])
                }
                print
        }' "$1"
}

mkdir -p "$work/provider"
start_bus
follow early --json
check "without quiesced it waits" grep -q 'which does not run' "$work/early.said"
check "and does not start it" test ! -s "$work/early"
monitor=${pids[-1]}
unset 'pids[-1]'

mkdir -p "$work/provider/volumes" "$work/writers.d" "$work/run"
echo one > "$work/provider/volumes/one"
printf '[Writer]\nExec=%s log=%s\nUser=%s\n' "$build/quiesce-test-writer" "$work/log" "$(id -un)" > "$work/writers.d/good.writer"
start_quiesced
pids+=("$monitor")
check "quiesced comes" await grep -q '"event":"quiesced-started"' "$work/early"

follow screen
check "with quiesced it says so, too" grep -q 'following quiesced$' "$work/screen.said"
set=$(ctl create --quiet test:one)
await grep -q session-released "$work/screen"
ctl delete --quiet "$set"
check "the set's end is told" await grep -q "set-removed.*$set" "$work/screen"
ends "SIGINT ends it well" INT 0

# Phases and calls come and go at the pace of the machine; what is told of them is in no order that lasts.
grep -v 'session-changed\|writer-changed' "$work/screen" > "$work/lasting"
check "its screen" diff -u "$srcdir/tests/bus/expected/monitor" <(anonymous "$work/lasting")
check "the states of the session" grep -q 'session-changed .*state=created' "$work/screen"
check "the call that runs" grep -q 'session-changed .*call=DoSnapshotSet' "$work/screen"
check "and that none does" grep -q 'session-changed .*call=-' "$work/screen"
check "a writer's states" grep -q 'writer-changed .*writer=good.*last-event=PostSnapshot' "$work/screen"

check "each line of JSON is an object with time and event" \
        test "$(jq -s 'all(.[]; (.time | test("^20.*Z$")) and (.event | type) == "string")' "$work/early")" = true
check "the same events in JSON" diff <(awk '{ print $2 }' "$work/lasting") \
        <(jq -r .event "$work/early" | grep -v 'changed$\|^quiesced')
check "numbers are numbers" test "$(jq -s '[.[] | select(.event == "set-created") | .freeze | type] | unique == ["number"]' "$work/early")" = true
check "who removed it" test "$(jq -r 'select(.event == "snapshot-removed") | .reason' "$work/early")" = deleted

# A backup that is aborted; names of writers that were there before the monitor.
printf '[Writer]\nExec=%s log=%s freeze=fail:Retryable:not-now\nUser=%s\n' "$build/quiesce-test-writer" "$work/log" "$(id -un)" \
        > "$work/writers.d/bad.writer"
kill "${pids[1]}" && wait "${pids[1]}"
start_quiesced
check "quiesced goes and comes back" await test "$(jq -r .event "$work/early" | grep -c quiesced-started)" -eq 2
ctl create --quiet test:one > /dev/null 2>&1
check "the abort is told" await grep -q '"event":"abort"' "$work/early"
check "with who has failed" await grep -q '"failure":"Retryable"' "$work/early"
check "with the end" await grep -q '"event":"backup-shutdown".*"outcome":"aborted"' "$work/early"

# Nobody else is quiesced, whatever he sends.
busctl --address="$DBUS_SYSTEM_BUS_ADDRESS" emit /org/quiesce1 org.quiesce1.Manager Abort 'ssa{sv}' forged forged 0
ctl create --quiet --no-writers test:one > /dev/null
await grep -q '"event":"set-created".*"consistency":"\(crash\|file-system\)"' "$work/early"
check "what others send is not told" test "$(grep -c forged "$work/early")" -eq 0
ends "SIGTERM ends it well" TERM 0

# Through ssh's stand-in.
mkdir "$work/bin"
printf '#!/bin/sh\nexec systemd-stdio-bridge "-p%s"\n' "unix:path=$work/bus" > "$work/bin/ssh"
chmod +x "$work/bin/ssh"
PATH=$work/bin:$PATH follow remote --host elsewhere
ctl create --quiet --no-writers test:one > /dev/null
check "of another machine" await grep -q set-created "$work/remote"
ends "SIGHUP ends that well" HUP 0

mkfifo "$work/pipe"
"$build/quiescectl" monitor --quiet > "$work/pipe" 2> "$work/said.pipe" &
pids+=($!)
exec {reader}< "$work/pipe"
exec {reader}<&-
wait "${pids[-1]}"
check "it ends when nobody reads it, though there is nothing to tell" test $? -eq 1
unset 'pids[-1]'
check "--quiet says nothing" test ! -s "$work/said.pipe"

follow last
kill "${pids[0]}"
wait "${pids[-1]}"
check "it ends when the bus goes" test $? -eq 1
check "and says so" grep -q 'connection to the bus is lost' "$work/last.said"
unset 'pids[-1]' 'pids[0]'
fails "an argument is refused" 1 'it takes no argument' ctl monitor it
[ "$failures" -eq 0 ]
