#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 600
#
# The SQLite writer in its real unit and sandbox, on real snapshots: two databases under load, one with a write-ahead log on
# a thick LV, one with a rollback journal on a thin one, in one set. Copies on fresh LVs are whole: nothing that was
# acknowledged before the instant is missing, nothing after it is there. As shipped the unit may touch nothing, and says so; a
# journal on another volume is missed by name. Two sets, ten with --all.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/gate-functions.sh
. "$(dirname "$0")/gate-functions.sh"

make_restore() {
        local name
        for name in app mail; do
                ! mountpoint -q "/restore/$name" || must umount "/restore/$name"
                make_fs ext4 "/dev/vg2/$name" "/restore/$name"
        done
}

work=/run/test-sqlite
database=/srv/app/data.db
volumes=(/srv/app /srv/mail)

make_vg vg0 /dev/vdb
make_vg vg1 /dev/vdc
make_vg vg2 /dev/vdd
make_thick vg0 app 96M
make_thick vg0 log 96M
make_pool vg1 pool 800M
make_thin vg1 pool mail 400M
make_thick vg2 app 96M
make_thick vg2 mail 400M
make_fs ext4 /dev/vg0/app /srv/app
make_fs ext4 /dev/vg0/log /srv/log
make_fs xfs /dev/vg1/mail /srv/mail
must mkdir -p "$work" /etc/quiesced/writers.d
must systemd-sysusers - <<< 'u test-app -'
must chown test-app: "${volumes[@]}" /srv/log "$work"
as_app() { runuser -u test-app -- "$@"; }
for volume in "${volumes[@]}"; do
        mode=$([ "$volume" = /srv/app ] && echo wal || echo delete)
        must as_app sqlite3 "$volume/data.db" "PRAGMA journal_mode=$mode; CREATE TABLE t (n INTEGER PRIMARY KEY, bytes BLOB)"
done
printf '[Databases]\nPath=/srv/*/*.db\n[Snapshot]\nLockSec=20\n' > /etc/quiesced/sqlite.conf
must ln -s /usr/lib/quiesced/writers.available/sqlite.writer /etc/quiesced/writers.d/
make_restore
udevadm settle
outside_baseline

check "its user is there" getent passwd quiesced-sqlite
as_app chmod 600 "$database"
check_fails "as shipped it may not open the database" 'data.db cannot be (opened|locked)' \
        within 120 quiescectl run /srv/app -- true
must mkdir -p /run/systemd/system/quiesced-writer-sqlite.service.d
printf '[Service]\nUser=test-app\nReadWritePaths=/srv/app /srv/mail\n' > /run/systemd/system/quiesced-writer-sqlite.service.d/app.conf
must systemctl daemon-reload

# The loads: a row, then the time at which it was acknowledged.
# shellcheck disable=SC2317 # it is called by its name
load() {
        while [ ! -e /run/test-sqlite/stop ]; do
                sqlite3 -cmd '.timeout 60000' "/srv/$1/data.db" 'INSERT INTO t (bytes) VALUES (randomblob(3000))' &&
                        echo "$EPOCHREALTIME" >> "/run/test-sqlite/$1"
        done
}
export -f load
noted() { wc -l < "$work/$1"; }
await_more() {
        local name=$1 until=$(($(noted "$1") + $2))
        until [ "$(noted "$name")" -ge "$until" ]; do read -r -t 0.1 <> <(:); done
}
loads=()
for name in app mail; do
        as_app touch "$work/$name"
        as_app bash -c "load $name" >> "$work/said" 2>&1 &
        loads+=($!)
        await_more "$name" 5
done

take() { within 240 quiescectl run --quiet "${volumes[@]}" -- cp -a "${volumes[@]}" /restore; }

# check_copy NAME BEFORE AFTER BEFORE AFTER: how many were acknowledged around the freeze, of both.
check_copy() {
        local n round=$1 name
        shift
        for name in app mail; do
                check_equal "$round, $name: the copy is whole" ok "$(sqlite3 "/restore/$name/data.db" 'PRAGMA integrity_check')"
                n=$(sqlite3 "/restore/$name/data.db" 'SELECT count(*) FROM t WHERE n <= (SELECT count(*) FROM t)')
                check "$round, $name: nothing acknowledged is missing, nothing is too much ($1 $n $2)" \
                        test "$n" -ge "$1" -a "$n" -le $(($2 + 1))
                shift 2
        done
}

# Stopped while it is frozen, which tells exactly what was acknowledged by then.
make_gate
set_gate freeze
take > "$work/run" 2>&1 &
run=$!
check "it is frozen" await_gate
held=("$(noted app)" "$(noted mail)")
open_gate
wait "$run"
check_equal "a set is made and copied" 0 "$?" || explain < "$work/run"
remove_gate
check_copy held "${held[0]}" "${held[0]}" "${held[1]}" "${held[1]}"

rounds=1
[ "${QUIESCED_TEST_ALL:-no}" = no ] || rounds=9
for ((round = 1; round <= rounds; round++)); do
        make_restore
        before=("$(noted app)" "$(noted mail)")
        from=$EPOCHREALTIME
        check "round $round: a set is made and copied" take
        after=("$(noted app)" "$(noted mail)")
        await_more app 1
        await_more mail 1
        for name in app mail; do
                awk -v from="$from" -v name="$name" '$1 >= from { if (t && $1 - t > most) most = $1 - t } { t = $1 }
                        END { printf "# %s: the longest from one row to the next: %.0f ms\n", name, most * 1000 }' "$work/$name"
        done
        check_copy "round $round" "${before[0]}" "${after[0]}" "${before[1]}" "${after[1]}"
done
touch "$work/stop"
wait "${loads[@]}"
check_equal "the loads never failed" '' "$(< "$work/said")"

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
