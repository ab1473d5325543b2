#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 1G --disk 1G --timeout 300
#
# quiescectl doctor on real volumes: a machine in order has no problem, and each thing that is broken here is found,
# with quiesced and without, as root and as nobody.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
make_vg vg0 /dev/vdb
make_thick vg0 data 320M
make_pool vg0 pool 256M
make_thin vg0 pool thin 128M
make_fs xfs /dev/vg0/data /mnt/data
make_fs ext4 /dev/vg0/thin /mnt/thin
must systemctl start quiesced
outside_baseline

doctor() { within 100 quiescectl doctor "$@"; }
# says PATTERN COMMAND…: in one of its lines, as they are without wrapping
says() { "${@:2}" | tr '\n' ' ' | tr -s ' ' | grep -q -E -e "$1"; }
# finds RESULT PATTERN: a finding of that result
finds() { doctor --json | jq -e --arg result "$1" --arg pattern "$2" 'any(.findings[]; .result == $result and (.text | test($pattern)))'; }
no_problem() { doctor > "$test_work/doctor"; local status=$?; grep -A 2 problem: "$test_work/doctor"; return "$status"; }

check "a machine in order has no problem" no_problem
check "device-mapper's targets" finds ok "device-mapper.*thin-pool"
check "LVM's version" finds ok '^LVM 2\.'
check "group's room" finds ok 'group vg0 has [0-9]+ % of its room free'
check "a pool's" finds ok 'thin pool vg0/pool is'
check "nothing is suspended" finds ok 'no device is suspended'
check "nothing is held" finds ok 'quiesced holds nothing'
check "the thick volume's provider and writer" finds ok '^/mnt/data \(xfs, vg0/data\) is snapshotted by lvm-cow; the writer fsfreeze freezes it'
check "the thin one's" finds ok '^/mnt/thin \(ext4, vg0/thin\) is snapshotted by lvm-thin'
check "the sockets" finds ok 'quiesced-hold.socket listens'
check "the udev rule" finds ok 'udev rule'
check "the bus' policy" finds ok "bus' policy"
check "quiesced's version" finds ok 'quiesced runs, version'

must dmsetup suspend vg0-data
check_status "a suspended device is a problem" 1 doctor
check "it is named" finds problem 'suspended device: vg0-data'
must dmsetup resume vg0-data

must systemctl stop quiesced-hold.socket
check "a socket that does not listen" finds problem 'quiesced-hold.socket does not listen'
must systemctl start quiesced-hold.socket

printf '{"version": 1, "set": "x", "volumes": [{"origin": "LVM-x", "snapshot": ""}], "mounts": [{"mount-point": "/mnt/data", "mount-id": 1}]}\n' \
        > /run/quiesced/held-x.json
echo nonsense > /run/quiesced/held-y.json.unread
check "a journal that was left" finds problem 'held-x.json: 1 volumes may be suspended, 1 file systems frozen'
check "with what it names" finds problem 'may be frozen: /mnt/data'
check "one that could not be read" finds warning 'held-y.json.unread'
rm /run/quiesced/held-x.json /run/quiesced/held-y.json.unread

must lvcreate -qq -y -an -L 8M --addtag quiesced.unfinished -n left vg0
check "a snapshot that was never finished" finds warning 'vg0/left is a snapshot that was never finished'
must lvremove -qq -y vg0/left

mkdir -p /etc/quiesced/writers.d
ln -s /dev/null /etc/quiesced/writers.d/fsfreeze.writer
must systemctl restart quiesced
check "a masked writer" finds note 'writer fsfreeze is masked by /etc/quiesced/writers.d/fsfreeze.writer'
check "nobody freezes file systems then" finds warning '/mnt/data .*nobody freezes it'
rm /etc/quiesced/writers.d/fsfreeze.writer
must systemctl restart quiesced

check "nobody may ask, too" says 'could not be looked at' setpriv --reuid=65534 --regid=65534 --clear-groups quiescectl doctor
check "and is told what only root sees" says 'do: run it as root' setpriv --reuid=65534 --regid=65534 --clear-groups quiescectl doctor
check "and what he may" says 'you may .*back up' setpriv --reuid=65534 --regid=65534 --clear-groups quiescectl doctor

must systemctl stop quiesced
check "without quiesced" finds note 'quiesced is not running'
check "LVM is looked at all the same" finds ok 'group vg0 has'
check_status "it was not started by that" 3 systemctl is-active quiesced
must systemctl start quiesced
outside_check "nothing is left"
finish
