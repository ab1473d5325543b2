#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 1800
#
# T12: kill -9 of the requester in each of the seven states of a backup, and inside its calls at twelve points; and of
# quiesced with all that is in its cgroup (C32; at "holding" T28). Nothing stays suspended, frozen, mounted or left over, no
# process of the command is left, the session is released, the slot is free, the writer hears what contract C26 and C32 promise
# it, and the next run gets further than this one, the last to its end.
# Two points of each, all with --all; tests/kill/ has more of them. Arguments: who is killed, and the points.
# shellcheck disable=SC2016,SC2317 # the commands' own shells expand; points are called by name
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/gate-functions.sh
. "$(dirname "$0")/gate-functions.sh"

points=(identify adding prepare-for-backup making prepare-for-snapshot freeze holding thaw post-snapshot command
        backup-complete backup-shutdown)

[ "${QUIESCED_TEST_ALL:-no}" != no ] || [ $# -gt 0 ] || points=(making holding)

set_up() {
        make_gated_volumes
        must systemctl daemon-reload
        make_gate
        must systemctl restart quiesced.service
        out=$test_work/out err=$test_work/err
}

err_says() { grep -q -E -e "$1" "$err"; }
command_processes() { grep -l -s -z -x '4321[0]' /proc/[0-9]*/cmdline; }
no_command() { [ -z "$(command_processes)" ]; }
# The kernel calls it READ; a trial has it alone, for a moment.
lock_is_shared() { grep -q -E "FLOCK +ADVISORY +READ .*:$(stat -c %i "$1") " /proc/locks; }
lock_vg() { exec {vg_lock}> /run/lock/lvm/V_one && flock "$vg_lock"; }
unlock_vg() { exec {vg_lock}>&-; }

# The command takes every way out of its process group that there is, and does not care for signals.
start_run() {
        : > "$err"
        quiescectl run /srv -- sh -c '
                [ -e /run/gate/stay ] || exit 0
                trap "" INT TERM HUP; setsid sleep 43210 & (setsid sh -c "sleep 43210; :" &)
                echo command runs >&2; while :; do sleep 43210; done' > "$out" 2> "$err" &
        run=$!
}

# Points between two events: LVM's own lock stops an lvm command of quiesced's, the pool's device the hold.
reach_adding() {
        await_gate || return
        lock_vg
        open_gate
        await 60 lvm_waits
}
reach_making() { reach_adding; }
reach_freeze() {
        await_gate || return
        "${QUIESCED_BUILD:?}/hold-counter" /srv /srv/db &
        counter=$!
        # Since Linux 6.6 the fsfreeze writer freezes by itself, at the same time: a write waits in the kernel then.
        printf '%s\n' "$(uname -r)" 6.6 | sort -V -C || await 30 grep -q percpu_rwsem_wait "/proc/$counter/wchan"
}
reach_holding() {
        reach_freeze || return
        must dmsetup suspend --noflush --nolockfs pv
        open_gate
        await 30 is_suspended one-srv
}
reach_command() { await 90 err_says '^command runs'; }

# reach POINT: start a run and bring it there.
reach() {
        local event=$1
        case $1 in
        adding) event=identify ;;
        making) event=prepare-for-backup ;;
        holding) event=freeze ;;
        command) event=none; : > "$gate/stay" ;;
        esac
        gate_seen > /dev/null
        set_gate "$event"
        start_run
        case $1 in
        adding | making | freeze | holding | command) "reach_${1//-/_}" ;;
        *) await_gate ;;
        esac
}

stop_counter() {
        kill "$counter"
        timeout 30 tail --pid="$counter" -f /dev/null
}

# What was stopped goes on.
let_go() {
        case $1 in
        adding | making) unlock_vg ;;
        holding) must dmsetup resume pv ;;
        command) ;;
        *) open_gate ;;
        esac
        rm -f "$gate/stay"
}

# What the writer hears in all, as an extended regular expression. An abort also lets the script thaw; one whose process
# is gone is started again to hear the end, and asked who it is first.
expected_events() {
        local who=$1 point=$2 begin='identify' end
        end="backup-shutdown/not-completed/requester-vanished/null"
        [ "$who" = quiescectl ] ||
                end="identify/not-completed/daemon-restarted backup-shutdown/not-completed/daemon-restarted/null"
        case $point in
        # The set's id is known when DoSnapshotSet has ended; the requester's death lets it end.
        post-snapshot) [ "$who" = quiesced ] || end=${end/%null/set} ;;
        command | backup-complete | backup-shutdown) end=${end/%null/set} ;;
        esac
        case $point in
        identify | adding) echo "$begin" ;;
        prepare-for-backup) echo "$begin prepare-for-backup $end" ;;
        making | prepare-for-snapshot)
                [ "$who" = quiesced ] || end="abort/[a-z/-]*( thaw[a-z/-]*| post-snapshot)* $end"
                echo "$begin prepare-for-backup( prepare-for-snapshot)? $end" ;;
        freeze | holding | thaw)
                echo "$begin prepare-for-backup prepare-for-snapshot freeze( thaw[a-z/-]*| abort[a-z/-]*)+ $end" ;;
        post-snapshot | command)
                echo "$begin prepare-for-backup prepare-for-snapshot freeze thaw post-snapshot/devices $end" ;;
        backup-complete)
                end=${end//not-completed/completed}
                echo "$begin prepare-for-backup prepare-for-snapshot freeze thaw post-snapshot/devices backup-complete $end" ;;
        backup-shutdown)
                end=${end//not-completed/completed}
                [ "$who" = quiesced ] || end=backup-shutdown/completed/released/set
                [ "$who" = quiescectl ] || end="backup-shutdown/completed/released/set $end"
                echo "$begin prepare-for-backup prepare-for-snapshot freeze thaw post-snapshot/devices backup-complete $end" ;;
        esac
}

end_of() {
        if [ "$1" = quiescectl ]; then
                kill -KILL "$run"
                wait "$run" 2> /dev/null
        else
                systemctl kill -s KILL quiesced.service
        fi
}

# What quiescectl's end is to be when quiesced dies: not a success, and with the reason. The command is not cut off.
after_quiesced() {
        local status
        if [ "$1" = command ]; then
                await 30 err_says 'session is lost'
                check "quiesced, $1: the command runs on" [ "$(command_processes | wc -l)" -ge 3 ]
                kill -TERM "$run" # it is passed on, and a second one ends the command
                kill -INT "$run"
        fi
        await 60 ended "$run" || kill -KILL "$run"
        wait "$run"
        status=$?
        if [ "$1" = command ]; then # which a signal has ended
                check "quiesced, $1: quiescectl fails (status $status)" [ "$status" -gt 128 ]
        else
                check_equal "quiesced, $1: quiescectl fails" 125 "$status"
        fi
        check_status "quiesced, $1: nobody is told that it is another's session" 1 err_says 'belongs to another'
        check "quiesced, $1: and says why" err_says 'session is lost|disconnected from message bus|quiesced died or was restarted' || explain < "$err"
}

kill_at() {
        local who=$1 point=$2 name="$1, $2" settled started=$SECONDS
        [ "$who" = quiesced ] || name="T12: $name"
        [ "$who/$point" != quiesced/holding ] || name="T28: $name"
        counter='' heard=''
        if ! reach "$point"; then
                not_ok "$name: the point is reached"
                { cat "$err"; journalctl -q -n 30 -o short-monotonic -u quiesced.service; } | explain
        fi
        # lvm waits for its group's lock, and has closed all that it inherited.
        [ "$point" != making ] ||
                check "$name: no trial meets lvm's freeze" lock_is_shared /run/quiesced/trial.lock
        end_of "$who"
        [ "$who/$point" != quiesced/holding ] ||
                check "$name: what the disks that answer carry takes writes again" within 30 probe_write /srv
        let_go "$point"
        [ "$who" = quiescectl ] || after_quiesced "$point"
        check "$name: the session is released" await 60 no_session
        check "$name: the writer hears what it must" await 60 has_heard "$(expected_events "$who" "$point")" ||
                echo "# it has heard:$heard"
        settled=$heard
        check "$name: the snapshots go" await 60 no_snapshot
        check "$name: no process of the command is left" await 10 no_command
        [ -z "$counter" ] || check "$name: the write that was held is done" stop_counter
        outside_check "$name: nothing is left"
        [ "$who" = quiesced ] || check "$name: the slot is free" slot_is_free
        heard+=$(gate_seen)
        check_equal "$name: the writer hears no more" "$settled" "$heard"
        echo "# $((SECONDS - started)) s"
}

slot_is_free() { printf '%s\n' OpenBackup 'SetContext nas-rollback' StartSnapshotSet Release | quiesce-test-requester --script=-; }

# --- T12, the states (contract C4): a requester that kills itself when it has got there --------------------------------

states=(initialised gathered open prepared creating created completed)

# steps_to STATE: a requester's calls up to there.
steps_to() {
        echo OpenBackup
        [ "$1" != initialised ] || return
        echo GatherWriterMetadata
        [ "$1" != gathered ] || return
        printf '%s\n' StartSnapshotSet 'AddToSnapshotSet /srv' 'AddToSnapshotSet /srv/db'
        [ "$1" != open ] || return
        echo PrepareForBackup
        [ "$1" != prepared ] || return
        if [ "$1" = creating ]; then
                printf '%s\n' 'DoSnapshotSet &' "wait $gate/told"
                return
        fi
        echo DoSnapshotSet
        [ "$1" != created ] || return
        echo BackupComplete
}

expected_in_state() {
        local vanished=requester-vanished begin='identify prepare-for-backup' made='prepare-for-snapshot freeze thaw post-snapshot/devices'
        case $1 in
        initialised) ;;
        gathered | open) echo identify ;;
        prepared) echo "$begin backup-shutdown/not-completed/$vanished/null" ;;
        creating) echo "$begin prepare-for-snapshot freeze( thaw[a-z/-]*| abort[a-z/-]*)+ backup-shutdown/not-completed/$vanished/null" ;;
        created) echo "$begin $made backup-shutdown/not-completed/$vanished/set" ;;
        completed) echo "$begin $made backup-complete backup-shutdown/completed/$vanished/set" ;;
        esac
}

die_in() {
        local state=$1 name="T12: killed when $1" settled
        heard=''
        gate_seen > /dev/null
        set_gate "$([ "$state" = creating ] && echo freeze || echo none)"
        { steps_to "$state"; echo die; } > "$test_work/steps"
        check_status "$name: it gets there" 137 within 120 quiesce-test-requester --script="$test_work/steps"
        [ "$state" != creating ] || open_gate
        check "$name: the session is released" await 60 no_session
        check "$name: the slot is free" slot_is_free
        check "$name: the writer hears what it must" await 60 has_heard "$(expected_in_state "$state")" ||
                echo "# it has heard:$heard"
        settled=$heard
        check "$name: no snapshot is left" await 60 no_snapshot
        outside_check "$name: no LV is left, nothing suspended"
        heard+=$(gate_seen)
        check_equal "$name: the writer hears no more" "$settled" "$heard"
}

set_up
outside_baseline
who=(states quiescectl quiesced)
if [ $# -gt 0 ]; then
        who=("$1")
        shift
        [ $# -eq 0 ] || points=("$@")
fi
for killed in "${who[@]}"; do
        if [ "$killed" = states ]; then
                for state in "${states[@]}"; do die_in "$state"; done
        else
                for point in "${points[@]}"; do kill_at "$killed" "$point"; done
                set_gate none
        fi
done
check "after all that a run ends well" within 120 quiescectl run -q /srv -- true
outside_check "at the end nothing is left"
remove_gate
remove_gated_volumes
finish
