#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# quiescectl show and plot: what they tell of when things happened in a set and in a session, against the real quiesced
# on a private bus. Holds of real volumes are in tests/vm/test-timeline.sh.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/bus/ctl-functions.sh
. "$(dirname "$0")/ctl-functions.sh"

start_all
set=$(ctl create --quiet test:one test:two)

# Columns are as wide as what is in them: blanks count as one, numbers as N.
plain() { sed -E -e 's/([0-9]+ min( [0-9]+ s)?|[0-9]+(\.[0-9]+)? (us|ms|s))\b/N/g; s/[0-9.]+%/N%/g; s/ +/ /g; s/^ //; s/ $//'; }
cat > "$work/expected" << 'END'
WRITER LEVEL STATE FAILURE UNIT TEXT
good front-end stable quiesced-writer-good.service

START TOOK LIMIT USED WHO WHAT OUTCOME
N N N N% good Identify done
N N N N% good PrepareForBackup done
N N set step: end-prepare
N N N N% good PrepareForSnapshot done
N N set step: lock
N N set window: freeze
N N N N% good Freeze done
N N set step: pre-commit
N N set window: dark
N N set step: commit
N N set step: post-commit
N N N N% good Thaw done
N N set step: final-commit
N N N N% good PostSnapshot done
N N N N% good BackupShutdown done
END
# What begins at the same microsecond as something else may stand before or behind it.
shown() {
        ctl show "$set" | sed -n '/^WRITER/,$p' | plain > "$work/shown"
        diff <(sort "$work/expected") <(sort "$work/shown")
}
check "show tells the writers and what happened when" shown
check "in the order in which it began" test "$(ctl show "$set" | sed -n '/^ *START/,$p' | awk 'NR > 1 { print $1 }')" = \
        "$(ctl show "$set" | sed -n '/^ *START/,$p' | awk 'NR > 1 { print $1 }' | sort -n -s)"
check "without headings if so asked" test -z "$(ctl show --no-legend "$set" | grep -E '^ *(WRITER|START)')"
check "in JSON with its version" is "1,$set,not-completed" \
        '.sets[0].timeline | "\(.version),\(.set),\(.outcome)"' show --json "$set"
check "each event has its times" is true \
        '[.sets[0].timeline.writers[].events[] | ."begin-usec" >= 0 and ."duration-usec" > 0 and ."limit-usec" > 0 and .outcome == "done"] | all' \
        show --json "$set"
check "the volumes are named" is test:one,test:two '[.sets[0].timeline.volumes[].volume] | sort | join(",")' show --json "$set"
snapshot=$(json '.sets[0].snapshots[0]' show --json "$set")
check "a snapshot has its set's consistency" is application '.snapshots[0].consistency' show --json "$snapshot"
check "and no timeline" is true '.snapshots[0] | has("timeline") | not' show --json "$snapshot"

plot() { ctl plot "$1" > "$work/plot.svg" && xmllint --noout "$work/plot.svg"; }
check "a set is plotted" plot "$set"
check "with its id" grep -q "Snapshot set $set" "$work/plot.svg"
check "with the writer's events" grep -q '<title>good: Freeze, ' "$work/plot.svg"
check "by the id of a snapshot, too" plot "$snapshot"
check "it is the set's" grep -q "Snapshot set $set" "$work/plot.svg"
fails "to plot what is not there" 1 'no snapshot, set or session' ctl plot 00000000-0000-0000-0000-000000000001
fails "to plot nothing" 1 'no ID given' ctl plot
fails "to plot two at once" 1 'one ID at a time' ctl plot "$set" "$set"
plot_full() { ctl plot "$set" > /dev/full; }
fails "where it cannot be written" 1 'standard output: No space left on device' plot_full

record=$(echo "$work"/*/sets/"$set".json)
check "it is kept in a file" test -s "$record"
mv "$record" "$work/kept"
check "without it the set is there all the same" is "$set" '.sets[0].id' show --json "$set"
check "but has no timeline" is true '.sets[0] | has("timeline") | not' show --json "$set"
fails "and no plot" 1 'has no record' ctl plot "$set"
echo '{"version": 9}' > "$record"
fails "a record of the future" 1 'a newer quiesced has written it' ctl plot "$set"
show_says() { ctl show "$set" 2>&1 > "$work/shown" | grep -q "$1" && grep -q "$set" "$work/shown"; }
check "show says so, and shows the set" show_says 'a newer quiesced'
check "and it stays" grep -q 9 "$record"
check "a set is deleted" ctl delete "$set"
await test ! -e "$record"
check "its record goes with it" test ! -e "$record"

# A session that is under way, of which the requester is somebody else.
printf '[Writer]\nExec=%s log=%s prepare-for-backup=hang\nUser=%s\n' "$build/quiesce-test-writer" "$work/log" \
        "$(id -un)" > "$work/writers.d/slow.writer"
kill "${pids[1]}" && wait "${pids[1]}"
start_quiesced
ctl create test:one > "$work/created" 2>&1 &
pids+=($!)
session_of() { session=$(ctl list sessions --json | jq -e -r '.sessions[0] | select(.call == "PrepareForBackup").id'); }
await session_of
session_of
check "show tells what it waits for" is "pending,0" \
        '.sessions[0].timeline | "\(.writers[] | select(.name == "slow") | .events[] | select(.name == "PrepareForBackup").outcome),\(.uid)"' \
        show --json "$session"
check "as text, too" grep -q -E 'slow +PrepareForBackup +pending' <(ctl show "$session")
check "it can be plotted" plot "$session"
check "as a session" grep -q "Session $session" "$work/plot.svg"
check "it is released" ctl release "$session"
wait "${pids[-1]}"
unset 'pids[-1]'
[ "$failures" -eq 0 ]
