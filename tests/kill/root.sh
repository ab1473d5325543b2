# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # what guest has set
#
# The root file system is frozen, and everybody is dead who was to thaw it: quiesced, the hold, its guard and the writer that
# froze it. Then PID 1 starts quiesced-let-go, or quiesced anew, from that very file system. On a machine that boots from an LV
# (--root-lv). Sourced by guest; needs guards.sh.

# Frozen is what cannot be frozen.
is_frozen() { ! fsfreeze -f "$1" 2> /dev/null || { fsfreeze -u "$1"; false; }; }

start_freeze() {
        local line=''
        rm -f "$test_work/frozen"
        must mkfifo "$test_work/frozen"
        quiescectl freeze --foreground / > "$test_work/frozen" 2> "$test_work/err" &
        run=$!
        exec {frozen}< "$test_work/frozen"
        read -r -t 60 _ <&"$frozen"
        read -r -t 60 line <&"$frozen"
        exec {frozen}<&-
        [ "$line" = frozen ]
}

# one_root GUARD
one_root() {
        local guard=$1 name="guard $1, the root frozen" problems
        if [ "$guard" = let-go ]; then set_unit Restart=no; else set_unit ExecStopPost=; fi
        if ! start_freeze; then
                not_ok "$name: it was not frozen"
                explain < "$test_work/err"
                exit 1
        fi
        check "$name: it is frozen" is_frozen /
        check "$name: the others are switched off" kill_with KILL hold+guard+writer+quiesced
        check "$name: it takes writes again" within $((hold_limit + 2)) probe_write /
        timeout 60 tail --pid="$run" -f /dev/null
        set_unit
        systemctl -q is-active quiesced.service || must systemctl restart quiesced.service
        problems=$(outside_problems)
        [ -z "$problems" ] || { not_ok "$name: nothing is left"; explain <<< "$problems"; exit 1; }
        ok "$name: nothing is left"
}

all_roots() {
        local guard
        for guard in let-go restart; do one_root "$guard"; done
        rm -f "$drop_in"
        must systemctl daemon-reload
}
