#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-all
#
# Persistent sets over reboots, of which nothing is left but the volumes' disks: the guest's root, with all records in /var,
# is another one at each boot. What they are found with then is LVM's tags. At one boot a group is missing, with its disk.
# Boots guests on this machine; what is looked at is in reboot-guest.
# Argument: the build to install (default: build-test in this source tree).
set -u

source_tree=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")
build=$(readlink -f "${1:-$source_tree/build-test}")
work=$(mktemp -d "${TMPDIR:-/tmp}/reboot.XXXXXX")
trap 'rm -rf "$work"' EXIT
truncate -s 2G "$work/b" "$work/c"
command=("$source_tree/scripts/vm" run --build "$build" --timeout 400)
[ "$(id -u)" -eq 0 ] || command=(sudo "${command[@]}")
disks=(--disk-file "$work/b" --disk-file "$work/c")
failures=0

# boot NAME ARGUMENT…: one boot, to its end. What it says goes through, but for what the next is to know, in kept.
boot() {
        "${command[@]}" "${disks[@]}" "$source_tree/tests/vm/reboot-guest" "$@" < /dev/null > "$work/said" 2>&1 || { echo "not ok the boot $1 ends well"; failures=1; }
        grep -v '^keep ' "$work/said"
        mapfile -t kept < <(sed -n 's/^keep //p' "$work/said")
}

boot make
sets=("${kept[@]}")
both=("${disks[@]}") disks=(--disk-file "$work/b")
boot missing "${sets[@]}"
disks=("${both[@]}")
boot look "${sets[@]}"
boot empty
exit $failures
