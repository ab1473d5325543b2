# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # what guest has set
#
# The guards, each alone: all volumes of a set are suspended, everybody else who could let them go is switched off, and the
# one that is left must bring the machine back. Sourced by guest.
#
#   deadline   of the hold itself            guard, quiesced stopped
#   watch      the guard's over the hold     hold killed, quiesced stopped
#   quiesced   that lives on                 hold and guard killed; no let-go, no restart
#   let-go     ExecStopPost=                 hold, guard and quiesced killed; no restart
#   restart    recovery at the next start    hold, guard and quiesced killed; no let-go

drop_in=/run/systemd/system/quiesced.service.d/guards.conf

# set_unit LINE…: of quiesced's unit, besides what it has.
set_unit() {
        printf '[Service]\n' > "$drop_in"
        printf '%s\n' "$@" >> "$drop_in"
        must systemctl daemon-reload
}

switch_off_all_but() {
        case $1 in
        deadline) kill_with STOP guard+quiesced ;;
        watch) kill_with STOP quiesced && kill_with KILL hold ;;
        quiesced) kill_with KILL hold+guard ;;
        let-go | restart) kill_with KILL hold+guard+quiesced ;;
        esac
}

# What was stopped goes on, and quiesced is there again.
switch_on() {
        kill_with CONT guard+quiesced
        set_unit
        systemctl -q is-active quiesced.service || must systemctl restart quiesced.service
}

is_suspended() { [ "$(dmsetup info -c --noheadings -o suspended "$1")" = Suspended ]; }

# one_guard GUARD KIND
one_guard() {
        local guard=$1 kind=$2 name="guard $1 $2" place=hold.all-suspended device=one-a problems started=$SECONDS
        [ "$kind" = thick ] || device=two-a
        case $guard in
        let-go) set_unit Restart=no ;;
        restart) set_unit ExecStopPost= ;;
        *) set_unit Restart=no ExecStopPost= ;;
        esac
        mkfifo "$failpoints/$place.stall"
        start_run
        if ! await_place "$place"; then
                not_ok "$name: it was not reached"
                explain < "$test_work/err"
                exit 1
        fi
        check "$name: its volumes are suspended" is_suspended "$device"
        check "$name: the others are switched off" switch_off_all_but "$guard"
        # Who stands at the failpoint stays there: nobody but the guard does anything.
        check "$name: every volume takes writes again" within $((hold_limit + 2)) writable
        release_place
        switch_on
        problems=$(problems_after)
        wait "$run" 2> /dev/null
        [ -z "$problems" ] || { not_ok "$name: nothing is left"; explain <<< "$problems"; exit 1; }
        ok "$name: nothing is left"
        echo "# $((SECONDS - started)) s"
}

# Each with one kind of volumes; with --all, with both.
all_guards() {
        local guard kind=thin kinds
        for guard in deadline watch quiesced let-go restart; do
                kind=$([ "$kind" = thin ] && echo thick || echo thin)
                kinds=$kind
                [ "${QUIESCED_TEST_ALL:-no}" = no ] || kinds="thick thin"
                for kind in $kinds; do one_guard "$guard" "$kind"; done
        done
        rm -f "$drop_in"
        must systemctl daemon-reload
}
