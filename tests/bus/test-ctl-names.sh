#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Names of sets in the place of ids, with quiescectl and the real quiesced on a private bus: each verb that takes a set's id.
# shellcheck source=tests/bus/ctl-functions.sh
. "$(dirname "$0")/ctl-functions.sh"

start_all
# shellcheck disable=SC2016 # as it stands
odd='before "it", ä; $(x)'
one=$(ctl create -q --name weekly test:one) two=$(ctl create -q --name "$odd" test:two)
snapshot=$(json ".snapshots[] | select(.set == \"$one\").id" list --json)

check "show" is "$one" '.sets[0].id' show --json weekly
check "of a name with odd characters" is "$two" '.sets[0].id' show --json "$odd"
check "several, of ids and names" is "$one $snapshot $two" '.sets[0].id + " " + .snapshots[0].id + " " + .sets[1].id' \
        show --json weekly "$snapshot" "$odd"
check "plot" cmp <(ctl plot weekly) <(ctl plot "$one")
check "which draws something" grep -q '</svg>' <(ctl plot weekly)
check "export" test "$(ctl export weekly | jq -r .set)" = "$one"
check "describe" ctl describe -q weekly --note noted
check "describes it" is noted '.sets[0].note' show --json "$one"
# What the test provider cannot do, or what is mounted nowhere, is told of the set: it was found.
fails "revert" 1 'Provider test, of the snapshot of test:one, cannot do this' ctl revert --no-safety-set weekly
fails "break" 1 'Provider test.*cannot do this' ctl break weekly
fails "exec" 125 'test:one' ctl exec weekly -- true
fails "restore" 1 'test:one|mounted' ctl restore --no-writers weekly
fails "mount, which is of snapshots" 1 'weekly is no snapshot' ctl mount weekly "$work"
fails "release, which is of sessions" 1 'weekly' ctl release weekly
fails "a name that nobody has" 1 'monthly: there is no snapshot, set or session of this id, nor a set of this name' ctl show monthly
fails "a name is not half a name" 1 'nor a set of this name' ctl show week
fails "a name that is no UTF-8 is told of on a terminal as one may" 1 '^quiescectl: a \? \[31m: there is no snapshot' ctl show $'a\n\xff\e[31m'
fails "nor is no name one" 1 "an empty ID was given" ctl delete ""

third=$(ctl create -q --name weekly test:one)
fails "a name that two have" 1 'weekly: 2 sets have this name; give the id' ctl delete weekly
check "both are told" test "$(grep -c -E "($one|$third), of 20[0-9-]+ [0-9:]{8}\$" "$work/failed")" -eq 2
check "and are there" is 3 '.sets | length' list sets --json
check "renamed" ctl describe -q "$third" --name "$one"
check "a name that looks like an id is none" is "$one" '.sets[0].id' show --json "$one"
check "delete" grep -q -x "quiescectl: weekly: 1 snapshot deleted" <(ctl delete weekly 2>&1)
check "deletes it" is "$two $third" '[.sets[].id] | sort_by(. != "'"$two"'") | join(" ")' list sets --json
check "several" ctl delete -q "$odd" "$third"
check "and all are gone" is 0 '.sets | length' list sets --json
[ "$failures" -eq 0 ]
