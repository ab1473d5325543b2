#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# How quiescectl looks: colours and pager on a terminal and elsewhere, completion in bash and zsh of every verb and option
# that --help tells of, and JSON as quiescectl-json(5) documents it.
# shellcheck source=tests/bus/ctl-functions.sh
. "$(dirname "$0")/ctl-functions.sh"
unset NO_COLOR SYSTEMD_COLORS QUIESCE_COLORS SYSTEMD_PAGER QUIESCE_PAGER PAGER

start_all
escape=$'\033'
# on_terminal [NAME=VALUE…] VERB…: what a terminal gets
on_terminal() { script -qec "env TERM=xterm $(printf '%q ' "$@")" /dev/null < /dev/null | tr -d '\r'; }
quiescectl=$build/quiescectl
has_colors() { grep -q -F "${escape}[$1m" "$work/screen"; }
no_colors() { ! grep -q -F "$escape" "$work/screen"; }
paged() { grep -q '^paged:' "$work/screen"; }
not_paged() { ! paged; }
pager="QUIESCE_PAGER=sed s/^/paged:/"

set=$(ctl create --quiet test:one)
ctl list sets > "$work/screen"
check "elsewhere than on a terminal there are no colours" no_colors
SYSTEMD_COLORS=1 ctl list sets > "$work/screen"
check "unless asked for" has_colors 32
QUIESCE_COLORS=0 SYSTEMD_COLORS=1 ctl list sets > "$work/screen"
check "QUIESCE_COLORS comes first" no_colors
on_terminal "$pager" "$quiescectl" list sets > "$work/screen"
check "on a terminal what is good is green" has_colors 32
check "and all of it goes through the pager" paged
check "the whole table does" test "$(grep -c '^paged:' "$work/screen")" -eq 2
on_terminal "$pager" NO_COLOR=1 "$quiescectl" list sets > "$work/screen"
check "NO_COLOR is heard" no_colors
on_terminal "$pager" TERM=dumb "$quiescectl" list sets > "$work/screen"
check "a dumb terminal has no colours" no_colors
check "and no pager" not_paged
on_terminal "$pager" "$quiescectl" list --no-pager sets > "$work/screen"
check "--no-pager is none" not_paged
on_terminal QUIESCE_PAGER= "$quiescectl" list sets > "$work/screen"
check "an empty variable is none" grep -q "$set" "$work/screen"
on_terminal "SYSTEMD_PAGER=sed s/^/paged:/" "$quiescectl" show "$set" > "$work/screen"
check "systemd's variable counts" paged
on_terminal "PAGER=sed s/^/paged:/" "$quiescectl" explain timeout > "$work/screen"
check "PAGER, too" paged
on_terminal "$pager" "$quiescectl" doctor > "$work/screen"
check "the doctor is paged" paged
on_terminal "$pager" "$quiescectl" storage > "$work/screen"
check "storage is, too" paged
on_terminal "$pager" "$quiescectl" list --json sets > "$work/screen"
check "JSON is not" not_paged
check "nor coloured" no_colors
on_terminal 'QUIESCE_PAGER=true' "$quiescectl" explain > "$work/screen"
check "who leaves the pager early has made no error" test ! -s "$work/screen"
on_terminal 'QUIESCE_PAGER=env' "$quiescectl" list sets > "$work/screen"
check "less is told how to be" grep -q '^LESS=FRSXMK' "$work/screen"

# --- completion --------------------------------------------------------------------------------------------------------

# Verbs of the program, and options of a verb.
verbs() { ctl --help | sed -n '/^Verbs:/,/^$/s/^ \([a-z][a-z-]*\) .*/\1/p'; }
options_of() { ctl "$1" --help | sed -n -E 's/^ +(-[A-Za-z], )?(--[a-z-]+).*/\2/p' | sort -u; }
# What bash offers.
# shellcheck source=ctl/completion/quiescectl
. "$srcdir/ctl/completion/quiescectl"
quiescectl() { "$build/quiescectl" "$@"; }
bash_offers() {
        COMP_WORDS=(quiescectl "$@")
        COMP_CWORD=$#
        _quiescectl
        printf '%s\n' "${COMPREPLY[@]}"
}
check "there are verbs" test "$(verbs | wc -l)" -gt 15
for verb in $(verbs); do
        check "bash completes $verb" grep -q -x "$verb" <(bash_offers "$verb")
        for option in $(options_of "$verb"); do
                check "bash completes $verb $option" grep -q -x -e "$option" <(bash_offers "$verb" "$option")
        done
done
check "bash completes ids" grep -q "$set" <(bash_offers delete "${set:0:4}")
if command -v zsh > /dev/null; then
        # What zsh reads from --help, as it stands in the completion's own functions.
        zsh_says() { PATH=$work/zsh:$PATH QUIESCECTL_COMPLETION_TEST=1 zsh -f -c ". '$srcdir/ctl/completion/_quiescectl'; $1"; }
        mkdir "$work/zsh"
        ln -s "$build/quiescectl" "$work/zsh/quiescectl"
        zsh_says _quiescectl_verbs > "$work/verbs"
        for verb in $(verbs); do
                check "zsh completes $verb" grep -q "^$verb:." "$work/verbs"
                zsh_says "_quiescectl_options $verb" > "$work/options"
                for option in $(options_of "$verb"); do
                        check "zsh completes $verb $option" grep -q -E -e "^\*$option(=?\[|\[)" "$work/options"
                done
        done
        check "zsh knows that an option takes a value" grep -q -e '^\*--host=\[.*:_quiescectl_value --host' <(zsh_says "_quiescectl_options list")
        check "zsh completes ids" grep -q "$set" <(zsh_says "_quiescectl_ids sets")
fi

# --- JSON --------------------------------------------------------------------------------------------------------------

# The page's sections are named after the arrays; a member is a line "*name*" in it.
documented() { sed -n "/^## $1\$/,/^#/p" "$srcdir/man/quiescectl-json.5.scd" | grep '^\*' | grep -o '\*[a-z%-]*\*' | tr -d '*' | sort -u; }
# is_documented ARRAY COMMAND…: its members are those of the page, no more and no fewer
is_documented() { diff <(documented "$1") <(ctl "${@:2}" | jq -r ".\"$1\"[] | keys[]" | sort -u); }
snapshot=$(json '.snapshots[0].id' list --json)
for kind in snapshots sets writers providers; do
        check "$kind are as documented" is_documented "$kind" list --json $kind
done
check "a set that is shown has no member that is not documented" \
        test -z "$(comm -13 <(documented sets) <(ctl show --json "$set" | jq -r '.sets[] | keys[]' | grep -v -x timeline | sort -u))"
check "a snapshot that is shown, too" \
        test -z "$(comm -13 <(documented snapshots) <(ctl show --json "$snapshot" | jq -r '.snapshots[] | keys[]' | sort -u))"
ctl create --quiet --label pruned test:one > "$work/old"
ctl create --quiet --label pruned test:one > "$work/new"
check "removals are as documented" is_documented removals prune --dry-run --label pruned --keep-last 1 --json
check "storage is as documented" is_documented storage storage --json
check "explanations are as documented" is_documented explanations explain --json
check "findings are as documented" is_documented findings doctor --json
check "log levels are as documented" is_documented log-levels log-level --json
for listing in "list snapshots" "list sets" "show $set" explain doctor log-level storage "prune -q --dry-run"; do
        # shellcheck disable=SC2086 # words
        check "$listing has a version" test "$(ctl $listing --json | jq .version)" = 1
done
check "each column is documented, and each that is documented is one" diff \
        <(for kind in snapshots sets writers providers sessions volumes; do documented $kind; done | sort -u) \
        <(grep -o '{"[A-Z%-]*", "' "$srcdir/ctl/kinds.c" | sed 's/[{" ,]//g' | tr '[:upper:]' '[:lower:]' | sort -u)
[ "$failures" -eq 0 ]
