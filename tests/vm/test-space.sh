#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 600
#
# Room for snapshots: where stores are made, what happens when they and thin pools run full, and who is told.
#
# A store is made on the physical volume that the requester or quiesced.conf names; one that runs full is extended; one that
# cannot be loses the snapshot, which is "invalid" then, with when and why, its session is told, and no backup of it is
# complete, whatever the command said; the origin goes on. A pool that runs full loses snapshots of ours before its live
# volumes wait: those that nobody reads first. What cannot fit is refused before anything is frozen.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

out=$test_work/out

make_vg one /dev/vdb /dev/vdc
make_vg two /dev/vdd
make_thick one a 300M
make_fs ext4 /dev/one/a /mnt/a
make_pool two pool 400M
make_thin two pool live 600M
make_fs ext4 /dev/two/live /mnt/live
must mkdir -p /etc/quiesced
printf '[Snapshots]\nStoreOn=one /dev/vdc\n[Space]\nCheckSec=1s\n' > /etc/quiesced/quiesced.conf
must systemctl restart quiesced.service
udevadm settle
outside_baseline

# What the store of the only snapshot lies on; its size in bytes.
cow_devices() { lvs -a --noheadings -o lv_name,devices one | awk '$1 ~ /quiesced_/ { sub(/\(.*/, "", $2); print $2 }'; }
cow_size() { lvs -a --noheadings --nosuffix --units b -o lv_name,lv_size one | awk '$1 ~ /quiesced_/ { print $2 }'; }
snapshot_state() { quiescectl list snapshots --json | sed -n 's/^ *"state": *"\([^"]*\)".*/\1/p' | head -1; }
fill() { within 120 dd if=/dev/urandom of="$1" bs=1M count="$2" conv=fsync,notrunc "${@:3}"; }
is_state() { [ "$(snapshot_state)" = "$1" ]; }
has_grown() { [ "$(cow_size)" -gt "$1" ]; }
two_sets() { [ "$(quiescectl list sets --no-legend | wc -l)" = 2 ]; }
is_given_up() { [ "$(snapshot_state)" != created ]; }
# gone ID: no snapshot of that set is left
gone() { ! quiescectl list sets --no-legend | grep -q "$1"; }

# --- where ------------------------------------------------------------------------------------------------------------
cow_of() { within 120 quiescectl run -q "$@" /mnt/a -- lvs -a --noheadings -o lv_name,devices one > "$out"; }
check "StoreOn=: the set is made" cow_of
check "StoreOn=: the store is there" grep -q 'quiesced_.*/dev/vdc' "$out"
check "--store-on: the set is made" cow_of --store-on /dev/vdb
check "--store-on: the store is there" grep -q 'quiesced_.*/dev/vdb' "$out"
check_fails "a disk of another group" "/dev/vdd.*not found in Volume Group" within 120 quiescectl run -q --store-on /dev/vdd /mnt/a -- true
check_fails "what is no disk" "below /dev" within 60 quiescectl run -q --store-on vdb /mnt/a -- true
check_fails "no room there" "physical volumes it shall be on" \
        within 120 quiescectl run -q --store-on /dev/vdb:0-3 --cow-size 100M /mnt/a -- true
outside_check "where: nothing is left"

# --- a store that is extended ---------------------------------------------------------------------------------------------
check "grow: the set is made" within 120 quiescectl create -q --cow-size 64M /mnt/a
size=$(cow_size)
check "grow: the origin changes" fill /mnt/a/f 55
check "grow: the store grows" await 60 has_grown "$size"
check "grow: where it was" test "$(cow_devices | sort -u)" = /dev/vdc
check "grow: the snapshot holds" is_state created
check "grow: further changes" fill /mnt/a/g 20
check "grow: the snapshot still holds" is_state created
check "grow: deleted" within 120 quiescectl delete "$(quiescectl list sets --no-legend | awk '{print $1}')"
must rm /mnt/a/f /mnt/a/g
outside_check "grow: nothing is left"

# --- a store that cannot be ---------------------------------------------------------------------------------------------
sed -i 's/CheckSec=1s/&\nGrowPercent=100/' /etc/quiesced/quiesced.conf
must systemctl restart quiesced.service
stdbuf -oL busctl monitor org.quiesce1 --match "type='signal',interface='org.quiesce1.Manager'" > "$test_work/signals" 2> /dev/null &
monitor=$!
# The command reads nothing and succeeds: its backup must not count all the same.
cat > "$test_work/command" <<'END'
#!/bin/sh
full() { quiescectl list snapshots --json | sed -n 's/^ *"full%": *\([0-9]*\).*/\1/p'; }
dd if=/dev/urandom of=/proc/1/root/mnt/a/f bs=1M count=55 conv=fsync 2> /dev/null
until [ "$(full)" -ge 80 ]; do :; done
dd if=/dev/urandom of=/proc/1/root/mnt/a/g bs=1M count=50 conv=fsync 2> /dev/null
until quiescectl list snapshots --json | grep -q '"invalid-since": [^n]'; do :; done
quiescectl show "$(quiescectl list snapshots --no-legend | awk '{print $1}')"
END
chmod +x "$test_work/command"
within 300 quiescectl run --cow-size 64M /mnt/a -- "$test_work/command" > "$out"
check_equal "lost: quiescectl fails" 125 $?
check "lost: it was told of the room" grep -q 'room of the snapshot .* full' "$out"
check "lost: it was told at once" grep -q 'is lost.*store ran full' "$out"
check "lost: the backup is not complete" grep -q 'backup not complete' "$out"
check "lost: and why" grep -q 'the snapshot of one/a is lost' "$out"
check "lost: since when" grep -q -i 'invalid.since.*20' "$out"
check "lost: for which reason" grep -q -i 'invalid.reason.*store-lost' "$out"
check "lost: the origin goes on" within 30 touch /mnt/a/probe
kill "$monitor"
wait "$monitor" 2> /dev/null
check "lost: a signal" grep -q SnapshotInvalid "$test_work/signals"
[ "$test_failures" -eq 0 ] || explain < "$out"
must rm -f /mnt/a/f /mnt/a/g
outside_check "lost: nothing is left"

# --- a pool that runs full ----------------------------------------------------------------------------------------------
sed -i 's/GrowPercent=100/DropPercent=85/' /etc/quiesced/quiesced.conf
must systemctl restart quiesced.service
check "pool: live data" fill /mnt/live/f 120
check "pool: a set that nobody reads" within 120 quiescectl create -q /mnt/live
idle=$(quiescectl list sets --no-legend | awk '{print $1}')
check "pool: live data change" fill /mnt/live/f 120
mkfifo "$test_work/hold"
# One that is read; it ends when the test says so.
within 300 quiescectl run -q /mnt/live -- sh -c "exec 9< /mnt/live/f; cat '$test_work/hold'; exit 0" > "$out" &
reader=$!
check "pool: a set that is read" await 120 two_sets
check "pool: they change again" fill /mnt/live/f 120
check "pool: what nobody reads goes first" await 60 gone "$idle"
check "pool: what is read stays" is_state created
[ "$test_failures" -eq 0 ] || { quiescectl list; lvs -a two; dmsetup status; journalctl -b -o cat -u quiesced | tail -30; } | explain
check "pool: the volume takes writes" fill /mnt/live/g 145
check "pool: then what is read is given up" await 60 is_given_up
check "pool: the volume takes writes still" fill /mnt/live/g 145
check "pool: it has room" test "$(lvs --noheadings --nosuffix -o data_percent two/pool | cut -d. -f1)" -lt 97
must systemctl restart quiesced.service
check "pool: what was given up is not good after a restart" await 30 is_state invalid
echo > "$test_work/hold"
wait "$reader"
check_equal "pool: the backup fails" 125 $?
check "pool: says why" grep -q 'pool ran full' "$out"
check "pool: nothing of ours is left" await 60 sh -c '! lvs -a --noheadings two | grep -q quiesced_'
outside_check "pool: nothing is left"
check "pool: another set" within 120 quiescectl run -q /mnt/live -- true
rm /etc/quiesced/quiesced.conf
must systemctl restart quiesced.service
finish
