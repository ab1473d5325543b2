#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 300
# vm-all
#
# A writer without privileges, in a sandbox, asks whether its files are in a set of real volumes: ext4, LUKS, a loop
# device on a file, a btrfs with a subvolume; links and bind mounts that lead out of the set and into it.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

log=/run/test-affected/log
paths=(/mnt/data/db /mnt/data/not/yet /mnt/secret/x /mnt/loop/x /mnt/b/x /mnt/b/sub/x /mnt/data/wal /mnt/data/bound/x
        /mnt/other/into /mnt/other/x /etc/passwd vg0/data vg0/other /dev/vg0/data)

make_vg vg0 /dev/vdb
make_vg vg1 /dev/vdc
make_thick vg0 data 96M
make_thick vg0 luks 48M
make_thick vg0 other 320M
make_thick vg1 b 256M
make_fs ext4 /dev/vg0/data /mnt/data
make_fs xfs /dev/vg0/other /mnt/other
make_fs btrfs /dev/vg1/b /mnt/b
printf secret > "$test_work/key"
must cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /dev/vg0/luks "$test_work/key"
must cryptsetup open --key-file "$test_work/key" /dev/vg0/luks secret
make_fs ext4 /dev/mapper/secret /mnt/secret
must truncate -s 16M /mnt/data/image
must mkfs.ext4 -q -F /mnt/data/image
must mkdir -p /mnt/loop /mnt/other/wal /mnt/other/there /mnt/data/bound /run/test-affected
must mount -o loop /mnt/data/image /mnt/loop
must btrfs -q subvolume create /mnt/b/sub
must ln -s /mnt/other/wal /mnt/data/wal
must ln -s /mnt/data /mnt/other/into
must mount --bind /mnt/other/there /mnt/data/bound
must chown nobody /run/test-affected
udevadm settle

program=$(command -v quiesce-test-writer)
cat > /run/systemd/system/test-affected.service <<END
[Service]
Type=exec
User=nobody
Environment=QUIESCE_WRITER_NAME=affected
ExecStart=$program log=$log ${paths[*]/#/affected=}
CapabilityBoundingSet=
NoNewPrivileges=yes
ProtectSystem=strict
PrivateDevices=yes
PrivateTmp=yes
ProtectHome=yes
ProtectProc=invisible
ProcSubset=pid
ReadWritePaths=/run/test-affected
ReadWritePaths=/mnt/data
RestrictNamespaces=yes
SystemCallFilter=@system-service
END
mkdir -p /etc/quiesced/writers.d
printf '[Writer]\nService=test-affected.service\n' > /etc/quiesced/writers.d/affected.writer
must systemctl daemon-reload

# said PATH ANSWER [MOUNT-POINT]: in each event from PrepareForBackup to PostSnapshot.
said() {
        local event
        for event in prepare-for-backup prepare-for-snapshot freeze thaw post-snapshot; do
                grep -q -x -F "affected affected $event $1 $2 ${3:--}" "$log" || return 1
        done
}

outside_baseline
set=$(within 240 quiescectl create --quiet /mnt/data /mnt/secret /mnt/b)
check "a set of three volumes is made" test -n "$set"
check "ext4 on a volume of the set" said /mnt/data/db yes /mnt/data
check "what is not there yet" said /mnt/data/not/yet yes /mnt/data
check "through LUKS" said /mnt/secret/x yes /mnt/secret
check "through a loop device" said /mnt/loop/x yes /mnt/loop
check "btrfs" said /mnt/b/x yes /mnt/b
check "a subvolume" said /mnt/b/sub/x yes /mnt/b
check "a link out of the set" said /mnt/data/wal no /mnt/other
check "a mount that leads out of the set" said /mnt/data/bound/x no /mnt/data/bound
check "a link into the set" said /mnt/other/into yes /mnt/data
check "another volume" said /mnt/other/x no /mnt/other
check "the root" said /etc/passwd no /
check "volumes by name" said vg0/data yes
check "another volume by name" said vg0/other no
# As for all that is not there, the folder is judged: the /dev of its own.
check "a device node that the sandbox has not" said /dev/vg0/data no /dev
[ "$test_failures" -eq 0 ] || explain < "$log"
check "it goes" within 120 quiescectl delete --quiet "$set"
outside_check "after all that nothing is left"
rm -f /etc/quiesced/writers.d/affected.writer /run/systemd/system/test-affected.service
systemctl daemon-reload
umount /mnt/loop /mnt/data/bound /mnt/data /mnt/secret /mnt/other /mnt/b
cryptsetup close secret
finish
