#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --package sudo --package gcc --package libc6-dev --package libsystemd-dev --package pkgconf --timeout 600
#
# README.md's walk-through, word for word, on a machine that has Debian's PostgreSQL with its data on an LV, restic, and nothing of
# quiesced: from apt to a backup that comes by itself, is verified, and is put back. Then a bad backup, which the verification
# must find.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../vm/lib.sh"

readme=$(dirname "$0")/../../README.md
export DEBIAN_FRONTEND=noninteractive

# The commands of the section, a file for each block in the folder $1: what is indented, with the empty lines within.
take_blocks() {
        sed -n '/^## PostgreSQL and restic/,/^## /p' "$readme" | awk -v folder="$1" '
                /^    / { if (!on) { n++; on = 1 } else for (; empty; empty--) print "" > file
                          file = sprintf("%s/%02d", folder, n); print substr($0, 5) > file; empty = 0; next }
                /^$/ { empty++; next }
                { on = 0; empty = 0 }'
}
sql() { psql -h /run/postgresql -X -q -t -A -v ON_ERROR_STOP=1 -d postgres -c "$1"; }
in_repository() { sh -ac '. /etc/restic/postgresql.env; exec "$@"' sh "$@"; }
backups() { in_repository restic snapshots --json | jq length; }
journal_has() { journalctl --no-pager -o cat --unit "$1" | grep -E -e "$2"; }
# $1: unit; $2: when it had begun last
has_run_since() { [ "$(systemctl show -P ExecMainStartTimestampMonotonic "$1")" != "$2" ] && [ "$(systemctl is-active "$1")" = inactive ]; }

# --- the machine, as its administrator has it ---------------------------------------------------------------------------

make_vg vg /dev/vdb
make_thick vg postgresql 500M
make_fs ext4 /dev/vg/postgresql /var/lib/postgresql
must chown postgres:postgres /var/lib/postgresql
must systemd-tmpfiles --create postgresql-common.conf
must within 240 pg_createcluster 15 main --start-conf=manual -- --no-sync --wal-segsize=1
must systemctl daemon-reload
must within 120 systemctl start postgresql@15-main.service
must sudo -u postgres psql -q -d postgres -c 'CREATE ROLE root SUPERUSER LOGIN'
must sql 'CREATE TABLE shop AS SELECT n FROM generate_series(1, 1000) n'
must sql 'CREATE INDEX ON shop (n)'
must rm -f /etc/dpkg/dpkg.cfg.d/99mmdebstrap
# What apt asks is answered by yes.
echo 'APT::Get::Assume-Yes "true";' > /etc/apt/apt.conf.d/assume-yes
must dpkg-query -W restic
check_fails "nothing of quiesced is here before" 'no packages found' dpkg-query -W quiesced

# --- the walk-through, but for its last block ---------------------------------------------------------------------------

mkdir "$test_work/blocks"
take_blocks "$test_work/blocks"
blocks=("$test_work"/blocks/*)
check "README.md has a walk-through" [ "${#blocks[@]}" -ge 9 ]
must cd "$QUIESCED_DEBS"
for block in "${blocks[@]::${#blocks[@]}-1}"; do
        check "$(head -n 1 "$block")" within 300 bash -e -o pipefail "$block" && continue
        journalctl --no-pager -o cat -n 60 | explain
        exit 1
done

check_equal "there is a backup" 1 "$(backups)"
check_equal "PostgreSQL's writer and the file system's take part in it" "fsfreeze postgresql" \
        "$(quiescectl run --dry-run --json /var/lib/postgresql 2> /dev/null | jq -r '[.writers[].writer] | sort | join(" ")')"
for name in backup-postgresql verify-postgresql-backup; do
        check "$name.service has run" [ "$(systemctl show -P ExecMainStartTimestampMonotonic $name.service)" -gt 0 ]
        check_equal "and well" success "$(systemctl show -P Result $name.service)"
        check_equal "$name.timer will start it again" "enabled active" \
                "$(systemctl is-enabled $name.timer) $(systemctl is-active $name.timer)"
done

# --- by itself ----------------------------------------------------------------------------------------------------------

last_backup=$(systemctl show -P ExecMainStartTimestampMonotonic backup-postgresql.service)
last_verification=$(systemctl show -P ExecMainStartTimestampMonotonic verify-postgresql-backup.service)
# A clock that is set has systemd draw the random delay anew, from the boot on.
for name in backup-postgresql verify-postgresql-backup; do
        must mkdir "/etc/systemd/system/$name.timer.d"
        printf '[Timer]\nRandomizedDelaySec=0\n' > "/etc/systemd/system/$name.timer.d/at-once.conf"
done
must systemctl daemon-reload
must date -s '+8 days'
check "it is backed up when its time has come" await 300 has_run_since backup-postgresql.service "$last_backup"
check "and verified" await 300 has_run_since verify-postgresql-backup.service "$last_verification"
for name in backup-postgresql verify-postgresql-backup; do
        check_equal "$name.service has run well again" success "$(systemctl show -P Result $name.service)"
done
check_equal "there are two backups" 2 "$(backups)"

# --- put back -----------------------------------------------------------------------------------------------------------

must sql 'INSERT INTO shop VALUES (1001)'
check "$(head -n 1 "${blocks[-1]}")" within 300 bash -e -o pipefail "${blocks[-1]}"
check_equal "the server is what it was at the backup's instant" "1000 500500" "$(sql "SELECT count(*) || ' ' || sum(n) FROM shop")"

# --- a bad one ----------------------------------------------------------------------------------------------------------

table=/var/lib/postgresql/15/main/$(sql "SELECT pg_relation_filepath('shop')")
must systemctl stop postgresql@15-main.service
must dd if=<(head -c 1k /dev/zero | tr '\0' x) of="$table" bs=1k seek=4 count=1 iflag=fullblock conv=notrunc
must in_repository restic backup --quiet /var/lib/postgresql /etc/postgresql
check_fails "the verification fails if a table is damaged" 'failed' within 240 systemctl start verify-postgresql-backup.service
check "and says in which" journal_has verify-postgresql-backup.service 'heap table "postgres.public.shop", block 0'

systemctl -q disable --now backup-postgresql.timer verify-postgresql-backup.timer
must date -s '-8 days'
rm -rf /etc/apt/apt.conf.d/assume-yes /srv/backup /etc/restic /etc/systemd/system/*postgresql* /usr/local/sbin/verify-postgresql-backup
must umount /var/lib/postgresql
must within 240 dpkg --purge quiesced-writer-postgresql quiesced libquiesce0
finish
