#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# quiescectl exec on snapshots that the test provider has made of directories, which have no mount points of their own:
# what it refuses, --at, how it ends. Where volumes are mounted: tests/vm/test-exec.sh.
# shellcheck disable=SC2016 # the commands' own shells expand
[ "${1:-}" = inside ] || exec unshare --mount "$0" inside
# shellcheck source=tests/bus/ctl-functions.sh
. "$(dirname "$0")/ctl-functions.sh"

start_all
for volume in one two; do
        rm "$work/provider/volumes/$volume"
        mkdir "$work/provider/volumes/$volume" "$work/$volume"
        echo "then $volume" > "$work/provider/volumes/$volume/letter"
done
set=$(ctl create --quiet test:one test:two)
other=$(ctl create --quiet test:one)
one=$(json '.snapshots[] | select(.volume == "test:one" and .set == '"\"$set\""') | .id' list --json snapshots)
echo now > "$work/provider/volumes/one/letter"

# exec_at OPTION… -- COMMAND…: with both snapshots in their places
exec_at() { ctl exec --at "test:one=$work/one" --at "test:two=$work/two" "$set" "$@"; }

check "the snapshots of a set are seen where they are wanted" \
        exec_at -- sh -c 'grep -q -x "then one" "$1/one/letter" && grep -q -x "then two" "$1/two/letter"' - "$work"
check "read-only" exec_at -- sh -c '! touch "$1/one/new" 2> /dev/null' - "$work"
check "nothing of it is seen outside" test ! -e "$work/one/letter"
check "the environment tells set and instant" exec_at -- \
        sh -c '[ "$QUIESCE_SET" = "$1" ] && [ "$QUIESCE_INSTANT" ] && [ -z "${QUIESCE_SESSION:-}" ]' - "$set"
check "a snapshot alone" ctl exec --at "$one=$work/one" "$one" -- test -e "$work/one/letter"
check "the set and one of its snapshots are the set" ctl exec "$set" "$one" --at "test:one=$work/one" \
        --at "test:two=$work/two" -- test -e "$work/two/letter"

fails "the command's status is ours" 7 '^seven$' exec_at -- sh -c 'echo seven; exit 7'
fails "a command that a signal ends" 143 '^killed$' exec_at -- sh -c 'echo killed; kill -TERM $$'
fails "a command that is not there" 127 '/nonexistent: cannot be run' exec_at -- /nonexistent
fails "a command that is none" 126 'cannot be run' exec_at -- "$work/one"
exec_at -- sh -c 'setsid sleep 4322 & exit 0'
check "what the command leaves behind goes with it" test -z "$(pgrep -f 'sleep 4322')"

fails "a volume that has no place" 125 "test:two is not mounted anywhere now.*--at test:two=DIR" \
        ctl exec --at "test:one=$work/one" "$set" -- true
fails "a place for what is not shown" 125 "--at: test:three is no volume or snapshot" \
        exec_at --at "test:three=$work/one" -- true
fails "a place that is none" 125 "nowhere: No such file" exec_at --at "test:one=$work/nowhere" -- true
fails "half a place" 125 "--at: test:one is not VOLUME=DIR" exec_at --at test:one -- true
fails "snapshots of two sets" 125 "of one instant" ctl exec --at "test:one=$work/one" "$one" "$other" -- true
fails "an id of nothing" 125 "there is no snapshot, set or session" \
        ctl exec 00000000-0000-0000-0000-000000000000 -- true
fails "no command" 125 "no command given" ctl exec "$set"
fails "no id" 125 "no ID given" ctl exec -- true

# A set half gone: what it had is not seen live without a word.
half=$(ctl create --quiet test:one test:two)
left=$(json '.snapshots[] | select(.volume == "test:one" and .set == '"\"$half\""') | .id' list --json snapshots)
check "one snapshot of a set is deleted" ctl delete --quiet "$(json '.snapshots[] | select(.volume == "test:two" and .set == '"\"$half\""') | .id' list --json)"
check "it was made with two" is '1 2' '.sets[0] | "\(.snapshots | length) \(."snapshots-count")"' show --json "$half"
fails "as a set it is not shown" 125 "set $half is not whole: of its 2 snapshots 1 is left; .*name the snapshots" \
        ctl exec --at "test:one=$work/one" "$half" -- true
check "the one that is left is" ctl exec --at "test:one=$work/one" "$left" -- test -e "$work/one/letter"
fails "nor is all of it restored" 1 "set $half is not whole: of its 2 snapshots 1 is left; name the PATHs" ctl restore --no-writers "$half"
check "deleted" ctl delete --quiet "$half"

# The command waits in its view: the snapshots cannot be deleted meanwhile, and can be afterwards.
mkfifo "$work/go"
"$build/quiescectl" exec --at "test:one=$work/one" "$one" -- sh -c 'echo in; read -r go < "$1/go"' - "$work" > "$work/out" &
pid=$!
await grep -q in "$work/out"
kill -TERM $pid
wait $pid
check "SIGTERM ends the command, and is the status" test $? -eq 143
check "deleted" ctl delete "$set" "$other"
[ $failures -eq 0 ]
