#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 1200
#
# quiescectl run, the main job: what the command sees where, how it ends and with what status, and that nothing is left;
# test-refused.sh has what it cannot do, test-killed.sh who is killed when. Arguments: the parts to run (view, places …).
# On /srv an ext4 on a thick LV, on /srv/db an xfs on a thin one, on /srv/disk an ext4 on no LV.
# shellcheck disable=SC2016,SC2317 # the commands' own shells expand; parts are called by name
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

set_up() {
        make_vg vg /dev/vdb
        make_thick vg mail 400M
        make_pool vg pool 800M
        make_thin vg pool db 400M
        make_fs ext4 /dev/vg/mail /srv
        must mkdir -p /srv/db /srv/disk /srv/cache /srv/sub/deep /srv/keep
        make_fs xfs /dev/vg/db /srv/db
        make_fs ext4 /dev/vdc /srv/disk
        must mount -t tmpfs cache /srv/cache
        for directory in /srv /srv/db /srv/disk /srv/cache /srv/sub/deep /srv/keep; do
                echo old > $directory/file
        done
        must systemctl start quiesced.service
        out=$test_work/out err=$test_work/err
}

# run OPTION…: quiescectl run with a deadline, its outputs in files.
run() { timeout --foreground 120 quiescectl run "$@" > "$out" 2> "$err"; }
show_outputs() { { cat "$out"; sed 's/^/stderr: /' "$err"; } | explain; }

# run_status NAME STATUS OPTION…
run_status() {
        local name=$1 expected=$2 status
        shift 2
        run "$@"
        status=$?
        check_equal "$name" "$expected" "$status" || show_outputs
}
out_has() { check "$1" grep -q -x -e "$2" "$out" || show_outputs; }
err_has() { check "$1" grep -q -E -e "$2" "$err" || show_outputs; }

# --- what is seen ---------------------------------------------------------------------------------------------------

test_view() {
        run_status "a command on snapshots ends well" 0 /srv -- sh -c '
                echo "main $(cat /srv/file) db $(cat /srv/db/file) disk $(cat /srv/disk/file)"
                touch /srv/new 2> /dev/null || echo ro /srv
                touch /srv/db/new 2> /dev/null || echo ro /srv/db
                touch /srv/disk/new /srv/cache/new /run/run-new && echo live
                echo "$QUIESCE_SESSION $QUIESCE_SET $QUIESCE_INSTANT"
                echo "in $(pwd)"'
        out_has "it sees all that is mounted" "main old db old disk old"
        out_has "the volume is read-only" "ro /srv"
        out_has "the volume mounted below it, too" "ro /srv/db"
        out_has "what cannot join is live and writable" live
        out_has "the environment tells session, set and instant" \
                '[0-9a-f-]\{36\} [0-9a-f-]\{36\} 20[0-9][0-9]-[0-9-]*T[0-9:]*\.[0-9]\{6\}Z'
        out_has "the working directory is where it was" "in $(pwd)"
        err_has "what stays live is named with its reason" '/srv/disk stays live .*: .'
        err_has "it tells how long all held still" 'writers were frozen for .*writes were held for'
        check_equal "T26: with the session its snapshots go" "" "$(lvs --noheadings -o lv_name -S 'lv_name=~^quiesced_')"
        check "what was written live is there" test -e /srv/disk/new -a -e /srv/cache/new -a -e /run/run-new
}

# The command waits in its view while the live volumes change.
test_instant() {
        local pid status before
        mkfifo "$test_work/go"
        before=$(list_mounts)
        quiescectl run /srv -- sh -c 'echo ready; read -r go < "$1"; cat /srv/late /srv/db/late' - "$test_work/go" \
                > "$out" 2> "$err" &
        pid=$!
        await_line "$out" '^ready' "$pid"
        echo late > /srv/late
        echo late > /srv/db/late
        check_equal "no mount of it is seen on the host" "$before" "$(list_mounts)"
        echo go > "$test_work/go"
        wait "$pid"
        status=$?
        check_equal "what came after the instant is not in it" 1 "$status"
        check_equal "not a line of it" ready "$(< "$out")"
}

test_places() {
        cd /srv/sub/deep || return
        run_status "subdirectories and files are paths, too" 0 /srv/sub /srv/keep/file -- sh -c '
                cat file /srv/keep/file; touch x 2> /dev/null || echo cwd is ro
                touch /srv/sub/new 2> /dev/null || echo ro; touch /srv/live-file && echo rest is live'
        out_has "they are read-only" ro
        out_has "the rest of the volume is live" "rest is live"
        out_has "the working directory may lie in a snapshot, and is its then" "cwd is ro"
        cd / || return
        run_status "--live" 0 --live /srv/keep --live /srv/db /srv -- sh -c '
                touch /srv/keep/x /srv/db/x && echo live; touch /srv/x 2> /dev/null || echo ro'
        out_has "keeps its path live" live
        out_has "and the rest is not" ro
        mkdir -p /mnt/snapshots
        run_status "--mount" 0 --mount /mnt/snapshots /srv/sub /srv/db -- sh -c '
                cat /mnt/snapshots/srv/sub/deep/file /mnt/snapshots/srv/db/file
                touch /mnt/snapshots/srv/db/x 2> /dev/null || echo ro; touch /srv/db/y && echo live'
        out_has "shows them below its directory, read-only" ro
        out_has "and all else as it is" live
        [ "${QUIESCED_TEST_ALL:-no}" != no ] || return
        run_status "--one-file-system" 0 -x /srv -- sh -c '
                touch /srv/db/x && echo live; touch /srv/x 2> /dev/null || echo ro'
        out_has "leaves what is mounted below live" live
}

# Whatever bytes a path has, and however it is written.
test_paths() {
        local odd=$'/srv/keep/odd \n\xff'
        must mkdir "$odd"
        must mount --bind /srv/db "$odd"
        run_status "a mount point may have any name" 0 "$odd" -- sh -c '
                cat "$1/file"; touch "$1/x" 2> /dev/null || echo ro; touch /srv/keep/live && echo live' - "$odd"
        out_has "it shows the snapshot" old
        out_has "read-only" ro
        out_has "and all else is live" live
        check "it hides no volume" grep -q '^vg/db .*/srv/db' <(quiescectl list volumes)
        must umount "$odd"
        must ln -s /srv/sub /srv/keep/link
        cd /srv/keep || return
        run_status "links, relative paths, twice the same and one inside another are paths" 0 \
                link/ ../sub ./link/deep ./file //srv//sub/. -- sh -c '
                cat link/deep/file file; touch link/x file 2> /dev/null || echo ro; touch live && echo live'
        out_has "they show the snapshot" old
        out_has "read-only all of them" ro
        out_has "and the rest is live" live
        cd / || return
        run_status "a link to nowhere" 125 /srv/keep/nowhere -- true
        err_has "is named" '/srv/keep/nowhere: No such file'
}

show_set() { quiescectl show --json "$1" | jq -c '.sets[0] | [.id, .state, .persistent, .consistency, (.snapshots | sort)]'; }

# What stays for later: create, mount, umount, delete.
test_mount() {
        local set snapshots=() shown holder device asked deleting opened
        set=$(quiescectl create --quiet /srv /srv/db)
        mapfile -t snapshots < <(quiescectl show --json "$set" | jq -r '.sets[0].snapshots[]')
        mkdir -p /mnt/look
        check "a snapshot is mounted" quiescectl mount "${snapshots[0]}" /mnt/look
        check_equal "on the host, and can be read" old "$(cat /mnt/look/file)"
        check "it is unmounted" quiescectl umount "${snapshots[0]}"
        check_equal "and gone from the host" "" "$(findmnt -rn -o TARGET /mnt/look)"
        check "it is mounted anew" quiescectl mount "${snapshots[0]}" /mnt/look
        shown=$(show_set "$set")
        must systemctl restart quiesced.service
        check "T26: a persistent set reappears when quiesced was started again" quiescectl show "$set"
        check_equal "T26: with both snapshots, as it was" "$shown" "$(show_set "$set")"
        check_equal "T26: and their content" old "$(cat /mnt/look/file)"
        check "it is unmounted by its directory" quiescectl umount /mnt/look
        check_equal "and gone from the host, too" "" "$(findmnt -rn -o TARGET /mnt/look)"
        # LVM tells of them in the order of their names, which are their ids: that is the set's order since the restart.
        mapfile -t snapshots < <(quiescectl show --json "$set" | jq -r '.sets[0].snapshots[]')
        check "it is mounted once more" quiescectl mount "${snapshots[0]}" /mnt/look
        # The first one goes, with its mount, and the second is in use.
        device=$(lvs --noheadings -o lv_path -S "lv_name=quiesced_${snapshots[1]//-/}" vg)
        tail -f /dev/null < "${device// /}" &
        holder=$!
        check_fails "what is mounted is not deleted unasked" \
                "^quiescectl: $set: Snapshot ${snapshots[0]} of vg/(db|mail) is mounted; unmount it first" quiescectl delete "$set"
        check_fails "nor what is in use, and who has it open is named" \
                "Snapshot ${snapshots[1]} of vg/(db|mail) is in use by tail \(pid $holder\); end that first. Or delete it by force" \
                quiescectl delete "${snapshots[1]}"
        check_equal "both are there" 2 "$(quiescectl show --json "$set" | jq '.sets[0].snapshots | length')"
        check_fails "T25: the deletion stops at a snapshot that is in use, and says which" \
                "1 of 2 snapshots deleted; ${snapshots[1]} of vg/(db|mail) is not: .*tail" quiescectl delete --force "$set"
        check_equal "what was deleted is mounted no more" "" "$(findmnt -rn -o TARGET /mnt/look)"
        check_equal "T25: that one is left" "${snapshots[1]}" "$(quiescectl show --json "$set" | jq -r '.sets[0].snapshots[]')"
        kill "$holder"
        check "T25: then it goes" quiescectl delete --quiet "$set"
        outside_check "T25, T26: nothing is left"
        # As udev has it open for a moment: whoever deletes it then is not refused. The call is with quiesced when the bus
        # has carried it.
        set=$(quiescectl create -q /srv/db)
        device=$(lvs --noheadings -o lv_path -S "lv_name=~^quiesced_" vg)
        asked=$test_work/asked
        stdbuf -oL busctl --system monitor org.quiesce1 > "$asked" 2> "$test_work/following" &
        holder=$!
        await 30 test -s "$test_work/following"
        exec {opened}< "${device// /}"
        quiescectl delete -q "$set" {opened}<&- > "$test_work/deleted" 2>&1 &
        deleting=$!
        await 30 grep -q Member=DeleteSnapshots "$asked"
        exec {opened}<&-
        check "what was open for a moment is deleted" wait "$deleting" || explain < "$test_work/deleted"
        kill "$holder"
        outside_check "and is gone"
}

test_user() {
        echo 'polkit.addRule(function(action, subject) {
                if (action.id == "org.quiesce1.backup" && subject.user == "nobody") return polkit.Result.YES; });' \
                > /etc/polkit-1/rules.d/10-test-run.rules
        must systemctl restart polkit.service
        timeout 120 setpriv --reuid=nobody --regid=nogroup --clear-groups quiescectl run /srv -- sh -c '
                echo "$(id -un) $(cat /srv/db/file)"; touch /srv/x 2> /dev/null || echo no; : > "$1" && echo live' - \
                "$(mktemp -u -p /var/tmp)" > "$out" 2> "$err"
        check_equal "an ordinary user may, where policy lets him" 0 $? || show_outputs
        out_has "he stays who he is, and sees the snapshot" "nobody old"
        out_has "all else is live" live
        rm /etc/polkit-1/rules.d/10-test-run.rules
        must systemctl restart polkit.service
        timeout 120 setpriv --reuid=nobody --regid=nogroup --clear-groups quiescectl run /srv -- true > "$out" 2> "$err"
        check_equal "but not where it does not" 125 $?
}

# --- how it ends ----------------------------------------------------------------------------------------------------

test_status() {
        run_status "the command's status is ours" 3 /srv/db -- sh -c 'exit 3'
        err_has "and means that the backup is not complete" 'ended with 3 .*backup not complete'
        run_status "--success-status" 3 --success-status=0,3 /srv/db -- sh -c 'exit 3'
        err_has "makes it a success" 'ended with 3 .*backup complete'
        run_status "a command that is not there" 127 /srv/db -- /nonexistent
        run_status "a command that is none" 126 /srv/db -- /etc/passwd
        run_status "a command that a signal ends" 143 /srv/db -- sh -c 'kill -TERM $$'
        run_status "a path on no logical volume" 125 /srv/disk -- true
        err_has "is named, with what to do" '/srv/disk.*(ext4|LVM)'
        run_status "a path that is none" 125 /srv/nothing -- true
        run_status "--quiet, --ignore-writer, and a command that leaves processes behind" 0 -q --ignore-writer=nobody-knows \
                /srv/db -- sh -c 'setsid sleep 4321 & exit 0'
        check_equal "takes them along" "" "$(pgrep -f 'sleep 4321')"
        check_equal "and says nothing" "" "$(< "$err")"
}

# At a terminal: progress is drawn, and a Ctrl-C reaches the command once, not twice.
test_terminal() {
        local pid keys status
        mkfifo "$test_work/keys" "$test_work/continue"
        : > "$test_work/signals"
        SHELL=/bin/sh env --default-signal=INT script -q -e -c "exec quiescectl run /srv/db -- sh -c '
                trap \"echo INT >> $test_work/signals\" INT; echo ready; sleep 4321
                read -r go < $test_work/continue; exit 3'" /dev/null < "$test_work/keys" > "$out" &
        pid=$!
        exec {keys}> "$test_work/keys"
        await_line "$out" 'ready' "$pid"
        printf '\003' >&"$keys"
        await_line "$out" 'SIGINT: waiting for the command to end' "$pid"
        check "Ctrl-C: the command goes on" timeout 60 sh -c 'echo go > "$1"' - "$test_work/continue"
        wait "$pid"
        status=$?
        exec {keys}>&-
        check_equal "Ctrl-C: the command's status is ours" 3 "$status" || explain < "$out"
        check_equal "Ctrl-C: the command gets it once" INT "$(< "$test_work/signals")"
        check "on a terminal progress is drawn over" grep -q $'\r\033\\[Kquiescectl: gathering writers' "$out"
        outside_check "Ctrl-C: nothing is left"
}

# Descendants of every kind, and neither quiescectl nor its reaper has a moment to see the other's end.
test_contained() {
        local pid reaper left
        : > "$err"
        quiescectl run -q /srv/db -- sh -c '
                setsid sleep 4321 &
                (setsid sh -c "sleep 4321; :" &)
                (setsid sh -c "trap \"\" TERM HUP INT; sleep 4321 & wait; sleep 4321" &)
                (setsid sh -c "kill -STOP \$\$; : sleep 4321" &)
                echo command runs >&2; sleep 4321' > "$out" 2> "$err" &
        pid=$!
        await_line "$err" 'command runs' "$pid"
        reaper=$(pgrep -x quiesce-reaper)
        check "a reaper watches over the command" kill -STOP "$pid" "$reaper"
        kill -KILL "$pid" "$reaper"
        wait "$pid" 2> /dev/null
        for left in $(pgrep -x backup-guard) $(pgrep -f 'sleep 4321'); do
                timeout 30 tail --pid="$left" -f /dev/null
        done
        check_equal "killed with quiescectl at one moment: no process of the command is left" "" "$(pgrep -f 'sleep 4321')"
        check "killed with quiescectl at one moment: the session is released" await_release
        outside_check "killed with quiescectl at one moment: nothing is left"
}

test_busy() {
        local pid
        mkfifo "$test_work/hold"
        # The slot is free again when the set is made: a second run while the first one's command runs is no trouble.
        quiescectl run -q /srv/db -- sh -c 'echo ready; read -r go < "$1"' - "$test_work/hold" > "$test_work/first" 2>&1 &
        pid=$!
        await_line "$test_work/first" '^ready' "$pid"
        run_status "a second run while the first one's command runs" 0 /srv/db -- true
        echo go > "$test_work/hold"
        wait "$pid"
        check_equal "the first is not disturbed" 0 $?
}

# --- who is interrupted when ----------------------------------------------------------------------------------------

# await_line FILE PATTERN PID: wait until the file has such a line; PID's end ends the wait, too.
await_line() { timeout 60 tail -n +1 -f --pid="$3" "$1" 2> /dev/null | grep -q -m 1 -E -e "$2"; }

# Until quiesced has released the session of somebody who was killed.
await_release() {
        local deadline=$((SECONDS + 60))
        while [ -n "$(quiescectl list sessions --no-legend)" ]; do
                [ "$SECONDS" -lt "$deadline" ] || return 1
                read -r -t 0.2 <> <(:)
        done
        return 0
}

# end_at SIGNAL WHERE PATTERN: start a run, send the signal when it has said PATTERN.
end_at() {
        local signal=$1 where=$2 pattern=$3 pid status
        : > "$err"
        env --default-signal=INT quiescectl run /srv -- sh -c '
                trap "" INT; setsid sleep 4321 & (setsid sh -c "sleep 4321; :" &); echo command runs >&2
                trap "exit 9" TERM; while :; do sleep 0.2; done' > "$out" 2> "$err" &
        pid=$!
        await_line "$err" "$pattern" "$pid"
        kill "-$signal" "$pid"
        if [ "$signal" = INT ] && [[ $where = *command* ]]; then
                kill -TERM "$pid" # two of one kind may become one
        fi
        wait "$pid"
        status=$?
        check "$signal while $where: the session is released" await_release
        check "$signal while $where: it fails" test "$status" -ne 0
        check_equal "$signal while $where: no process of the command is left" "" "$(pgrep -f 'sleep 4321')"
        outside_check "$signal while $where: nothing is left"
}

test_interrupted() {
        end_at TERM "volumes are added" 'adding'
        end_at INT "the set is made" 'making the snapshot set'
        end_at TERM "the command runs" 'command runs'
        end_at INT "the command runs and does not care" 'command runs'
}

set_up
outside_baseline
if [ $# -eq 0 ]; then
        set -- view instant places mount user status terminal
        # tests/unit/test-ctl-plan.c, tests/unit/test-ctl-contain.c and tests/bus/test-bus-two.c have the first three, each its part.
        [ "${QUIESCED_TEST_ALL:-no}" = no ] || set -- "$@" paths contained busy interrupted
fi
for name in "$@"; do "test_$name"; done
outside_check "at the end nothing is left"
must umount /srv/cache
finish
