#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --timeout 900
#
# What becomes of a persistent set: described, in LVM's tags alone; reverted, at once and when it is activated next, all
# volumes or none; broken. A thick and a thin volume, in two groups.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

set_of() { quiescectl show --json "$1" | jq -r ".sets[0].$2"; }
states() { quiescectl list --json | jq -r ".snapshots[] | select(.set == \"$1\").state" | sort | uniq -c | tr -s ' \n' ' '; }
is_gone() { ! quiescectl show "$1" > /dev/null 2>&1; }
volumes() { lvs --noheadings -o vg_name,lv_name | tr -s ' ' | sort | paste -sd,; }
tags() { lvs --noheadings -o lv_tags "$1" | tr -d ' '; }
mount_all() { mount /dev/one/data /mnt/data && mount /dev/two/db /mnt/db; }
fill() { for directory in /mnt/data /mnt/db; do echo "$1" > "$directory/file" && dd if=/dev/urandom of="$directory/more" bs=1M count=20 status=none; done; sync; }
said() { "$@" > "$test_work/said" 2>&1; }
content() { cat /mnt/data/file /mnt/db/file | paste -sd' '; }

make_vg one /dev/vdb
make_vg two /dev/vdc
make_thick one data 300M
make_pool two pool 1G
make_thin two pool db 300M
make_fs ext4 /dev/one/data /mnt/data
make_fs xfs /dev/two/db /mnt/db
outside_baseline

# What people say of a set is found again by LVM's tags alone.
fill old
set=$(within 120 quiescectl create --quiet --cow-size 200M --name 'before "it", ä' --label daily /mnt/data /mnt/db)
check "a set with a name" test -n "$set"
must systemctl stop quiesced.service
must rm -rf /run/quiesced/journal /var/lib/quiesced
must umount /mnt/data /mnt/db
must vgchange -an one two
must vgchange -ay one two
must systemctl start quiesced.service
check_equal "its name is known after a restart that left nothing but LVM's tags" 'before "it", ä' "$(set_of "$set" name)"
check_equal "and its label" daily "$(set_of "$set" 'labels[0]')"
check "it is described anew" quiescectl describe -q "$set" --name 'after' --label kept --remove-label daily --lock
must systemctl restart quiesced.service
check_equal "and that is known after a restart" 'after kept true' \
        "$(quiescectl show --json "$set" | jq -r '.sets[0] | [.name, .labels[0], (.locked | tostring)] | join(" ")')"
check_fails "it is locked" 'is locked' quiescectl delete "$set"
check "unlocked" quiescectl describe -q "$set" --unlock
must mount_all

# At once: nobody has the volumes open.
fill new
must umount /mnt/data /mnt/db
check "a revert of volumes that nobody uses" within 240 quiescectl revert -q --cow-size 200M "$set"
check "the set is gone" await 120 is_gone "$set"
must mount_all
check_equal "both volumes are as they were then" "old old" "$(content)"
safety=$(quiescectl list sets --json | jq -r '.sets[] | select(.labels[0] == "before-revert").id')
check_equal "the set of what they were before" "before revert to $set" "$(set_of "$safety" name)"
mkdir -p /mnt/look
for snapshot in $(set_of "$safety" 'snapshots[]'); do
        must quiescectl mount "$snapshot" /mnt/look
        check_equal "it has what was there before the revert" new "$(cat /mnt/look/file)"
        must quiescectl umount "$snapshot"
done
check "it is deleted" within 120 quiescectl delete -q "$safety"

# In use: at the next activation.
set=$(within 120 quiescectl create --quiet --cow-size 200M /mnt/data /mnt/db)
fill newer
check "a revert of volumes in use" said within 240 quiescectl revert --no-safety-set "$set"
check_equal "says of each that it waits" 2 "$(grep -c 'is in use, and is reverted when it is activated next' "$test_work/said")"
check_equal "both are being reverted" " 2 reverting " "$(states "$set")"
check_equal "what is live goes on" "newer newer" "$(content)"
check_fails "no set can have them meanwhile" 'is being merged into it, or will be' within 60 quiescectl create -q /mnt/data
check_fails "nor are they reverted twice" 'is being reverted' quiescectl revert --no-safety-set "$set"
check_fails "nor deleted, by force either" 'is being reverted' quiescectl delete --force "$set"
must systemctl restart quiesced.service
check_equal "a restarted quiesced knows that" " 2 reverting " "$(states "$set")"
must umount /mnt/data /mnt/db
must vgchange -an one two
must vgchange -ay one two
check "after the next activation the set goes" await 120 is_gone "$set"
must mount_all
check_equal "and the volumes are as they were" "old old" "$(content)"

# All or none.
set=$(within 120 quiescectl create --quiet --cow-size 200M /mnt/data /mnt/db)
fill newest
before=$(volumes)
mapfile -t snapshots < <(set_of "$set" 'snapshots[]')
must quiescectl mount "${snapshots[0]}" /mnt/look
check_fails "a set of which a snapshot is mounted is not reverted" 'is mounted; unmount it first' quiescectl revert "$set"
check_fails "nor broken" 'is mounted; unmount it first' quiescectl break "$set"
must quiescectl umount "${snapshots[0]}"
must lvextend -q -L +40M two/db
check_fails "nor if a volume has another size" 'two/db has another size' quiescectl revert "$set"
check_equal "and nothing was done to the other" " 2 created " "$(states "$set")"
check_equal "nor to LVM" "$before" "$(volumes)"

# Writers that do not let it be: by a path as things are mounted, by a volume.
must mkdir -p /etc/quiesced/writers.d
printf '[Writer]\nType=static\nPaths=/mnt/db\nBlocksRevert=/mnt/db/directory\n' > /etc/quiesced/writers.d/replica.writer
check_fails "nor if a writer blocks it" 'Writer replica does not let two/db be reverted: /mnt/db/directory, in BlocksRevert= of its descriptor, lies on it' \
        quiescectl revert "$set"
check_fails "without a safety set neither" 'Writer replica does not let two/db be reverted' quiescectl revert --no-safety-set "$set"
printf '[Writer]\nType=static\nPaths=/mnt/db\nBlocksRevert=one/data\n' > /etc/quiesced/writers.d/replica.writer
check_fails "by a volume's name" 'Writer replica does not let one/data be reverted: one/data, in BlocksRevert= of its descriptor, is it' \
        quiescectl revert "$set"
must rm /etc/quiesced/writers.d/replica.writer
check_equal "nothing was done to LVM, and no safety set is left" "$before" "$(volumes)"
check_equal "nor is there one in the list" 1 "$(quiescectl list sets --json | jq '.sets | length')"
check_equal "the set is as it was" " 2 created " "$(states "$set")"

# Broken.
must lvcreate -q -y -n data_mine -l 1 one
check_fails "a name that is taken" 'There is a volume one/data_mine already' quiescectl break --suffix mine "$set"
check_equal "nothing was done" " 2 created " "$(states "$set")"
check_equal "broken, their names are told" "one/data_back,two/db_back" \
        "$(quiescectl break --rw --json --suffix back "$set" | jq -r '[.volumes[].volume] | sort | join(",")')"
check "quiesced has forgotten them" is_gone "$set"
check_equal "they have no tags" "" "$(tags one/data_back)$(tags two/db_back)"
must systemctl restart quiesced.service
check_equal "nor does a restarted quiesced know them" 0 "$(quiescectl list --json | jq '.snapshots | length')"
mount -o nouuid /dev/two/db_back /mnt/look
check_equal "they have their instant" old "$(cat /mnt/look/file)"
check "and take writes" touch /mnt/look/mine
must umount /mnt/look
must mount /dev/one/data_back /mnt/look
check_equal "the thick one, too" old "$(cat /mnt/look/file)"
must umount /mnt/look
must lvremove -q -f -y one/data_back two/db_back one/data_mine
check_equal "the volumes are as they were" "newest newest" "$(content)"

# Broken half way: lvm, a script of ours meanwhile, renames nothing.
set=$(within 120 quiescectl create --quiet --cow-size 100M /mnt/data /mnt/db)
cp /sbin/lvm "$test_work/lvm"
# shellcheck disable=SC2016 # expanded by the stand-in
printf '#!/bin/sh\n[ "$1" != lvrename ] || { echo "not today" >&2; exit 5; }\nexec %s "$@"\n' "$test_work/lvm" > "$test_work/renames-nothing"
chmod 755 "$test_work/renames-nothing"
must mount --bind "$test_work/renames-nothing" /sbin/lvm
check_fails "a set whose snapshots LVM does not rename" 'could not be renamed, but are volumes of their own.*not today' \
        within 120 quiescectl break "$set"
must umount /sbin/lvm
check "quiesced has forgotten them all the same" await 60 is_gone "$set"
check_equal "as broken" 2 "$(journalctl --sync; journalctl --no-pager -o cat -u quiesced | grep -c 'is an ordinary volume, though its set could not be broken')"
mapfile -t halves < <(lvs --noheadings -o lv_full_name -S 'lv_name=~^quiesced_' | tr -d ' ')
check_equal "they have no tags, but for the one that goes last" "" \
        "$(tags "${halves[0]}" | sed 's/quiesced\.origin=.*//')$(tags "${halves[1]}" | sed 's/quiesced\.origin=.*//')"
must lvremove -q -f -y "${halves[@]}"
must umount /mnt/data /mnt/db
check "the file systems are well: ext4" e2fsck -fn /dev/one/data
check "the file systems are well: xfs" xfs_repair -n /dev/two/db
must mount_all

# A set half gone.
set=$(within 120 quiescectl create --quiet --cow-size 100M /mnt/data /mnt/db)
must quiescectl delete -q "$(set_of "$set" 'snapshots[0]')"
check_fails "a set half gone is not reverted" 'Of the 2 snapshots of set .* 1 are left' \
        quiescectl revert --no-safety-set "$set"
must systemctl restart quiesced.service
check_fails "by a restarted quiesced neither" 'Of the 2 snapshots of set .* 1 are left' \
        quiescectl revert --no-safety-set "$set"
check "it is deleted" within 120 quiescectl delete -q "$set"
outside_check "nothing is left"
umount /mnt/data /mnt/db
finish
