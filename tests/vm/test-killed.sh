#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 1800
#
# kill -9 of quiescectl, and of quiesced with all that is in its cgroup, at twelve points of a backup each: nothing stays
# suspended, frozen, mounted or left over, no process of the command is left, the session is released, the writer hears
# what contract C26 and C32 promise it, and the next run gets further than this one, the last to its end.
# Three points of each, all with --all. Arguments: who is killed, and the points.
# shellcheck disable=SC2016,SC2317 # the commands' own shells expand; points are called by name
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/gate-functions.sh
. "$(dirname "$0")/gate-functions.sh"

points=(identify adding prepare-for-backup making prepare-for-snapshot freeze holding thaw post-snapshot command
        backup-complete backup-shutdown)

[ "${QUIESCED_TEST_ALL:-no}" != no ] || [ $# -gt 0 ] || points=(making holding command)

# The pool lies on a device that can be made to answer nothing.
set_up() {
        must dmsetup create pv --table "0 $(($(blockdev --getsz /dev/vdc) - 2048)) linear /dev/vdc 2048"
        make_vg one /dev/vdb
        make_vg two /dev/mapper/pv
        make_thick one srv 300M
        make_pool two pool 800M
        make_thin two pool db 400M
        make_fs ext4 /dev/one/srv /srv
        must mkdir -p /srv/db
        make_fs xfs /dev/two/db /srv/db
        must systemctl daemon-reload
        make_gate
        must systemctl restart quiesced.service
        out=$test_work/out err=$test_work/err
}

# await SECONDS COMMAND…: until the command succeeds.
await() {
        local end=$((SECONDS + $1))
        shift
        until "$@" > /dev/null 2>&1; do
                [ "$SECONDS" -lt "$end" ] || return 1
                read -r -t 0.1 <> <(:)
        done
        return 0
}

err_says() { grep -q -E -e "$1" "$err"; }
no_session() { [ -z "$(quiescectl list sessions --no-legend)" ]; }
command_processes() { grep -l -s -z -x '4321[0]' /proc/[0-9]*/cmdline; }
no_command() { [ -z "$(command_processes)" ]; }
is_suspended() { [ "$(dmsetup info -c --noheadings -o suspended "$1")" = Suspended ]; }
# Also those that quiesced removes after it was started again; it is done when no lvm of its is left.
no_snapshot() {
        local pid
        pid=$(systemctl show -P MainPID quiesced.service)
        [ -z "$(< "/proc/$pid/task/$pid/children")" ] && [ -z "$(lvs --noheadings -o lv_name -S 'lv_name=~^quiesced_')" ] &&
                [ -z "$(< "/proc/$pid/task/$pid/children")" ]
}
has_heard() {
        heard+=$(gate_seen)
        grep -q -x -E " $1" <<< "$heard"
}
# The kernel shows who waits for a lock as "-> FLOCK".
lvm_waits() { grep -q -e '-> FLOCK' /proc/locks; }
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
        end="backup-shutdown/not-completed/requester-vanished"
        [ "$who" = quiescectl ] || end="identify/not-completed/daemon-restarted backup-shutdown/not-completed/daemon-restarted"
        case $point in
        identify | adding) echo "$begin" ;;
        prepare-for-backup) echo "$begin prepare-for-backup $end" ;;
        making | prepare-for-snapshot)
                [ "$who" = quiesced ] || end="abort/[a-z/-]*( thaw[a-z/-]*| post-snapshot)* $end"
                echo "$begin prepare-for-backup( prepare-for-snapshot)? $end" ;;
        freeze | holding | thaw)
                echo "$begin prepare-for-backup prepare-for-snapshot freeze( thaw[a-z/-]*| abort[a-z/-]*)+ $end" ;;
        post-snapshot | command)
                echo "$begin prepare-for-backup prepare-for-snapshot freeze thaw post-snapshot $end" ;;
        backup-complete)
                end=${end//not-completed/completed}
                echo "$begin prepare-for-backup prepare-for-snapshot freeze thaw post-snapshot backup-complete $end" ;;
        backup-shutdown)
                end=${end//not-completed/completed}
                [ "$who" = quiesced ] || end=backup-shutdown/completed/released
                [ "$who" = quiescectl ] || end="backup-shutdown/completed/released $end"
                echo "$begin prepare-for-backup prepare-for-snapshot freeze thaw post-snapshot backup-complete $end" ;;
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
        await 60 run_ended || kill -KILL "$run"
        wait "$run"
        status=$?
        if [ "$1" = command ]; then # which a signal has ended
                check "quiesced, $1: quiescectl fails (status $status)" [ "$status" -gt 128 ]
        else
                check_equal "quiesced, $1: quiescectl fails" 125 "$status"
        fi
        check_status "quiesced, $1: nobody is told that it is another's session" 1 err_says 'belongs to another'
        check "quiesced, $1: and says why" err_says 'session is lost|disconnected from message bus' || explain < "$err"
}
run_ended() { ! grep -q '^State:.[^Z]' "/proc/$run/status"; }

kill_at() {
        local who=$1 point=$2 name="$1, $2" settled started=$SECONDS
        counter='' heard=''
        if ! reach "$point"; then
                not_ok "$name: the point is reached"
                { cat "$err"; journalctl -q -n 30 -o short-monotonic -u quiesced.service; } | explain
        fi
        end_of "$who"
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
        heard+=$(gate_seen)
        check_equal "$name: the writer hears no more" "$settled" "$heard"
        echo "# $((SECONDS - started)) s"
}

set_up
outside_baseline
who=(quiescectl quiesced)
if [ $# -gt 0 ]; then
        who=("$1")
        shift
        [ $# -eq 0 ] || points=("$@")
fi
for killed in "${who[@]}"; do
        for point in "${points[@]}"; do kill_at "$killed" "$point"; done
        set_gate none
        check "$killed: after all that a run ends well" within 120 quiescectl run -q /srv -- true
done
outside_check "at the end nothing is left"
remove_gate
must umount /srv/db /srv
clean_disks
must dmsetup remove pv
finish
