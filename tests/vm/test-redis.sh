#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 600
#
# The Redis writer in its real unit and sandbox, with Debian's packaged server in its own, its data directory on a thin LV (Redis
# wants all its files on one file system), in a set with a thick one. A client notes each write when it is acknowledged. Copies of snapshots are put on fresh LVs,
# and a server on them is whole: nothing that was acknowledged before the freeze is missing, nothing after it is there. Then
# the same with saves alone, and what must be refused.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/gate-functions.sh
. "$(dirname "$0")/gate-functions.sh"

work=/run/test-redis
volumes=(/var/lib/redis /srv)
socket=/run/redis/redis-server.sock

redis() { redis-cli -s "$socket" "$@"; }
on_copy() { redis-cli -s "$work/copy/sock" "$@"; }

make_server() {
        must chown redis:redis /var/lib/redis
        printf '%s\n' "unixsocket $socket" 'unixsocketperm 770' 'appendonly yes' 'save ""' \
                'user quiesced-redis on >secret -@all +info +config|get +bgsave +client|pause +client|unpause' >> /etc/redis/redis.conf
        must usermod -a -G redis quiesced-redis
        must install -o quiesced-redis -m 600 /dev/stdin /etc/quiesced/redis.password <<< secret
        printf '[Instance redis]\nSocket=%s\nUser=quiesced-redis\nPasswordFile=/etc/quiesced/redis.password\nLockSec=5\n' \
                "$socket" > /etc/quiesced/redis.conf
        must within 60 systemctl start redis-server.service
}

# One client, which sends its next write when the last was acknowledged; three lines for each: how long the list is, seconds
# and microseconds.
start_load() {
        touch "$work/noted"
        awk 'BEGIN { for (n = 1; ; n++) printf "RPUSH log %d\nTIME\n", n }' 2> /dev/null |
                redis-cli -s "$socket" >> "$work/noted" 2> "$work/said" &
        load=$!
        await_more 20
}
noted() { echo $(($(wc -l < "$work/noted") / 3)); }
await_more() {
        local until=$(($(noted) + $1))
        until [ "$(noted)" -ge "$until" ]; do read -r -t 0.1 <> <(:); done
}

make_restore() {
        ! mountpoint -q /restore/redis || must umount /restore/redis
        make_fs ext4 /dev/vg2/redis /restore/redis
}
take() { within 200 quiescectl run --quiet "${volumes[@]}" -- cp -a /var/lib/redis /restore; }

# start_copy APPENDONLY
start_copy() {
        must install -d -o redis -g redis "$work/copy"
        must within 60 systemd-run --quiet --unit=test-copy --service-type=notify -p User=redis redis-server --port 0 \
                --unixsocket "$work/copy/sock" --dir /restore/redis --appendonly "$1" --save '' --supervised systemd
}
stop_copy() {
        systemctl kill -s KILL test-copy.service
        within 30 systemctl stop test-copy.service
        systemctl reset-failed test-copy.service 2> /dev/null
}

# check_copy NAME LEAST MOST: the numbers of the list.
check_copy() {
        local n
        n=$(on_copy LLEN log)
        check "$1: nothing acknowledged is missing, nothing is too much ($2 $n $3)" test "$n" -ge "$2" -a "$n" -le "$3"
        check_equal "$1: the list has no gap" "$n" "$(on_copy LINDEX log -1)"
}

# --- the machine ------------------------------------------------------------------------------------------------------

make_vg vg0 /dev/vdb
make_vg vg1 /dev/vdc
make_vg vg2 /dev/vdd
make_thick vg0 srv 100M
make_pool vg1 pool 1000M
make_thin vg1 pool redis 400M
make_thick vg2 redis 400M
make_fs ext4 /dev/vg0/srv /srv
make_fs xfs /dev/vg1/redis /var/lib/redis
must mkdir -p "$work" /etc/quiesced/writers.d
make_server
must ln -s /usr/lib/quiesced/writers.available/redis.writer /etc/quiesced/writers.d/
make_restore
udevadm settle
outside_baseline
start_load

# --- append-only files ------------------------------------------------------------------------------------------------

# Stopped while it is frozen, which tells exactly what was acknowledged by then.
make_gate
set_gate freeze
take > "$work/run" 2>&1 &
run=$!
check "it is frozen" await_gate
held=$(noted)
open_gate
wait "$run"
check_equal "a set is made and copied" 0 "$?" || explain < "$work/run"
remove_gate
await_more 20
check "redis-check-aof is content" grep -q 'All AOF files and manifest are valid' \
        <(redis-check-aof /restore/redis/appendonlydir/appendonly.aof.manifest 2>&1)
start_copy yes
check_copy "held" "$held" $((held + 1))
stop_copy

rounds=0
[ "${QUIESCED_TEST_ALL:-no}" = no ] || rounds=9
for ((round = 1; round <= rounds; round++)); do
        make_restore
        before=$(noted) from=$(date +%s)
        check "round $round: a set is made and copied" take
        awk -v from="$from" 'NR % 3 == 2 { s = $1 } NR % 3 == 0 && s >= from { t = s + $1 / 1000000; if (l && t - l > most) most = t - l; l = t }
                END { printf "# the longest a client waited for its next write: %.0f ms\n", most * 1000 }' "$work/noted"
        start_copy yes
        check_copy "round $round" "$before" "$(noted)"
        stop_copy
done

# --- saves alone ------------------------------------------------------------------------------------------------------

make_restore
must redis CONFIG SET appendonly no
must redis CONFIG SET save '3600 1'
before=$(noted)
check "with saves alone: a set is made and copied" take
check "redis-check-rdb is content" grep -q 'RDB looks OK' <(redis-check-rdb /restore/redis/dump.rdb 2>&1)
start_copy no
check_copy "with saves alone" "$before" "$(noted)"
stop_copy
must redis CONFIG SET save ''
must redis CONFIG SET appendonly yes

# --- what must be refused ---------------------------------------------------------------------------------------------

check_equal "no client has ever failed" '' "$(< "$work/said")"
must systemctl kill -s STOP redis-server.service
check_fails "a server that does not answer" 'redis: .*the server does not answer in time' \
        within 120 quiescectl run "${volumes[@]}" -- true
must systemctl kill -s CONT redis-server.service
await_more 5
kill "$load"
wait "$load"
must within 60 systemctl stop redis-server.service
check_fails "one that is down" 'redis: no connection: ' within 120 quiescectl run "${volumes[@]}" -- true

outside_check "after all that nothing is left"
rm -rf /etc/quiesced/writers.d/redis.writer /etc/quiesced/redis.conf /etc/quiesced/redis.password "$work"
finish
