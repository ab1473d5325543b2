#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G
#
# Which persistent sets stay: rules by label over days, with the guest's clock moved on; limits of a volume and of a group;
# a dry run that says what then happens; nothing that is locked, mounted or open goes, nor anything while a freeze window is
# open; one set after the other, each snapshot with its reason. A thick and a thin volume. Looked at in device-mapper and LVM.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/gate-functions.sh
. "$(dirname "$0")/gate-functions.sh"

ids() { quiescectl list sets --json | jq -r '[.sets[]] | sort_by(.created)[].id'; }
# has ID…: these sets there are, the oldest first, and no others; LVM has two snapshots of each that is of both volumes.
has() { [ "$(ids | paste -sd' ')" = "$*" ]; }
lvm_has() { [ "$(lvs --noheadings -S 'lv_name=~^quiesced_' | wc -l)" -eq "$1" ]; }
snapshot_of() { quiescectl list --json | jq -r ".snapshots[] | select(.set == \"$1\" and .volume == \"$2\").$3"; }
# new TIME OPTIONS…: a set that is made at that time
new() { date -s "$1" > /dev/null && within 120 quiescectl create -q --cow-size 48M "${@:2}"; }
# All sets that were made. What is told of one is told by its place here: "NUMBER REASON BY REMOVED".
sets=()
number() {
        local i
        for i in "${!sets[@]}"; do [ "${sets[i]}" != "$1" ] || echo "$i"; done
}
numbered() { while read -r id rest; do echo "$(number "$id") $rest"; done | paste -sd,; }
told() { jq -r '.removals[] | "\(.set) \(.reason) \(.by) \(.removed)"' | numbered; }
prune() { quiescectl prune -q --json "$@" 2> /dev/null | told; }
errors() { quiescectl prune -q --json "$@" 2> /dev/null | jq -r '.removals[].error'; }
# configure restart|reload LINES…: what quiesced.conf says of keeping, and how quiesced comes to read it
configure() {
        printf '%s\n' "${@:2}" > /etc/quiesced/quiesced.conf.d/keeping.conf
        must within 60 systemctl "$1" quiesced.service
}
# What the monitor has told of removals since it was started: "NUMBER REASON" of each snapshot, in order.
follow() {
        quiescectl monitor --json > "$test_work/monitor" 2> "$test_work/following" &
        monitor=$!
        await 30 test -s "$test_work/following"
}
removed() { jq -r 'select(.event == "snapshot-removed") | "\(.set) \(.reason)"' "$test_work/monitor" | numbered; }
happened() {
        [ "$(jq -r 'select(.event == "set-created" or .event == "snapshot-removed") | "\(.set) \(.event)"' "$test_work/monitor" | numbered)" = "$1" ]
}
removed_is() { [ "$(removed)" = "$1" ]; }

# How far the clock is moved, told by one that is not.
uptime() { cut -d. -f1 /proc/uptime; }
booted=$(($(date +%s) - $(uptime)))
make_vg one /dev/vdb
make_vg two /dev/vdc
make_thick one data 200M
make_pool two pool 800M
make_thin two pool db 300M
make_fs ext4 /dev/one/data /mnt/data
make_fs xfs /dev/two/db /mnt/db
echo old > /mnt/db/file
must mkdir -p /etc/quiesced/quiesced.conf.d /mnt/look
outside_baseline

# --- rules -------------------------------------------------------------------------------------------------------------

for time in '2031-03-04 09:00' '2031-03-05 09:00' '2031-03-05 21:00' '2031-03-06 09:00' '2031-03-06 09:20' '2031-03-06 10:05'; do
        sets+=("$(new "$time" --label regular /mnt/data /mnt/db)")
done
check "without rules all sets stay" has "${sets[@]}"
check "as LVM has them" lvm_has 12
rule=(--label regular --keep-last 1 --keep-daily 2 --keep-hourly 2)
plan="0 retention regular false,1 retention regular false,3 retention regular false"
check_equal "a dry run tells what the newest of the last hours and days leave" "$plan" "$(prune --dry-run "${rule[@]}")"
check_equal "of other labels nothing" "" "$(prune --dry-run --label other --keep-last 1)"
check "nothing is gone by that" has "${sets[@]}"
must quiescectl describe -q "${sets[0]}" --lock
check_equal "what is locked stays" "${plan#*,}" "$(prune --dry-run "${rule[@]}")"
check "quiesced's doings are followed" follow
check_equal "what the dry run said is done" "${plan#*,}" "$(prune "${rule[@]}" | sed s/true/false/g)"
check "just that is gone" has "${sets[0]}" "${sets[2]}" "${sets[4]}" "${sets[5]}"
check "from LVM, too" lvm_has 8
check "each snapshot is told with the reason, one set after the other" \
        await 30 removed_is "1 retention,1 retention,3 retention,3 retention"
kill "$monitor"

# What somebody uses stays, and nothing goes in its place.
thin=$(snapshot_of "${sets[2]}" two/db id) device=$(snapshot_of "${sets[4]}" one/data device)
must quiescectl mount "$thin" /mnt/look
exec {open}< "$device"
check_equal "a dry run names what is used" "2 retention regular false,4 retention regular false" \
        "$(prune --dry-run --label regular --keep-last 1)"
check_equal "and why it would stay" "mounted in use" "$(errors -n --label regular --keep-last 1 | grep -o -E 'is (mounted|in use)' | cut -d' ' -f2- | paste -sd' ')"
check_fails "so it does" 'is mounted; unmount it first' quiescectl prune --label regular --keep-last 1
check "and all others" has "${sets[0]}" "${sets[2]}" "${sets[4]}" "${sets[5]}"
check_equal "the mounted one can be read" old "$(cat /mnt/look/file)"
must quiescectl umount "$thin"
exec {open}<&-
configure restart '[Keep regular]' KeepLast=1 KeepMonthly=1
check "a rule of quiesced.conf is applied at the start, to what is free now" await 60 has "${sets[0]}" "${sets[5]}"
must quiescectl describe -q "${sets[0]}" --unlock
check "unlocked, it goes" within 60 quiescectl prune
check "so that one is left" has "${sets[5]}"
sets+=("$(new '2031-04-01 00:10' --label regular /mnt/data /mnt/db)")
check "in the next month the old one goes, after the session" await 60 has "${sets[6]}"
check "from LVM, too" await 60 lvm_has 2

# --- limits ------------------------------------------------------------------------------------------------------------

pid=$(systemctl show -P MainPID quiesced.service)
configure reload '[Limit one/data]' MaxCount=2 '[Limit one]' MaxSize=100M '[Limit two/db]' MaxAgeSec=2d
check "quiesced's doings are followed" follow
sets+=("$(new '2031-04-01 01:00' /mnt/data)" "$(new '2031-04-01 02:00' /mnt/data)")
check "the volume's count: the oldest goes, as a whole" await 60 has "${sets[7]}" "${sets[8]}"
check "with that reason" await 30 removed_is "6 limit-count,6 limit-count"
stores=$(lvs --noheadings --nosuffix --units b -o lv_size -S 'lv_name=~^quiesced_ && vg_name=one' | awk '{ n += $1 } END { print n }')
storage=$(quiescectl storage --json)
storage_of() { jq -r ".storage[] | select(.name == \"$1\") | $2" <<< "$storage"; }
check_equal "storage: what LVM has of the thick volume's stores" "$stores" "$(storage_of one/data .allocated)"
check_equal "its snapshots, sets and limit" "2 2 2" "$(storage_of one/data '"\(.snapshots) \(.sets) \(."limit-sets")"')"
check_equal "the group's limit, and what of it is taken" "104857600 $stores" "$(storage_of one '"\(.limit) \(.allocated)"')"
check_equal "the age's" 172800000000 "$(storage_of two/db '."limit-age"')"
# A reload of what is wrong fails, says why, and nothing of it counts.
printf '%s\n' '[Limit one]' MaxSize=50M '[Limit two]' MaxSize=some > /etc/quiesced/quiesced.conf.d/keeping.conf
check_status "a wrong file fails the reload" 1 within 60 systemctl reload quiesced.service
check_equal "quiesced runs on" active "$(systemctl is-active quiesced.service)"
reload=$(sed -n 's/^ExecReload=//p' /usr/lib/systemd/system/quiesced.service /lib/systemd/system/quiesced.service | head -n 1)
# shellcheck disable=SC2086 # a command and its arguments
check_fails "its command is told which line" 'keeping\.conf: \[Limit two\] MaxSize=some is not valid\. The configuration stays as it was' \
        within 60 $reload
told_wrong() { journalctl -q -u quiesced.service -o cat | grep -qF 'keeping.conf: [Limit two] MaxSize=some is not valid'; }
check "and the journal tells it, too" await 30 told_wrong
check_equal "nothing would go" "" "$(prune --dry-run)"
configure reload '[Limit one]' MaxSize=50M
check "the group's size: the oldest goes" await 60 has "${sets[8]}"
sets+=("$(new '2031-04-01 03:00' /mnt/db)")
configure reload '[Limit two/db]' MaxAgeSec=2d
check_equal "quiesced was not started anew" "$pid" "$(systemctl show -P MainPID quiesced.service)"
check "what is young stays" has "${sets[8]}" "${sets[9]}"
must date -s '2031-04-03 04:00'
check_equal "what is too old is named" "9 limit-age two/db false" "$(prune --dry-run)"
check_equal "and goes, though it is the newest" "9 limit-age two/db true" "$(prune)"
check "the other volume's stays" has "${sets[8]}"
kill "$monitor"

# --- never in a freeze window ------------------------------------------------------------------------------------------

# The one behind that gate is frozen, but quiesced answers: it is not of level system. What is asked after the call to prune
# is answered after it was begun.
sets+=("$(new '2031-04-03 05:00' --label short /mnt/db)" "$(new '2031-04-03 06:00' --label short /mnt/db)")
device=$(snapshot_of "${sets[10]}" two/db device)
make_gate
set_gate_level front-end
set_gate freeze
busctl --system monitor org.quiesce1 > "$test_work/bus" 2> "$test_work/following" &
bus=$!
must await 30 test -s "$test_work/following"
check "quiesced's doings are followed" follow
quiescectl create -q --cow-size 48M --label other /mnt/data > "$test_work/created" 2>&1 &
creating=$!
check "a set is being made, and a writer is frozen" await_gate
quiescectl prune -q --json --label short --keep-last 1 > "$test_work/pruned" 2>&1 &
pruning=$!
check "meanwhile somebody prunes" await 30 grep -q -a Member=Prune "$test_work/bus"
check_equal "a dry run is answered" "10 retention short false" "$(prune -n --label short --keep-last 1)"
check "but nothing goes" test -b "$device" -a -e "/proc/$pruning"
check_equal "nothing is told to be gone" "" "$(removed)"
open_gate
check "the set is made" wait "$creating"
check "what waited is done" wait "$pruning"
check_equal "as the dry run said" "10 retention short true" "$(told < "$test_work/pruned")"
check "the device is gone" test ! -e "$device"
sets+=("$(< "$test_work/created")")
check "it went when the set was there" await 30 happened "12 set-created,10 snapshot-removed"
kill "$monitor" "$bus"
remove_gate

rm -f /etc/quiesced/quiesced.conf.d/keeping.conf
must systemctl restart quiesced.service
for set in $(ids); do
        must within 60 quiescectl delete -q "$set"
done
outside_check "nothing is left"
umount /mnt/data /mnt/db
date -s "@$((booted + $(uptime)))" > /dev/null
finish
