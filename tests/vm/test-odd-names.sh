#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --timeout 300
#
# Names with all that they may have in them, through each verb: volumes and groups as LVM lets them be called; a mount point,
# directories and files with blanks, newlines, bytes that are no UTF-8, percents, backslashes, quotes, escapes and a dash in
# front; sets with what quiesced lets them be called. What it does not is refused by name, and nothing of such a name reaches a
# terminal as it is. Then what becomes of them where nothing can be written.
# shellcheck disable=SC1003,SC2016,SC2317 # odd characters on purpose; functions are called by name
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

out=$test_work/out
thick=v-g+1.x/a.b+c--d_e thin=two/_-db
db='/mnt/%s $HOME ${x} $$ ä' odd=$'/mnt/-a b\n\xff%s\\n\e[31m"q'"'" look='/mnt/-look %s' file=$'-f\n-\xfe %d\\'
name='-rf %s \n "x" '\''ä'
says() { timeout 60 "$@" < /dev/null > "$out" 2>&1; }
told() { check "$1" grep -q -a -E -e "$2" "$out" || explain < "$out"; }
snapshot_of() { quiescectl list --json | jq -r ".snapshots[] | select(.set == \"$set\" and .volume == \"$1\").id"; }
content() { cat "${1:-$odd}/-dir/$file"; }
renew() { echo "$1" > "$odd/-dir/$file" && sync "$odd/-dir/$file"; }
printable() { printf %s "$1" | LC_ALL=C tr '\377\n\033' '?  '; }
# refused NAME PATTERN VERB…: with status 1, or 125 for what runs a command; and nothing on the screen but what can be printed
refused() {
        local status expected=1
        case $3 in run | exec | freeze) expected=125 ;; esac
        says quiescectl "${@:3}"
        status=$?
        if [ $status -eq $expected ] && grep -q -a -E -e "$2" "$out" && ! LC_ALL=C grep -q -a $'[\e\xff\xfe]' "$out"; then
                ok "$1"
        else
                not_ok "$1"
                explain <<< "status $status, not $expected, or it does not say: $2"
                cat -v "$out" | explain
        fi
}
shown() { check "$1" sh -c '! LC_ALL=C grep -q -a "$(printf "[\\033\\377\\376]")" "$1"' - "$out" || cat -v "$out" | explain; }

make_vg "${thick%/*}" /dev/vdb
make_vg two /dev/vdc
make_thick "${thick%/*}" "${thick#*/}" 200M
make_pool two pool 700M
make_thin two pool _-db 320M
make_fs ext4 "/dev/$thick" "$odd"
make_fs xfs "/dev/$thin" "$db"
must mkdir -p "$odd/-dir" "$look"
renew old
must systemctl start quiesced.service
outside_baseline

# --- a set ---------------------------------------------------------------------------------------------------------------

set=$(within 60 quiescectl create -q --cow-size 50M --name "$name" --note '%n\' --label=-l --label . "$odd" "$thin")
check "a set of both" test "$(snapshot_of "$thick")" -a "$(snapshot_of "$thin")"
check_equal "its name is as it was given" "$name %n\\ -l,." \
        "$(quiescectl show --json "$set" | jq -r '.sets[0] | .name + " " + .note + " " + (.labels | sort | join(","))')"
check_equal "JSON has the mount point, but for what is not to be printed" "$(printable "$odd")" \
        "$(quiescectl show --json "$(snapshot_of "$thick")" | jq -r '.snapshots[0]."origin-mountpoints"[0]')"
must systemctl restart quiesced.service
check_equal "after a restart, too" "$set" "$(quiescectl show --json -- "$name" | jq -r '.sets[0] | select(.note == "%n\\").id')"
snapshot=$(snapshot_of "$thick")
for kind in snapshots sets volumes; do
        check "list $kind" says quiescectl list $kind
        shown "list $kind: what can be printed alone"
done
check "show" says quiescectl show "$snapshot"
shown "show: what can be printed alone"
check "plot" grep -q -F "$thick: hold, " <(quiescectl plot "$set")
check_equal "export has the volume" "$thick" "$(quiescectl export -- "$name" | jq -r --arg id "$snapshot" '.snapshots[] | select(.id == $id).volume')"
check_equal "so has storage" 1 "$(quiescectl storage --json | jq --arg name "$thick" '[.storage[] | select(.name == $name)] | length')"

# --- in and out ------------------------------------------------------------------------------------------------------------

renew new
check_equal "exec" old "$(within 60 quiescectl exec -q "$set" -- cat "$odd/-dir/$file")"
check_equal "exec --at" old "$(within 60 quiescectl exec -q --at "$thick=$look" "$snapshot" -- cat "$look/-dir/$file")"
check "restore of a folder" within 60 quiescectl restore -q -n "$set" "$odd/-dir"
check_equal "it is as it was" old "$(content)"
renew new
check "restore of a file that begins with a dash" sh -c 'cd "$1/-dir" && quiescectl restore -q -n "$2" -- "$3"' - "$odd" "$set" "$file"
check_equal "it is as it was, too" old "$(content)"
renew new
check "mount" quiescectl mount "$snapshot" "$look"
check_equal "its file" old "$(content "$look")"
refused "mounted, it is not deleted" "Snapshot $snapshot of .* is mounted" delete -- "$name"
check "umount by the directory" quiescectl umount "$look"
check "mount where the volume is" quiescectl mount "$snapshot" "$odd"
check_equal "its file, too" old "$(content)"
check "umount by its id" quiescectl umount "$snapshot"
check "mount --rw" quiescectl mount --rw --cow-size 16M "$snapshot" "$look"
check "it can be written" touch "$look/-dir/$file"
check "umount of the copy" quiescectl umount "$look"
check_equal "run --dry-run" "$(printable "$odd")" \
        "$(quiescectl run --dry-run --json "$odd" 2> /dev/null | jq -r '.volumes[0].mountpoints[0]')"
check_equal "run" new "$(within 60 quiescectl run -q "$odd" -- cat "$odd/-dir/$file")"
session=$(within 60 quiescectl begin -q "$db")
check "begin, in a unit" quiescectl complete "$session"
check "end" quiescectl end "$session"
must mkdir /mnt/below
quiescectl begin -q --foreground --cow-size 16M --mount /mnt/below "$odd" > "$test_work/session" &
resident=$!
check "begin --mount" await 60 grep -q -a new "/mnt/below$odd/-dir/$file"
must await 30 test -s "$test_work/session"
check "end of that" quiescectl end "$(< "$test_work/session")"
check "it has ended" wait "$resident"
check "freeze" within 60 quiescectl freeze -q "$odd" -- true
printf '%s\n' "set context persistent nowriters" "add volume \"$thick\" alias D" create "expose %D% \"${look//%/%%}\"" \
        "exec ls \"${look//%/%%}/-dir\"" "delete shadows id %D%" > "$test_work/script"
check "a script" within 60 quiescectl script "$test_work/script"
quiescectl previous-versions -q "$odd" "/run/-v %s" &
viewer=$!
check "previous-versions" await 30 sh -c 'ls "/run/-v %s"/@GMT-*/-dir'
kill "$viewer"
wait "$viewer"
must rmdir "/run/-v %s"
check_equal "doctor: what can be printed alone" "" "$(quiescectl doctor -q | LC_ALL=C grep -a $'[\e\xff\xfe]')"

# --- what is refused --------------------------------------------------------------------------------------------------------

lvs=$(list_lvs) nothing=$'/no\xff\n\e[31m/x'
refused "no path" 'no\?.*No such file' run "$nothing" -- true
refused "no volume" 'no\?.*(is no volume|UTF-8)' create "$nothing"
refused "in a unit" 'no UTF-8, and a service manager takes no other names; --foreground' begin "$odd"
refused "nothing there to restore" 'no\?' restore -n "$set" "$nothing"
refused "nowhere to mount it" 'no\?.*No such file' mount "$snapshot" "$nothing"
refused "nothing is mounted there" 'no\?.*No such file' umount "$nothing"
refused "nowhere to export it to" 'no\?.*No such file' export -o "$nothing" "$set"
for verb in show plot export delete break revert "describe --lock" "restore -n"; do
        # shellcheck disable=SC2086 # a verb and its options
        refused "$verb: an id that is none" '(there is no snapshot|UTF-8)' $verb $'\xff\e[31m'
done
refused "a name with an escape" 'A name has at most' describe "$set" --name $'a\e[31mb'
refused "a name that is no UTF-8" '(A name has at most|UTF-8)' describe "$set" --name $'\xff'
refused "a name of two lines" 'A name has at most' create --name $'a\nb' "$odd"
refused "a set of a name that is no UTF-8" '(A name has at most|UTF-8)' create --name $'\xff' "$odd"
refused "a note that is no UTF-8" '(A note has at most|UTF-8)' describe "$set" --note $'\xff'
refused "a label that is none" '(is no label|UTF-8)' describe "$set" --label $'\xff'
refused "a label of no letter" 'is no label' prune --label '' --keep-last 1
for suffix in 'a b' '../x' $'\xff'; do
        refused "a suffix that is none" '(cannot end a volume|UTF-8)' break --suffix "$suffix" "$set"
done
check_equal "nothing was made of all that" "$lvs" "$(list_lvs)"

# --- the end ------------------------------------------------------------------------------------------------------------------

check_equal "break" "two/_-db_x.y+z-1,${thick}_x.y+z-1" \
        "$(quiescectl break --json --suffix x.y+z-1 -- "$name" | jq -r '[.volumes[].volume] | sort | join(",")')"
must lvremove -qq -f -y "${thick}_x.y+z-1" two/_-db_x.y+z-1
renew old
set=$(within 60 quiescectl create -q -n --cow-size 50M --name '100%' "$odd")
renew new
must umount "$odd"
check "revert" within 120 quiescectl revert -q --no-safety-set '100%'
must mount "/dev/$thick" "$odd"
check_equal "it is as it was" old "$(content)"
set=$(within 60 quiescectl create -q -n --cow-size 16M --label=-x "$odd")
check "prune" quiescectl prune -q --label=-x --keep-last 1
check "the only one stays" quiescectl show "$set"
check "what cannot be printed is no success" sh -c '! quiescectl list sets > /dev/full'
must quiescectl delete -q "$set"
outside_check "nothing is left"
must umount "$odd" "$db"
finish
