#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 600
#
# quiescectl begin, complete, abort and end with real volumes and the real transient unit: what the snapshots hold, how
# the resident requester ends, who may speak to it, and that nothing is left; tests/bus/test-ctl-begin.sh has the rest.
# And run --dry-run. Arguments: the parts to run; without them all, or those that others do not stand for.
# On /srv an ext4 on a thick LV, on /srv/db an xfs on a thin one, on /srv/disk an ext4 on no LV.
# shellcheck disable=SC2317 # parts are called by name
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

err=$test_work/err
id='' unit='' pid=''

set_up() {
        make_vg vg /dev/vdb
        make_thick vg mail 400M
        make_pool vg pool 800M
        make_thin vg pool db 400M
        make_fs ext4 /dev/vg/mail /srv
        must mkdir -p /srv/db /srv/disk /mnt/snapshots /mnt/look
        make_fs xfs /dev/vg/db /srv/db
        make_fs ext4 /dev/vdc /srv/disk
        must systemctl start quiesced.service
}

units() { systemctl list-units --all --plain --no-legend 'quiescectl-begin-*' | awk '{ print $1 }'; }

# begin NAME OPTION…: its output is read to its end, so this also shows that nobody keeps it open.
begin() {
        local name=$1 status
        shift
        echo old > /srv/file
        echo old > /srv/db/file
        id=$(timeout 120 quiescectl begin "$@" 2> "$err")
        status=$?
        check_equal "$name: begin ends well" 0 "$status" || explain < "$err"
        unit=$(units)
        pid=$(systemctl show -P MainPID "$unit")
        echo new > /srv/file
        echo new > /srv/db/file
}

# The resident's end is waited for; then nothing of it may be there.
await_end() {
        check "$1: the resident has ended" timeout 60 tail --pid="$pid" -f /dev/null
        check "$1: its unit and session are gone" await_gone
}
await_gone() {
        local deadline=$((SECONDS + 60))
        while [ -n "$(units; quiescectl list sessions --no-legend)" ]; do
                [ "$SECONDS" -lt "$deadline" ] || { units; quiescectl list sessions; quiescectl list; journalctl -q -n 30; return 1; }
                read -r -t 0.2 <> <(:)
        done
        return 0
}

test_whole() {
        local snapshot
        begin "two processes" /srv
        check "begin prints the session's id alone" grep -q -x -E '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' <<< "$id"
        check "its progress and what is left out come out of it" grep -q -E '/srv/disk is left out' "$err"
        check_equal "the session is held by a unit" active "$(systemctl is-active "$unit")"
        check_equal "with both volumes" 2 "$(quiescectl list --json | jq '.snapshots | length')"
        snapshot=$(quiescectl list --json | jq -r '.snapshots[] | select(.volume == "vg/db").id')
        check "a snapshot is mounted" quiescectl mount "$snapshot" /mnt/look
        check_equal "it is of the instant" old "$(cat /mnt/look/file)"
        check_fails "nobody else may end it" 'only the user who began it and root' \
                setpriv --reuid=nobody --regid=nogroup --clear-groups \
                env QUIESCECTL_RUNTIME_DIR=/run/quiescectl quiescectl end "$id"
        check "complete" quiescectl complete "$id"
        check_equal "makes the session completed" completed "$(quiescectl list sessions --json | jq -r '.sessions[0].state')"
        check "end" quiescectl end "$id"
        await_end "two processes"
        check "it is logged what happened" grep -q 'releasing the session' <(journalctl -q -u "$unit")
        outside_check "two processes: nothing is left"
}

test_mounts() {
        local json=$test_work/json
        begin "--mount" --json --quiet --mount /mnt/snapshots /srv
        printf '%s\n' "$id" > "$json"
        id=$(jq -r '.sessions[0].id' "$json")
        check_equal "--json tells set and consistency" application "$(jq -r '.sets[0].consistency' "$json")"
        check_equal "and where what is mounted" "/mnt/snapshots/srv /mnt/snapshots/srv/db" \
                "$(jq -r '[.snapshots[].mounted] | sort | join(" ")' "$json")"
        check "and the snapshots' devices" test -b "$(jq -r '.snapshots[0].device' "$json")" -a \
                -b "$(jq -r '.snapshots[1].device' "$json")"
        check_equal "the snapshots are there" "old old" "$(cat /mnt/snapshots/srv/file /mnt/snapshots/srv/db/file | xargs)"
        check_fails "read-only" 'Read-only' touch /mnt/snapshots/srv/x
        check "what is left out is not there" test ! -e /mnt/snapshots/srv/disk/lost+found
        check "abort" quiescectl abort "$id"
        check_equal "leaves them there" old "$(cat /mnt/snapshots/srv/db/file)"
        check "end after abort" quiescectl end "$id"
        await_end "--mount"
        check_equal "with the session the mounts go, and their places" "" "$(ls -A /mnt/snapshots)"
        outside_check "--mount: nothing is left"
}

test_fails() {
        check_fails "a path on no logical volume" '/srv/disk.*(ext4|LVM)' quiescectl begin /srv/disk
        check_fails "a volume that is none" 'vg/none' quiescectl begin vg/none
        check "failures leave no unit and no session" await_gone
        must mkdir /run/elsewhere
        check_fails "a program that cannot be run in the unit" 'ended before the snapshot set was there.*journalctl -u' \
                unshare --mount sh -c "mount -t tmpfs elsewhere /run/elsewhere &&
                cp $(command -v quiescectl) /run/elsewhere/ && exec /run/elsewhere/quiescectl begin /srv"
        must rmdir /run/elsewhere
        check "it leaves no unit and no session" await_gone
        outside_check "failures: nothing is left"
}

test_ttl() {
        begin "--ttl" --ttl 3s /srv
        await_end "--ttl"
        check "the reason is logged" grep -q 'was not ended within 3.00 s' <(journalctl -q -u "$unit")
        check_fails "then there is nothing to end" 'is held by no' quiescectl end "$id"
        outside_check "--ttl: nothing is left"
}

test_killed() {
        begin "killed" --mount /mnt/snapshots /srv
        kill -KILL "$pid"
        await_end killed
        check_fails "killed: there is nothing to end" 'is held by no' quiescectl end "$id"
        outside_check "killed: nothing is left"
}

test_stopped() {
        begin stopped /srv
        check "its unit can be stopped" systemctl stop "$unit"
        await_end stopped
        outside_check "stopped: nothing is left"
}

# starter_ends SIGNAL: begin is killed while the set is being made.
starter_ends() {
        local starter status line
        mkfifo "$test_work/starter"
        env --default-signal=INT quiescectl begin /srv > /dev/null 2> "$test_work/starter" &
        starter=$!
        exec {progress}< "$test_work/starter"
        while read -r -t 60 -u "$progress" line && [[ $line != *"making the snapshot set"* ]]; do :; done
        pid=$(systemctl show -P MainPID "$(units)")
        kill "-$1" "$starter"
        wait "$starter" 2> /dev/null
        status=$?
        exec {progress}<&-
        rm "$test_work/starter"
        check_equal "begin ended by $1: its status tells" "$2" "$status"
        await_end "begin ended by $1"
        outside_check "begin ended by $1: nothing is left"
}
test_starter() {
        starter_ends INT 130
        starter_ends KILL 137
}

# Until quiesced, started again, has found the session.
await_lost() {
        local deadline=$((SECONDS + 60))
        until quiescectl list sessions --json | jq -e --arg id "$id" '.sessions[] | select(.id == $id).state == "lost"'; do
                [ "$SECONDS" -lt "$deadline" ] || { journalctl -q -u quiesced -n 30; return 1; }
                read -r -t 0.2 <> <(:)
        done
        return 0
}

# Who reads is not cut off.
test_restart() {
        begin "quiesced killed" --mount /mnt/snapshots /srv
        must systemctl kill --signal=KILL quiesced.service
        check "quiesced killed: the session is lost" await_lost
        check_equal "its snapshots can be read" "old old" "$(cat /mnt/snapshots/srv/file /mnt/snapshots/srv/db/file | xargs)"
        check_fails "complete is refused" 'could not be told' quiescectl complete "$id"
        check "end" quiescectl end "$id"
        await_end "quiesced killed"
        outside_check "quiesced killed: nothing is left"
}

# Who has mounted what is known to the next quiesced, too.
test_restart_killed() {
        begin "quiesced and the resident killed" --mount /mnt/snapshots /srv
        must systemctl kill --signal=KILL quiesced.service
        check "quiesced and the resident killed: the session is lost" await_lost
        kill -KILL "$pid"
        await_end "quiesced and the resident killed"
        outside_check "quiesced and the resident killed: nothing is left"
}

# And again before it has found what the last one left.
test_restart_twice() {
        begin "quiesced killed and restarted" --mount /mnt/snapshots /srv
        must systemctl kill --signal=KILL quiesced.service
        must systemctl restart quiesced.service
        check "quiesced killed and restarted: the session is lost" await_lost
        check_equal "its snapshots can still be read" "old old" \
                "$(cat /mnt/snapshots/srv/file /mnt/snapshots/srv/db/file | xargs)"
        check "end, too" quiescectl end "$id"
        await_end "quiesced killed and restarted"
        outside_check "quiesced killed and restarted: nothing is left" || journalctl -q -u quiesced -n 60 | explain
}

# An ordinary user's resident runs in his own service manager; root may end it.
test_user() {
        local uid
        must useradd --create-home backupper
        uid=$(id -u backupper)
        echo 'polkit.addRule(function(action, subject) {
                if (action.id == "org.quiesce1.backup" && subject.user == "backupper") return polkit.Result.YES; });' \
                > /etc/polkit-1/rules.d/10-test-begin.rules
        must systemctl restart polkit.service
        check_fails "a user without a service manager is told what to do" 'enable-linger' \
                setpriv --reuid=backupper --regid=backupper --clear-groups quiescectl begin /srv/db
        must loginctl enable-linger backupper
        must systemctl start "user@$uid.service"
        id=$(timeout 120 setpriv --reuid=backupper --regid=backupper --clear-groups quiescectl begin /srv/db 2> "$err")
        check_equal "a user begins" 0 $? || explain < "$err"
        check_equal "and owns the session" "$id $uid" "$(quiescectl list sessions --json | jq -r '.sessions[0] | .id + " \(.owner)"')"
        check_equal "root's service manager knows nothing of it" "" "$(units)"
        check "he may complete it" setpriv --reuid=backupper --regid=backupper --clear-groups quiescectl complete "$id"
        check "and root end it" quiescectl end "$id"
        check "its session is gone" await_gone
        must loginctl disable-linger backupper
        must systemctl stop "user@$uid.service"
        rm /etc/polkit-1/rules.d/10-test-begin.rules
        must systemctl restart polkit.service
        outside_check "a user's: nothing is left"
}

# What a set would be: freezes nothing, changes nothing, and fails where the set would.
test_dry_run() {
        local json=$test_work/json
        make_thick vg other 400M
        make_fs ext4 /dev/vg/other /srv/other
        outside_baseline
        check "run --dry-run" timeout 120 quiescectl run --dry-run /srv
        cp "$test_work/output" "$test_work/text"
        check "tells the volumes with their stores" grep -q -E '^vg/mail +400M +lvm-cow +ext4 +/srv +80M' "$test_work/text"
        check "and thin ones" grep -q -E '^vg/db +400M +lvm-thin +xfs +/srv/db' "$test_work/text"
        check "and writers" grep -q -E '^fsfreeze +system' "$test_work/text"
        check "and the space needed" grep -q -E '^volume group vg: .* needed, .* free' "$test_work/text"
        check "and what stays live" grep -q '/srv/disk stays live' "$test_work/text"
        quiescectl run --dry-run --quiet --json --cow-size 40M /srv > "$json" 2> "$err"
        check_equal "--json tells the stores" "41943040 41943040 null" \
                "$(jq -r '[.volumes | sort_by(.volume) | reverse[] | .store // "null"] | join(" ")' "$json")"
        check_equal "the group's free space as LVM does" \
                "$(vgs --noheadings --nosuffix --units b -o vg_free vg | tr -d ' ')" "$(jq '.groups[0].free' "$json")"
        check_equal "what all need together" 83886080 "$(jq '.groups[0].needed' "$json")"
        check_equal "and times" true "$(jq '.steps | map(select(.step == "preparing the writers"))[0].took > 0' "$json")"
        check_equal "writers were prepared, and none was frozen" "true false" "$(jq -r \
                '[.writers[].durations] | "\(all(has("PrepareForBackup"))) \(any(has("Freeze")))"' "$json")"
        check_fails "what is no set is said" 'stores need .* together, and the volume group vg has .* free' \
                quiescectl run --dry-run --quiet --cow-size 400M --live /srv/db /srv
        check_fails "a path on no logical volume" '/srv/disk.*(ext4|LVM)' quiescectl run --dry-run /srv/disk
        check_equal "no session is left" "" "$(quiescectl list sessions --no-legend)"
        outside_check "dry runs: nothing is left"
        must umount /srv/other
        must lvremove -qq -y vg/other
        outside_baseline
}

set_up
outside_baseline
if [ $# -eq 0 ]; then
        set -- whole mounts killed restart dry_run
        # tests/bus/test-ctl-begin.sh has some of these, without volumes.
        [ "${QUIESCED_TEST_ALL:-no}" = no ] || set -- "$@" fails ttl stopped starter restart_killed restart_twice user
fi
for name in "$@"; do "test_$name"; done
outside_check "at the end nothing is left"
# Who was killed leaves the empty folders that it made.
must find /mnt/snapshots -xdev -depth -type d -empty -delete
finish
