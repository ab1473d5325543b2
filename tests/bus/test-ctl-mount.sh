#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# quiescectl mount and umount, of snapshots that the test provider has made of directories. All in a mount namespace of
# its own. With real volumes, and over a restart of quiesced: tests/vm/test-run.sh.
[ "${1:-}" = inside ] || exec unshare --mount "$0" inside
# shellcheck source=tests/bus/ctl-functions.sh
. "$(dirname "$0")/ctl-functions.sh"

is_mounted() { grep -q -F " $1 " /proc/self/mountinfo; }
is_not_mounted() { ! is_mounted "$1"; }

start_all
rm "$work/provider/volumes/one"
mkdir "$work/provider/volumes/one" "$work/look" "$work/other" "$work/by-hand"
echo hello > "$work/provider/volumes/one/letter"
set=$(ctl create --quiet test:one)
snapshot=$(json '.sets[0].snapshots[0]' show --json "$set")

check "a snapshot is mounted" ctl mount "$snapshot" "$work/look"
check "and can be read there" grep -q hello "$work/look/letter"
check "it is unmounted by its id" ctl umount "$snapshot"
check "and is gone" is_not_mounted "$work/look"

# All of a volume, for as long as the verb runs. Names tell seconds.
versions() { find "$work/versions" -mindepth 2 -name letter -path '*@GMT-[0-9]*' 2> /dev/null | wc -l; }
has_versions() { [ "$(versions)" -eq "$1" ]; }
"$build/quiescectl" previous-versions test:one "$work/versions" 2> "$work/told" &
viewer=$!
second=$(date +%s)
check "previous-versions: the set that there is" await has_versions 1
check "it is told of" await grep -q '1 versions of test:one in' "$work/told"
# where COLUMN: the directories that the snapshot is told to be mounted on, in one line
where() { json ".snapshots[0].\"$1\" | join(\" \")" show --json "$snapshot"; }
check "what is shown is mounted elsewhere, too" ctl mount "$snapshot" "$work/look"
check "and a third time" ctl mount "$snapshot" "$work/other"
check "it is told where it is mounted" test "$(where mounted-on)" = "$work/look $work/other"
check "and shown" grep -q "^$work/versions/@GMT-[^ ]*$" <<< "$(where shown-on)"
fails "what is mounted and shown is not deleted" 1 "is mounted; unmount it first \\($work/look, $work/other\\), or delete it by force" \
        ctl delete "$set"
fails "its id does not say which to unmount" 1 "mounted more than once; .*: $work/versions/@GMT-.*, $work/look, $work/other" \
        ctl umount "$snapshot"
check "a directory does" ctl umount "$work/other"
check "it is mounted there no more" is_not_mounted "$work/other"
check "but in the other place" grep -q hello "$work/look/letter"
check "the only one that does not give way is unmounted by its id" ctl umount "$snapshot"
check "and gone" is_not_mounted "$work/look"
check "it is shown as ever" has_versions 1
fails "one that is mounted there no more" 1 "look: nothing is mounted there" ctl umount "$work/look"
check "mounted again, next to being shown" ctl mount "$snapshot" "$work/look"
check "anybody unmounts it" umount "$work/look"
check "and it is told as that no more" test -z "$(where mounted-on)"
check "a second passes" await sh -c "[ \"\$(date +%s)\" != $second ]"
other=$(ctl create --quiet test:one)
check "a set that is made appears" await has_versions 2
check "it is deleted without force" ctl delete --quiet "$other"
check "and goes from there, too" await has_versions 1
kill "$viewer"
wait "$viewer"
check "SIGTERM ends it well" test "$?" -eq 0
check "and nothing is left of it" rmdir "$work/versions"

check "it is mounted again" ctl mount "$snapshot" "$work/look"
mount --bind "$work/look" "$work/by-hand"
fails "a directory in it is no mount point" 1 "letter: nothing is mounted there" ctl umount "$work/look/letter"
fails "nor is another one" 1 "other: nothing is mounted there" ctl umount "$work/other"
fails "what others have mounted stays theirs" 1 "by-hand: .*not mounted by 'quiescectl mount'.*umount\(8\)" \
        ctl umount "$work/by-hand"
check "it is there" is_mounted "$work/by-hand"
umount "$work/by-hand"
check "so is the snapshot" is_mounted "$work/look"
fails "no id and no directory" 1 "nowhere: .*No such file" ctl umount "$work/nowhere"
check "it is unmounted by its directory" ctl umount "$work/look"
check "and is gone, too" is_not_mounted "$work/look"
fails "not twice" 1 "look: nothing is mounted there" ctl umount "$work/look"

ln -s look "$work/link"
check "it is mounted through a link" ctl mount "$snapshot" "$work/link"
cd "$work" || exit
check "and unmounted through it, from here" ctl umount link
check "and is gone after all" is_not_mounted "$work/look"
check "what is not mounted is unmounted by its id" ctl umount "$snapshot"
check "it is mounted once more" ctl mount "$snapshot" "$work/look"
fails "deleted it is not while it is mounted" 1 "of test:.* is mounted; unmount it first" ctl delete "$set"
check "and still is" is_mounted "$work/look"
check "deleted by force" ctl delete --force "$set"
check "it is mounted no more" is_not_mounted "$work/look"
[ $failures -eq 0 ]
