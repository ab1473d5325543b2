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

# Every failpoint that has been reached, in this order, since start_trace.
start_trace() { : > "$failpoints/trace"; }
end_trace() {
        awk '!seen[$0]++' "$failpoints/trace"
        rm "$failpoints/trace"
}
