#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 300
#
# The SQLite writer in its real unit and sandbox, on real snapshots: a database under load, copied from the snapshot, is
# whole and has what was acknowledged before; as shipped the unit may touch nothing, and says so; a journal on another
# volume is missed by name.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

database=/srv/app/data.db
noted=/run/test-sqlite/noted

make_vg vg0 /dev/vdb
make_thick vg0 app 96M
make_thick vg0 log 96M
make_fs ext4 /dev/vg0/app /srv/app
make_fs ext4 /dev/vg0/log /srv/log
must mkdir -p /run/test-sqlite /etc/quiesced/writers.d
must systemd-sysusers - <<< 'u test-app -'
must chown test-app: /srv/app /srv/log /run/test-sqlite
as_app() { runuser -u test-app -- "$@"; }
must as_app sqlite3 "$database" 'PRAGMA journal_mode=wal; CREATE TABLE t (n INTEGER PRIMARY KEY, bytes BLOB)'
printf '[Databases]\nPath=/srv/app/*.db\n[Snapshot]\nLockSec=20\n' > /etc/quiesced/sqlite.conf
must ln -s /usr/lib/quiesced/writers.available/sqlite.writer /etc/quiesced/writers.d/
udevadm settle
outside_baseline

check "its user is there" getent passwd quiesced-sqlite
as_app chmod 600 "$database"
check_fails "as shipped it may not open the database" 'data.db cannot be (opened|locked)' \
        within 120 quiescectl run /srv/app -- true
must mkdir -p /run/systemd/system/quiesced-writer-sqlite.service.d
printf '[Service]\nUser=test-app\nReadWritePaths=/srv/app\n' > /run/systemd/system/quiesced-writer-sqlite.service.d/app.conf
must systemctl daemon-reload

# The load: a row, then a mark.
load() {
        while [ ! -e /run/test-sqlite/stop ]; do
                sqlite3 -cmd '.timeout 60000' "$database" 'INSERT INTO t (bytes) VALUES (randomblob(3000))' && echo + >> "$noted"
        done
}
export -f load
export database noted
as_app bash -c load > /run/test-sqlite/said 2>&1 &
load_pid=$!
until [ "$(wc -l < "$noted" 2> /dev/null || echo 0)" -ge 5 ]; do read -r -t 0.1 < <(:) || :; done
for round in 1 2 3; do
        rm -rf /run/test-sqlite/copy
        before=$(wc -l < "$noted")
        check "round $round: a set is made and copied" within 240 quiescectl run /srv/app -- \
                cp -r /srv/app /run/test-sqlite/copy
        after=$(wc -l < "$noted")
        copy=/run/test-sqlite/copy/data.db
        check_equal "round $round: the copy is whole" ok "$(sqlite3 "$copy" 'PRAGMA integrity_check')"
        n=$(sqlite3 "$copy" 'SELECT count(*) FROM t WHERE n <= (SELECT count(*) FROM t)')
        check "round $round: nothing acknowledged is missing, nothing is too much ($before $n $after)" \
                test "$n" -ge "$before" -a "$n" -le $((after + 1))
done
touch /run/test-sqlite/stop
wait "$load_pid"
check_equal "the load never failed" '' "$(< /run/test-sqlite/said)"

as_app sqlite3 "$database" 'PRAGMA journal_mode=delete' > /dev/null
as_app touch /srv/log/journal
as_app ln -s /srv/log/journal "$database-journal"
check_fails "a journal on another volume" 'the set lacks /srv/log, where /srv/app/data.db-journal is' \
        within 120 quiescectl run /srv/app -- true
outside_check "after all that nothing is left"
rm -rf /etc/quiesced/writers.d/sqlite.writer /etc/quiesced/sqlite.conf /run/test-sqlite \
        /run/systemd/system/quiesced-writer-sqlite.service.d
systemctl daemon-reload
finish
