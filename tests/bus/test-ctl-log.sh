#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What quiesced logs of a backup, and how much: levels by configuration, by quiescectl, and by LogControl1 as systemctl
# sets them. Fields and catalog, which need journald: tests/vm/test-journal.sh.
# shellcheck source=tests/bus/ctl-functions.sh
. "$(dirname "$0")/ctl-functions.sh"

mkdir -p "$work/provider/volumes" "$work/writers.d" "$work/run"
echo one > "$work/provider/volumes/one"
printf '[Writer]\nExec=%s log=%s\nUser=%s\n' "$build/quiesce-test-writer" "$work/log" "$(id -un)" > "$work/writers.d/good.writer"
printf '[Log]\nLevel=notice\nModuleLevel=records debug\nModuleLevel=dance debug\nModuleLevel=bus loud\n' > "$work/quiesced.conf"
start_bus
start_quiesced
log() { grep -q -E -e "$1" "$work/quiesced.log"; }
logs_not() { ! log "$1"; }
set_property() {
        busctl --address="$DBUS_SYSTEM_BUS_ADDRESS" call org.quiesce1 /org/freedesktop/LogControl1 org.freedesktop.DBus.Properties \
                Set ssv org.freedesktop.LogControl1 "$1" s "$2"
}
get_property() {
        busctl --address="$DBUS_SYSTEM_BUS_ADDRESS" get-property org.quiesce1 /org/freedesktop/LogControl1 org.freedesktop.LogControl1 "$1"
}

check "a module that is none is logged" log 'ModuleLevel=dance debug is not a valid value'
check "a level that is none, too" log 'ModuleLevel=bus loud is not a valid value'
check "the configured level" is notice '."log-levels"[] | select(.module == "sets").level' log-level --json
check "of a module" is debug '."log-levels"[] | select(.module == "records").level' log-level --json
check "as a table" grep -q -E '^records +debug$' <(ctl log-level)
check "of one module" grep -q -x -E 'records +debug' <(ctl log-level --no-legend records)
ctl create --quiet test:one > /dev/null
check "below the level nothing is logged" logs_not 'session .* opened'
check "of that module all is" log '<7>session .*: its record is written'

check "all levels are set" ctl log-level info
check "and told" test "$(ctl log-level --no-legend | awk '$2 == "info"' | wc -l)" -eq "$(ctl log-level --no-legend | wc -l)"
set=$(ctl create --quiet test:one)
check "a session is logged" log '<6>session .*: backup opened by user 0'
check "its set with its times" log "<6>set $set: created with 1 snapshots, consistency application, frozen for [0-9]+ ms, writes held for [0-9]+ ms"
check "its end" log '<6>session .*: ended, not-completed \(released\)'
ctl delete --quiet "$set"
check "a snapshot's end" log '<6>snapshot .*: removed: deleted'
check "no debug messages" logs_not '<7>set '

check "one module's level is set" ctl log-level sets debug
printf '[Writer]\nExec=%s log=%s freeze=fail:Retryable:not-now\nUser=%s\n' "$build/quiesce-test-writer" "$work/log" "$(id -un)" \
        > "$work/writers.d/bad.writer"
fails "a writer that fails" 1 'not-now' ctl create --quiet test:one
check "is logged with the event and its words" log '<4>session .*: writer bad failed at Freeze: Retryable: not-now'
check "the abort" log '<5>session .*: the backup is aborted'
check "the set that failed" log '<4>session .*: no snapshot set: WriterVeto: '
check "the module's steps" log '<7>set .*: step end-prepare has ended'
check "no other module's" logs_not '<7>session .*: event'
fails "a module that is none" 1 'no such module' ctl log-level dance
fails "set, too" 1 'no module "dance"' ctl log-level dance debug
fails "a level that is none" 1 'no log level "loud"' ctl log-level sets loud
fails "three words" 1 'at a time' ctl log-level sets debug now

check "LogControl1 tells the highest" grep -q '"debug"' <(get_property LogLevel)
check "LogControl1 sets all" set_property LogLevel warning
check "and they are" test "$(ctl log-level --no-legend | awk '{ print $2 }' | sort -u)" = warning
check "it tells who it is" grep -q quiesced <(get_property SyslogIdentifier)
fails "a level of LogControl1's that is none" 1 'no log level "loud"' set_property LogLevel loud
check "the log's target is what it is" set_property LogTarget console
fails "it cannot be set" 1 'only LogLevel can be set' set_property LogTarget kmsg
[ "$failures" -eq 0 ]
