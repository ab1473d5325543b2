#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 600
#
# C24: a writer without privileges, in a sandbox, writes into snapshots of real volumes in PostSnapshot, an ext4 on a
# thick LV and an xfs on a thin one; afterwards nobody can, and LVM knows of nothing. One that goes on writing, and a
# quiesced killed meanwhile, leave nothing.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/gate-functions.sh
. "$(dirname "$0")/gate-functions.sh"

directory=/run/test-recovery log=/run/test-recovery/log
declare -A plain

make_vg vg0 /dev/vdb
make_thick vg0 data 96M
make_pool vg0 pool 800M
make_thin vg0 pool db 400M
make_fs ext4 /dev/vg0/data /mnt/data
make_fs xfs /dev/vg0/db /mnt/db
must mkdir -p /mnt/data/a /mnt/db/b /mnt/look "$directory" /etc/quiesced/writers.d
must ln -s /mnt/db/b /mnt/data/link
must chown nobody /mnt/data/a /mnt/db/b "$directory"
must mkfifo -m 666 "$directory/fifo"
exec {fifo}<> "$directory/fifo"

# set_up DESCRIPTOR-LINE WORD…: the writer of the next sets.
set_up() {
        local asks=$1
        shift
        rm -f "$log"
        cat > /run/systemd/system/test-recovery.service <<END
[Service]
Type=exec
User=nobody
Environment=QUIESCE_WRITER_NAME=db
ExecStart=$(command -v quiesce-test-writer) log=$log recover=/mnt/data/a recover=/mnt/data/link $*
CapabilityBoundingSet=
NoNewPrivileges=yes
ProtectSystem=strict
PrivateDevices=yes
PrivateTmp=yes
ProtectHome=yes
ProtectProc=invisible
ProcSubset=pid
ReadWritePaths=$directory
RestrictNamespaces=yes
RestrictSUIDSGID=yes
SystemCallFilter=@system-service
END
        printf '[Writer]\nService=test-recovery.service\n%s\n' "$asks" > /etc/quiesced/writers.d/db.writer
        must systemctl daemon-reload
}

recovers() { grep -q -x -F "db recovers $1 $2 $3" "$log"; }
snapshots() { lvs --noheadings -o lv_path -S 'lv_name !~ "^(data|pool|db)$" && vg_name = vg0' | tr -d ' '; }
origin_is() { case $(blkid -o value -s TYPE "$1") in ext4) echo data ;; *) echo db ;; esac; }
is_read_only() { [ "$(blockdev --getro "$1")" = 1 ]; }
attributes() { lvs --noheadings -o lv_attr "$1" | tr -d ' '; }

# look DEVICE FILE: what the snapshot has in it.
look() {
        local flags=ro
        [ "$(origin_is "$1")" = data ] || flags=ro,nouuid,norecovery
        mount -o "$flags" "$1" /mnt/look && cat "/mnt/look/$2"
        umount /mnt/look
}

outside_baseline
set_up ''
set=$(within 240 quiescectl create --quiet /mnt/data /mnt/db)
check "a set without such a writer" test -n "$set"
check "who has not asked gets nothing" recovers post-snapshot /mnt/data/a ENODATA
for device in $(snapshots); do
        check "$(origin_is "$device"): its device is read-only" is_read_only "$device"
        plain[$(origin_is "$device")]=$(attributes "$device")
done
must within 120 quiescectl delete --quiet "$set"

set_up WritableSnapshots=yes
set=$(within 240 quiescectl create --quiet /mnt/data /mnt/db)
check "a set that a writer writes into" test -n "$set"
check "into ext4 on a thick volume" recovers post-snapshot /mnt/data/a ok
check "into xfs on a thin one, through a link" recovers post-snapshot /mnt/data/link ok
[ "$test_failures" -eq 0 ] || { explain < "$log"; journalctl -q -b -u quiesced | tail -n 20 | explain; }
check "the live ext4 has none of it" test ! -e /mnt/data/a/recovered
check "the live xfs neither" test ! -e /mnt/db/b/recovered
check_equal "two snapshots" 2 "$(snapshots | wc -l)"
for device in $(snapshots); do
        name=$(origin_is "$device")
        file=$([ "$name" = data ] && echo a/recovered || echo b/recovered)
        check_equal "$name: the file is in the snapshot" db "$(look "$device" "$file")"
        check "$name: its device is read-only" is_read_only "$device"
        check_fails "$name: it cannot be mounted writable" "" \
                mount -w "$([ "$name" = data ] && echo -onoatime || echo -onouuid)" "$device" /mnt/look
        check_equal "$name: LVM says the same as ever" "${plain[$name]}" "$(attributes "$device")"
        if [ "$name" = data ]; then
                check "$name: its file system is clean" e2fsck -fn "$device"
        else
                check "$name: its file system is clean" xfs_repair -n "$device"
        fi
done
check "it goes" within 120 quiescectl delete --quiet "$set"
check "one that is backed up" within 240 quiescectl run /mnt/data -- true
check "the folder that it keeps is read-only by then" recovers backup-complete /mnt/data/a EROFS
outside_check "nothing is left of it"

set_up WritableSnapshots=yes keep-open=yes
check_fails "who goes on writing makes the set fail" "vg0/.* open for writing" \
        within 240 quiescectl create --quiet /mnt/data /mnt/db
await 60 no_snapshot
outside_check "and nothing is left of that"

set_up WritableSnapshots=yes "post-snapshot=wait:$directory/fifo"
quiescectl create --quiet /mnt/data /mnt/db > /dev/null 2>&1 &
creator=$!
check "quiesced is killed while a writer writes" await 120 recovers post-snapshot /mnt/data/link ok
must systemctl kill --signal=KILL quiesced.service
echo >&"$fifo"
wait "$creator"
must systemctl start quiesced.service
check "what it has made goes, as it never counted" await 60 no_snapshot
outside_check "and nothing is left of that, either"

rm -f /etc/quiesced/writers.d/db.writer /run/systemd/system/test-recovery.service
systemctl daemon-reload
umount /mnt/data /mnt/db
finish
