# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What tests of programs on a private bus share: results, the real quiesced there, the test provider's volumes test:one
# and test:two, a test writer named good.
set -u
build=${QUIESCED_BUILD:?}
# shellcheck disable=SC2034 # the tests'
srcdir=$(readlink -f "$(dirname "$0")/../..")
work=$(mktemp -d "${work_parent:-/tmp}/test-ctl.XXXXXX")
pids=()
failures=0
# shellcheck disable=SC2317 # called by trap
clean_up() {
        [ ${#pids[@]} -eq 0 ] || { kill "${pids[@]}"; wait "${pids[@]}"; } 2> /dev/null
        rm -rf "$work"
}
trap clean_up EXIT

# check NAME COMMAND…
check() {
        local name=$1 status
        shift
        "$@" > "$work/said" 2>&1
        status=$?
        if [ $status -eq 0 ]; then
                echo "ok $name"
        else
                echo "not ok $name"
                echo "# status $status of: $*"
                sed 's/^/# /' "$work/said"
                failures=$((failures + 1))
        fi
}
says() { grep -q -E -e "$1" "$work/failed" || { cat "$work/failed"; return 1; }; }
# fails NAME STATUS PATTERN COMMAND…
fails() {
        local name=$1 expected=$2 pattern=$3 status
        shift 3
        "$@" > "$work/failed" 2>&1
        status=$?
        check "$name" says "$pattern"
        check "$name: status $expected" test $status -eq "$expected"
}
ctl() { timeout 60 "$build/quiescectl" "$@"; }
# json FILTER COMMAND…: what jq says of the command's output
json() { ctl "${@:2}" | jq -e -r "$1"; }
# is EXPECTED FILTER COMMAND…
is() { [ "$(json "${@:2}")" = "$1" ] || { json "${@:2}"; return 1; }; }

# await COMMAND…: until it succeeds
await() {
        local deadline=$((SECONDS + 30))
        until "$@" > /dev/null 2>&1; do
                [ "$SECONDS" -lt "$deadline" ] || return 1
                read -r -t 0.1 <> <(:)
        done
        true
}

start_all() {
        mkdir -p "$work/provider/volumes" "$work/writers.d" "$work/run"
        echo one > "$work/provider/volumes/one"
        echo two > "$work/provider/volumes/two"
        printf '[Writer]\nExec=%s log=%s\nUser=%s\n' "$build/quiesce-test-writer" "$work/log" "$(id -un)" \
                > "$work/writers.d/good.writer"
        start_bus
        fails "without quiesced it says so" 1 'quiesced is not there' ctl list sets
        start_quiesced
}
# And an LVM that has no volumes.
start_bus() {
        cat > "$work/provider/lvm" <<'END'
#!/bin/sh
[ "$1" != lvs ] || echo '{"report": [{"lv": []}]}'
END
        chmod +x "$work/provider/lvm"
        cat > "$work/bus.conf" <<END
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path=$work/bus</listen>
  <servicedir>$work/services</servicedir>
  <policy context="default">
    <allow user="*"/><allow send_type="*"/><allow send_destination="org.freedesktop.DBus"/>
    <allow receive_type="signal"/><allow receive_type="method_call"/>
    <allow receive_type="method_return"/><allow receive_type="error"/>
  </policy>
  <include>$srcdir/units/org.quiesce1.conf</include>
</busconfig>
END
        mkdir "$work/services"
        export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$work/bus
        mkfifo "$work/address"
        dbus-daemon --config-file="$work/bus.conf" --nofork --nopidfile --print-address > "$work/address" 2> "$work/bus.log" &
        pids+=($!)
        read -r -t 30 _ < "$work/address" || { echo "not ok a bus"; exit 1; }
}
start_quiesced() {
        "$build/quiesced" "--runtime-dir=$work/run" "--writers-dir=$work/writers.d" "--config-dir=$work" \
                "--test-provider=$work/provider" --launcher=fork 2>> "$work/quiesced.log" &
        pids[1]=$!
        await ctl list sets || { echo "not ok quiesced starts"; sed 's/^/# /' "$work/quiesced.log"; exit 1; }
}
# From now on the bus would start "quiesced" for who calls it: one that leaves a mark and fails.
make_activatable() {
        printf '[D-BUS Service]\nName=org.quiesce1\nExec=/bin/sh -c "touch %s; exit 1"\n' "$work/was-activated" \
                > "$work/services/org.quiesce1.service"
        dbus-send --bus="$DBUS_SYSTEM_BUS_ADDRESS" --print-reply --dest=org.freedesktop.DBus / \
                org.freedesktop.DBus.ReloadConfig > "$work/said" || cat "$work/said"
}
