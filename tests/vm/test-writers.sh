#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 300
#
# Writers in their real units: the fsfreeze writer on ext4 and xfs, a foreign freeze, its death while it has frozen, the
# driver's death; a hook in its transient unit and sandbox; writers that cannot be started. quiesced itself is not
# needed: writers-driver holds the writers' room.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

for build in build-test build; do
        driver=$(readlink -f "$(dirname "$0")/../../$build")/writers-driver
        [ ! -x "$driver" ] || break
done
socket=/run/test-writers.socket
descriptors=$test_work/writers.d
shipped=(/usr/local/lib/quiesced/writers.d/fsfreeze.writer /usr/lib/quiesced/writers.d/fsfreeze.writer)

# The driver as a coprocess. `tell COMMAND` sends; `expect NAME PATTERN` reads lines until one matches; without it the
# rest makes no sense and the test ends.
start_driver() {
        coproc DRIVER { exec "$driver" systemd "$socket" "$descriptors" 2>&1; }
        # shellcheck disable=SC2153 # set by coproc
        driver_pid=$DRIVER_PID
        to_driver=${DRIVER[1]} from_driver=${DRIVER[0]}
}
tell() { echo "$*" >&"$to_driver"; }
expect() {
        local seen=''
        while IFS= read -r -t 60 -u "$from_driver" line; do
                if [[ $line =~ $2 ]]; then ok "$1"; return; fi
                seen+="$line"$'\n'
        done
        not_ok "$1"
        { echo "no line matches: $2"; echo "$seen"; journalctl -q -n 40 -o short-monotonic; } | explain
        exit 1
}
stop_driver() {
        tell release 1
        tell idle
        expect "$1: all writers stopped" '^idle$'
        exec {to_driver}>&-
        wait "$driver_pid" 2>/dev/null
}

# shellcheck disable=SC2317 # these two are called by check
frozen() {
        [[ $(fsfreeze -f "$1" 2>&1) != *busy* ]] || return 0
        fsfreeze -u "$1"
        return 1
}
# shellcheck disable=SC2317
thawed() { fsfreeze -f "$1" && fsfreeze -u "$1"; }
prepare() {
        tell send 1 0 PrepareForSnapshot
        expect "prepared" '^answered 1 0 PrepareForSnapshot  '
}
main_pid() { systemctl show -P MainPID "$1"; }

must mkdir -p "$descriptors" /run/systemd/system/quiesced-writer-fsfreeze.service.d
printf '[Service]\nEnvironment=QUIESCE_WRITERS_SOCKET=%s\n' "$socket" \
        > /run/systemd/system/quiesced-writer-fsfreeze.service.d/test.conf
for file in "${shipped[@]}"; do [ ! -e "$file" ] || must cp "$file" "$descriptors"; done
must systemctl daemon-reload
make_fs ext4 /dev/vdb "$test_work/e"
make_fs xfs /dev/vdc "$test_work/x"
mounts=("$test_work/e" "$test_work/x")

# --- the fsfreeze writer ----------------------------------------------------------------------------------------------

start_driver
for m in "${mounts[@]}"; do tell fs "$m"; done
tell launch 1
expect "fsfreeze starts in its unit" '^launched 1 fsfreeze available system'
check_equal "in its slice" quiesced-writers.slice "$(systemctl show -P Slice quiesced-writer-fsfreeze)"
check "locked in memory" grep -q -E '^VmLck:.* [1-9][0-9]+ kB' "/proc/$(main_pid quiesced-writer-fsfreeze)/status"
tell send 1 0 PrepareForSnapshot
expect "the trial is good" '^answered 1 0 PrepareForSnapshot  '
for m in "${mounts[@]}"; do check "not frozen after it: ${m##*/}" thawed "$m"; done
tell send 1 0 Freeze
expect "Freeze names both" '^answered 1 0 Freeze  frozen=10,11 '
for m in "${mounts[@]}"; do check "frozen: ${m##*/}" frozen "$m"; done
# PID 1 tells then of every unit that it was removed.
must systemctl daemon-reload
tell send 1 0 Thaw
expect "Thaw is good, also after a daemon-reload" '^answered 1 0 Thaw  '
for m in "${mounts[@]}"; do check "thawed: ${m##*/}" thawed "$m"; done

prepare
tell send 1 0 Freeze
expect "frozen again" '^answered 1 0 Freeze  frozen=10,11 '
must fsfreeze -u "$test_work/x"
tell send 1 0 Thaw
expect "an outsider's thaw is told" '^answered 1 0 Thaw InconsistentSnapshot .*/x was thawed by someone else'

must fsfreeze -f "$test_work/e"
tell send 1 0 PrepareForSnapshot
expect "a foreign freeze is a veto" '^answered 1 0 PrepareForSnapshot InconsistentSnapshot .*/e is frozen by someone else already.*fsfreeze -u '
check "and it is left alone" frozen "$test_work/e"
must fsfreeze -u "$test_work/e"
tell send 1 0 Abort
expect "Abort is good" '^answered 1 0 Abort  '

# --- it dies while it has frozen: the hold's work, here the test's; then it comes again by name ----------------------

prepare
tell send 1 0 Freeze
expect "frozen before kill -9" '^answered 1 0 Freeze  frozen=10,11 '
must kill -KILL "$(main_pid quiesced-writer-fsfreeze)"
expect "its death is told" '^gone 1 0$'
for m in "${mounts[@]}"; do must fsfreeze -u "$m"; done
tell byname 1 0 BackupShutdown
expect "started again for the event by name" '^answered 1 0 BackupShutdown  '
stop_driver "after its death"

# --- quiesced dies while it has frozen: it thaws by itself -----------------------------------------------------------

start_driver
for m in "${mounts[@]}"; do tell fs "$m"; done
tell launch 1
expect "available in the second run" '^launched 1 fsfreeze available'
prepare
tell send 1 0 Freeze
expect "frozen before the driver dies" '^answered 1 0 Freeze  frozen=10,11 '
writer_pid=$(main_pid quiesced-writer-fsfreeze)
must kill -KILL "$driver_pid"
wait "$driver_pid" 2>/dev/null
check "the writer ends" within 20 tail --pid="$writer_pid" -f /dev/null
for m in "${mounts[@]}"; do check "it has thawed: ${m##*/}" within 10 thawed "$m"; done

# --- a hook in its transient unit; writers that cannot be started ----------------------------------------------------

rm "$descriptors/fsfreeze.writer"
cat > /usr/local/bin/test-hook <<'END'
#!/bin/sh
case $1 in
identify) echo path=/srv/hook ;;
prepare-for-backup)
        echo "$(id -un) $(grep ^CapBnd: /proc/self/status) $(touch /usr/local/bin/x /etc/x 2>&1 | grep -c 'Read-only') $QUIESCE_VOLUMES" >&2
        touch "$RUNTIME_DIRECTORY/x" || exit 1
        exit 1 ;;
freeze) echo held > "$RUNTIME_DIRECTORY/held" ;;
thaw) rm "$RUNTIME_DIRECTORY/held" ;;
*) exit 2 ;;
esac
END
chmod 755 /usr/local/bin/test-hook
printf '[Writer]\nHook=/usr/local/bin/test-hook\nUser=nobody\n' > "$descriptors/a-hook.writer"
printf '[Writer]\nExec=/nowhere/program\nUser=nobody\n' > "$descriptors/b-missing.writer"
printf '[Writer]\nService=nowhere.service\n' > "$descriptors/c-nounit.writer"
printf '[Writer]\nHook=/nowhere/script\nUser=nobody\n' > "$descriptors/d-noscript.writer"
printf '[Writer]\nExec=/bin/true\nUser=nobody\n' > "$descriptors/e-ends.writer"
# Programs that others can change: by their mode, and by a directory on the way.
cp /bin/true /usr/local/bin/test-shared
chmod 757 /usr/local/bin/test-shared
mkdir -p /usr/local/test-open
cp /bin/true /usr/local/test-open/program
chmod 777 /usr/local/test-open
ln -s /usr/local/test-open/program /usr/local/bin/test-linked
printf '[Writer]\nExec=/usr/local/bin/test-shared\nUser=root\n' > "$descriptors/f-shared.writer"
printf '[Writer]\nExec=/usr/local/bin/test-linked\nUser=root\n' > "$descriptors/g-linked.writer"
# shellcheck disable=SC2016 # nobody expands it
words='$HOME ${HOME} $$ a$'
printf '[Writer]\nExec=/bin/echo words: %s\nUser=nobody\n' "$words" > "$descriptors/h-words.writer"
start_driver
tell launch 1
expect "the hook starts" '^launched 1 a-hook available front-end'
expect "a missing program is named" '^launched 1 b-missing unavailable .*/nowhere/program, the program of .*b-missing.writer, could not be started: No such file'
expect "a missing unit is named" '^launched 1 c-nounit unavailable .*nowhere.service, named by .*c-nounit.writer'
expect "a missing script is named" '^launched 1 d-noscript unavailable .*/nowhere/script, the script of .*d-noscript.writer, cannot be executed: No such file'
expect "a program that is no writer" '^launched 1 e-ends unavailable .*ended before it registered'
expect "a program that others may write" '^launched 1 f-shared unavailable .*others than root may write /usr/local/bin/test-shared'
expect "a link into a folder that others may write" '^launched 1 g-linked unavailable .*others than root may write /usr/local/test-open'
expect "another that is no writer" '^launched 1 h-words unavailable .*ended before it registered'
journalctl --sync
check "its arguments were what the descriptor says" grep -q -x -F "words: $words" <(journalctl --no-pager -o cat -u quiesced-writer-h-words.service)
tell send 1 0 Identify
expect "the hook's paths" '^answered 1 0 Identify  frozen= paths=/srv/hook'
tell send 1 0 PrepareForBackup
expect "user, no capability, read-only system, volumes" '^answered 1 0 PrepareForBackup NonRetryable .*status 1: nobody CapBnd:.?0000000000000000 2 volume one'
tell send 1 0 Freeze
expect "the hook freezes" '^answered 1 0 Freeze  '
check "it may write its runtime directory" test -e /run/quiesced-writer-a-hook/held
check_equal "in the writers' slice" quiesced-writers.slice "$(systemctl show -P Slice quiesced-writer-a-hook)"
check "its exposure is below 3" systemd-analyze security --no-pager --threshold=29 quiesced-writer-a-hook.service
tell send 1 0 Thaw
expect "the hook thaws" '^answered 1 0 Thaw  '
check "held no more" test ! -e /run/quiesced-writer-a-hook/held
tell release 1
tell launch 2
expect "again, right after it was stopped" '^launched 2 a-hook available'
tell release 2
stop_driver "hook"
check_equal "no unit is left" "" "$(systemctl list-units --all --plain --no-legend 'quiesced-writer-*')"

# --- scripts of another tool: they may do what they were written for, and PID 1 thaws when the adaptor is killed -------

rm "$descriptors"/*.writer
must mkdir -p /etc/qemu/fsfreeze-hook.d
freeze_log=/var/log/test-freeze.log
for name in 10-first 20-second; do
        # shellcheck disable=SC2016 # the script expands it
        printf '#!/bin/sh\necho "%s $1 $(id -un)" >> %s\n' "$name" "$freeze_log" > "/etc/qemu/fsfreeze-hook.d/$name"
done
# shellcheck disable=SC2016 # the script expands it
printf 'case $1 in freeze) [ ! -e /run/test-hang ] || { trap "" TERM; setsid env -i sleep 4711; } ;; esac\n' \
        >> /etc/qemu/fsfreeze-hook.d/20-second
chmod 755 /etc/qemu/fsfreeze-hook.d/*
printf '[Writer]\nFlavor=qemu-ga\nHook=/etc/qemu/fsfreeze-hook.d\nUser=root\n' > "$descriptors/a-others.writer"
all='10-first freeze root;20-second freeze root;20-second thaw root;10-first thaw root;'
log_line() { tr '\n' ';' < "$freeze_log"; }
# shellcheck disable=SC2317
logged() { [ "$(log_line)" = "$1" ]; }
# shellcheck disable=SC2317
await() { local n=0; until "$@"; do n=$((n + 1)); [ "$n" -lt 200 ] || return 1; read -r -t 0.1 <> <(:); done; true; }

start_driver
tell launch 1
expect "others' scripts start" '^launched 1 a-others available'
tell send 1 0 Identify
expect "they are trusted" '^answered 1 0 Identify  '
tell send 1 0 Freeze
expect "they freeze" '^answered 1 0 Freeze  '
tell send 1 0 Thaw
expect "they thaw" '^answered 1 0 Thaw  '
check_equal "as root, with /var/log, in the reverse order" "$all" "$(log_line)"
rm "$freeze_log"
tell send 1 0 Freeze
expect "frozen before the adaptor is killed" '^answered 1 0 Freeze  '
# PID 1 reads the transient unit's file anew, and knows what it owes all the same.
must systemctl daemon-reload
must kill -KILL "$(main_pid quiesced-writer-a-others)"
expect "the adaptor's death is told" '^gone 1 0$'
check "PID 1 thaws" await logged "$all"
stop_driver "after the adaptor's death"
check_equal "thawed once" "$all" "$(log_line)"

rm "$freeze_log"
touch /run/test-hang
start_driver
tell launch 1
expect "again after that" '^launched 1 a-others available'
tell send 1 0 Freeze
check "a freeze hangs" await logged "${all%20-second thaw*}"
must kill -KILL "$(main_pid quiesced-writer-a-others)"
expect "its adaptor's death is told" '^gone 1 0$'
check "PID 1 kills what hangs, then thaws" await logged "$all"
check_equal "nothing of it is left" "" "$(pgrep -xf "sleep 4711")"
stop_driver "after the second death"
check_equal "no unit is left of them" "" "$(systemctl list-units --all --plain --no-legend 'quiesced-writer-*')"
rm -r "$freeze_log" /run/test-hang /etc/qemu

must umount "${mounts[@]}"
rm -rf /run/systemd/system/quiesced-writer-fsfreeze.service.d /usr/local/bin/test-hook /usr/local/bin/test-shared \
        /usr/local/bin/test-linked /usr/local/test-open
systemctl daemon-reload
finish
