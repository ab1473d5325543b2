#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-all
#
# The test machine itself, seen from outside: what becomes of a script's exit status, of one that hangs and of a guest
# that dies, scripts from anywhere, packages, the prompt. Runs on this machine and boots a guest for each case.
# Arguments: the cases to run (anywhere, killed, hangs, panics, prompt); without them all are run.
# shellcheck disable=SC2016 # the guest's shell expands
set -u

source_tree=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# vm ARGUMENT…: without a build, as none is needed.
vm() {
        local command=("$source_tree/scripts/vm" "$1" --build "$work/none" "${@:2}")
        [ "$(id -u)" -eq 0 ] || command=(sudo "${command[@]}")
        "${command[@]}"
}

# run_vm NAME STATUS OPTION…: a run with its outputs in files, which must end with that status.
run_vm() {
        local name=$1 expected=$2 status
        shift 2
        vm run "$@" > "$work/out" 2> "$work/err" < /dev/null
        status=$?
        result "$name" [ "$status" -eq "$expected" ] || echo "# status $status, not $expected"
}

result() {
        local name=$1
        shift
        if "$@"; then
                echo "ok $name"
                return 0
        fi
        echo "not ok $name"
        sed 's/^/# /' "$work/out" "$work/err"
        failures=$((failures + 1))
        return 1
}
out_has() { result "$1" grep -q -x -F -e "$2" "$work/out"; }
err_has() { result "$1" grep -q -E -e "$2" "$work/err"; }

# $1: path; then its lines
write_script() {
        mkdir -p "$(dirname "$1")"
        printf '%s\n' '#!/bin/bash' "${@:2}" > "$1"
        chmod 755 "$1"
}

# A directory whose name is no plain word, with a comma, which has a meaning for qemu.
case_anywhere() {
        local directory="$work/a b, ü 文/c"
        write_script "$directory/sch rift.sh" 'echo "given: $1|$2|$WISH"' 'echo "in: $PWD"' 'cat "beside it"' \
                'sqlite3 :memory: "select 6 * 7"' 'lsblk -nb -o SIZE /dev/vdb /dev/vdc' 'echo to stderr >&2' \
                ': 2> /dev/null > here || echo read-only' 'exit 7'
        echo 'a neighbour' > "$directory/beside it"
        run_vm "the script's status is the run's" 7 --package sqlite3 --disk 64M --disk 65M --env "WISH=a wish=ü" \
                "$directory/sch rift.sh" 'x  y' ''
        out_has "arguments and environment arrive" "given: x  y||a wish=ü"
        out_has "it runs in its directory" "in: $directory"
        out_has "and sees what is beside it" "a neighbour"
        out_has "read-only" "read-only"
        out_has "a package was added" 42
        out_has "disks are there in order" 68157440
        out_has "both outputs are streamed" "to stderr"
}

# From /tmp, which the guest has itself.
case_killed() {
        script=$(mktemp /tmp/vm-test.XXXXXX.sh)
        write_script "$script" 'echo "$0"' 'setsid sleep 1000 &' 'kill -KILL $$'
        run_vm "a script that a signal ends" 137 "$script"
        out_has "from /tmp" "/usr/lib/vm-run/script/${script##*/}"
        rm "$script"
}

case_hangs() {
        write_script "$work/hangs" 'trap "" TERM' 'sleep 1000'
        run_vm "the time limit has passed" 124 --timeout 60 "$work/hangs"
        err_has "what runs and what hangs is shown" 'sleep 1000'
}

case_panics() {
        write_script "$work/panics" 'echo before' 'echo c > /proc/sysrq-trigger' 'sleep 1000'
        run_vm "a guest that dies" 125 "$work/panics"
        err_has "its last words are shown" 'sysrq triggered crash|Trigger a crash'
}

# A terminal is needed: script(1) gives one. What is typed before the prompt is there might be lost.
case_prompt() {
        local typed line pid
        mkfifo "$work/typed"
        printf '%q ' "$0" prompt-command > "$work/command"
        SHELL=/bin/bash script -qefc "$(cat "$work/command")" /dev/null < "$work/typed" > "$work/seen" 2>&1 &
        pid=$!
        exec {typed}> "$work/typed"
        timeout 400 tail -n +1 -f --pid="$pid" "$work/seen" | grep -q -m 1 'root@quiesced-vm'
        printf 'echo $((6 * 7)) $(tty)\nexit 5\n' >&"$typed"
        wait "$pid"
        line=$?
        exec {typed}>&-
        cp "$work/seen" "$work/out"
        : > "$work/err"
        result "the prompt's status is the run's" [ "$line" -eq 5 ]
        result "it is one with a terminal" grep -q -F '42 /dev/hvc0' "$work/out"
}

if [ "${1:-}" = prompt-command ]; then
        vm shell
        exit
fi
[ $# -gt 0 ] || set -- anywhere killed hangs panics prompt
for name in "$@"; do "case_$name"; done
[ "$failures" -eq 0 ]
