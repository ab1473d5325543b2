#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The examples of libquiesce (lib/examples), against the real quiesced on a private bus with the test provider: the
# requester's set is consistent, the writer holds its application's lock from Freeze to Thaw and drops what is backed up.
work_parent=/dev/shm # on no block device: where the journal lies says nothing of the set
# shellcheck source=tests/bus/ctl-functions.sh
. "$(dirname "$0")/ctl-functions.sh"

# answers PATTERN: the requester has said so
answers() { grep -q -E -e "$1" "$work/answer" || { cat "$work/answer" "$work/quiesced.log"; return 1; }; }

mkdir -p "$work/provider/volumes/one" "$work/provider/volumes/two" "$work/writers.d" "$work/run"
echo hello > "$work/provider/volumes/one/letter"
echo world > "$work/provider/volumes/two/reply"
echo "a record" > "$work/journal"
printf '[Writer]\nExec=%s %s\nUser=%s\n' "$build/example-writer" "$work/journal" "$(id -un)" \
        > "$work/writers.d/journal.writer"
start_bus
start_quiesced

printf 'commit one mark reached\ncommit one wait go\n' > "$work/provider/script"
timeout 60 "$build/example-requester" test:one test:two > "$work/answer" 2>&1 &
requester=$!
check "the writes are held" await test -e "$work/provider/reached"
check "the writer has its application's lock meanwhile" test "$(flock -n "$work/journal" echo free)" = ""
touch "$work/provider/go"
wait "$requester"
check "the requester succeeds" test $? -eq 0
check "its set is consistent" answers '^set [0-9a-f-]{36}: application consistent'
check "it has seen what is in one snapshot" answers '^[0-9a-f-]{36}: letter$'
check "and in the other" answers '^[0-9a-f-]{36}: reply$'
check "the application may go on" flock -n "$work/journal" true
check "the journal is dropped when the backup is complete" test ! -s "$work/journal"
check "the snapshots are gone" test -z "$("$build/quiescectl" list --no-legend 2>&1)"

rm "$work/journal" "$work/provider/script"
timeout 60 "$build/example-requester" test:one > "$work/answer" 2>&1
check "a writer that cannot freeze fails the requester" test $? -eq 1
check "it says which and why" answers 'writer journal .*cannot be locked: No such file'
check "nothing of the set is left" test -z "$("$build/quiescectl" list --no-legend 2>&1)"
[ $failures -eq 0 ]
