# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# postgresql-functions.sh - sourced by tests of the PostgreSQL writer: Debian's server with data, log and a
# tablespace on an LV each, a bank that is written to by a client that notes each commit when it is acknowledged, and servers
# on copies.

# Debian's own commands of these names find a cluster first, which takes long here.
PATH=/usr/lib/postgresql/15/bin:$PATH
work=/run/test-postgresql
# shellcheck disable=SC2034 # for those who source this
volumes=(/srv/data /srv/wal /srv/space)
# Small, with short segments of the log, so that they are used again.
settings='shared_buffers = 16MB
min_wal_size = 2MB
max_wal_size = 4MB
autovacuum = off
jit = off
ssl = off
max_parallel_workers_per_gather = 0'

# --- servers ----------------------------------------------------------------------------------------------------------

sql() { psql -h "${socket:-/run/postgresql}" -X -q -t -A -F ' ' -v ON_ERROR_STOP=1 -d postgres -c "$1"; }
on_copy() { socket=$work/copy sql "$@"; }

# It is not written to the disk when it is made: the test does not cut the power.
make_server() {
        must systemd-tmpfiles --create postgresql-common.conf
        must install -d -o postgres -g postgres -m 700 /srv/wal/pg_wal /srv/space/fast
        must within 180 pg_createcluster 15 main -d /srv/data/main -e UTF8 --locale=C --start-conf=manual -- \
                --no-sync --data-checksums --waldir=/srv/wal/pg_wal --wal-segsize=1
        printf '%s\n' "$settings" >> /etc/postgresql/15/main/postgresql.conf
        systemctl daemon-reload
        must within 180 systemctl start postgresql@15-main.service
        must within 60 setpriv --reuid=postgres --regid=postgres --clear-groups psql -h /run/postgresql -X -q -d postgres \
                -c 'CREATE ROLE root SUPERUSER LOGIN'
}

make_bank() {
        sql "CREATE ROLE \"quiesced-postgresql\" LOGIN" &&
                sql "GRANT pg_read_all_settings, pg_checkpoint TO \"quiesced-postgresql\"" &&
                sql "CREATE EXTENSION amcheck" &&
                sql "CREATE TABLESPACE fast LOCATION '/srv/space/fast'" &&
                sql "CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL)" &&
                sql "INSERT INTO account SELECT i, 1000 FROM generate_series(0, 9) i" &&
                sql "CREATE TABLE ledger (n int PRIMARY KEY USING INDEX TABLESPACE fast, giver int, taker int, amount int)
                     TABLESPACE fast"
}

# A client, one process for all it does; "N TIME" is noted when what it has written is acknowledged.
start_load() {
        touch "$work/noted"
        awk 'BEGIN { for (n = 1; ; n++) {
                giver = n % 10; taker = (n * 7 + 3) % 10; amount = n % 97
                printf "BEGIN;\nUPDATE account SET balance = balance - %d WHERE id = %d;\nUPDATE account SET balance = balance + %d WHERE id = %d;\n" \
                        "INSERT INTO ledger VALUES (%d, %d, %d, %d);\nCOMMIT;\nSELECT %d, extract(epoch FROM clock_timestamp());\n",
                        amount, giver, amount, taker, n, giver, taker, amount, n } }' 2> /dev/null |
                PGAPPNAME=load psql -h /run/postgresql -X -q -t -A -F ' ' -v ON_ERROR_STOP=1 -d postgres >> "$work/noted" 2> "$work/said" &
        # shellcheck disable=SC2034 # for those who source this
        load=$!
        load_reaches 5
        backend=$(sql "SELECT pid FROM pg_stat_activity WHERE application_name = 'load'")
}

# The last number that was noted, which is how many lines there are.
last() { wc -l < "$work/noted"; }
load_reaches() { until [ "$(last)" -ge "$1" ]; do read -r -t 0.1 <> <(:); done; }

# With its client stopped, the server has done all that it was told to; or a frozen file system holds it.
load_rests() {
        grep -q percpu_rwsem_wait "/proc/$backend/wchan" ||
                [ "$(sql "SELECT state FROM pg_stat_activity WHERE application_name = 'load'")" != active ]
}

# --- copies -----------------------------------------------------------------------------------------------------------

# Fresh file systems on the LVs for restores.
make_restore() {
        local name
        for name in data wal space; do
                ! mountpoint -q "/restore/$name" || must umount "/restore/$name"
                make_fs ext4 "/dev/vg2/$name" "/restore/$name"
        done
}

# Where the command is run that copies the snapshots: what was acknowledged by then is the most that may be in them.
make_copier() {
        cat > "$work/copy-set" <<END
#!/bin/sh
wc -l < $work/noted > $work/after
exec cp -a ${volumes[*]} /restore
END
        must chmod 755 "$work/copy-set"
}

# A server on what was put back, with its links led there.
start_copy() {
        local link
        must ln -sfn /restore/wal/pg_wal /restore/data/main/pg_wal
        link=$(echo /restore/data/main/pg_tblspc/*)
        must ln -sfn /restore/space/fast "$link"
        start_server_on_copy
}
start_server_on_copy() {
        must install -d -o postgres -g postgres "$work/copy"
        must rm /restore/data/main/postmaster.pid
        printf '%s\n' "$settings" "unix_socket_directories = '$work/copy'" "listen_addresses = ''" \
                "hba_file = '$work/copy/hba'" > "$work/copy/conf"
        echo 'local all all peer' > "$work/copy/hba"
        must within 240 systemd-run --quiet --unit=test-copy --service-type=notify -p User=postgres -p TimeoutStartSec=infinity \
                -p StandardError="truncate:$work/copy/log" "$(type -P postgres)" -D /restore/data/main --config-file="$work/copy/conf"
}
stop_copy() {
        systemctl kill -s KILL test-copy.service
        within 30 systemctl stop test-copy.service
        systemctl reset-failed test-copy.service 2> /dev/null
}

# One row: is the sum right, how many balances are not what the ledger says, has the ledger a gap, and how long it is.
verify='SELECT (SELECT sum(balance) FROM account) = 10000,
        (SELECT count(*) FROM account WHERE balance <> 1000 - (SELECT coalesce(sum(amount), 0) FROM ledger WHERE giver = id)
                + (SELECT coalesce(sum(amount), 0) FROM ledger WHERE taker = id)),
        (SELECT count(*) - max(n) FROM ledger), (SELECT max(n) FROM ledger)'

# check_copy NAME LEAST MOST: how many commits it must have. The ledger is counted in the table, not by its index.
check_copy() {
        local sum wrong gap n
        read -r sum wrong gap n <<< "$(on_copy "SET enable_indexonlyscan = off; SET enable_indexscan = off; SET enable_bitmapscan = off; $verify")"
        check_equal "$1: sum, balances and rows are right" "t 0 0" "$sum $wrong $gap"
        check "$1: nothing acknowledged is missing, nothing is too much ($2 $n $3)" test "$n" -ge "$2" -a "$n" -le "$3"
        check_equal "$1: pg_amcheck is content" '' "$(pg_amcheck -h "$work/copy" -d postgres --heapallindexed --parent-check 2>&1)"
}

# --- the machine ------------------------------------------------------------------------------------------------------

make_machine() {
        make_vg vg0 /dev/vdb
        make_vg vg1 /dev/vdc
        make_vg vg2 /dev/vdd
        make_thick vg0 data 400M
        make_thick vg0 space 200M
        make_pool vg1 pool 1200M
        make_thin vg1 pool wal 400M
        make_thick vg2 data 400M
        make_thick vg2 wal 400M
        make_thick vg2 space 200M
        make_fs ext4 /dev/vg0/data /srv/data
        make_fs xfs /dev/vg1/wal /srv/wal
        make_fs ext4 /dev/vg0/space /srv/space
        must mkdir -p "$work" /etc/quiesced/writers.d
        make_copier
        make_server
        must make_bank
}
