#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# quiescectl's verbs but run, against the real quiesced on a private bus, with the test provider and a test writer. What
# needs real volumes is in tests/vm/test-run.sh.
# shellcheck source=tests/bus/ctl-functions.sh
. "$(dirname "$0")/ctl-functions.sh"

# Whatever else it says: it knows the option.
is_taken() { ! ctl "$1" "$2" x --help 2>&1 | grep 'unrecognized option'; }

start_all

mapfile -t verbs < <(ctl --help | awk '/^Verbs:/ { found = 1; next } /^Options:/ { exit } found && NF { print $1 }')
check "there are verbs" test "${#verbs[@]}" -gt 10
for verb in "${verbs[@]}"; do
        check "$verb --help tells how it is used" grep -q "quiescectl $verb" <(ctl "$verb" --help)
        check "$verb --help fits 80 columns" awk 'length > 80 { exit 1 }' <(ctl "$verb" --help)
        check "$verb --version" grep -q quiesced <(ctl "$verb" --version)
        check "$verb is in the manual page" grep -q "quiescectl $verb" "$srcdir/man/quiescectl.1.scd"
        check "$verb is completed" grep -q "\[$verb\]=" "$srcdir/ctl/completion/quiescectl"
        for option in $(ctl "$verb" --help | grep -o -E '^ +(-[A-Za-z], +)?--[a-z-]+' | grep -o -e '--.*' | grep -v -x -e --help -e --version | sort -u); do
                check "$verb $option is in the manual page" grep -q -e "$option" "$srcdir/man/quiescectl.1.scd"
                check "$verb $option is taken" is_taken "$verb" "$option"
                check "$verb $option is completed" grep -q -e "$option" "$srcdir/ctl/completion/quiescectl"
        done
done
fails "a verb that is none" 1 'no such verb' ctl dance
fails "an option before the verb" 1 'the verb comes first' ctl --json list
fails "no verb" 1 'no verb' ctl
fails "run without a command" 125 'no command' ctl run /

# What a user sees: tests/bus/expected/explain.
check "explain's screen" diff -u "$srcdir/tests/bus/expected/explain" <(ctl explain org.quiesce1.Error.WriterVeto timeout POOL-FULL)
check "explain lists what it knows" grep -q '^  WriterVeto$' <(ctl explain)
check "explain knows a word of two kinds" test "$(ctl explain released | grep -c -i '^released (')" -eq 3
check "explain in JSON" is org.quiesce1.Error.Writer.Timeout '.explanations[0].name' explain --json writer.timeout
check "explain all in JSON" is true '.explanations | length > 40' explain --json
# What cannot be printed is no success; who reads no more is.
full() { ctl "$@" > /dev/full; }
fails "nowhere to write" 1 'standard output: No space left on device' full explain
fails "nor as JSON" 1 'standard output: No space left on device' full list --json
fails "nor a table" 1 'standard output: No space left on device' full list writers
fails "nor help" 1 'standard output: No space left on device' full list --help
# shellcheck disable=SC2016 # another shell expands it
check "a reader who has gone" bash -o pipefail -c '"$1" explain 2> "$2" | true' - "$build/quiescectl" "$work/said"
check "is told nothing" test ! -s "$work/said"
fails "a word that is none" 1 'dance: there is no explanation' ctl explain dance
fails "one of two" 1 '^Aborted \(error\)' ctl explain dance aborted

check "no snapshot is an empty list" is 0 '.snapshots | length' list --json
check "writers are listed" is good '.writers[] | select(.name == "good").name' list writers --json
check "one of them by its kind" grep -q -E '^NAME +LEVEL +KIND' <(ctl list writers)
check "--no-legend leaves the headings out" awk '/^NAME/ { exit 1 }' <(ctl list writers --no-legend)
check "providers are listed" is true '.providers | length >= 1' list providers --json
fails "a kind that is none" 1 'no such kind' ctl list dances
fails "an option that is none" 1 "^quiescectl list: unrecognized option '--dance'" ctl list --dance
check "an empty list is said" grep -q 'no snapshots' <(ctl list 2>&1)
check "unless without legend" test -z "$(ctl list --no-legend 2>&1)"

# What sd-bus starts to reach another machine: here it reaches this one's bus.
mkdir "$work/bin"
printf '#!/bin/sh\ncase "$*" in *nowhere*) echo "ssh: no such host" >&2; exit 255 ;; esac\nexec systemd-stdio-bridge "-p%s"\n' \
        "unix:path=$work/bus" > "$work/bin/ssh"
chmod +x "$work/bin/ssh"
remote() { PATH=$work/bin:$PATH DBUS_SYSTEM_BUS_ADDRESS=none: ctl "$@"; }
check "list --host asks another machine" grep -q good <(remote list --host root@elsewhere writers)
remote_set=$(remote create -H elsewhere --quiet test:one)
check "create --host makes a set there" is "$remote_set" '.sets[0].id' list sets --json
check "show --host shows it" grep -q "$remote_set" <(remote show -H elsewhere "$remote_set")
check "delete --host deletes it" remote delete -H elsewhere "$remote_set"
check "and it is gone" is 0 '.sets | length' list sets --json
fails "a machine that is not there" 1 'nowhere: cannot reach its system bus through ssh' remote list -H nowhere
fails "run has no --host" 125 'ssh elsewhere quiescectl run' ctl run -H elsewhere / -- true
fails "mount has no --host" 1 'ssh elsewhere quiescectl mount' ctl mount -H elsewhere x /mnt
fails "umount has no --host" 1 'ssh elsewhere quiescectl umount' ctl umount -H elsewhere x

ctl create --quiet test:one test:two > "$work/set" 2> "$work/said"
check "create makes a set and prints its id alone" grep -q -x -E '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' "$work/set"
set=$(< "$work/set")
check "it says nothing when quiet" test ! -s "$work/said"
check "the set is listed" is "$set" '.sets[0].id' list sets --json
check "it is persistent" is true '.sets[0].persistent' list sets --json
check "with two snapshots" is 2 '.sets[0].snapshots | length' list sets --json
check "which are listed" is 2 '.snapshots | length' list --json
check "with their set" is "$set" '.snapshots[0].set' list --json
check "their creation as RFC 3339" is true \
        '.snapshots[0].created | test("^20[0-9-]+T[0-9:]+\\.[0-9]{6}Z$")' list --json
check "show tells of the set" grep -q "$set" <(ctl show "$set")
snapshot=$(json '.snapshots[0].id' list --json)
check "show tells of a snapshot in JSON" grep -q "$snapshot" <(ctl show --json "$snapshot")
check "the writer was frozen" grep -q " freeze " "$work/log"
check "and not told that a backup is complete" awk '/backup-complete/ { exit 1 }' "$work/log"
check "the session is gone" is 0 '.sessions | length' list sessions --json
check "show tells of several in one JSON document" is "$set,$snapshot" '.sets[0].id + "," + .snapshots[0].id' \
        show --json "$set" "$snapshot"
check "an empty list is one in JSON" is 0 '.snapshots[0]["origin-mountpoints"] | length' show --json "$snapshot"
check "its creation in local time in the table" grep -q -E ' 20[0-9-]+ [0-9:]{8} ' <(ctl list)
check "create in JSON" is application '.sets[0].consistency' create --quiet --json test:one
check "a set has no name by itself" is null '.sets[0].name' show --json "$set"
odd='two words, "quoted" #1 ä €'
check "it is described" ctl describe "$set" --name "$odd" --note 'before the upgrade' -l daily --label tier=1
check "its name is told as it is" is "$odd" '.sets[0].name' show --json "$set"
check "and the note" is 'before the upgrade' '.sets[0].note' show --json "$set"
check "and its labels" is daily,tier=1 '.sets[0].labels | join(",")' show --json "$set"
check "what is not named stays" ctl describe "$snapshot" --remove-label daily --lock
check "by the id of a snapshot, too" is "$odd tier=1 true" \
        '.sets[0] | .name + " " + (.labels | join(",")) + " " + (.locked | tostring)' show --json "$set"
fails "to delete a locked set" 1 'is locked; unlock it' ctl delete "$set"
fails "to delete a snapshot of it" 1 'is locked; unlock it' ctl delete "$snapshot"
check "nothing of it is gone" is 2 '.sets[0].snapshots | length' show --json "$set"
check "an empty name is none" ctl describe "$set" --name '' --unlock
check "and is not there any more" is null '.sets[0].name' show --json "$set"
fails "a name of two lines" 1 'A name has at most 127 bytes' ctl describe "$set" --name $'a\nb'
fails "a name that is too long" 1 'A name has at most 127 bytes' ctl describe "$set" --name "$(printf %128s x)"
fails "a label that is none" 1 '"a b" is no label' ctl describe "$set" --label 'a b'
fails "too many labels" 1 'at most 8 labels' \
        ctl describe "$set" -l 1 -l 2 -l 3 -l 4 -l 5 -l 6 -l 7 -l 8
check "nothing of that was done" is tier=1 '.sets[0].labels | join(",")' show --json "$set"
fails "to describe nothing" 1 'nothing to change' ctl describe "$set"
fails "to lock and unlock" 1 'cannot both' ctl describe "$set" --lock --unlock
fails "to describe what is not there" 1 'no snapshot, set or session' \
        ctl describe 00000000-0000-0000-0000-000000000001 --lock
named=$(ctl create --quiet --persistent --name 'from the start' --note n --label a -l b test:one)
check "create names a set" is 'from the start n a,b' \
        '.sets[0] | .name + " " + .note + " " + (.labels | join(","))' show --json "$named"
fails "a provider that cannot revert" 1 'Provider test, of the snapshot of test:one, cannot do this' \
        ctl revert --no-safety-set "$named"
fails "which leaves no safety set" 1 'Provider test, of the snapshot of test:one, cannot do this' ctl revert "$named"
check "there is none" is 0 '[.sets[] | select(.labels[0] == "before-revert")] | length' list sets --json
blocks() { printf '[Writer]\nType=static\nPaths=%s/provider/volumes/one\n%s\n' "$work" "$1" > "$work/writers.d/replica.writer"; }
blocks "BlocksRevert=/elsewhere $work/provider/volumes/one/file"
fails "a writer that blocks it, by a path" 1 "Writer replica does not let test:one be reverted: .*/one/file, in BlocksRevert= of its descriptor, lies on it" \
        ctl revert "$named"
blocks 'BlocksRevert=test:one'
fails "by a volume" 1 'Writer replica does not let test:one be reverted: test:one, in BlocksRevert= of its descriptor, is it' ctl revert "$named"
blocks $'BlocksRevert=test:one\nUser=root'
fails "though its descriptor has a defect" 1 'Writer replica does not let test:one be reverted' ctl revert "$named"
blocks $'BlocksRevert=test:one test:two\nBlocksRevert=\nBlocksRevert=test:two /elsewhere'
fails "not if it is of another volume, or taken back" 1 'cannot do this' ctl revert "$named"
check "it is listed" is test:two,/elsewhere '.writers[] | select(.name == "replica")."blocks-revert" | join(",")' list writers --json
rm "$work/writers.d/replica.writer"
fails "nor break" 1 'Provider test.*cannot do this' ctl break "$named"
fails "a suffix that is none" 1 '"a/b" cannot end a volume' ctl break --suffix a/b "$named"
check "the set is as it was" is created '.sets[0].state' show --json "$named"
check "its document tells of it" test "$(ctl export "$named" | jq -r .set)" = "$named"
check "it is written to a file" ctl export "$named" --output "$work/document"
check "the same" cmp "$work/document" <(ctl export "$named")
fails "a file that is there" 1 'document: File exists' ctl export "$named" --output "$work/document"
check "a locked set" ctl describe -q "$named" --lock
fails "is not reverted" 1 'is locked; unlock it first' ctl revert --no-safety-set "$named"
fails "nor broken" 1 'is locked; unlock it first' ctl break "$named"
check "it is deleted by force" ctl delete --force "$named"
check "a snapshot is deleted" ctl delete "$snapshot"
check "and gone" is 2 '.snapshots | length' list --json
check "sets are deleted" ctl delete "$set" "$(json ".sets[] | select(.id != \"$set\").id" list sets --json)"
check "and gone, too" is 0 '.sets | length' list sets --json

fails "a volume that is none" 1 'test:none' ctl create test:none
fails "an id that is none" 1 'no snapshot, set or session' ctl show 00000000-0000-0000-0000-000000000001
fails "to delete what is not there" 1 '00000000-0000-0000-0000-000000000001' \
        ctl delete 00000000-0000-0000-0000-000000000001
printf '[Writer]\nExec=%s log=%s freeze=fail:Retryable:not-now\nUser=%s\n' "$build/quiesce-test-writer" "$work/log" \
        "$(id -un)" > "$work/writers.d/bad.writer"
# Descriptors are read when quiesced starts.
kill "${pids[1]}" && wait "${pids[1]}"
start_quiesced
fails "a writer that vetoes" 1 'writer bad failed.*not-now' ctl create test:one
check "leaves nothing" is 0 '.sets | length' list sets --json
check "is ignored by name" ctl create --ignore-writer bad test:one
check "and makes the set less" is file-system,true \
        '(.sets[0].consistency | if . == "crash" then "file-system" else . end) + ",true"' list sets --json
check "--no-writers asks none" ctl create --no-writers test:two
check "and none was frozen" is 0 '[.sets[] | select(.snapshots | length == 1)] | sort_by(.created)[-1].freeze // 0' list sets --json

printf '[Writer]\nExec=%s log=%s prepare-for-snapshot=warn:half-of-it-is-elsewhere\nUser=%s\n' \
        "$build/quiesce-test-writer" "$work/log" "$(id -un)" > "$work/writers.d/bad.writer"
kill "${pids[1]}" && wait "${pids[1]}"
start_quiesced
check "a writer's warning is told" grep -q 'writer bad warns: half-of-it-is-elsewhere' <(ctl create test:one 2>&1)

# An administrator ends a session that hangs.
printf '[Writer]\nExec=%s log=%s identify=hang\nUser=%s\n' "$build/quiesce-test-writer" "$work/log" \
        "$(id -un)" > "$work/writers.d/bad.writer"
kill "${pids[1]}" && wait "${pids[1]}"
start_quiesced
ctl create test:one > "$work/created" 2>&1 &
pids+=($!)
until grep -q ' bad identify\|^bad identify' "$work/log" && is GatherWriterMetadata '.sessions[0].call' list sessions --json; do
        [ "$SECONDS" -lt 300 ] || { echo "not ok a session hangs"; exit 1; }
        read -r -t 0.1 <> <(:)
done > /dev/null
session=$(json '.sessions[0].id' list sessions --json)
fails "to release what is not there" 1 '00000000-0000-0000-0000-000000000001' \
        ctl release 00000000-0000-0000-0000-000000000001
check "a session is released" ctl release "$session"
check "it is gone" is 0 '.sessions | length' list sessions --json
wait "${pids[-1]}"
check "who owned it has failed" test $? -eq 1
check "and is told that it was released" grep -q -i "released" "$work/created"
unset 'pids[-1]'

# What LVM cannot tell may be missing: that is said, beside the data.
rm "$work/provider/lvm"
kill "${pids[1]}" && wait "${pids[1]}"
start_quiesced
check "a list that may not be whole says so" grep -q 'there may be more snapshots' <(ctl list --json 2>&1 > /dev/null)
check "one of writers is whole" test -z "$(ctl list writers 2>&1 > /dev/null)"
[ "$failures" -eq 0 ]
