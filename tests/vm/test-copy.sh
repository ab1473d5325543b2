#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 300
#
# quiescectl mount --rw: what is written goes into a copy that is thrown away when it is unmounted, by whomever; the snapshot
# is not changed by a bit. And each way it can fail: no room, a store that runs full, files that are open, a directory that is
# not the user's, quiesced killed in between. On /srv an ext4 on a thick LV, on /srv/db an xfs on a thin one.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

make_vg vg /dev/vdb
make_thick vg mail 96M
make_pool vg pool 500M
make_thin vg pool db 320M
make_fs ext4 /dev/vg/mail /srv
must mkdir -p /srv/db /mnt/thick /mnt/thin /mnt/look
make_fs xfs /dev/vg/db /srv/db
for directory in /srv /srv/db; do echo old > $directory/file; done
must systemctl start quiesced.service
outside_baseline

snapshot_of() { quiescectl list --json snapshots | jq -r ".snapshots[] | select(.volume == \"$1\" and .set == \"$set\") | .id"; }
device_of() { quiescectl show --json "$1" | jq -r '.snapshots[0].device'; }
list_copies() { { lvs --noheadings -o lv_name -S 'lv_name=~^quiesced_copy_'; dmsetup ls | grep -E '^quiesced_copy_'; } | sort; }
no_copies() { [ -z "$(list_copies)" ]; }
# make_set: a set of both; $thick and $thin are its snapshots.
make_set() {
        set=$(quiescectl create --quiet /srv /srv/db)
        thick=$(snapshot_of vg/mail) thin=$(snapshot_of vg/db)
        check "a set" test "$thick" -a "$thin"
}
sums() { md5sum "$(device_of "$thick")" "$(device_of "$thin")"; }

make_set
before=$(sums)
lvs=$(list_lvs)
for kind in thick thin; do
        check "$kind: a copy is mounted" quiescectl mount --rw "${!kind}" /mnt/$kind
        check_equal "$kind: it is of the instant" old "$(cat /mnt/$kind/file)"
        check "$kind: it can be written" sh -c "echo new > /mnt/$kind/file && dd if=/dev/zero of=/mnt/$kind/big bs=1M count=8 conv=fsync"
        check_fails "$kind: not twice" "A writable copy of the snapshot is mounted already" quiescectl mount --rw "${!kind}" /mnt
        if [ $kind = thick ]; then
                check_fails "$kind: nor read-only beside it" "a thick one, which is mounted either read-only or as a writable copy" \
                        quiescectl mount "$thick" /mnt/look
                check_equal "$kind: the volume does not change" old "$(cat /srv/file)"
                continue
        fi
        check "$kind: but read-only beside it" quiescectl mount "${!kind}" /mnt/look
        check_equal "$kind: which is the snapshot itself" old "$(cat /mnt/look/file)"
        check_equal "$kind: both are told" "/mnt/look /mnt/$kind" "$(quiescectl show --json "${!kind}" |
                jq -r '.snapshots[0] | [."mounted-on"[], ."writable-on"[]] | join(" ")')"
        check_fails "$kind: its id does not say which to unmount" "mounted more than once; .*: /mnt/$kind, /mnt/look" \
                quiescectl umount "${!kind}"
        check "$kind: it is unmounted there" quiescectl umount /mnt/look
        check_equal "$kind: there alone" "/mnt/$kind" "$(findmnt -rn -o TARGET /mnt/look; findmnt -rn -o TARGET /mnt/$kind)"
        check_equal "$kind: the volume does not change" old "$(cat "$(quiescectl list --json volumes | jq -r '.volumes[] |
                select(.name == (if "'$kind'" == "thin" then "vg/db" else "vg/mail" end)) | .mountpoints[0]')/file")"
done
check_equal "quiesced lists no copies" "vg/db vg/mail" "$(quiescectl list --json volumes | jq -r '.volumes[].name' | sort | paste -s -d ' ')"
check_fails "nor can they be in a set" "writable copy" quiescectl create /dev/vg/quiesced_copy_"${thin//-/}"
check_equal "the set has its two snapshots" 2 "$(quiescectl show --json "$set" | jq '.sets[0].snapshots | length')"

check_fails "a set with a copy is not broken" "Snapshot $thick of vg/mail has a writable copy \(mount --rw\); unmount that first" \
        quiescectl break "$set"
check_fails "nor reverted" "Snapshot $thick of vg/mail has a writable copy" quiescectl revert --no-safety-set "$set"

# In use: said, and nothing is undone.
tail -f /mnt/thick/file > /dev/null &
holder=$!
check "somebody reads it" await 30 sh -c "ls -l /proc/$holder/fd | grep -q /mnt/thick/file"
check_fails "it is not unmounted while a file is open" "/mnt/thick is in use by tail \(pid $holder\)" quiescectl umount "$thick"
check "and can be written all the same" sh -c 'echo newer > /mnt/thick/file'
kill $holder
wait $holder 2> /dev/null
check "then it is" quiescectl umount "$thick"
check_equal "and the other one by its directory" 0 "$(quiescectl umount /mnt/thin > /dev/null 2>&1; echo $?)"
check_equal "no copy is left" "" "$(list_copies)"
check_equal "nor any LV" "$lvs" "$(list_lvs)"
check_equal "the snapshots are as they were, bit by bit" "$before" "$(sums)"
check "the thick one is mounted read-only" quiescectl mount "$thick" /mnt/thick
check_fails "and then has no copy" "a thick one, which is mounted either read-only or as a writable copy" \
        quiescectl mount --rw "$thick" /mnt/look
check "it is unmounted" umount /mnt/thick
check "a new copy" quiescectl mount --rw "$thin" /mnt/thin
check_equal "has nothing of the one before" old "$(cat /mnt/thin/file)"
must umount /mnt/thin
check "it goes with umount(8), too" await 60 no_copies
check "and read-only is possible then" quiescectl mount "$thin" /mnt/thin
check "undone" quiescectl umount "$thin"

# A store that runs full.
check "a copy with a small store" quiescectl mount --rw --cow-size 8M "$thick" /mnt/thick
dd if=/dev/urandom of=/mnt/thick/big bs=1M count=24 conv=fsync 2> /dev/null
check "one that is lost is told of" await 90 sh -c "journalctl -u quiesced.service | grep -q 'writable copy of the snapshot $thick of vg/mail is lost'"
check_equal "the snapshot is not" created "$(quiescectl show --json "$thick" | jq -r '.snapshots[0].state')"
check "it is unmounted" quiescectl umount "$thick"
check_equal "and gone" "" "$(list_copies)"

# No room.
must lvcreate -qq -y -n filler -l 100%FREE vg
check_fails "no room for a store" "has no room for a snapshot.*bytes" quiescectl mount --rw "$thick" /mnt/thick
check_equal "leaves nothing" "" "$(list_copies)"
must lvremove -qq -y vg/filler
check_fails "what is asked of quiesced is checked" "cow-size is for --rw" quiescectl mount --cow-size 8M "$thick" /mnt/thick

# What cannot be mounted is undone.
echo 'polkit.addRule(function(action, subject) {
        if (action.id == "org.quiesce1.administer" && subject.user == "nobody") return polkit.Result.YES; });' \
        > /etc/polkit-1/rules.d/10-test-copy.rules
must systemctl restart polkit.service
for kind in thick thin; do
        check_fails "$kind: a directory that is not the user's" "does not belong to user" \
                setpriv --reuid=nobody --regid=nogroup --clear-groups quiescectl mount --rw "${!kind}" /mnt/$kind
        check_equal "$kind: leaves nothing" "" "$(list_copies)"
done
rm /etc/polkit-1/rules.d/10-test-copy.rules
must systemctl restart polkit.service

# quiesced ends, and comes back.
for kind in thick thin; do must quiescectl mount --rw "${!kind}" /mnt/$kind; done
echo mine > /mnt/thick/file
must systemctl kill -s KILL quiesced.service
must systemctl start quiesced.service
check "quiesced is back" await 60 quiescectl show "$set"
check_equal "who writes goes on writing" mine "$(cat /mnt/thick/file)"
check "still" sh -c 'echo more > /mnt/thick/file && sync /mnt/thick/file'
check "it is unmounted by its directory" quiescectl umount /mnt/thick
must systemctl stop quiesced.service
must umount /mnt/thin
must systemctl start quiesced.service
check "what was unmounted while quiesced was not there goes when it starts" await 60 no_copies
# A reboot: nothing is mounted, the copy above a thick snapshot is no more, and the group is activated anew.
for kind in thick thin; do must quiescectl mount --rw "${!kind}" /mnt/$kind; done
must systemctl kill -s KILL quiesced.service
must systemctl stop quiesced.service
must umount /mnt/thick /mnt/thin /srv/db /srv
must dmsetup remove "quiesced_copy_${thick//-/}"
must vgchange -qq -an vg
must vgchange -qq -ay vg
must mount /dev/vg/mail /srv
must mount /dev/vg/db /srv/db
check_equal "copies are not activated with their group" "" "$(dmsetup ls | grep quiesced_copy_)"
must systemctl start quiesced.service
check "after a reboot they are removed" await 60 no_copies
# As if it had been killed between the LV and the mount.
hex=${thick//-/}
must lvcreate -qq -y -n "quiesced_copy_$hex" --addtag "quiesced.copy=$hex" -L 8M vg
must dmsetup create "quiesced_copy_$hex" --uuid "QUIESCED-COPY-$hex" --table \
        "0 $(blockdev --getsz /dev/vg/mail) snapshot $(device_of "$thick") /dev/vg/quiesced_copy_$hex N 8"
must lvcreate -qq -y -kn -n "quiesced_copy_${thin//-/}" --addtag "quiesced.copy=${thin//-/}" -s "vg/quiesced_${thin//-/}"
must systemctl restart quiesced.service
check "so does what a crash left" await 60 no_copies
check_equal "the snapshots are still as they were" "$before" "$(sums)"

# It goes with its snapshot.
for kind in thick thin; do must quiescectl mount --rw "${!kind}" /mnt/$kind; done
check_fails "not deleted while copies are mounted" "is mounted; unmount it first" quiescectl delete "$set"
check "deleted with them by force" quiescectl delete --quiet --force "$set"
check_equal "no copy is left of it" "" "$(list_copies)"
session=$(quiescectl begin --quiet /srv /srv/db)
set=$(quiescectl list --json sets | jq -r '.sets[0].id')
thick=$(snapshot_of vg/mail) thin=$(snapshot_of vg/db)
for kind in thick thin; do check "$kind: a copy of a backup's snapshot" quiescectl mount --rw "${!kind}" /mnt/$kind; done
tail -f /mnt/thin/file > /dev/null &
holder=$!
check "somebody reads it, too" await 30 sh -c "ls -l /proc/$holder/fd | grep -q /mnt/thin/file"
quiescectl end "$session" > "$test_work/end" 2>&1
check_equal "the thick one goes with its session" "quiesced_copy_${thin//-/}" "$(list_copies | tr -d ' ')"
kill $holder
wait $holder 2> /dev/null
check "the one in use goes with its last reader" await 60 sh -c '! lvs --noheadings -o lv_name | grep -q quiesced_'
outside_check "at the end nothing is left"
finish
