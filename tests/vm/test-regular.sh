#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G
#
# Regular sets: quiesced-set@NAME.timer fires, and makes up for what was missed; the sets are of what NAME.conf says and
# are kept by the rule of their label; what fails is told by systemctl status. A thick volume, whose mount point has a
# space in its name, a btrfs, and a thin one.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

timer=quiesced-set@nightly.timer service=quiesced-set@nightly.service
# Sets with a label, the oldest first.
sets() { quiescectl list sets --json | jq -r "[.sets[] | select(.labels == [\"$1\"])] | sort_by(.created)[].id"; }
has_sets() { [ "$(sets nightly | wc -l)" -eq "$1" ]; }
was_made_after() { [ "$(sets nightly | tail -n 1)" != "$1" ] && [ -n "$(sets nightly)" ]; }
rests() { [ "$(systemctl show -P ActiveState "$service")" = inactive ]; }
# As a machine finds it that was off at midnight.
make_up_for() {
        local last
        last=$(sets nightly | tail -n 1)
        systemctl stop "$timer" || return
        touch -d '3 days ago' "/var/lib/systemd/timers/stamp-$timer" || return
        systemctl start "$timer" || return
        await 120 was_made_after "$last" && await 60 rests
}
why() { systemctl status --no-pager --full "$1"; }

make_vg one /dev/vdb
make_vg two /dev/vdc
make_thick one data 300M
make_thick one tree 300M
make_pool two pool 1G
make_thin two pool db 300M
make_fs ext4 /dev/one/data "/mnt/my data"
make_fs btrfs /dev/one/tree /mnt/tree
make_fs xfs /dev/two/db /mnt/db
must mkdir -p /etc/quiesced/regular /etc/quiesced/quiesced.conf.d "/run/systemd/system/$timer.d"
echo "PATHS='\"/mnt/my data\" /mnt/tree two/db'" > /etc/quiesced/regular/nightly.conf
echo 'OPTIONS=--cow-size 64M --note "by the timer"' >> /etc/quiesced/regular/nightly.conf
printf '[Keep nightly]\nKeepLast=2\n' > /etc/quiesced/quiesced.conf.d/nightly.conf
must journalctl --update-catalog
must systemctl restart quiesced.service
outside_baseline

check_equal "by itself it waits for up to a quarter of an hour after midnight" "15min yes yes" \
        "$(systemctl show -P RandomizedDelayUSec "$timer") $(systemctl show -P FixedRandomDelay "$timer") $(systemctl show -P Persistent "$timer")"
printf '[Timer]\nRandomizedDelaySec=0\n' > "/run/systemd/system/$timer.d/now.conf"
must systemctl daemon-reload
check "the timer is enabled" systemctl enable --now "$timer"
check "and has a time" test "$(systemctl show -P NextElapseUSecRealtime "$timer")" != ''
check "nothing is made before that" has_sets 0
check "what was missed is made up for" make_up_for
check_equal "by one set" 1 "$(sets nightly | wc -l)"
first=$(sets nightly)
check_equal "of the three volumes" "one/data one/tree two/db" \
        "$(quiescectl list --json | jq -r "[.snapshots[] | select(.set == \"$first\").volume] | sort | join(\" \")")"
check_equal "with the options' words" "by the timer application true" \
        "$(quiescectl show --json "$first" | jq -r '.sets[0] | "\(.note) \(.consistency) \(.persistent)"')"
check "a second time" make_up_for
check_equal "there are two" 2 "$(sets nightly | wc -l)"
second=$(sets nightly | tail -n 1)
check "a third time" make_up_for
check "the rule keeps two" await 60 has_sets 2
check_equal "and the oldest went" "$second" "$(sets nightly | head -n 1)"
check "the journal has that by its message id" grep -q -x "SET=$first" \
        <(journalctl --no-pager -o verbose --output-fields=SET MESSAGE_ID=f7cb0bc998b849929a08bd15df1789f6 | tr -d ' ')
check "and explains it" grep -q "quiescectl prune --dry-run" \
        <(journalctl --no-pager --catalog MESSAGE_ID=f7cb0bc998b849929a08bd15df1789f6)

# What fails is told where one looks first.
echo 'PATHS=/proc' > /etc/quiesced/regular/bad.conf
check_fails "a path that is on no volume" 'quiesced-set@bad.service' within 60 systemctl start quiesced-set@bad.service
check "its unit has failed" systemctl is-failed quiesced-set@bad.service
check_fails "and says why" '/proc: It is on a file system without a block device' why quiesced-set@bad.service
check_fails "a NAME.conf that is not there" 'quiesced-set@none.service' within 60 systemctl start quiesced-set@none.service
check_fails "is said" 'Failed to load environment files' why quiesced-set@none.service
echo 'PATHS="/mnt/my data"' > /etc/quiesced/regular/bad.conf
check_fails "a path with a space that is not quoted twice" 'quiesced-set@bad.service' within 60 systemctl start quiesced-set@bad.service
echo 'PATHS=/mnt/db' > /etc/quiesced/regular/bad.conf
check "what was bad is run again" within 60 systemctl start quiesced-set@bad.service
check_equal "and made" 1 "$(sets bad | wc -l)"
check_equal "no older set went meanwhile" 2 "$(sets nightly | wc -l)"

must systemctl disable --now "$timer"
for set in $(sets nightly) $(sets bad); do
        must within 60 quiescectl delete -q "$set"
done
outside_check "nothing is left"
finish
