#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# quiescectl doctor: what it makes of what it is told. LVM, device-mapper and modprobe are scripts that print what the
# file of their name has; the bus and quiesced are real. On real volumes: tests/vm/test-doctor.sh.
# shellcheck source=tests/bus/ctl-functions.sh
. "$(dirname "$0")/ctl-functions.sh"

mkdir "$work/fakes" "$work/answers" "$work/provider"
cat > "$work/fakes/lvm" <<END
#!/bin/sh
[ ! -e "$work/answers/hang" ] || exec sleep 1000
cat "$work/answers/\$(basename "\$0")\${1:+-\$1}" 2> /dev/null && exit
echo "  no such thing" >&2
exit 5
END
chmod +x "$work/fakes/lvm"
for name in vgs lvs dmsetup modprobe; do ln -s lvm "$work/fakes/$name"; done
doctor() { PATH=$work/fakes:$PATH timeout 60 "$build/quiescectl" doctor "$@"; }
# area NAME…: those areas of the screen
area() { doctor | awk -v RS= -v ORS='\n\n' -v names=" $* " 'index(names, " " $1 " ")'; }
answer() { cat > "$work/answers/$1"; }

answer lvm-version <<'END'
  LVM version:     2.03.16(2) (2022-05-18)
  Library version: 1.02.185 (2022-05-18)
END
answer lvm-lvmconfig <<'END'
config {
	checks=1
}
global {
	wait_for_locks=0
	use_lvmlockd=0
	use_lvmpolld=1
	metadata_read_only=0
	event_activation=1
}
activation {
	monitoring=0
	thin_pool_autoextend_threshold=100
	thin_pool_autoextend_percent=20
}
devices {
	issue_discards=1
}
END
answer vgs---reportformat <<'END'
{"report": [{"vg": [
  {"vg_name":"data", "vg_attr":"wz--n-", "vg_size":"1000", "vg_free":"250", "vg_lock_type":"", "vg_missing_pv_count":"0"},
  {"vg_name":"full", "vg_attr":"wz-pn-", "vg_size":"1000", "vg_free":"0", "vg_lock_type":"none", "vg_missing_pv_count":"1"},
  {"vg_name":"away", "vg_attr":"wzx-n-", "vg_size":"1000", "vg_free":"10", "vg_lock_type":"", "vg_missing_pv_count":"0"},
  {"vg_name":"ours", "vg_attr":"wz--ns", "vg_size":"1000", "vg_free":"10", "vg_lock_type":"sanlock", "vg_missing_pv_count":"0"}
]}]}
END
lv() { printf '{"vg_name":"data", "lv_name":"%s", "lv_attr":"%s", "data_percent":"%s", "metadata_percent":"%s", "lv_health_status":"%s", "lv_tags":"%s"}' "$@"; }
lvs() { (IFS=,; printf '{"report": [{"lv": [%s]}]}\n' "$*"); }
lvs "$(lv root -wi-ao---- '' '' '' '')" \
        "$(lv pool twi-aotz-- 81.50 12.00 '' '')" \
        "$(lv bad twi-aotzM- 10.00 99.00 metadata_read_only '')" \
        "$(lv quiesced_1 swi-a-s--- 96.00 '' '' quiesced.final,quiesced.set=1)" \
        "$(lv quiesced_2 swi-a-s--- 1.00 '' '' quiesced.set=1,quiesced.unfinished)" \
        "$(lv theirs swi-a-s--- 99.00 '' '' other.quiesced.final)" \
        "$(lv merging Owi-aos--- '' '' '' '')" | answer lvs--a
printf 'data-root\tActive\tLive\ndata-db\tSuspended\tLive\ndata-new\tActive\tBoth\n' | answer dmsetup-info
printf 'striped          v1.6.0\nsnapshot         v1.16.0\nthin             v1.22.0\n' | answer dmsetup-targets
printf '' | answer modprobe---dry-run

start_bus
doctor > "$work/screen" 2> "$work/errors"
check "a problem is told by the exit status" test $? -eq 1
check "nothing on standard error" test ! -s "$work/errors"
check "that quiesced does not run is said" grep -q 'note: quiesced is not running' "$work/screen"
check "its screen" diff -u "$srcdir/tests/bus/expected/doctor" <(awk -v RS= -v ORS='\n\n' '$1 == "lvm" || $1 == "space"' "$work/screen")
check "a suspended device is a problem" grep -q 'problem: writes are held by a suspended device: data-db' "$work/screen"
check "a staged table is told" grep -q 'note: a table is staged for data-new' "$work/screen"
check "lines are not longer than a terminal" awk 'length > 80 { exit 1 }' "$work/screen"
check "--quiet tells what is wrong alone" awk '/^ *(ok|note|unknown):/ { exit 1 }' <(doctor --quiet)
check "an area without it is left out" awk '/^kernel$/ { exit 1 }' <(doctor --quiet)
doctor --json > "$work/json"
check "the same in JSON" test "$(jq -r '.findings[] | select(.result == "warning" and .area == "space") | .text' "$work/json" | grep -c 'pool is 82 % full$')" -eq 1
check "where nothing is to be done it is null" test "$(jq -c '[.findings[] | select(.result == "ok") | .remedy] | unique' "$work/json")" = '[null]'
fails "an argument is refused" 1 'it takes no argument' doctor it

# Device-mapper's target is neither loaded nor a module.
rm "$work/answers/modprobe---dry-run"
if grep -q device-mapper /proc/misc; then
        check "a target that is nowhere" grep -q "target thin-pool is neither loaded" <(area kernel)
        check "one that is loaded" grep -q "ok: device-mapper has the target snapshot" <(area kernel)
else
        check "no device-mapper at all" grep -q "problem: the kernel has no device-mapper" <(area kernel)
fi

# quiesced runs, with a writer in order and one that is not.
mkdir -p "$work/provider/volumes" "$work/writers.d" "$work/run"
echo one > "$work/provider/volumes/one"
printf '[Writer]\nExec=%s log=%s\nUser=%s\n' "$build/quiesce-test-writer" "$work/log" "$(id -un)" > "$work/writers.d/good.writer"
printf '[Writer]\nExec=relative/path\nUser=%s\n' "$(id -un)" > "$work/writers.d/gone.writer"
start_quiesced
area units writers file-systems > "$work/screen"
check "quiesced is asked" grep -q "ok: quiesced runs, version" "$work/screen"
check "a writer in order" grep -q 'ok: the writer good is in order' "$work/screen"
check "one that is not" grep -q 'problem: the writer gone takes part in nothing' "$work/screen"

# A session that makes a set: what is held is held for it.
printf '[Writer]\nExec=%s log=%s freeze=hang\nUser=%s\n' "$build/quiesce-test-writer" "$work/log" "$(id -un)" > "$work/writers.d/gone.writer"
kill "${pids[1]}" && wait "${pids[1]}"
start_quiesced
ctl create test:one > "$work/created" 2>&1 &
pids+=($!)
await is creating '.sessions[0].state' list sessions --json
area units held > "$work/screen"
check "in the middle of a set its session is told" grep -q 'note: session .* is creating' "$work/screen"
check "and what is suspended is no problem" grep -q 'note: writes are held by a suspended device: data-db' "$work/screen"
kill "${pids[-1]}"
wait "${pids[-1]}"
unset 'pids[-1]'

# LVM hangs: the doctor goes on.
touch "$work/answers/hang"
PATH="$work/fakes:$PATH" timeout 120 "$build/quiescectl" doctor > "$work/screen"
check "what hangs is said" grep -q 'lvm does not end' "$work/screen"
check "and the rest is looked at" grep -q '^policy' "$work/screen"
[ "$failures" -eq 0 ]
