#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --timeout 300
#
# Each verb with what is not there, or not as it should be: an id and a name that nobody has; a set of which LVM was told to
# remove a half, before and after quiesced was started anew; one that is locked, that is somebody else's, in a full group, in a
# group that is not active; one that is being reverted. A verb refuses, with its exit status, the name of the thing and what to
# do about it, and changes nothing; or does it with what is left. A thick and a thin volume, in two groups.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

out=$test_work/out
as=() # who calls
snapshot_of() { quiescectl list --json | jq -r ".snapshots[] | select(.set == \"$1\" and .volume == \"$2\").id"; }
lv_of() { echo "quiesced_${1//-/}"; }
count_of() { quiescectl show --json "$1" | jq -r '.sets[0] | "\(.snapshots | length) of \(."snapshots-count")"'; }
has() { [ "$(count_of "$1")" = "$2" ]; }
says() { "$@" > "$out" 2>&1; }
told() { check "$1" grep -q -E -e "$2" "$out" || explain < "$out"; }
state() { list_lvs; list_mounts; quiescectl list --json | jq -c '.snapshots | sort_by(.id)[] | [.id, .state]'; cat /mnt/data/file; }
unchanged() { check_equal "$1: nothing has changed" "$before" "$(state)"; }
# refused NAME STATUS PATTERN VERB…
refused() {
        local status
        timeout 60 "${as[@]}" quiescectl "${@:4}" < /dev/null > "$out" 2>&1
        status=$?
        if [ "$status" -eq "$2" ] && grep -q -E -e "$3" "$out"; then
                ok "$1: $4"
        else
                not_ok "$1: $4"
                echo "# status $status, not $2, or it does not say: $3"
                explain < "$out"
        fi
}
# script_refused NAME PATTERN COMMAND: as a script of one line
script_refused() { echo "$3" > "$test_work/script" && refused "$1, ${3%% *} in" 1 "$2" script "$test_work/script"; }
make_set() {
        echo old > /mnt/data/file
        set=$(within 60 quiescectl create -q --cow-size 60M --name "$1" --label half /mnt/data /mnt/db)
        thick=$(snapshot_of "$set" one/data) thin=$(snapshot_of "$set" two/db)
        check "$1: a set" test "$thick" -a "$thin"
        echo new > /mnt/data/file
}

make_vg one /dev/vdb
make_vg two /dev/vdc
make_thick one data 200M
make_pool two pool 700M
make_thin two pool db 320M
make_fs ext4 /dev/one/data /mnt/data
make_fs xfs /dev/two/db /mnt/db
must mkdir -p /mnt/look
echo old > /mnt/db/file
outside_baseline

# --- what there is not -------------------------------------------------------------------------------------------------

echo live > /mnt/data/file
before=$(state)
for word in 00000000-0000-4000-8000-000000000001 'no "such" set'; do
        for verb in show plot "describe --lock" "restore -n" revert "revert -n" break export delete release; do
                # shellcheck disable=SC2086 # a verb and its options
                refused "$word" 1 "^quiescectl: $word: [Tt]here is no .*list" $verb "$word"
        done
        refused "$word" 125 "^quiescectl: $word: there is no .*list" exec "$word" -- true
        refused "$word" 1 "^quiescectl: $word: there is no .*list" mount "$word" /mnt/look
        refused "$word" 1 "^quiescectl: $word: there is no .*list" mount --rw "$word" /mnt/look
        refused "$word" 1 "^quiescectl: $word: .*(there is no|no snapshot's id)" umount "$word"
done
for verb in complete abort end thaw; do
        refused "no id" 1 "^quiescectl: nobody: that is no session's id; 'quiescectl begin' and 'freeze --detach' print it" $verb nobody
done
for verb in show plot export delete break revert; do
        refused "a variable that is not set" 1 'an empty ID was given' $verb ""
done
refused "a variable that is not set" 1 'an empty ID was given' mount "" /mnt/look
refused "a variable that is not set" 125 'an empty ID was given' exec "" -- true
refused "no volume" 1 'one/nosuch is no volume.*Name a mount point' create one/nosuch
refused "no volume" 1 'one/nosuch is no volume.*Name a mount point' begin one/nosuch
refused "no volume" 125 'one/nosuch is no volume.*Name a mount point' freeze one/nosuch -- true
refused "no path" 125 'one/nosuch: No such file' run one/nosuch -- true
script_refused "an id that is none" "1: break: it failed" "break 00000000-0000-4000-8000-000000000001"
script_refused "an id that is none" "1: delete shadows: .*no snapshot or set" "delete shadows set 00000000-0000-4000-8000-000000000001"
unchanged "what there is not"

# --- half gone ----------------------------------------------------------------------------------------------------------

# What is true of it, whoever is asked. $1: when
half_gone() {
        before=$(state)
        check_equal "$1: one of two is left" "1 of 2" "$(count_of half)"
        check "$1: show" says quiescectl show half
        told "$1: it tells how many it was made with" '^ *SNAPSHOTS-COUNT +2$'
        refused "$1" 1 "^quiescectl: $thin: there is no snapshot" show "$thin"
        refused "$1" 125 "set $set is not whole: of its 2 snapshots 1 is left; .*name the snapshots" exec half -- cat /mnt/db/file
        check "$1: exec of what is left" says quiescectl exec "$thick" -- cat /mnt/data/file
        told "$1: it shows its instant" '^old$'
        refused "$1" 1 "set $set is not whole: of its 2 snapshots 1 is left; name the PATHs" restore -n half
        refused "$1" 1 '/mnt/db/file lies on .*, of which the set has no snapshot' restore -n half /mnt/data/file /mnt/db/file
        refused "$1" 1 "$thin: there is no snapshot" mount "$thin" /mnt/look
        refused "$1" 1 "$thin: there is no snapshot" mount --rw "$thin" /mnt/look
        refused "$1" 1 "Of the 2 snapshots of set $set 1 are left" revert half
        refused "$1" 1 "Of the 2 snapshots of set $set 1 are left" revert --no-safety-set half
        refused "$1" 1 "[Tt]here is no snapshot" delete "$thin"
        script_refused "$1" "is one of 2 snapshots|Of the 2 snapshots of set $set 1 are left" "revert $thick"
        script_refused "$1" "there is no snapshot" "expose $thin /mnt/look"
        unchanged "$1"
        check "$1: export" says sh -c "quiescectl export half | jq -e '.set == \"$set\" and (.snapshots | length == 2)'"
        check "$1: plot" sh -c "quiescectl plot half | grep -q two/db"
        check "$1: describe" quiescectl describe -q half --note "$1"
        check_equal "$1: described" "$1" "$(quiescectl show --json half | jq -r '.sets[0].note')"
        check "$1: mount" quiescectl mount "$thick" /mnt/look
        check_equal "$1: it has its instant" old "$(cat /mnt/look/file)"
        refused "$1, mounted" 1 'is mounted; unmount it first' delete half
        check "$1: umount" quiescectl umount "$thick"
}

make_set half
must lvremove -qq -y -f "two/$(lv_of "$thin")"
check "half gone: quiesced has seen it" await 30 has half "1 of 2"
half_gone "half gone"
must systemctl restart quiesced.service
half_gone "half gone, after a restart"
check_equal "a set that is found again: what is not known of it is not told" "null null" \
        "$(quiescectl list sets --json | jq -r '.sets[0] | "\(.freeze) \(.hold)"')"
check "half gone: a file is restored from the other half" quiescectl restore -q -n half /mnt/data/file
check_equal "half gone: as it was" old "$(cat /mnt/data/file)"
# A rule looks at sets of the same volumes.
other=$(within 60 quiescectl create -q -n --cow-size 60M --label half /mnt/data)
check_equal "half gone: prune takes it as any other" "$set true" \
        "$(quiescectl prune -q --json --label half --keep-last 1 | jq -r '.removals[] | "\(.set) \(.removed)"')"
check_equal "and nothing else" "$other" "$(quiescectl list sets --json | jq -r '.sets[].id')"
must quiescectl delete -q "$other"
outside_check "half gone: nothing is left"

make_set broken
must lvremove -qq -y -f "one/$(lv_of "$thick")"
check "half gone: the thick half" await 30 has broken "1 of 2"
check_equal "half gone: break makes volumes of what is left" "two/db_left" \
        "$(quiescectl break --json --suffix left broken | jq -r '.volumes[].volume')"
must lvremove -qq -y -f two/db_left
make_set none
must lvremove -qq -y -f "one/$(lv_of "$thick")" "two/$(lv_of "$thin")"
check "all of it gone: it is a set no more" await 30 sh -c "! quiescectl show none"
outside_check "all of it gone: nothing is left"

# --- locked, full, somebody else's -----------------------------------------------------------------------------------------

make_set kept
must quiescectl describe -q kept --lock
before=$(state)
for verb in delete revert "revert -n" break; do
        # shellcheck disable=SC2086 # a verb and its options
        refused "locked" 1 "^quiescectl: kept: Snapshot set $set is locked; unlock it first" $verb kept
done
refused "locked" 1 "Snapshot set $set is locked; unlock it first" delete "$thin"
script_refused "locked" "is locked; unlock it first" "delete shadows set $set"
script_refused "locked" "is locked; unlock it first" "break $set"
check_equal "locked: prune leaves it" "" "$(quiescectl prune -q --no-legend --label half --keep-last 1)"
unchanged "locked"
must quiescectl describe -q kept --unlock

as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
for verb in delete describe\ --lock revert revert\ -n break export plot; do
        # shellcheck disable=SC2086 # a verb and its options
        refused "somebody else's" 1 "$set.*org\.quiesce1\.administer" $verb "$set"
done
refused "somebody else's" 1 'org\.quiesce1\.administer' prune
refused "somebody else's" 1 'org\.quiesce1\.backup' create /mnt/data
refused "somebody else's" 1 'org\.quiesce1\.backup' begin --foreground /mnt/data
refused "somebody else's" 125 'org\.quiesce1\.backup' run /mnt/data -- true
refused "somebody else's" 125 'org\.quiesce1\.administer' exec "$set" -- true
refused "somebody else's" 1 "$thick.*org\.quiesce1\.administer" mount "$thick" /mnt/look
refused "somebody else's" 1 "$thick.*org\.quiesce1\.administer" umount "$thick"
refused "somebody else's" 1 'only the user who made (its|the) set, and administrators' restore -n "$set"
refused "somebody else's name" 1 'kept: there is no snapshot' delete kept
unchanged "somebody else's"
as=()

must lvcreate -qq -y -n filler -l 100%FREE one
before=$(state)
refused "a full group" 1 'nothing was reverted' revert kept
told "a full group: it is named, and what to do" '(olume group one.*vgextend|no room in one)'
refused "a full group" 1 'one.*room' mount --rw "$thick" /mnt/look
script_refused "a full group" 'one.*room|room.*one' "add volume /mnt/data
create"
unchanged "a full group"
must lvremove -qq -y one/filler
check "deleted" quiescectl delete -q kept

# --- a group that is not active ----------------------------------------------------------------------------------------

make_set asleep
must umount /mnt/db
must vgchange -qq -an two
before=$(state)
check_equal "not active: both snapshots are known" "2 of 2" "$(count_of asleep)"
refused "not active" 1 "its device /dev/two/$(lv_of "$thin") is not there; activate its volume group" mount "$thin" /mnt/look
refused "not active" 1 'two/pool does not tell its state.*vgchange -ay two' mount --rw "$thin" /mnt/look
check "not active: umount has nothing to do" quiescectl umount "$thin"
refused "not active" 125 'two/db is not mounted anywhere now.*--at two/db=DIR' exec asleep -- true
refused "not active" 125 'activate its volume group' exec --at two/db=/mnt/look asleep -- true
refused "not active" 1 'two/db is no volume' create -n two/db
refused "not active" 1 'nothing was reverted' revert asleep
script_refused "not active" 'activate its volume group' "expose $thin /mnt/look"
unchanged "not active"
check "not active: restore of what is mounted" says quiescectl restore -n asleep
told "not active: it says what it leaves out" '^quiescectl: two/db is not mounted anywhere now, and is left out$'
check_equal "not active: it restores the other" old "$(cat /mnt/data/file)"
must systemctl restart quiesced.service
refused "not active, after a restart" 1 'activate its volume group' mount "$thin" /mnt/look
check "not active, after a restart: umount" quiescectl umount "$thin"
must vgchange -qq -ay two
check "active again: it can be mounted" quiescectl mount "$thin" /mnt/look
check_equal "active again: it has its instant" old "$(cat /mnt/look/file)"
must quiescectl umount "$thin"
must mount /dev/two/db /mnt/db
check "deleted" quiescectl delete -q asleep

# --- being reverted ------------------------------------------------------------------------------------------------------

make_set back
must within 60 quiescectl revert -q --no-safety-set back
before=$(state)
# $1: when
reverting() {
        local why="Snapshot $thick of one/data cannot be looked into any more: it is reverting. 'quiescectl explain reverting'"
        refused "$1" 1 "$why" mount "$thick" /mnt/look
        refused "$1" 1 "$why" mount --rw "$thick" /mnt/look
        refused "$1" 1 "$why" umount "$thick"
        refused "$1" 1 "$why" restore -n back /mnt/data/file
        refused "$1" 125 "the snapshot $thick of one/data cannot be looked into: it is reverting" exec "$thick" -- true
        refused "$1" 1 'is being reverted' break back
        refused "$1" 1 'is being reverted' delete --force back
        refused "$1" 1 'is being merged into it, or will be' create -n /mnt/data
        script_refused "$1" "$why" "expose $thick /mnt/look"
        script_refused "$1" 'is being reverted' "delete shadows set $set"
        unchanged "$1"
}
reverting "being reverted"
must systemctl restart quiesced.service
reverting "being reverted, after a restart"
# LVM is through with a merge some time after the volume was activated, and nothing but LVM tells it of a thin one.
must umount /mnt/data /mnt/db
must systemctl stop quiesced.service
must vgchange -qq -an one two
must vgchange -qq -ay --poll n one two
must systemctl start quiesced.service
check_equal "a merge that LVM is not through with" reverting "$(quiescectl list sets --json | jq -r '.sets[0].state')"
must lvchange -qq --poll y one/data two/db
check "it is reverted" await 60 sh -c "! quiescectl show back"
must mount /dev/one/data /mnt/data
must mount /dev/two/db /mnt/db
check_equal "as it was" old "$(cat /mnt/data/file)"
outside_check "at the end nothing is left"
must umount /mnt/data /mnt/db
finish
