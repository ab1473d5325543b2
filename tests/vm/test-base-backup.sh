#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 900
# vm-all
#
# Mode=base-backup of the PostgreSQL writer, in its real unit with the rights that its manual page adds, under load: the
# snapshot gets its label and nobody else does, the log's volume is not in the set, and what is restored goes on from the
# archive to a point in time that was named later: all that was acknowledged before it is there, nothing after it is.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/postgresql-functions.sh
. "$(dirname "$0")/postgresql-functions.sh"
drop_in=/run/systemd/system/quiesced-writer-postgresql.service.d

settings+="
archive_mode = on
archive_command = 'cp %p $work/archive/%f'"
must install -d "$work"
must install -d -o postgres "$work/archive"
make_machine
must sql 'GRANT EXECUTE ON FUNCTION pg_backup_start, pg_backup_stop TO "quiesced-postgresql"'
must ln -s /usr/lib/quiesced/writers.available/postgresql-base-backup.writer /etc/quiesced/writers.d/postgresql.writer
must install -D -m 644 /usr/share/doc/quiesced/examples/postgresql-base-backup.conf "$drop_in/base-backup.conf"
printf '[Instance main]\nSocket=/run/postgresql\nMode=base-backup\n' > /etc/quiesced/postgresql.conf
systemctl daemon-reload
make_restore
udevadm settle
outside_baseline
start_load

check "a base backup is made and copied, without the log" \
        within 240 quiescectl run --quiet /srv/data /srv/space -- cp -a /srv/data /srv/space /restore
for name in backup_label tablespace_map; do
        check_equal "$name is in the snapshot, and the server's" "postgres 600" "$(stat -c '%U %a' "/restore/data/main/$name")"
        check "$name is not in the live data directory" test ! -e "/srv/data/main/$name"
done

load_reaches $(($(last) + 50))
before=$(last)
must sql "SELECT pg_create_restore_point('here')" > "$work/point"
after=$(last)
load_reaches $((after + 50))
sql "SELECT pg_terminate_backend($backend)" > /dev/null
wait "$load" 2> /dev/null
must within 120 systemctl stop postgresql@15-main.service # which waits until the archive has all

must install -d -o postgres -g postgres -m 700 /restore/data/main/pg_wal
must sed -i 's|/srv/space|/restore/space|' /restore/data/main/tablespace_map
must touch /restore/data/main/recovery.signal
settings+="
archive_mode = off
hot_standby = off
restore_command = 'cp $work/archive/%f %p'
recovery_target_name = 'here'
recovery_target_action = promote"
start_server_on_copy
# It says that it is ready as soon as recovery begins.
check "recovery ends" await 120 pg_isready -q -h "$work/copy"
check_copy "at the point in time" "$before" "$((after + 1))"
check_equal "it ended there" 1 "$(grep -c 'recovery stopping at restore point "here"' "$work/copy/log")"
stop_copy

outside_check "after all that nothing is left"
rm -rf /etc/quiesced/writers.d/postgresql.writer /etc/quiesced/postgresql.conf /etc/postgresql/15 "$drop_in" "$work"
systemctl daemon-reload
finish
