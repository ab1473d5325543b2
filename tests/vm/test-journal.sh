#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 1G --disk 1G --timeout 300
#
# quiesced's entries in the real journal: their fields, their texts from the catalog that is installed, and the log level
# that systemctl sets.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
make_vg vg0 /dev/vdb
make_thick vg0 data 128M
make_fs ext4 /dev/vg0/data /mnt/data
must journalctl --update-catalog
must systemctl restart quiesced
outside_baseline

# entries FIELD=VALUE…: as JSON, when journald has what was sent
entries() { journalctl --sync; journalctl --no-pager -o json -u quiesced "$@"; }
message_id() { sed -n "s/^#define MESSAGE_$1 .*\"\([0-9a-f]*\)\".*/\1/p" "$(dirname "$0")/../../daemon/message-ids.h"; }
# has_entry NAME FILTER FIELD=VALUE…
has_entry() { entries MESSAGE_ID="$(message_id "$1")" "${@:3}" | jq -s -e "any(.[]; $2)"; }

set=$(within 120 quiescectl create --quiet /mnt/data)
session=$(quiescectl show --json "$set" | jq -r '.sets[0].session')
check "a session is opened" has_entry SESSION_OPENED 'true' SESSION="$session"
check "the set is created, with its session" has_entry SET_CREATED '.SESSION == "'"$session"'" and (.MESSAGE | test("held for [0-9]+ ms"))' SET="$set"
check "the session has ended" has_entry SESSION_ENDED '.EVENT == "BackupShutdown" and (.MESSAGE | test("not-completed"))' SESSION="$session"
check "and is no more" await 30 has_entry SESSION_RELEASED '.MESSAGE | test("released")' SESSION="$session"
check "its entries are quiesced's" has_entry SESSION_ENDED '.SYSLOG_IDENTIFIER == "quiesced" and .PRIORITY == "6"' SESSION="$session"
journalctl --sync
check "the catalog has its text" grep -q "quiescectl show $set" <(journalctl --no-pager -x -u quiesced SET="$set")
check "with the ids put in" grep -q "made in session $session" <(journalctl --no-pager -x -u quiesced SET="$set" | tr '\n' ' ' | sed 's/░░ *//g' | tr -s ' ')
must quiescectl delete --quiet "$set"
check "a snapshot is removed" has_entry SNAPSHOT_REMOVED '.MESSAGE | test("deleted")' SET="$set"

mkdir -p /etc/quiesced/writers.d
cat > /etc/quiesced/writers.d/journal.writer <<END
[Writer]
Exec=$(command -v quiesce-test-writer) freeze=fail:Retryable:not-now
User=nobody
END
check_fails "a writer that fails" 'not-now' within 120 quiescectl create --quiet /mnt/data
check "is found by its name" has_entry WRITER_FAILED '.EVENT == "Freeze" and (.MESSAGE | test("not-now"))' WRITER=journal
check "so is the abort" has_entry BACKUP_ABORTED '.EVENT == "Abort"'
check "and the set that failed" has_entry SET_FAILED '.MESSAGE | test("WriterVeto")'
rm /etc/quiesced/writers.d/journal.writer

# A file system is thawed while an external snapshot is taken, which cannot be of one instant then.
check_status "somebody else thaws" 125 within 120 quiescectl freeze /mnt/data -- fsfreeze -u /mnt/data
check "that is told, and what it was" has_entry LET_GO_BY_OTHER '.EVENT == "Thaw" and (.MESSAGE | test("/mnt/data was thawed by someone else"))' WRITER=fsfreeze

check "systemctl sets the level" systemctl service-log-level quiesced.service debug
check "and reads it" grep -q debug <(systemctl service-log-level quiesced.service)
check_status "nobody else may" 1 setpriv --reuid=65534 --regid=65534 --clear-groups \
        busctl --allow-interactive-authorization=no set-property org.quiesce1 /org/freedesktop/LogControl1 org.freedesktop.LogControl1 LogLevel s info
check "it is still so" grep -q debug <(systemctl service-log-level quiesced.service)
must systemctl restart quiesced
check "after a restart it is the configured one" grep -q info <(systemctl service-log-level quiesced.service)
outside_check "nothing is left"
finish
