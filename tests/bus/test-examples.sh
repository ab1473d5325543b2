#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The examples of libquiesce (lib/examples), against the real quiesced on a private bus with the test provider: the
# requester's set is consistent, the writer holds its application's lock from Freeze to Thaw and drops what is backed up.
set -u
build=${QUIESCED_BUILD:?}
srcdir=$(readlink -f "$(dirname "$0")/../..")
work=$(mktemp -d /dev/shm/test-examples.XXXXXX) # on no block device: where the journal lies says nothing of the set
pids=()
failures=0
# shellcheck disable=SC2317 # called by trap
clean_up() {
        [ ${#pids[@]} -eq 0 ] || { kill "${pids[@]}"; wait "${pids[@]}"; } 2> /dev/null
        rm -rf "$work"
}
trap clean_up EXIT

# check NAME COMMAND…
check() {
        local name=$1
        shift
        if "$@" > "$work/output" 2>&1; then
                echo "ok $name"
        else
                echo "not ok $name"
                sed 's/^/# /' "$work/output" "$work/said" "$work/quiesced.log" 2> /dev/null
                failures=$((failures + 1))
        fi
}
says() { grep -q -E -e "$1" "$work/said"; }
# await COMMAND…: until it succeeds
await() {
        local deadline=$((SECONDS + 30))
        until "$@" > /dev/null 2>&1; do
                [ "$SECONDS" -lt "$deadline" ] || return 1
                read -r -t 0.1 <> <(:)
        done
        true
}

mkdir -p "$work/provider/volumes/one" "$work/provider/volumes/two" "$work/writers.d" "$work/run"
echo hello > "$work/provider/volumes/one/letter"
echo world > "$work/provider/volumes/two/reply"
echo "a record" > "$work/journal"
printf '[Writer]\nExec=%s %s\nUser=%s\n' "$build/example-writer" "$work/journal" "$(id -un)" \
        > "$work/writers.d/journal.writer"
cat > "$work/bus.conf" <<CONF
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path=$work/bus</listen>
  <policy context="default">
    <allow user="*"/><allow send_type="*"/><allow send_destination="org.freedesktop.DBus"/>
    <allow receive_type="signal"/><allow receive_type="method_call"/>
    <allow receive_type="method_return"/><allow receive_type="error"/>
  </policy>
  <include>$srcdir/units/org.quiesce1.conf</include>
</busconfig>
CONF
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$work/bus
mkfifo "$work/address"
dbus-daemon --config-file="$work/bus.conf" --nofork --nopidfile --print-address > "$work/address" 2> "$work/bus.log" &
pids+=($!)
read -r -t 30 _ < "$work/address" || { echo "not ok a bus"; exit 1; }
"$build/quiesced" "--runtime-dir=$work/run" "--writers-dir=$work/writers.d" "--config-dir=$work" \
        "--test-provider=$work/provider" --launcher=fork 2> "$work/quiesced.log" &
pids+=($!)
await "$build/quiescectl" list sets || { echo "not ok quiesced starts"; sed 's/^/# /' "$work/quiesced.log"; exit 1; }

printf 'commit one mark reached\ncommit one wait go\n' > "$work/provider/script"
timeout 60 "$build/example-requester" test:one test:two > "$work/said" 2>&1 &
requester=$!
check "the writes are held" await test -e "$work/provider/reached"
check "the writer has its application's lock meanwhile" test "$(flock -n "$work/journal" echo free)" = ""
touch "$work/provider/go"
wait "$requester"
check "the requester succeeds" test $? -eq 0
check "its set is consistent" says '^set [0-9a-f-]{36}: application consistent'
check "it has seen what is in one snapshot" says '^[0-9a-f-]{36}: letter$'
check "and in the other" says '^[0-9a-f-]{36}: reply$'
check "the application may go on" flock -n "$work/journal" true
check "the journal is dropped when the backup is complete" test ! -s "$work/journal"
check "the snapshots are gone" test -z "$("$build/quiescectl" list --no-legend 2>&1)"

rm "$work/journal" "$work/provider/script"
timeout 60 "$build/example-requester" test:one > "$work/said" 2>&1
check "a writer that cannot freeze fails the requester" test $? -eq 1
check "it says which and why" says 'writer journal .*cannot be locked: No such file'
check "nothing of the set is left" test -z "$("$build/quiescectl" list --no-legend 2>&1)"
[ $failures -eq 0 ]
