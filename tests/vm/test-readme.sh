#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 600
#
# README.md, word by word: its lines of "Install it" after "make install" on a machine where nothing of quiesced runs, then
# the lines of "A short tour", with a file system at each path that they name.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

readme=$(dirname "$0")/../../README.md

# The commands of a section.
commands_of() { sed -n "/^## $1\$/,/^## /s/^    //p" "$readme"; }
sudo() { "$@"; }

units=(quiesced.socket quiesced-hold.socket quiesced.service)
systemctl -q disable --now "${units[@]}" 2> /dev/null
must systemctl daemon-reload
for unit in "${units[@]}"; do
        check_equal "$unit does not run before" inactive "$(systemctl is-active "$unit")"
done

mapfile -t lines < <(commands_of 'Install it' | sed '1,/make install/d')
check "there are lines after make install" [ "${#lines[@]}" -ge 4 ]
for line in "${lines[@]}"; do check "install: $line" eval "$line"; done
for unit in "${units[@]}"; do
        check_equal "$unit runs" active "$(systemctl is-active "$unit")"
        check_equal "$unit is enabled" enabled "$(systemctl is-enabled "$unit")"
done

make_vg vg /dev/vdb
make_pool vg pool 1G
make_thick vg srv 256M
make_thin vg pool db 320M
make_fs ext4 /dev/vg/srv /srv
make_fs xfs /dev/vg/db /var/lib/db
outside_baseline

mapfile -t lines < <(commands_of 'A short tour')
check "there is a tour" [ "${#lines[@]}" -ge 6 ]
for line in "${lines[@]}"; do
        case $line in
        *" -- restic "*) line=${line/ -- restic / -- echo } ;;
        *" ID"*) line=${line/ ID/ $(quiescectl list snapshots --no-legend | awk 'NR == 1 { print $1 }')} ;;
        esac
        check "tour: $line" eval "$line"
done
outside_check "after the tour nothing is left"
must umount /var/lib/db /srv
must rmdir /mnt/snapshots
finish
