#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Rules and limits for snapshot sets, with the real quiesced on a private bus: what goes after a session, what stays, and
# Prune. Which sets the rules have go is tests/unit/test-keeping.c's.
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
[ "$failures" -eq 0 ] || sed 's/^/# /' "$work/quiesced.log"
[ "$failures" -eq 0 ]
