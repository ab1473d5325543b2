#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --package nfs-kernel-server --package nfs-common --disk 2G --disk 2G --timeout 300
#
# Previous versions on shares of the kernel's NFS server, as quiesced-previous-versions(8) says, read by a client on this machine:
# an ext4 on a thick volume and an xfs on a thin one. A client sees the instant in each version and the live files beside them, in
# whichever order it looks, also after the server was restarted; a set goes although it is exported.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

declare -A first=() second=()
unit() { systemd-escape --path --template quiesced-previous-versions@.service "/srv/$1"; }
instant() { TZ=UTC date -d "$(quiescectl show --json "$1" | jq -r '.sets[0].created')" +@GMT-%Y.%m.%d-%H.%M.%S; }
wait_second() { await 10 sh -c "[ \"\$(date +%s)\" != $(date +%s) ]"; }
snapshot_of() { quiescectl list --json snapshots | jq -r ".snapshots[] | select(.set == \"$1\").id"; }
is_exported() { grep -q "fsid=$(snapshot_of "$1")" /var/lib/nfs/etab; }
nfs_mount() { within 60 mount -t nfs -o "vers=$1,soft,timeo=100" "127.0.0.1:$2" /mnt/client; }
client() { within 30 cat "/mnt/client/$1"; }
main_pid() { systemctl show -P MainPID "$(unit office)"; }
is_new() { systemctl is-active -q "$(unit office)" && [ "$(main_pid)" != "$killed" ]; }
old_version() { client ".versions/$(instant "$1")/report"; }

make_vg vg /dev/vdb
make_thick vg office 200M
make_pool vg pool 500M
make_thin vg pool db 320M
make_fs ext4 /dev/vg/office /srv/office
make_fs xfs /dev/vg/db /srv/db
must mkdir -p /mnt/client
must systemctl start quiesced.service
must systemctl start nfs-server.service
outside_baseline
# The root of this machine cannot be exported, as NFS 4 wants it: the first share stands for it.
printf '%s\n' '/srv/office *(rw,no_subtree_check,fsid=0)' '/srv/db *(rw,no_subtree_check)' > /etc/exports
must exportfs -ra
for share in office db; do
        # As the manual page has it.
        drop_in=/etc/systemd/system/$(unit $share).d
        must mkdir -p "$drop_in"
        cat > "$drop_in/nfs.conf" << 'CONF'
[Unit]
After=nfs-server.service

[Service]
ExecStart=
ExecStart=/usr/bin/quiescectl previous-versions --nfs * %f %f/.versions
PrivateNetwork=no
CapabilityBoundingSet=CAP_DAC_OVERRIDE
CONF
        echo first > /srv/$share/report
        first[$share]=$(quiescectl create -q --cow-size 64M /srv/$share)
        echo second > /srv/$share/report
done
must systemctl daemon-reload
wait_second
for share in office db; do
        second[$share]=$(quiescectl create -q --cow-size 64M /srv/$share)
        echo now > /srv/$share/report
        check "$share: the service is started" systemctl start "$(unit $share)" || systemctl status "$(unit $share)" | explain
        check "$share: the first version is exported by its own number" await 30 is_exported "${first[$share]}" ||
                journalctl -u "$(unit $share)" | explain
        check "$share: the second, too" await 30 is_exported "${second[$share]}"
done

# see SHARE VERSION PATH: what a client sees, the versions before the live file and after it.
see() {
        must exportfs -f
        check "$1, NFS $2: a client" nfs_mount "$2" "$3"
        check_equal "$1, NFS $2: the first version" first "$(old_version "${first[$1]}")"
        check_equal "$1, NFS $2: the live file" now "$(client report)"
        check_equal "$1, NFS $2: the second version" second "$(old_version "${second[$1]}")"
        check_equal "$1, NFS $2: the first again" first "$(old_version "${first[$1]}")"
        check_equal "$1, NFS $2: the live file again" now "$(client report)"
        check_fails "$1, NFS $2: no version is written" "Read-only file system" \
                within 30 touch "/mnt/client/.versions/$(instant "${first[$1]}")/new"
        must within 60 umount -R /mnt/client
}
see office 3 /srv/office
see office 4.2 /
see db 3 /srv/db

# The server and the service end, and come back; a client goes on.
check "a client of the first share" nfs_mount 3 /srv/office
check_equal "it reads a version" first "$(old_version "${first[office]}")"
must systemctl restart nfs-server.service
killed=$(main_pid)
must systemctl kill -s KILL "$(unit office)"
check "the service is started anew" await 60 is_new
check "and exports the same" await 30 is_exported "${first[office]}"
check_equal "the client reads it still" first "$(old_version "${first[office]}")"
check_equal "and the live file" now "$(client report)"

# Nothing is kept by being exported.
gone=$(instant "${first[office]}")
check "a set that is exported is deleted without force" within 60 quiescectl delete -q "${first[office]}"
check_equal "its version is exported no more" 0 "$(grep -c "$gone" /var/lib/nfs/etab)"
check_fails "nor seen" "No such file|Stale" client ".versions/$gone/report"
check_equal "the other is" second "$(old_version "${second[office]}")"
check_equal "and the live file" now "$(client report)"
must within 60 umount -R /mnt/client

for share in office db; do check "$share: the service is stopped" systemctl stop "$(unit $share)"; done
check_equal "no version is exported" 0 "$(grep -c @GMT- /var/lib/nfs/etab)"
check_equal "none is mounted" "" "$(findmnt -n -l -o TARGET | grep @GMT-)"
check "the directory is empty" rmdir /srv/office/.versions /srv/db/.versions
must quiescectl delete -q "${second[office]}" "${first[db]}" "${second[db]}"
: > /etc/exports
must exportfs -ra
must systemctl stop nfs-server.service
outside_check "at the end nothing is left"
finish
