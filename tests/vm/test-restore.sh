#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --timeout 600
#
# quiescectl restore: files come back from the snapshots of a set, with all that belongs to them; what was made since stays;
# the writers concerned are told before and after, and one that does not make way keeps all as it is.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

log=$test_work/log
odd=$'a b\n\xffc'

make_vg one /dev/vdb
make_vg two /dev/vdc
make_thick one data 300M
make_pool two pool 1G
make_thin two pool db 300M
make_fs ext4 /dev/one/data /mnt/data
make_fs xfs /dev/two/db /mnt/db
must install -d /etc/quiesced/writers.d /mnt/db/files
must chmod 0777 "$test_work"
cat > /etc/quiesced/writers.d/wiki.writer <<END
[Writer]
Exec=/usr/bin/quiesce-test-writer log=$log component=filegroup::pages:s:/mnt/db/files
User=daemon
END
must systemctl restart quiesced.service
outside_baseline

said() { "$@" > "$test_work/said" 2>&1; }
events() { awk '{ print $2 }' "$log" 2> /dev/null | grep -E 'restore' | paste -sd,; }

# What is to come back: a file with a mode, an owner, an attribute and a time; a link; a name that is hardly one.
must mkdir -p /mnt/data/tree/deep
echo old > /mnt/data/tree/deep/file
must chmod 0640 /mnt/data/tree/deep/file
must chown daemon:games /mnt/data/tree/deep/file
must touch -d '2001-02-03 04:05:06' /mnt/data/tree/deep/file
must ln -s deep/file /mnt/data/tree/link
echo odd > "/mnt/data/tree/$odd"
echo old > /mnt/db/files/page
facts() { stat -c '%a %U %G %Y %s' /mnt/data/tree/deep/file; readlink /mnt/data/tree/link; cat /mnt/data/tree/deep/file "/mnt/data/tree/$odd"; }
before=$(facts)

set=$(within 120 quiescectl create --quiet --cow-size 100M /mnt/data /mnt/db)
check "a set" test -n "$set"

echo newer > /mnt/data/tree/deep/file
must chmod 0777 /mnt/data/tree/deep/file
must rm "/mnt/data/tree/$odd" /mnt/data/tree/link
echo mine > /mnt/data/tree/made-since
exec {reader}< /mnt/data/tree/deep/file
check "a folder is restored" within 60 quiescectl restore -q "$set" /mnt/data/tree
check_equal "all of it is as it was" "$before" "$(facts)"
check_equal "what was made since is there" mine "$(cat /mnt/data/tree/made-since)"
check_equal "who had the file open has what he had" newer "$(cat <&"$reader")"
exec {reader}<&-
check_equal "no writer was told, as none has files there" "" "$(events)"

must rm -r /mnt/data/tree/deep
check "what is there no more is restored" said within 60 quiescectl restore "$set" /mnt/data/tree/deep
check "and said" grep -q '^quiescectl: /mnt/data/tree/deep is as of 20' "$test_work/said"
check_equal "as it was" "$before" "$(facts)"
cd /mnt/data/tree || exit 1
echo newer > deep/file
check "by a path from here" within 60 quiescectl restore -q "$set" deep/file
cd / || exit 1
check_equal "as it was, too" "$before" "$(facts)"

echo newer > /mnt/db/files/page
check "what a writer has" within 60 quiescectl restore -q "$set" /mnt/db/files/page
check_equal "is restored" old "$(cat /mnt/db/files/page)"
check_equal "between its events" pre-restore,post-restore "$(events)"
rm -f "$log"
echo newer > /mnt/db/files/page
check "without writers" within 60 quiescectl restore -q --no-writers "$set" /mnt/db/files
check_equal "is restored, too" old "$(cat /mnt/db/files/page)"
check_equal "without a word" "" "$(events)"

check_fails "what is on no volume of the set" '/etc/fstab lies on .*, of which the set has no snapshot' \
        within 60 quiescectl restore "$set" /etc/fstab
echo newer > /mnt/data/tree/deep/file
check_fails "what is not in the snapshot" '/mnt/data/tree/made-since is not in the snapshot of one/data' \
        within 60 quiescectl restore "$set" /mnt/data/tree/deep/file /mnt/data/tree/made-since
check_equal "keeps the rest as it is" newer "$(cat /mnt/data/tree/deep/file)"
check_fails "what is nowhere" 'No such file' within 60 quiescectl restore "$set" /nowhere/at/all
check_fails "an id that is none" 'no snapshot, set or session' \
        within 60 quiescectl restore 00000000-0000-0000-0000-000000000001 /mnt/data

sed -i 's/component=/pre-restore=fail:NonRetryable:still-open component=/' /etc/quiesced/writers.d/wiki.writer
must systemctl restart quiesced.service
echo newest > /mnt/db/files/page
check_fails "a writer that does not make way" 'nothing was restored; --ignore-writer' \
        within 60 quiescectl restore "$set" /mnt/db/files/page
check_equal "keeps its file" newest "$(cat /mnt/db/files/page)"
check "unless it is ignored" within 60 quiescectl restore -q --ignore-writer wiki "$set" /mnt/db/files/page
check_equal "as it was" old "$(cat /mnt/db/files/page)"

echo newest > /mnt/db/files/page
check "all that is mounted" within 60 quiescectl restore -q --no-writers "$set"
check_equal "is restored: one volume" "$before" "$(facts)"
check_equal "and the other" old "$(cat /mnt/db/files/page)"

must mount -o remount,ro /mnt/db
check_fails "what cannot be written" '/mnt/db/files was not restored, or not wholly' \
        within 60 quiescectl restore --no-writers "$set" /mnt/db/files
must mount -o remount,rw /mnt/db
check "it is deleted" within 120 quiescectl delete -q "$set"
outside_check "nothing is left"
rm -f /etc/quiesced/writers.d/wiki.writer
umount /mnt/data /mnt/db
finish
