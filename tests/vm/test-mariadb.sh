#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 1200
#
# The MariaDB writer in its real unit and sandbox, with Debian's packaged server in its own: data on a thick LV, InnoDB's log
# on a thin one, the binary log on a third. A bank whose sum must hold, and tables of MyISAM and Aria, written to by clients that
# note each commit when it is acknowledged. Copies of snapshots are put on fresh LVs, and a server on them is whole: nothing
# that was acknowledged before the freeze is missing, nothing after it is there. A replica goes on from the position in the
# backup's document. Then what must be refused.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/gate-functions.sh
. "$(dirname "$0")/gate-functions.sh"

work=/run/test-mariadb
volumes=(/srv/data /srv/redo /srv/binlog)
# Small, so that it starts soon; damaged tables are not mended when they are opened.
settings='innodb_buffer_pool_size=8M
innodb_log_file_size=4M
key_buffer_size=1M
aria_pagecache_buffer_size=1M
performance_schema=OFF
innodb_stats_persistent=OFF
myisam_recover_options=OFF
aria_recover_options=OFF
skip_name_resolve'

# --- servers ----------------------------------------------------------------------------------------------------------

sql() { mariadb --socket="${socket:-/run/mysqld/mysqld.sock}" -N -B -e "$1" "${@:2}"; }
on_copy() { socket=$work/copy/sock sql "$@"; }

# Debian's script after the start looks through all tables, which takes long here.
make_server() {
        must mkdir -p /run/systemd/system/mariadb.service.d /etc/mysql/mariadb.conf.d
        printf '[Service]\nExecStartPost=\n' > /run/systemd/system/mariadb.service.d/test.conf
        printf '[mariadbd]\n%s\ndatadir=/srv/data/mysql\ninnodb_log_group_home_dir=/srv/redo/innodb\nlog_bin=/srv/binlog/log/binlog\nserver_id=1\n' \
                "$settings" > /etc/mysql/mariadb.conf.d/99-test.cnf
        must cp -a --sparse=always /var/lib/mysql /srv/data/mysql
        must install -d -o mysql -g mysql -m 700 /srv/redo/innodb /srv/binlog/log
        must mv /srv/data/mysql/ib_logfile0 /srv/redo/innodb/
        must systemd-tmpfiles --create mariadb.conf
        systemctl daemon-reload
        must within 180 systemctl start mariadb.service
}

make_bank() {
        sql "CREATE USER 'quiesced-mariadb'@localhost IDENTIFIED VIA unix_socket;
             GRANT RELOAD, PROCESS, SHOW DATABASES, BINLOG MONITOR, SLAVE MONITOR ON *.* TO 'quiesced-mariadb'@localhost;
             CREATE USER replica@'127.0.0.1' IDENTIFIED BY 'replica';
             GRANT REPLICATION SLAVE ON *.* TO replica@'127.0.0.1';
             CREATE DATABASE bank; USE bank;
             CREATE TABLE account (id INT PRIMARY KEY, balance BIGINT NOT NULL) ENGINE=InnoDB;
             INSERT INTO account VALUES (0,1000),(1,1000),(2,1000),(3,1000),(4,1000),(5,1000),(6,1000),(7,1000),(8,1000),(9,1000);
             CREATE TABLE ledger (n INT PRIMARY KEY, giver INT, taker INT, amount INT) ENGINE=InnoDB;
             CREATE TABLE m (n INT PRIMARY KEY, bytes BLOB) ENGINE=MyISAM DELAY_KEY_WRITE=1;
             CREATE TABLE a (n INT PRIMARY KEY, bytes BLOB) ENGINE=Aria"
}

# A client, one process for all it does; "N TIME" is noted when what it has written is acknowledged.
start_loads() {
        touch "$work/noted" "$work/noted-others"
        awk 'BEGIN { for (n = 1; ; n++) {
                giver = n % 10; taker = (n * 7 + 3) % 10; amount = n % 97
                printf "BEGIN; UPDATE account SET balance = balance - %d WHERE id = %d; UPDATE account SET balance = balance + %d WHERE id = %d; " \
                        "INSERT INTO ledger VALUES (%d, %d, %d, %d); COMMIT; SELECT %d, UNIX_TIMESTAMP(SYSDATE(6));\n",
                        amount, giver, amount, taker, n, giver, taker, amount, n } }' 2> /dev/null |
                mariadb -N -B -n bank >> "$work/noted" 2> "$work/said" &
        awk 'BEGIN { for (n = 1; ; n++)
                printf "INSERT INTO m VALUES (%d, REPEAT(\"m\", 500)); INSERT INTO a VALUES (%d, REPEAT(\"a\", 500)); SELECT %d;\n", n, n, n }' 2> /dev/null |
                mariadb -N -B -n bank >> "$work/noted-others" 2>> "$work/said" &
        until [ "$(last "$work/noted")" -ge 5 ] && [ "$(last "$work/noted-others")" -ge 5 ]; do read -r -t 0.1 <> <(:); done
}

stop_loads() {
        sql "SELECT CONCAT('KILL ', id, ';') FROM information_schema.processlist WHERE db = 'bank'" > "$work/kill"
        mariadb --force < "$work/kill"
        wait
}

# The last number that was noted, which is how many lines there are.
last() { wc -l < "$1"; }

# --- copies -----------------------------------------------------------------------------------------------------------

# Fresh file systems on the LVs for restores.
make_restore() {
        local name
        for name in data redo binlog; do
                ! mountpoint -q "/restore/$name" || must umount "/restore/$name"
                make_fs ext4 "/dev/vg2/$name" "/restore/$name"
        done
}

# A server on what was put back, by itself: it has its binary log, whose index names the files by their path.
start_copy() {
        must sed -i 's|/srv/|/restore/|' /restore/binlog/log/binlog.index
        must install -d -o mysql -g mysql "$work/copy"
        printf '[mariadbd]\n%s\n' "$settings" > "$work/copy/cnf"
        must within 180 systemd-run --quiet --unit=test-copy --service-type=notify -p User=mysql mariadbd \
                --defaults-file="$work/copy/cnf" --datadir=/restore/data/mysql --innodb-log-group-home-dir=/restore/redo/innodb \
                --log-bin=/restore/binlog/log/binlog --server-id=2 --socket="$work/copy/sock" --skip-networking "$@"
}
stop_copy() {
        systemctl kill -s KILL test-copy.service
        within 30 systemctl stop test-copy.service
        systemctl reset-failed test-copy.service 2> /dev/null
}

# One row: is the sum right, are balances what the ledger says, has the ledger no gap, and how long it is; the same of the others.
verify='SELECT (SELECT SUM(balance) FROM account) = 10000,
        (SELECT COUNT(*) FROM account JOIN (SELECT id AS i, 1000 - COALESCE((SELECT SUM(amount) FROM ledger WHERE giver = id), 0)
                + COALESCE((SELECT SUM(amount) FROM ledger WHERE taker = id), 0) AS b FROM account) s ON i = id WHERE balance <> b),
        (SELECT COUNT(*) - MAX(n) FROM ledger), (SELECT MAX(n) FROM ledger),
        (SELECT COUNT(*) - MAX(n) FROM m), (SELECT MAX(n) FROM m), (SELECT COUNT(*) - MAX(n) FROM a), (SELECT MAX(n) FROM a)'

# check_copy NAME BEFORE AFTER BEFORE AFTER: the last numbers of both loads around the freeze.
check_copy() {
        local sum wrong gap n gap_m m gap_a a
        read -r sum wrong gap n gap_m m gap_a a <<< "$(on_copy "$verify" bank)"
        check_equal "$1: sum, balances and rows are right" "1 0 0 0 0" "$sum $wrong $gap $gap_m $gap_a"
        check "$1: nothing acknowledged is missing, nothing is too much (InnoDB: $2 $n $3)" test "$n" -ge "$2" -a "$n" -le $(($3 + 1))
        check "$1: nor of MyISAM and Aria ($4 $m $a $5)" test "$m" -ge "$4" -a "$m" -le $(($5 + 1)) -a "$a" -ge "$4" -a "$a" -le $(($5 + 1))
        check_equal "$1: mariadb-check is content" '' \
                "$(mariadb-check --socket="$work/copy/sock" --extended --databases bank mysql 2>&1 | grep -v ' OK$')"
}

# --- the machine ------------------------------------------------------------------------------------------------------

make_vg vg0 /dev/vdb
make_vg vg1 /dev/vdc
make_vg vg2 /dev/vdd
make_thick vg0 data 400M
make_thick vg0 binlog 200M
make_pool vg1 pool 1200M
make_thin vg1 pool redo 400M
make_thick vg2 data 400M
make_thick vg2 redo 400M
make_thick vg2 binlog 200M
make_fs ext4 /dev/vg0/data /srv/data
make_fs xfs /dev/vg1/redo /srv/redo
make_fs ext4 /dev/vg0/binlog /srv/binlog
must mkdir -p "$work" /etc/quiesced/writers.d
make_server
must make_bank
must ln -s /usr/lib/quiesced/writers.available/mariadb.writer /etc/quiesced/writers.d/
make_restore
udevadm settle
outside_baseline
start_loads

# --- rounds -----------------------------------------------------------------------------------------------------------

# Stopped while it is frozen, which tells exactly what was acknowledged by then; and of the pause nothing.
make_gate
set_gate freeze
within 240 quiescectl run --quiet "${volumes[@]}" -- cp -a "${volumes[@]}" /restore > "$work/run" 2>&1 &
run=$!
check "it is frozen" await_gate
held=$(last "$work/noted") held_others=$(last "$work/noted-others")
open_gate
wait "$run"
check_equal "a set is made and copied" 0 "$?" || explain < "$work/run"
remove_gate
start_copy
check_copy "held" "$held" "$held" "$held_others" "$held_others"
stop_copy

# By component, as it is then that a writer's notes are kept; the requester waits until the snapshots are copied.
cat > "$work/backup" <<END
OpenBackup
SetBackupState component-mode
GatherWriterMetadata
AddComponent mariadb "" mysqld
StartSnapshotSet
$(printf 'AddToSnapshotSet %s\n' "${volumes[@]}")
PrepareForBackup
DoSnapshotSet
SaveDocument $work/document
mark $work/made
wait $work/copied
BackupComplete
Release
END
make_restore
before=$(last "$work/noted") before_others=$(last "$work/noted-others")
"$QUIESCED_BUILD/.libs/quiesce-test-requester" --script="$work/backup" > "$work/requester" 2>&1 &
requester=$!
check "a set is made by component" await 200 test -e "$work/made"
after=$(last "$work/noted") after_others=$(last "$work/noted-others")
must mkdir -p "$work/mount"
for name in data redo binlog; do
        id=$(quiescectl list snapshots --json | jq -r --arg name "/$name" '.snapshots[] | select(.volume | endswith($name)).id')
        must quiescectl mount "$id" "$work/mount"
        must cp -a "$work/mount/." "/restore/$name/"
        must quiescectl umount "$work/mount"
done
touch "$work/copied"
wait "$requester"
check_equal "and copied" "0" "$?" || explain < "$work/requester"
start_copy
check_copy "by component" "$before" "$after" "$before_others" "$after_others"
stop_copy
note() { jq -r '.. | .["backup-metadata"]? // empty' "$work/document" | sed -n "s/^$1=//p"; }
file=$(note binary-log-file) place=$(note binary-log-position)
check_equal "the binary log in the snapshot ends where the document says" "$place" "$(stat -c %s "/restore/binlog/log/$file")"

# As a replica it goes on from there: all that was written since, and nothing twice. The loads rest meanwhile: there is no
# telling whether a replica that is slower than they would ever be at the end.
sql 'FLUSH TABLES WITH READ LOCK; DO SLEEP(1000)' > /dev/null 2>&1 &
until [ "$(sql "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User sleep'")" -gt 0 ]; do :; done
start_copy --skip-log-bin --skip-slave-start
on_copy "CHANGE MASTER TO master_host = '127.0.0.1', master_port = 3306, master_user = 'replica', master_password = 'replica',
         master_log_file = '$file', master_log_pos = $place, master_use_gtid = no; START SLAVE"
stop_at=$(sql 'SHOW MASTER STATUS' | awk '{ print "\"" $1 "\", " $2 }')
check_equal "a replica goes on from the position" 1 "$(within 300 on_copy "SELECT MASTER_POS_WAIT($stop_at) >= 0")"
on_copy 'STOP SLAVE SQL_THREAD'
check_equal "and has no error" "" "$(mariadb --socket="$work/copy/sock" -e 'SHOW SLAVE STATUS\G' | sed -n 's/^ *Last_\(IO\|SQL\)_Error: *//p' | tr -d '\n')"
check_equal "and is as right as the primary" "1 0 0" "$(on_copy "$verify" bank | cut -f 1-3 | tr '\t' ' ')"
sql "SELECT CONCAT('KILL ', id, ';') FROM information_schema.processlist WHERE state = 'User sleep'" > "$work/kill"
mariadb < "$work/kill"
stop_copy

rounds=0
[ "${QUIESCED_TEST_ALL:-no}" = no ] || rounds=8
for ((round = 1; round <= rounds; round++)); do
        make_restore
        before=$(last "$work/noted") before_others=$(last "$work/noted-others")
        from=$(date +%s.%N)
        check "round $round: a set is made and copied" within 240 quiescectl run --quiet "${volumes[@]}" -- cp -a "${volumes[@]}" /restore
        after=$(last "$work/noted") after_others=$(last "$work/noted-others")
        awk -v from="$from" '$2 >= from { if (t && $2 - t > most) most = $2 - t } { t = $2 }
                END { printf "# the longest a client waited for its next commit: %.0f ms\n", most * 1000 }' "$work/noted"
        start_copy
        check_copy "round $round" "$before" "$after" "$before_others" "$after_others"
        stop_copy
done

# --- what must be refused ---------------------------------------------------------------------------------------------

check_fails "without the binary log's volume" 'the set lacks /srv/binlog, where binary log ' \
        within 120 quiescectl run /srv/data /srv/redo -- true
check_fails "without the log's volume" 'the set lacks /srv/redo, where InnoDB log ' \
        within 120 quiescectl run /srv/data /srv/binlog -- true

printf '[Instance mysqld]\nSocket=/run/mysqld/mysqld.sock\nLockSec=2\n' > /etc/quiesced/mariadb.conf
sql 'INSERT INTO m VALUES (-1, (SELECT SLEEP(1000)))' bank > /dev/null 2>&1 &
until [ "$(sql "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User sleep'")" -gt 0 ]; do :; done
check_fails "a long statement is in the way, and named" 'BACKUP STAGE BLOCK_DDL was held up.* by connection [0-9]+ of root \(runs for' \
        within 120 quiescectl run "${volumes[@]}" -- true
check_equal "no client has ever failed" '' "$(< "$work/said")"
stop_loads

must systemctl kill -s STOP mariadb.service
check_fails "a server that does not answer" 'mysqld: no connection: the server does not answer in time' \
        within 120 quiescectl run "${volumes[@]}" -- true
must systemctl kill -s CONT mariadb.service
sql "DROP USER 'quiesced-mariadb'@localhost"
check_fails "one that lets nobody in" 'mysqld: no connection: Access denied' within 120 quiescectl run "${volumes[@]}" -- true
must within 60 systemctl stop mariadb.service
check_fails "one that is down" "mysqld: no connection: Can't connect" within 120 quiescectl run "${volumes[@]}" -- true

outside_check "after all that nothing is left"
rm -rf /etc/quiesced/writers.d/mariadb.writer /etc/quiesced/mariadb.conf /run/systemd/system/mariadb.service.d \
        /etc/mysql/mariadb.conf.d/99-test.cnf "$work"
systemctl daemon-reload
finish
