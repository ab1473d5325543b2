# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# A process that stands still at a failpoint until the test lets it go on (lib/util/failpoint.h tells how).

failpoints=/run/quiesced/failpoints

# await_place PLACE: until somebody stands there; it is told for once.
await_place() {
        local told=''
        coproc stall { exec 3> "$failpoints/$1.stall" && echo reached && read -r _; }
        read -r -t 60 told <&"${stall[0]}"
        rm "$failpoints/$1.stall"
        [ "$told" = reached ]
}

release_place() {
        # shellcheck disable=SC2154 # set by coproc
        local pid=$stall_PID input=${stall[1]}
        exec {input}>&-
        kill "$pid" 2> /dev/null
        wait "$pid" 2> /dev/null
}

# stall_at_all FILE: whoever comes to one of these failpoints, a line each, stands still there, the first time.
stall_at_all() {
        local place
        # shellcheck disable=SC2154 # lib.sh's
        mkfifo "$test_work/stalled"
        exec {stalled}<> "$test_work/stalled"
        rm "$test_work/stalled"
        stallers=()
        while read -r place; do
                mkfifo "$failpoints/$place.stall" "$failpoints/$place.go"
                {
                        exec 3> "$failpoints/$place.stall" && rm "$failpoints/$place.stall" && echo "$place" >&"$stalled" &&
                                read -r _ < "$failpoints/$place.go"
                        rm "$failpoints/$place.go"
                } &
                stallers+=($!)
        done < "$1"
}

# Sets place to that at which somebody has come to stand; fails when all have been reached, or none is for a minute.
next_stalled() {
        place=''
        [ "${#stallers[@]}" -gt 0 ] && read -r -t 60 -u "$stalled" place
}

# Who stands at $place goes on.
release_stalled() {
        echo > "$failpoints/$place.go"
        unset "stallers[-1]"
}

# Every failpoint that has been reached, in this order, since start_trace.
start_trace() { : > "$failpoints/trace"; }
end_trace() {
        awk '!seen[$0]++' "$failpoints/trace"
        rm "$failpoints/trace"
}
