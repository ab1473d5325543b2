# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# A writer that stops a backup at an exact point: its script tells each event it gets, and in the one that it is told to
# wait in it says so and stays until the test lets it go. It is of level system, so that its Freeze comes together with
# the fsfreeze writer's. Needs lib.sh.

gate=/run/gate

make_gate() {
        must mkdir -p "$gate" /etc/quiesced/writers.d
        must mkfifo -m 666 "$gate/events"
        exec {gate_events}<> "$gate/events"
        cat > /usr/local/bin/test-gate <<'END'
#!/bin/sh
echo "$QUIESCE_STEP $QUIESCE_OUTCOME $QUIESCE_CAUSE" > /run/gate/events
read -r at < /run/gate/at
if [ "$QUIESCE_STEP" = "$at" ]; then
        echo "$at" > /run/gate/told
        read -r _ < /run/gate/go
fi
exit 0
END
        must chmod 755 /usr/local/bin/test-gate
        printf '[Writer]\nHook=/usr/local/bin/test-gate\nUser=nobody\nLevel=system\n' \
                > /etc/quiesced/writers.d/gate.writer
        set_gate none
}

remove_gate() {
        exec {gate_events}>&-
        rm -rf "$gate" /usr/local/bin/test-gate /etc/quiesced/writers.d/gate.writer
}

# set_gate EVENT: the event to wait in, or none. Pipes of its own, in which nothing of an earlier wait is left.
set_gate() {
        [ -z "${gate_told:-}" ] || exec {gate_told}>&- {gate_go}>&-
        rm -f "$gate/told" "$gate/go"
        must mkfifo -m 666 "$gate/told" "$gate/go"
        exec {gate_told}<> "$gate/told" {gate_go}<> "$gate/go"
        echo "$1" > "$gate/at"
}

# The script waits in its event now.
await_gate() { read -r -t 60 -u "$gate_told" _; }

# It waits in no other event, too.
open_gate() {
        echo none > "$gate/at"
        echo go >&"$gate_go"
}

# What the script was told since the last look: " STEP/OUTCOME/CAUSE" for each, less what is empty at their end.
gate_seen() {
        local line
        # A line comes in one piece; a time limit could end in the middle of reading it.
        while read -r -t 0 -u "$gate_events"; do
                read -r -u "$gate_events" line
                echo -n " ${line// //}"
        done
}
