#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --package samba --package samba-vfs-modules --package smbclient --disk 2G --disk 2G --disk 2G --timeout 300
#
# Persistent sets as "Previous Versions" on a share of a real Samba server, read by its client: as quiesced-previous-versions(8)
# says. Sets come and go meanwhile, quiesced is killed, a file is open. A thick volume whose mount point has a space and a dash in
# its name, and a thin one.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

shown=/run/quiesced/previous-versions
office="/srv/my office-1"
unit=$(systemd-escape --path --template quiesced-previous-versions@.service "$office")
versions() { (cd "$shown$1" && ls -d @GMT-*) 2> /dev/null; }
has_versions() { [ "$(versions "$1" | wc -l)" -eq "$2" ]; }
smb() { smbclient -U tester%secret //127.0.0.1/office -c "$1" 2>&1; }
# instant ID: a set's, as the name of its directory.
instant() { TZ=UTC date -d "$(quiescectl show --json "$1" | jq -r '.sets[0].created')" +@GMT-%Y.%m.%d-%H.%M.%S; }
wait_second() { await 10 sh -c "[ \"\$(date +%s)\" != $(date +%s) ]"; }

make_vg vg /dev/vdb
make_thick vg office 200M
make_pool vg pool 500M
make_thin vg pool db 320M
make_fs ext4 /dev/vg/office "$office"
must mkdir -p "$office/share" /srv/db
make_fs xfs /dev/vg/db /srv/db
must useradd --no-create-home tester
must chmod 777 "$office/share"
for word in first second third; do echo $word > "$office/share/$word"; done
echo first > "$office/share/report"
must chmod 600 "$office/share/third"

# As the manual page has it.
cat > /etc/samba/smb.conf << EOF
[global]
server role = standalone server
load printers = no
[office]
path = $office/share
read only = no
vfs objects = shadow_copy2
shadow:snapdir = $shown$office
shadow:basedir = $office
shadow:format = @GMT-%Y.%m.%d-%H.%M.%S
shadow:localtime = no
shadow:sort = desc
EOF
printf 'secret\nsecret\n' | must smbpasswd -s -a tester > /dev/null
must systemctl restart smbd.service
must systemctl start quiesced.service
outside_baseline

first=$(quiescectl create -q --cow-size 64M "$office")
other=$(quiescectl create -q /srv/db)
check "the service is enabled" systemctl enable --now "$unit"
check_equal "the version of the set that there is" "$(instant "$first")" "$(versions "$office")"
check "it is told how many there are" sh -c "systemctl status '$unit' | grep -q '1 versions of $office'"
echo second > "$office/share/report"
wait_second
second=$(quiescectl create -q --cow-size 64M "$office")
check "a set that is made appears" await 30 has_versions "$office" 2
check_equal "by its instant" "$(instant "$second")" "$(versions "$office" | tail -n 1)"
echo now > "$office/share/report"
check_fails "what is shown cannot be written" "Read-only file system" touch "$shown$office/$(instant "$first")/share/new"
session=$(quiescectl begin -q "$office")
check "a backup's snapshot is not shown" has_versions "$office" 2
must quiescectl end "$session"

# What a client sees.
smb 'allinfo report' > "$test_work/info"
for set in "$first" "$second"; do
        check "the client lists $(instant "$set")" grep -q "^$(instant "$set")" "$test_work/info" || explain < "$test_work/info"
done
check_equal "and no more" 2 "$(grep -c '^@GMT-' "$test_work/info")"
check "it reads the first" smb "get \"$(instant "$first")\\report\" $test_work/old"
check_equal "which is what it was" first "$(cat "$test_work/old")"
check "and the second" smb "get \"$(instant "$second")\\report\" $test_work/old"
check_equal "which is what it was, too" second "$(cat "$test_work/old")"
check "the file itself" smb "get report $test_work/new"
check_equal "is what it is now" now "$(cat "$test_work/new")"
check_fails "rights are those of then" "NT_STATUS_ACCESS_DENIED" smb "get \"$(instant "$first")\\third\" $test_work/third"
check_fails "no version is written by a client" "NT_STATUS_(MEDIA_WRITE_PROTECTED|ACCESS_DENIED|OBJECT)" \
        smb "put $test_work/new \"$(instant "$first")\\report\""

# Nothing is kept by being shown.
check "a set that is shown is deleted without force" quiescectl delete -q "$first"
check "and is shown no more" await 30 has_versions "$office" 1
check_equal "nor listed" "$(instant "$second")" "$(smb 'allinfo report' | grep -o '^@GMT-[0-9.-]*')"
tail -f "$shown$office/$(instant "$second")/share/report" > /dev/null &
holder=$!
check "somebody reads a version" await 30 sh -c "ls -l /proc/$holder/fd | grep -q /share/report"
check_fails "a snapshot that is shown is not reverted to" "is mounted; unmount it first" quiescectl revert --no-safety-set "$second"

# quiesced and the service die, and come back.
must systemctl kill -s KILL quiesced.service
must systemctl start quiesced.service
third=$(quiescectl create -q --cow-size 64M "$office")
check "a new quiesced's sets appear" await 60 has_versions "$office" 2
must systemctl kill -s KILL "$unit"
check "the service is started anew" await 60 sh -c "systemctl is-active -q '$unit'"
check "and shows the same" await 60 has_versions "$office" 2
check_equal "each is mounted once" 2 "$(findmnt -n -l -o TARGET | grep -c previous-versions)"

# A second volume, by its name; and one that is mounted elsewhere, too, after which it is deleted without force.
quiescectl previous-versions -q vg/db /run/db-versions &
viewer=$!
db_shown() { [ -e /run/db-versions/"$(instant "$other")"/ ] && [ "$(findmnt -n -o FSTYPE /run/db-versions/"$(instant "$other")")" = xfs ]; }
check "a volume by its name" await 30 db_shown
check_equal "shows only its own" 1 "$(find /run/db-versions -mindepth 1 -maxdepth 1 | wc -l)"
shown_db=/run/db-versions/$(instant "$other")
snapshot=$(quiescectl list --json | jq -r ".snapshots[] | select(.set == \"$other\").id")
# where COLUMN: the directories that the snapshot is told to be mounted on
where() { quiescectl show --json "$snapshot" | jq -r ".snapshots[0].\"$1\" | join(\" \")"; }
must mkdir /mnt/look /mnt/write
echo later > /srv/db/file
check "what is shown is mounted elsewhere, too" quiescectl mount "$snapshot" /mnt/look
check "and a writable copy of it" quiescectl mount --rw "$snapshot" /mnt/write
check "which is written" sh -c 'echo mine > /mnt/write/file && sync /mnt/write/file'
check_equal "and nothing else is" "no no later" \
        "$(for d in "$shown_db" /mnt/look; do [ -e "$d/file" ] && echo yes || echo no; done | paste -s -d ' ') $(cat /srv/db/file)"
must systemctl kill -s KILL quiesced.service
must systemctl start quiesced.service
check_equal "a new quiesced knows all of them" "/mnt/look $shown_db /mnt/write" "$(where mounted-on) $(where shown-on) $(where writable-on)"
check_fails "it is not deleted then" "is mounted; unmount it first \(/mnt/look, /mnt/write\), or" quiescectl delete "$other"
check "it is unmounted in one place" quiescectl umount /mnt/look
check_fails "nor then" "is mounted; unmount it first \(/mnt/write\), or" quiescectl delete "$other"
check "and in the other, by its id: what is shown is not meant" quiescectl umount "$snapshot"
check_equal "it is shown as ever" "$shown_db" "$(where mounted-on)$(where shown-on)$(where writable-on)"
check "then it is deleted without force" quiescectl delete -q "$other"
check "and shown no more" await 30 test ! -e "$shown_db"
kill $viewer
wait $viewer
check_equal "SIGTERM ends it well" 0 $?
check_equal "and nothing is left of it" "" "$(ls /run/db-versions)"
must rmdir /run/db-versions
check_fails "a path on no block device" "is on no file system on a block device" quiescectl previous-versions /proc /run/none
check_fails "a path that is none" "it is no volume" quiescectl previous-versions /nonesuch /run/none

check "a set that somebody reads is deleted" within 60 quiescectl delete -q "$third"
within 60 quiescectl delete -q "$second" > "$test_work/said"
check "of one in use it is said who reads it" grep -q "tail (pid $holder)" "$test_work/said" || explain < "$test_work/said"
kill $holder
wait $holder 2> /dev/null
check "it goes with its reader" await 60 sh -c '! lvs --noheadings -o lv_name,origin | grep "quiesced_.* office"'
check "no version is left" await 30 has_versions "$office" 0
check "the service is stopped" systemctl disable --now "$unit"
check_equal "nothing is mounted" "" "$(findmnt -n -l -o TARGET | grep previous-versions)"
check "its directory is empty" rmdir "$shown$office"
must systemctl stop smbd.service
outside_check "at the end nothing is left"
finish
