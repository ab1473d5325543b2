#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 400
#
# What the fsfreeze writer makes of more than a file system on a volume: bind mounts and nested mounts of it, images on
# loop devices two deep (one of them of btrfs, one removed since), vfat on a volume and in an image, an overlay above it.
# One process bumps a counter in all of them, and the snapshots must show one instant, of file systems that were frozen.
# shellcheck disable=SC2016 # the commands' own shells expand
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

counter_program=${QUIESCED_BUILD:?}/hold-counter
configuration=/etc/quiesced/fsfreeze.conf
look=$test_work/look

# image FILE SIZE TYPE DIRECTORY: a file system in a file, mounted.
image() {
        must truncate -s "$2" "$1"
        case $3 in
        vfat) must mkfs.vfat "$1" ;;
        btrfs) must mkfs.btrfs -q "$1" ;;
        *) must "mkfs.$3" -q -F "$1" ;;
        esac
        must mkdir -p "$4"
        must mount -o loop "$1" "$4"
}

make_vg vg0 /dev/vdb
make_vg vg1 /dev/vdc
make_thick vg0 srv 640M
make_thick vg1 db 96M
make_thick vg1 boot 48M
make_fs ext4 /dev/vg0/srv /srv
must mkdir -p /srv/db /srv/boot /srv/part /mnt/part /mnt/again /srv/upper /srv/work /mnt/overlay "$look"
make_fs ext4 /dev/vg1/db /srv/db
must mkfs.vfat /dev/vg1/boot
must mount /dev/vg1/boot /srv/boot
# One file system, seen at more places; one of them lies in itself.
must mount --bind /srv/part /mnt/part
must mount --bind /srv /mnt/again
must mount -t overlay -o lowerdir=/srv/part,upperdir=/srv/upper,workdir=/srv/work overlay /mnt/overlay
# Two deep: ext4 in btrfs in ext4, ext4 in ext4 in ext4; and vfat in ext4.
image /srv/outer.img 160M btrfs /mnt/outer
must btrfs -q subvolume create /mnt/outer/sub
image /mnt/outer/sub/inner.img 24M ext4 /mnt/inner
must mkdir -p /mnt/inner-again
must mount --bind /mnt/inner /mnt/inner-again
image /srv/middle.img 64M ext4 /mnt/middle
image /mnt/middle/deep.img 24M ext4 /mnt/deep
image /srv/efi.img 16M vfat /mnt/efi
udevadm settle

stop_counter() {
        kill "$counter"
        wait "$counter" 2> /dev/null
}
await_counters() {
        local directory end=$((SECONDS + 60))
        for directory; do
                until [ -s "$directory/counter" ]; do
                        [ "$SECONDS" -lt "$end" ] || return 1
                        read -r -t 0.1 <> <(:)
                done
        done
        return 0
}
snapshot_of() {
        local path
        path=$(lvs --noheadings -o lv_path -S "lv_name=~^quiesced_ && origin=${1#*/}" "${1%%/*}")
        echo "${path// /}"
}
delete_sets() {
        local sets
        mapfile -t sets < <(quiescectl list sets --no-legend | awk '{ print $1 }')
        quiescectl delete -q "${sets[@]}"
}

lowest=999999999999 highest=0 wrong=''
note_counter() {
        local n
        n=$((10#$(< "$1/counter"))) || { wrong+="$1 has no counter; "; return; }
        [ "$n" -ge "$lowest" ] || lowest=$n
        [ "$n" -le "$highest" ] || highest=$n
        [ ! -e "$1/after" ] || wrong+="$1 has what was written after; "
}
# look_into DEVICE-OR-FILE TYPE NAME: mounted read-only below $look; a journal that is not empty was not frozen.
look_into() {
        local options=ro
        mkdir -p "$look/$3"
        case $2 in
        ext4)
                ! dumpe2fs -h "$1" 2> /dev/null | grep -q needs_recovery || wrong+="$3 was not frozen; "
                options=ro,noload ;;
        btrfs) options=ro,nologreplay ;;
        esac
        [ -b "$1" ] || options+=,loop
        mount -t "$2" -o "$options" "$1" "$look/$3" 2> "$test_work/output" || wrong+="$3: $(< "$test_work/output"); "
}

# --- a set of all that ------------------------------------------------------------------------------------------------

counted=(/srv /srv/db /mnt/outer /mnt/inner /mnt/middle /mnt/deep)
"$counter_program" "${counted[@]}" &
counter=$!
check "a process writes everywhere" await_counters "${counted[@]}"
must cp /etc/hostname /srv/boot/written
must cp /etc/hostname /mnt/efi/written
must cp /etc/hostname /mnt/overlay/written
# Whoever looks for the file finds nothing, and the mount is above it all the same.
must rm /mnt/middle/deep.img
outside_baseline

check "a set is made of bind mounts, nested mounts, images" within 200 \
        quiescectl create -q /srv /srv/db /srv/boot /mnt/again
for directory in "${counted[@]}" /srv/boot /mnt/efi; do must touch "$directory/after"; done
stop_counter
# No kernel mounts a btrfs beside its copy.
for directory in inner-again inner outer; do must umount "/mnt/$directory"; done
base_mounts=$(list_mounts)
base_elsewhere=$(list_mounts_elsewhere)

look_into "$(snapshot_of vg0/srv)" ext4 srv
look_into "$(snapshot_of vg1/db)" ext4 db
look_into "$look/srv/outer.img" btrfs outer
look_into "$look/outer/sub/inner.img" ext4 inner
look_into "$look/srv/middle.img" ext4 middle
for directory in srv db outer inner middle; do note_counter "$look/$directory"; done
check_equal "every one that can be was frozen, the inner before the outer" "" "$wrong"
check "they show one instant" [ $((highest - lowest)) -le 1 ]
echo "# counters $lowest to $highest"
look_into "$(snapshot_of vg1/boot)" vfat boot
look_into "$look/srv/efi.img" vfat efi
for directory in boot efi srv/upper; do
        check "what was written to $directory is there" cmp /etc/hostname "$look/$directory/written"
done
check "what was written to vfat afterwards is not" test ! -e "$look/boot/after" -a ! -e "$look/efi/after"
for directory in efi boot middle inner outer db srv; do must umount "$look/$directory"; done
must delete_sets
outside_check "after the set nothing is left"

# --- skipped by name, or refused --------------------------------------------------------------------------------------

told=$(within 200 quiescectl run /srv /srv/boot -- true 2>&1)
check "what knows no freezing is skipped by name" \
        grep -q -E 'writer fsfreeze warns: .* are skipped: .*/(srv/boot|mnt/efi) \(vfat\), .*/(srv/boot|mnt/efi) \(vfat\)' <<< "$told"
check_equal "an image that is removed is frozen all the same" "" "$(grep -o '/mnt/deep (' <<< "$told")"
must mkdir -p /etc/quiesced
printf '[FileSystems]\nUnfreezable=refuse\n' > "$configuration"
check_fails "or the set is refused" 'knows no freezing, and fsfreeze.conf refuses that: .*/mnt/efi \(vfat\)' \
        within 200 quiescectl create -q /srv
check "a set without such a file system is not" within 200 quiescectl create -q /srv/db
must delete_sets
printf '[FileSystems]\nUnfreezable=perhaps\n' > "$configuration"
check_fails "what is not understood is an error" 'fsfreeze' within 200 quiescectl create -q /srv/db
rm "$configuration"
check_fails "an overlay is on no volume" 'without a block device' within 60 quiescectl create -q /mnt/overlay
outside_check "after refusals nothing is left"

umount /mnt/deep /mnt/middle /mnt/efi /mnt/overlay /mnt/again /mnt/part
clean_disks
finish
