#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Rules and limits for snapshot sets, with the real quiesced on a private bus: what goes after a session, what stays,
# Prune and GetStorage, and quiescectl's verbs for them. Which sets the rules have go is tests/unit/test-keeping.c's.
# shellcheck source=tests/bus/ctl-functions.sh
. "$(dirname "$0")/ctl-functions.sh"

ids() { ctl list sets --json | jq -r '.sets[].id' | sort; }
# has ID…: these sets there are, and no others
has() { [ "$(ids)" = "$(printf '%s\n' "$@" | sort)" ]; }
manager() { busctl "--address=unix:path=$work/bus" --json=short call org.quiesce1 /org/quiesce1 org.quiesce1.Manager "$@"; }
# prune FILTER OPTIONS…: what jq says of the answer
prune() { manager Prune 'a{sv}' "${@:2}" | jq -r ".data[0] | $1"; }
told() { [ "$(prune '[.[] | .set.data + " " + (.removed.data | tostring)] | sort | join(",")' "${@:2}")" = "$1" ]; }

printf '[Space]\nCheckSec=50ms\n[Keep d]\nKeepLast=2\n[Limit test:two]\nMaxCount=1\n' > "$work/quiesced.conf"
start_all
# What sd-bus starts to reach another machine: here it reaches this one's bus.
mkdir "$work/bin"
printf '#!/bin/sh\nexec systemd-stdio-bridge "-p%s"\n' "unix:path=$work/bus" > "$work/bin/ssh"
chmod +x "$work/bin/ssh"
new() { ctl create -q "$@"; }
a=$(new --label d test:one) b=$(new --label d test:one) c=$(new --label d test:one)
check "a rule: the oldest goes" await has "$b" "$c"
check "what is locked is" ctl describe -q "$b" --lock
d=$(new --label d test:one) x=$(new test:one)
check "what is locked stays, as does what has no label" await has "$b" "$c" "$d" "$x"
e=$(new test:two) f=$(new test:two)
check "a limit: the oldest goes" await has "$b" "$c" "$d" "$x" "$f"
check "the journal says why" grep -q "$a.*retention" "$work/quiesced.log"
check "and for the limit" grep -q "$e.*limit-count" "$work/quiesced.log"
check "a dry run tells what would go" told "$c false" 3 dry-run b true label s d keep-last t 1
check "and changes nothing" has "$b" "$c" "$d" "$x" "$f"
check "a given rule removes it" told "$c true" 2 label s d keep-last t 1
check "just that" has "$b" "$d" "$x" "$f"
check "unlocked, it goes by hand" ctl describe -q "$b" --unlock
check "likewise" told "$b true" 2 label s d keep-last t 1
fails "a rule for no label" 1 'not of which label' manager Prune 'a{sv}' 1 keep-last t 1
fails "a label that is none" 1 'is no label' manager Prune 'a{sv}' 2 label s 'a b' keep-last t 1
printf 'delete one fail UnexpectedProviderError it broke\n' > "$work/provider/script"
g=$(new --label d test:one) h=$(new --label d test:one)
check "what cannot be removed is told" await grep -q "$d.*it broke" "$work/quiesced.log"
check "and there" has "$d" "$g" "$h" "$x" "$f"
: > "$work/provider/script"
check "and goes the next time" told "$d true" 0
echo 40 > "$work/provider/full"
check "storage tells of the limit" test "$(manager GetStorage 'a{sv}' 0 |
        jq '.data[0][] | select(.name.data == "test:two") | ."limit-count".data')" = 1

# --- quiescectl prune and storage --------------------------------------------------------------------------------------

# What a user sees of each: the sets' ids and times are not the same twice.
table() { ctl "$@" 2> "$work/stderr" | sed -E -e "s/$g|$h/ID/g" -e 's/20[0-9-]+ [0-9:]{8}/TIME/' -e 's/ +/ /g' -e 's/ $//'; }
check "prune --dry-run prints what would go" test "$(table prune --dry-run --label d --keep-last 1)" = \
        $'SET CREATED REASON BY REMOVED ERROR\nID TIME retention d no'
check "and that it was not done" grep -q -x 'quiescectl: 1 set would go; nothing was deleted' "$work/stderr"
check "nor is it" has "$g" "$h" "$x" "$f"
check "likewise as JSON" is "$g false null" '.removals[] | .set + " " + (.removed | tostring) + " " + (.error | tostring)' \
        prune -q -n -l d --keep-last 1 --json
check "without headings" test "$(ctl prune -q -n -l d --keep-last 1 --no-legend | wc -l)" = 1
check "prune by the configuration finds nothing" grep -q -x 'quiescectl: 0 sets deleted' <(ctl prune 2>&1)
check "the greatest of several counts" test -z "$(ctl prune -q -n -l d --keep-last 1 --keep-daily 1 --keep-monthly 2 --keep-hourly 2 \
        --keep-weekly 1 --no-legend | grep "$h")"
printf 'delete one fail UnexpectedProviderError it broke again\n' > "$work/provider/script"
fails "what cannot be deleted fails it" 1 '0 sets deleted; 1 that is to go could not be' ctl prune --label d --keep-last 1
check "and stands at the set" grep -q 'it broke again' "$work/failed"
check "which is there" has "$g" "$h" "$x" "$f"
: > "$work/provider/script"
check "on another machine it goes" test "$(PATH=$work/bin:$PATH DBUS_SYSTEM_BUS_ADDRESS=none: table prune -H elsewhere --label d --keep-last 1)" = \
        $'SET CREATED REASON BY REMOVED ERROR\nID TIME retention d yes'
check "and that is said" grep -q -x 'quiescectl: 1 set deleted' "$work/stderr"
check "it is gone" has "$h" "$x" "$f"
fails "a number for no label" 1 'not of which --label' ctl prune --keep-last 1
fails "a number that is none" 1 '--keep-daily: 1x is no number' ctl prune --label d --keep-daily 1x
fails "nor 0" 1 '--keep-last: 0 is no number' ctl prune --label d --keep-last 0
fails "nor one below" 1 '--keep-last: -1 is no number' ctl prune --label d --keep-last -1
fails "too many" 1 'more than 10000' ctl prune --label d --keep-last 10001
fails "an argument" 1 "$h: prune takes no argument" ctl prune "$h"
check "storage has a row for each" test "$(ctl storage --json | jq -r '[.storage[] | .kind + " " + .name] | sort | join(",")')" = \
        'volume test:one,volume test:two'
check "with what it has" is '2 2 null' '.storage[] | select(.name == "test:one") | "\(.snapshots) \(.sets) \(."limit-sets")"' storage --json
check "and its limit" is '1 1 1' '.storage[] | select(.name == "test:two") | "\(.snapshots) \(.sets) \(."limit-sets")"' storage --json
check "as a table" grep -q -E '^test:two +volume +1 +1 ' <(ctl storage)
check "without headings, too" awk '/^NAME/ { exit 1 }' <(ctl storage --no-legend)
check "of another machine" grep -q -E '^test:two +volume' <(PATH=$work/bin:$PATH DBUS_SYSTEM_BUS_ADDRESS=none: ctl storage -H elsewhere)
fails "an argument of storage" 1 'storage takes no argument' ctl storage test:two
[ "$failures" -eq 0 ] || sed 's/^/# /' "$work/quiesced.log"
[ "$failures" -eq 0 ]
