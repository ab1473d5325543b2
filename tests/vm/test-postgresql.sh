#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 1200
#
# The PostgreSQL writer in its real unit and sandbox, with Debian's packaged server in its own: data on a thick LV, the
# write-ahead log on a thin one, a tablespace on a third. A bank whose sum must hold, written to by a client that notes each
# commit when it is acknowledged. Copies of snapshots are put on fresh LVs, and a server on them recovers and is whole: nothing
# that was acknowledged before the instant is missing, nothing after it is there. What the backup's document says of places in
# the log is compared with what recovery finds. Then what must be refused.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/gate-functions.sh
. "$(dirname "$0")/gate-functions.sh"
# shellcheck source=tests/vm/postgresql-functions.sh
. "$(dirname "$0")/postgresql-functions.sh"

# --- the machine ------------------------------------------------------------------------------------------------------

make_machine
must ln -s /usr/lib/quiesced/writers.available/postgresql.writer /etc/quiesced/writers.d/
make_restore
udevadm settle
outside_baseline
start_load

# --- rounds -----------------------------------------------------------------------------------------------------------

# Stopped in its freeze. The writer holds nobody, so the client is: then what is committed tells exactly what is to be in it.
make_gate
set_gate freeze
within 240 quiescectl run --quiet "${volumes[@]}" -- "$work/copy-set" > "$work/run" 2>&1 &
run=$!
check "it is frozen" await_gate
must kill -STOP "$load"
await 60 load_rests
held=$(last) committed=$(sql 'SELECT max(n) FROM ledger')
check "a commit is acknowledged when it is done ($held $committed)" test "$committed" -ge "$held" -a "$committed" -le $((held + 1))
open_gate
wait "$run"
check_equal "a set is made and copied" 0 "$?" || explain < "$work/run"
kill -CONT "$load"
remove_gate
start_copy
check_copy "held" "$committed" "$committed"
stop_copy

# By component, as it is then that a writer's notes are kept; the requester waits until the snapshots are copied.
cat > "$work/backup" <<END
OpenBackup
SetBackupState component-mode
GatherWriterMetadata
AddComponent postgresql "" port-5432
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
load_reaches $(($(last) + 5))
before=$(last)
"$QUIESCED_BUILD/.libs/quiesce-test-requester" --script="$work/backup" > "$work/requester" 2>&1 &
requester=$!
check "a set is made by component" await 240 test -e "$work/made"
after=$(last)
must mkdir -p "$work/mount"
for name in data wal space; do
        id=$(quiescectl list snapshots --json | jq -r --arg name "/$name" '.snapshots[] | select(.volume | endswith($name)).id')
        must quiescectl mount "$id" "$work/mount"
        must cp -a "$work/mount/." "/restore/$name/"
        must quiescectl umount "$work/mount"
done
touch "$work/copied"
wait "$requester"
check_equal "and copied" "0" "$?" || explain < "$work/requester"
note() { jq -r '.. | .["backup-metadata"]? // empty' "$work/document" | sed -n "s/^$1=//p"; }
check_equal "the document names the tablespace, as its link is" "$(basename /restore/data/main/pg_tblspc/*) fast /srv/space/fast" "$(note tablespace)"
start_copy
check_equal "it names the cluster" "$(on_copy 'SELECT system_identifier FROM pg_control_system()') no /srv/data/main" \
        "$(note system-identifier) $(note in-recovery) $(note data-directory)"
# Recovery ends with a checkpoint, whose place is where it ended, but for what it writes itself at a page's start.
ended=$(on_copy 'SELECT redo_lsn FROM pg_control_checkpoint()')
began=$(sed -n 's/.*redo starts at //p' "$work/copy/log")
check_equal "recovery went from its redo-lsn on to between lsn-before and lsn-after ($(note redo-lsn) $began; $(note lsn-before) $ended $(note lsn-after))" \
        "t t t" "$(on_copy "SELECT '$began'::pg_lsn >= '$(note redo-lsn)', '$ended'::pg_lsn >= '$(note lsn-before)', '$ended'::pg_lsn <= '$(note lsn-after)'::pg_lsn + 128")"
check_copy "by component" "$before" "$((after + 1))"
stop_copy

rounds=0
[ "${QUIESCED_TEST_ALL:-no}" = no ] || rounds=8
for ((round = 1; round <= rounds; round++)); do
        make_restore
        before=$(last)
        from=$(date +%s.%N)
        check "round $round: a set is made and copied" within 240 quiescectl run --quiet "${volumes[@]}" -- "$work/copy-set"
        load_reaches $(($(< "$work/after") + 2))
        awk -v from="$from" '$2 >= from { if (t && $2 - t > most) most = $2 - t } { t = $2 }
                END { printf "# the longest a client waited for its next commit: %.0f ms\n", most * 1000 }' "$work/noted"
        start_copy
        check_copy "round $round" "$before" "$(($(< "$work/after") + 1))"
        stop_copy
done

# --- what must be refused ---------------------------------------------------------------------------------------------

check_fails "without the log's volume" 'port-5432: the set lacks /srv/wal, where the write-ahead log ' \
        within 120 quiescectl run /srv/data /srv/space -- true
check_fails "without the tablespace's volume" 'port-5432: the set lacks /srv/space, where the tablespace fast ' \
        within 120 quiescectl run /srv/data /srv/wal -- true
check_fails "with nothing but the log's volume" 'port-5432: the set lacks /srv/data, where ' within 120 quiescectl run /srv/wal -- true
check_equal "no client has ever failed" '' "$(< "$work/said")"
sql "SELECT pg_terminate_backend($backend)" > /dev/null
wait "$load" 2> /dev/null

# The same of a server of their own have the tests of the bus.
refusing_servers() {
        printf '[Instance main]\nSocket=/run/postgresql\nLockSec=2\n' > /etc/quiesced/postgresql.conf
        must systemctl kill -s STOP postgresql@15-main.service
        check_fails "a server that does not answer" 'main: the server did not answer in time' \
                within 120 quiescectl run "${volumes[@]}" -- true
        must systemctl kill -s CONT postgresql@15-main.service
        must sql 'DROP ROLE "quiesced-postgresql"'
        check_fails "one that lets nobody in" 'main: .*role "quiesced-postgresql" does not exist' \
                within 120 quiescectl run "${volumes[@]}" -- true
        must within 60 systemctl stop postgresql@15-main.service
        check_fails "one that is down" 'main: .*/run/postgresql/.s.PGSQL.5432" failed' within 120 quiescectl run "${volumes[@]}" -- true
}
[ "${QUIESCED_TEST_ALL:-no}" = no ] || refusing_servers
within 60 systemctl stop postgresql@15-main.service

outside_check "after all that nothing is left"
rm -rf /etc/quiesced/writers.d/postgresql.writer /etc/quiesced/postgresql.conf /etc/postgresql/15 "$work"
systemctl daemon-reload
finish
