#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 600
#
# What cannot be done is refused with exit status 125, the name of the thing and what to do about it, and nothing is left:
# a path that is no volume, a volume that is no LV, a full volume group, writers that are not there, file systems that
# somebody else froze, a device that somebody suspended, two runs at once (T14). A set that was refused is made once what was
# in its way is gone (T7). With --all also the limits of C30: 64 volumes a set, as many snapshots a volume as configured (T15).
# shellcheck disable=SC2016 # another shell expands it
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/gate-functions.sh
. "$(dirname "$0")/gate-functions.sh"

err=$test_work/err

make_vg one /dev/vdb
make_thick one srv 300M
make_pool one pool 800M
make_thin one pool db 400M
make_fs ext4 /dev/one/srv /srv
must mkdir -p /srv/db /srv/disk /srv/cache
make_fs xfs /dev/one/db /srv/db
make_fs ext4 /dev/vdc /srv/disk
must mount -t tmpfs cache /srv/cache
must mkdir -p /etc/quiesced/writers.d
must systemctl start quiesced.service
outside_baseline

# refused NAME PATTERN OPTION…: a run that is refused, and says all that the patterns (separated by &) are.
refused() {
        local name=$1 patterns=$2 status pattern
        shift 2
        timeout 120 quiescectl run "$@" > "$err" 2>&1
        status=$?
        check_equal "$name: refused" 125 "$status"
        while read -r -d '&' pattern; do
                check "$name: says $pattern" grep -q -E -e "$pattern" "$err"
        done <<< "$patterns&"
        [ "$test_failures" -eq "$failures" ] || explain < "$err"
        failures=$test_failures
}
failures=0

refused "a path that is none" "/srv/nothing&No such file" /srv/nothing -- true
refused "a path on no device" "/srv/cache&tmpfs&LVM logical volume&quiescectl list volumes" /srv/cache -- true
refused "a volume that is no LV" "/srv/disk&vdc&LVM logical volume&quiescectl list volumes" /srv/disk -- true

must lvcreate -qq -y -n filler -l 100%FREE one
refused "T7: a full volume group" "volume group one&srv&vgextend" /srv -- true
must lvremove -qq -y one/filler
check "T7: with space the set is made" within 120 quiescectl run -q -x /srv -- true

for directory in /srv /srv/db; do
        must fsfreeze -f "$directory"
        refused "$directory, frozen by somebody else" "$directory.*frozen by someone else&fsfreeze -u $directory" -x "$directory" -- true
        check "$directory: the freeze is kept" fsfreeze -u "$directory"
done
outside_check "after the foreign freezes nothing is left"

must dmsetup suspend --noflush --nolockfs one-db
refused "a device that somebody suspended" "/srv/db&suspended&dmsetup" /srv/db -- true
check_equal "it is left suspended" Suspended "$(dmsetup info -c --noheadings -o suspended one-db)"
must dmsetup resume one-db

printf '[Writer]\nExec=/nonexistent/ghost\nUser=daemon\n' > /etc/quiesced/writers.d/ghost.writer
refused "a writer whose program is missing" "ghost&/nonexistent/ghost&--ignore-writer" /srv/db -- true
check "it can be ignored" within 120 quiescectl run -q --ignore-writer=ghost /srv/db -- true
printf '[Writer]\nService=nowhere.service\n' > /etc/quiesced/writers.d/ghost.writer
refused "a writer whose unit is missing" "ghost&nowhere.service&--ignore-writer" /srv/db -- true
rm /etc/quiesced/writers.d/ghost.writer

# While the first has the machine's one creation slot the second is refused, or waits if it wants to; the first goes on.
make_gate
set_gate prepare-for-backup
quiescectl run -q /srv/db -- true > "$test_work/first" 2>&1 &
first=$!
check "the first run prepares" await_gate
refused "T14: a second run while the first has its set open" "snapshot set&--wait" /srv/db -- true
quiescectl run --wait /srv/db -- true > "$test_work/waiting" 2>&1 &
waiting=$!
check "T14: with --wait it waits" sh -c 'timeout 60 tail -n +1 -f "$1" | grep -q -m 1 "waiting if another"' - "$test_work/waiting"
open_gate
check "T14: the first is not disturbed" wait "$first" || explain < "$test_work/first"
check "T14: when it has ended, the one that waits follows" wait "$waiting" || explain < "$test_work/waiting"
remove_gate

# T15. quiescectl's own checks are left out: what quiesced says is asked of it directly.
requester() { within 1200 quiesce-test-requester "${@/#/--command=}"; }
limits() {
        local n add=()
        make_vg many /dev/vdd
        for n in $(seq 65); do make_thick many "v$n" 4M; done
        outside_baseline
        for n in $(seq 64); do add+=("AddToSnapshotSet many/v$n"); done
        check "T15: a set of 64 volumes, and the 65th is refused although it is supported" requester OpenBackup \
                "SetContext file-share-backup" StartSnapshotSet "${add[@]}" \
                "AddToSnapshotSet many/v65 => MaximumNumberOfVolumesReached 64" "IsVolumeSupported many/v65 => ok true" \
                DoSnapshotSet Release
        outside_check "T15: with the session all 64 go"
        must mkdir -p /etc/quiesced/quiesced.conf.d
        printf '[Snapshots]\nMaxPerVolume=2\n' > /etc/quiesced/quiesced.conf.d/limits.conf
        must systemctl restart quiesced.service
        for n in 1 2; do check "T15: snapshot $n of a volume" within 60 quiescectl create -q many/v1; done
        check "T15: the third is refused although the volume is supported" requester OpenBackup \
                "SetContext nas-rollback" StartSnapshotSet "IsVolumeSupported many/v1 => ok true" \
                "AddToSnapshotSet many/v1 => MaximumNumberOfSnapshotsReached many/v1" Release
        rm /etc/quiesced/quiesced.conf.d/limits.conf
        must systemctl restart quiesced.service
        mapfile -t add < <(quiescectl list sets --no-legend | awk '{ print $1 }')
        check "T15: they are deleted" within 60 quiescectl delete -q "${add[@]}"
        outside_check "T15: nothing is left"
        must vgremove -qq -f -y many
        outside_baseline
}
[ "${QUIESCED_TEST_ALL:-no}" = no ] || limits

outside_check "of all that was refused nothing is left"
must umount /srv/cache
finish
