#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 1800
# vm-all
#
# What a disk has kept, whenever the power goes (dm-log-writes): all writes to a volume group, LVM's own and those of the
# snapshots' stores among them, are recorded while a persistent set of a thick and a thin volume is made under load, and
# replayed up to each flush. At each of these points LVM is content, a check of the origins' file systems after their
# journals' replay finds nothing, the database on them is whole; and a snapshot that counts has the content of its instant.
# From the moment on at which the set was reported it is there. POINTS says at how many points to look (0: at all).
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

tools=${QUIESCED_BUILD:?}
mnt=/mnt/replay
n_sectors=524288
layer=$test_work/layer
local_conf=/etc/lvm/lvmlocal.conf

# --- recording: /dev/vdb carries the group, /dev/vdc the log ---------------------------------------------------------------

# see FILTER: LVM has to look at what lies above a disk alone; and it activates only what it is told to.
see() {
        printf '%s\n' 'devices {' "global_filter = [ $1 ]" '}' 'global { event_activation = 0 }' > "$local_conf"
}

make_recorded() {
        must modprobe dm-log-writes
        [ ! -e "$local_conf" ] || cp "$local_conf" "$test_work/lvmlocal.conf"
        see '"r|^/dev/vd[b-d]$|"'
        must dmsetup create pv --table "0 $n_sectors log-writes /dev/vdb /dev/vdc"
        must vgcreate -qq -y recorded /dev/mapper/pv
        make_thick recorded thick 48M
        make_pool recorded pool 72M
        make_thin recorded pool thin 48M
        make_fs ext4 /dev/recorded/thick "$mnt/thick"
        make_fs ext4 /dev/recorded/thin "$mnt/thin"
}

mark() { must dmsetup message pv 0 mark "$1"; }

# One round: a counter on both volumes, with fsync; and, in each fourth, a transaction of the database's: one row more, and some
# changed.
write_round() {
        local volume
        for volume in thick thin; do
                printf '%012d\n' "$1" 1<> "$mnt/$volume/counter" && sync "$mnt/$volume/counter"
        done
        [ $(($1 % 4)) -ne 0 ] ||
                echo "INSERT INTO t (text) VALUES (hex(randomblob(300))); UPDATE t SET text = 'x' WHERE id % 7 = 0;" >&"$database_input"
}

# A round at each event of a block device, of which each of LVM's commands makes some, as do suspends and resumes: load that
# comes between all that happens, and no more flushes than can be looked at one by one.
write_at_events() {
        local line n=1
        while read -r -u "$events" line; do
                [[ $line != KERNEL* ]] || write_round $((n += 1))
        done
}

start_load() {
        must mkfifo "$test_work/events" "$test_work/statements"
        sqlite3 "$mnt/thick/db" < "$test_work/statements" > /dev/null 2>&1 &
        database=$!
        exec {database_input}> "$test_work/statements"
        echo "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=8;" >&"$database_input"
        echo "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT);" >&"$database_input"
        write_round 1
        check "the database is written" await 30 test -s "$mnt/thick/db-wal"
        udevadm monitor --kernel --subsystem-match=block > "$test_work/events" 2> /dev/null &
        monitor=$!
        exec {events}< "$test_work/events"
        write_at_events &
        writer=$!
        check "the load runs" await 30 has_counted
}
count() { echo "$((10#$(< "$mnt/thin/counter")))"; }
# Until the monitor listens nothing is heard of an event.
has_counted() {
        echo change > /sys/block/vdd/uevent
        [ "$(count)" -gt 1 ]
}
# The monitor's end is the writer's, after what it has heard of.
stop_load() {
        kill "$monitor"
        exec {events}<&-
        wait "$writer"
}
stop_database() {
        exec {database_input}>&-
        wait "$database"
}

# content DIRECTORY: of all files.
content() { (cd "$1" && find . -type f -exec md5sum {} + | sort -k 2); }

record() {
        local volume
        for volume in thick thin; do echo 000000000000 > "$mnt/$volume/counter"; done
        start_load
        mark begin
        for volume in thick thin; do echo before > "$mnt/$volume/before"; done
        check "a persistent set is made under load" within 240 quiescectl create -q "$mnt/thick" "$mnt/thin"
        mark created
        stop_load
        for volume in thick thin; do echo after > "$mnt/$volume/after"; done
        check "it was made under load" test "$(count)" -gt 10
        write_round 1000
        write_round 1001
        stop_database
        mark end
        note_contents
}

# The snapshots' LVs, and what is in them: in the file names beside, by volume.
note_contents() {
        local volume name
        must mkdir -p "$mnt/look"
        for volume in thick thin; do
                name=$(lvs --noheadings -o lv_name -S "lv_name=~^quiesced_ && origin=$volume" recorded | tr -d ' ')
                check "it has a snapshot of $volume" test -n "$name"
                echo "$name" > "$test_work/name-$volume"
                must mount -o ro,noload "/dev/recorded/$name" "$mnt/look"
                content "$mnt/look" > "$test_work/content-$volume"
                cp -r "$mnt/look/." "$test_work/instant-$volume"
                umount "$mnt/look"
                check "what was written before is in that of $volume" test -e "$test_work/instant-$volume/before"
                check "what was written later is not" test ! -e "$test_work/instant-$volume/after"
        done
        check_equal "the database in it is whole" ok "$(sqlite3 "$test_work/instant-thick/db" 'PRAGMA integrity_check' 2>&1)"
}

end_recording() {
        must umount "$mnt/thick" "$mnt/thin"
        must systemctl stop quiesced.service
        must vgchange -qq -an recorded
        must dmsetup remove --retry pv
        must wipefs -qaf /dev/vdb
        see '"a|^/dev/mapper/look$|", "r|.*|"'
        must "$tools/replay-writes" /dev/vdc list
        cp "$test_work/output" "$test_work/points"
}

# --- replaying, to /dev/vdd ---------------------------------------------------------------------------------------------------

# Whatever is done to it is done to a layer above, which is thrown away.
put_layer() {
        rm -f "$layer"
        must truncate -s $((n_sectors * 512)) "$layer"
        loop=$(losetup --find --show "$layer")
        must dmsetup create look --table "0 $n_sectors snapshot /dev/vdd $loop N 8"
        must udevadm settle
}
take_layer() {
        must vgchange -qq -an recorded
        must dmsetup remove --retry look
        must losetup -d "$loop"
}

# What is wrong, a line each.
look_at_origins() {
        local volume said
        for volume in thick thin; do
                said=$(e2fsck -fp "/dev/recorded/$volume" 2>&1)
                [ $? -le 1 ] || echo "$volume: e2fsck -fp: $said"
                said=$(e2fsck -fn "/dev/recorded/$volume" 2>&1) || echo "$volume: e2fsck -fn: $said"
                mount "/dev/recorded/$volume" "$mnt/$volume" 2>&1 || continue
                [ "$volume" = thin ] || said=$(sqlite3 "$mnt/$volume/db" 'PRAGMA integrity_check' 2>&1)
                [ "$volume" = thin ] || [ "$said" = ok ] || echo "the database: $said"
                umount "$mnt/$volume"
        done
}

# look_at_snapshots OWED: those that have the final tag count.
look_at_snapshots() {
        local volume name tags all device
        all=$(lvs --noheadings -o lv_name,lv_tags recorded 2> /dev/null)
        for volume in thick thin; do
                name=$(< "$test_work/name-$volume")
                tags=$(grep -F "$name" <<< "$all")
                if [[ $tags != *"$final_tag"* ]]; then
                        [ "$1" = no ] || echo "$volume: its snapshot was reported and does not count: ${tags:-it is not there}"
                        continue
                fi
                n_counted=$((n_counted + 1))
                device=/dev/recorded/$name
                mount -o ro,noload "$device" "$mnt/look" 2>&1 || continue
                content "$mnt/look" | diff "$test_work/content-$volume" - > "$test_work/diff" ||
                        { echo "$volume: its snapshot has another content:"; cat "$test_work/diff"; }
                umount "$mnt/look"
        done
}

# one_point NUMBER OWED
one_point() {
        local problems
        must "$tools/replay-writes" /dev/vdc replay /dev/vdd "$at" "$1"
        at=$1
        put_layer
        {
                vgck recorded 2>&1
                # It says how many are active, and which have a table that is none.
                vgchange -qq -ay recorded 2>&1
                udevadm settle
                look_at_snapshots "$2"
                look_at_origins
        } > "$test_work/problems"
        problems=$(< "$test_work/problems")
        take_layer
        if [ -n "$problems" ]; then
                not_ok "at entry $1"
                explain <<< "$problems"
        fi
}

# The flushes between the marks, a number each, and whether the set was reported by then; of more than POINTS, each n-th, and
# those around the report.
points() {
        awk -v wanted="${POINTS:-0}" '
                $2 == "mark" { mark = $3 }
                mark == "created" && !created { created = n + 1 }
                $2 == "flush" && (mark == "begin" || mark == "created") { number[++n] = $1; owed[n] = mark == "created" ? "yes" : "no" }
                END {
                        every = wanted > 0 && n > wanted ? int(n / wanted) : 1
                        for (i = 1; i <= n; i++)
                                if (i % every == 0 || i == n || (i >= created - 1 && i <= created + 1)) print number[i], owed[i]
                }' "$test_work/points"
}

replay() {
        local number owed n=0 since=$SECONDS
        at=0 n_counted=0
        while read -r -u 3 number owed; do
                one_point "$number" "$owed"
                n=$((n + 1))
        done 3< <(points)
        echo "# of $(POINTS=0 points | wc -l) flushes $n looked at in $((SECONDS - since)) s, snapshots that count: $n_counted"
        check "there were points, before the report and after it" test "$n" -ge 4 -a "$n_counted" -gt 0 -a "$n_counted" -lt $((2 * n))
        check_equal "at each point all is well" 0 "$test_failures"
}

final_tag=quiesced.final
must mkdir -p "$mnt/thick" "$mnt/thin" "$mnt/look"
make_recorded
must systemctl restart quiesced.service
record
end_recording
replay
rm -f "$local_conf"
[ ! -e "$test_work/lvmlocal.conf" ] || cp "$test_work/lvmlocal.conf" "$local_conf"
must wipefs -qaf /dev/vdd
finish
