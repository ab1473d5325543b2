#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 900
#
# The timeline of a set with real holds: a thick and a thin volume, frozen by the writer fsfreeze. What it tells is judged
# against what else is known (the set's own times, the snapshots); and it is there after quiesced was started anew, was
# killed, and after a reboot, and goes with the set's last snapshot.
# shellcheck disable=SC2016,SC2119,SC2317 # jq and the commands' own shells expand; functions are called by name
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

records=/var/lib/quiesced/sets
timeline() { quiescectl show --json "$1" | jq -c '.sets[0].timeline'; }
# $1: name; $2: the timeline; $3: what is true of it
tells() { check "$1" test "$(jq "$3" <<< "$2")" = true || jq . <<< "$2" | explain; }

make_vg vg0 /dev/vdb
make_vg vg1 /dev/vdc
make_thick vg0 thick 320M
make_pool vg1 pool 800M
make_thin vg1 pool thin 320M
make_fs xfs /dev/vg0/thick /mnt/thick
make_fs ext4 /dev/vg1/thin /mnt/thin
# Where the records are, so that it can be frozen.
make_thick vg0 state 64M
make_fs ext4 /dev/vg0/state /var/lib/quiesced
outside_baseline

set=$(quiescectl create --quiet /mnt/thick /mnt/thin)
check "a persistent set is made" test -n "$set"
made=$(timeline "$set")

tells "it is of the set, whose session has ended" "$made" \
        ".version == 1 and .set == \"$set\" and .uid == 0 and .consistency == \"application\" and .outcome == \"not-completed\""
tells "the writer fsfreeze had every event, each done within its limit" "$made" \
        '[.writers[] | select(.name == "fsfreeze") | .events[] | select(.outcome == "done" and ."duration-usec" < ."limit-usec") | .name]
        == ["Identify", "PrepareForBackup", "PrepareForSnapshot", "Freeze", "Thaw", "PostSnapshot", "BackupShutdown"]'
tells "both volumes were held, within their limit" "$made" \
        '[.volumes[] | select(.times[] | .name == "hold" and ."duration-usec" > 0 and ."duration-usec" < ."limit-usec") | .volume] | sort
        == ["vg0/thick", "vg1/thin"]'
tells "by a provider each" "$made" '[.volumes[].provider] | sort == ["lvm-cow", "lvm-thin"]'
tells "one instant: none was committed before all were suspended, none resumed before all were committed" "$made" \
        'def at($name): [.volumes[].times[] | select(.name == $name)];
        (at("suspend") | map(."begin-usec" + ."duration-usec") | max) <= (at("commit") | map(."begin-usec") | min) and
        (at("commit") | map(."begin-usec" + ."duration-usec") | max) <= (at("resume") | map(."begin-usec") | min)'
tells "the hold lies within the freeze window, the volumes' within it" "$made" \
        'def window($name): .windows[] | select(.name == $name); def over: ."begin-usec" + ."duration-usec";
        (window("hold") | ."begin-usec") >= (window("freeze") | ."begin-usec") and
        (window("hold") | over) <= (window("freeze") | over) and
        ([.volumes[].times[] | select(.name == "hold") | over] | max) <= (window("hold") | over) and
        ([.volumes[].times[] | select(.name == "hold") | ."begin-usec"] | min) >= (window("hold") | ."begin-usec")'
check_equal "the hold is as long as the set says" "$(quiescectl show --json "$set" | jq '.sets[0].hold')" \
        "$(jq '.windows[] | select(.name == "hold") | ."duration-usec"' <<< "$made")"
check_equal "and the freeze window" "$(quiescectl show --json "$set" | jq '.sets[0].freeze')" \
        "$(jq '.windows[] | select(.name == "freeze") | ."duration-usec"' <<< "$made")"
quiescectl show "$set" > "$test_work/shown"
check "show has the writers' table" grep -q -E '^fsfreeze +system +stable' "$test_work/shown"
check "and each hold against its limit" test "$(grep -c -E '^ *[0-9.]+ s +[0-9.]+ (us|ms|s) +10.00 s +[0-9.]+% +vg[01]/(thick|thin) +hold' "$test_work/shown")" = 2
explain < "$test_work/shown"

plot() { quiescectl plot "$1" > "$test_work/plot.svg"; }
check "the set is plotted" plot "$set"
check "with the volumes" grep -q -F '>vg0/thick: hold, ' <(sed 's/<title>/&\n>/g' "$test_work/plot.svg")
check "to its end" grep -q -F '</svg>' "$test_work/plot.svg"

check "quiesced is started anew" systemctl restart quiesced
check_equal "and tells the same" "$made" "$(timeline "$set")"
systemctl kill --signal=SIGKILL quiesced
check "it was killed" await 30 systemctl is-active --quiet quiesced
check_equal "and tells the same again" "$made" "$(timeline "$set")"

# After a reboot nothing is left of /run; the record may be gone, too, or be damaged.
systemctl stop quiesced
rm -rf /run/quiesced/sessions
mv "$records/$set.json" "$test_work/kept"
check "without its record the set is there all the same" quiescectl show "$set"
check "and has no timeline" test "$(timeline "$set")" = null
check_fails "plot says why" "has no record" quiescectl plot "$set"
systemctl stop quiesced
echo '{"version": 1, "writers": [' > "$records/$set.json"
check "nor does a damaged one matter" grep -q "$set" <(quiescectl show "$set" 2> "$test_work/said")
check "which is told" grep -q "cannot be used" "$test_work/said"
check "and kept" grep -q -F '"writers": [' "$records/$set.json"
mv "$test_work/kept" "$records/$set.json"
# Two that belong to no set that is there: one since now, one for three months.
missing=$records/00000000-0000-4000-8000-000000000001
long_missing=$records/00000000-0000-4000-8000-000000000002
touch "$missing.json" "$long_missing.json"
touch -d '91 days ago' "$long_missing.missing"
check "quiesced is started again" systemctl restart quiesced
check_equal "its record counts by its name" "$made" "$(timeline "$set")"
check "that of a set that is missing is kept, as its disk may come again" test -e "$missing.json"
check "and it is noted since when" test -e "$missing.missing"
check "that of one that has been missing for three months is removed" test ! -e "$long_missing.json"

# With auto-release, while it is read from, and after.
look() {
        quiescectl list sets --json | jq -r '.sets[] | select(.persistent | not).id' > "$test_work/auto"
        quiescectl show --json "$(cat "$test_work/auto")" > "$test_work/during"
}
export -f look
export test_work
check "a command runs on a set of its own" quiescectl run --quiet /mnt/thick -- bash -c look
tells "in it writers wait for the backup's end" "$(jq -c '.sets[0].timeline' "$test_work/during")" \
        '.outcome == "" and ([.writers[] | select(.name == "fsfreeze").state] == ["waiting-for-backup-complete"])'
check "its record goes with it" test ! -e "$records/$(< "$test_work/auto").json"

# Somebody holds the records' file system frozen: nobody waits for it but who wants to see a record.
must fsfreeze --freeze /var/lib/quiesced
later=$(within 60 quiescectl create --quiet --no-writers /mnt/thick)
check "a set is made while records cannot be written" test -n "$later"
check "quiesced answers" within 20 quiescectl list sets
quiescectl show --json "$later" > "$test_work/later" 2>&1 & waiting=$!
must fsfreeze --unfreeze /var/lib/quiesced
check "who asked for its timeline waits no longer" wait "$waiting"
check "it is written then" await 30 test -s "$records/$later.json"
check "and the set is deleted with it" quiescectl delete "$later"

snapshots=$(quiescectl show --json "$set" | jq -r '.sets[0].snapshots[]')
check "one snapshot is deleted" quiescectl delete "$(head -n 1 <<< "$snapshots")"
check_equal "the record is that of the set" "$made" "$(timeline "$set")"
check "the last one is deleted" quiescectl delete "$(tail -n 1 <<< "$snapshots")"
systemctl stop quiesced
check "and the record is gone" test ! -e "$records/$set.json"
rm "$missing.json" "$missing.missing"
check "and those of the others" test -z "$(ls "$records")"
outside_check
finish
