#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What a user sees of the main verbs, from the first set to the last, good and bad: the whole screen is kept in
# expected/screens, command by command, with ids, times and folders replaced, and columns a space apart.
# shellcheck source=tests/bus/ctl-functions.sh
. "$(dirname "$0")/ctl-functions.sh"

# anonymous: ids are numbered in the order in which they come first; what differs from run to run is named.
anonymous() {
        awk '{
                while (match($0, /[0-9a-f]+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+/)) {
                        id = substr($0, RSTART, RLENGTH)
                        if (!(id in known)) known[id] = "ID" ++n
                        gsub(id, known[id])
                }
                print
        }' | sed -E "s|$work|WORK|g; s/[0-9]+-[0-9]+-[0-9]+[ T][0-9:.]+Z?/TIME/g; s/[0-9.]+ (min [0-9]+ s|min|s|ms|us)\b/DURATION/g
                s/[0-9.]+%/SHARE/g; s/(^| )$(id -un)( |$)/\1USER\2/; s/$(ctl --version | sed -n '1s/.* //p')/VERSION/
                s/ +/ /g; s/ $//"
}
# see VERB…: as a user would
see() {
        local status
        printf '$ quiescectl'
        printf ' %q' "$@"
        echo
        ctl "$@" 2>&1
        status=$?
        [ $status -eq 0 ] || echo "(status $status)"
}
screens() {
        local kind set other snapshot
        see create --name weekly --note 'before the upgrade' --label weekly --label db test:one test:two
        see create --persistent --quiet test:one
        other=$(json '.sets[] | select(.name == null or .name == "") | .id' list sets --json)
        set=$(json '.sets[] | select(.name == "weekly") | .id' list sets --json)
        snapshot=$(json ".snapshots[] | select(.set == \"$other\") | .id" list snapshots --json)
        for kind in snapshots sets writers providers sessions volumes; do
                see list $kind
        done
        see show "$other"
        see show "$snapshot"
        see describe "$other" --note tested --label weekly --lock
        see show --no-pager "$other"
        see delete "$other"
        see describe --unlock "$other"
        see prune --label weekly --keep-last 1 --dry-run
        see storage
        see delete "$snapshot"
        see delete "$snapshot"
        see show "$other"
        see mount "$set" /
        see break "$set"
        see revert "$set"
        see run /proc -- true
        see delete "$set"
        see list
        see create test:none
        see create
        see create /nowhere/at/all
        see frobnicate
}

start_all
export TZ=UTC
screens | anonymous > "$work/screens"
check "the screens" diff -u "$srcdir/tests/bus/expected/screens" "$work/screens"
[ "$failures" -eq 0 ]
