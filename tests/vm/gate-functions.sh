# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# A writer that stops a backup at an exact point: its script tells each event it gets, and in the one that it is told to
# wait in it says so and stays until the test lets it go. It is of level system, so that its Freeze comes together with
# the fsfreeze writer's, unless another level is asked for. And two volumes for it, of which the second one's disk can be
# made to answer nothing. Needs lib.sh.

gate=/run/gate

make_gate() {
        must mkdir -p "$gate" /etc/quiesced/writers.d
        must mkfifo -m 666 "$gate/events"
        exec {gate_events}<> "$gate/events"
        cat > /usr/local/bin/test-gate <<'END'
#!/bin/sh
case $QUIESCE_STEP/$QUIESCE_SET in
backup-shutdown/ | backup-shutdown/00000000-0000-0000-0000-000000000000) end=null ;;
backup-shutdown/*) end=set ;;
*) end=${QUIESCE_SNAPSHOTS:+devices} ;;
esac
# What is empty is left out.
set -- $QUIESCE_STEP $QUIESCE_OUTCOME $QUIESCE_CAUSE $end
echo "$*" > /run/gate/events
read -r at < /run/gate/at
if [ "$QUIESCE_STEP" = "$at" ]; then
        echo "$at" > /run/gate/told
        read -r _ < /run/gate/go
fi
exit 0
END
        must chmod 755 /usr/local/bin/test-gate
        set_gate_level system
        set_gate none
}

# set_gate_level LEVEL: from the next session on.
set_gate_level() {
        printf '[Writer]\nHook=/usr/local/bin/test-gate\nUser=nobody\nLevel=%s\n' "$1" > /etc/quiesced/writers.d/gate.writer
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
open_gate() { open_gate_until none; }

# open_gate_until EVENT: it waits in that one again.
open_gate_until() {
        echo "$1" > "$gate/at"
        echo go >&"$gate_go"
}

# What the script was told since the last look: " STEP/OUTCOME/CAUSE/END" for each, without what is empty. END tells of
# backup-shutdown whether it is of a set or of the null id, of other events whether they name snapshots' devices.
gate_seen() {
        local line
        # A line comes in one piece; a time limit could end in the middle of reading it.
        while read -r -t 0 -u "$gate_events"; do
                read -r -u "$gate_events" line
                echo -n " ${line// //}"
        done
}

# has_heard EVENTS: whether it was told just these, an extended regular expression; all it was told is in $heard.
heard=''
has_heard() {
        heard+=$(gate_seen)
        grep -q -x -E -e "${1:+ $1}" <<< "$heard"
}

# --- two volumes ------------------------------------------------------------------------------------------------------

# On /srv an ext4 on a thick LV, on /srv/db an xfs on a thin one, whose pool lies on the device pv.
make_gated_volumes() {
        must dmsetup create pv --table "0 $(($(blockdev --getsz /dev/vdc) - 2048)) linear /dev/vdc 2048"
        make_vg one /dev/vdb
        make_vg two /dev/mapper/pv
        make_thick one srv 300M
        make_pool two pool 800M
        make_thin two pool db 400M
        make_fs ext4 /dev/one/srv /srv
        must mkdir -p /srv/db
        make_fs xfs /dev/two/db /srv/db
}

remove_gated_volumes() {
        must umount /srv/db /srv
        clean_disks
        must dmsetup remove pv
}

# A child of ours that has ended is a zombie until it is waited for.
ended() { ! grep -q -s '^State:.[^Z]' "/proc/$1/status"; }
is_suspended() { [ "$(dmsetup info -c --noheadings -o suspended "$1")" = Suspended ]; }
no_session() { [ -z "$(quiescectl list sessions --no-legend)" ]; }
# The kernel shows who waits for a lock as "-> FLOCK".
lvm_waits() { grep -q -e '-> FLOCK' /proc/locks; }
# Also those that quiesced removes after it was started again; it is done when no lvm of its is left.
no_snapshot() {
        local pid
        pid=$(systemctl show -P MainPID quiesced.service)
        [ -z "$(< "/proc/$pid/task/$pid/children")" ] && [ -z "$(lvs --noheadings -o lv_name -S 'lv_name=~^quiesced_')" ] &&
                [ -z "$(< "/proc/$pid/task/$pid/children")" ]
}
