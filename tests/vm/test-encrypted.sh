#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --package cryptsetup --disk 2G --disk 2G --disk 2G --timeout 300
#
# Encrypted volumes: LUKS on a logical volume, whose snapshots are opened with the volume's own key. On /srv an ext4 above
# LUKS1 on a thick LV, whose key is in the kernel's table; on /srv/db an xfs above LUKS2 on a thin one, whose key is in a
# keyring that nobody can read, so that the key file is needed that crypttab(5) names.
# shellcheck disable=SC2016 # the commands' own shells expand
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

out=$test_work/out err=$test_work/err
show_outputs() { { cat "$out"; sed 's/^/stderr: /' "$err"; } | explain; }
make_luks() { # TYPE LV NAME
        must cryptsetup luksFormat -q --type "$1" --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "/dev/vg/$2" "$test_work/key"
        must cryptsetup open --key-file "$test_work/key" "/dev/vg/$2" "$3"
}
key_of() { dmsetup table --showkeys "$1" | cut -d ' ' -f 5; }
list_plain() { dmsetup ls | grep '^quiesced_plain' | cut -f 1; }
links_of() { find -L /dev/disk -samefile "/dev/mapper/$1"; }
no_plain() { [ -z "$(list_plain)" ]; }
snapshot_of() { quiescectl list --json snapshots | jq -r ".snapshots[] | select(.volume == \"$1\") | .id"; }

modprobe -q dm_crypt
head -c 32 /dev/urandom > "$test_work/key"
make_vg vg /dev/vdb
make_thick vg mail 96M
make_pool vg pool 500M
make_thin vg pool db 340M
make_luks luks1 mail secret
make_luks luks2 db hidden
make_fs ext4 /dev/mapper/secret /srv
must mkdir -p /srv/db /mnt/look
make_fs xfs /dev/mapper/hidden /srv/db
for directory in /srv /srv/db; do echo old > $directory/file; done
: > /etc/crypttab
must systemctl start quiesced.service
outside_baseline
check "the key of one is told by the kernel" test "$(key_of secret | wc -c)" -gt 60
key=$(key_of secret)
check_equal "and that of the other is not" : "$(key_of hidden | cut -c 1)"

timeout 120 quiescectl run /srv -- sh -c 'cat /srv/file /srv/db/file; touch /srv/x 2> /dev/null || echo ro' > "$out" 2> "$err"
check_equal "run: an encrypted volume's snapshot is seen" "old old ro" "$(paste -s -d ' ' "$out")" || show_outputs
check "run: what has no key stays live, and is named" grep -q '/srv/db stays live.*crypttab' "$err" || show_outputs
check_fails "run: it is an error if it was asked for" 'crypttab\(5\) names no key file for hidden' quiescectl run /srv/db -- true
check "run: nothing of it is left" await 60 no_plain
outside_check "run: nothing at all is"

printf '%s\n' '# names, devices, keys' "hidden /dev/vg/db $test_work/key luks,keyfile-size=32" > /etc/crypttab
timeout 120 quiescectl run /srv -- sh -c 'cat /srv/file /srv/db/file
        touch /srv/db/x 2> /dev/null || echo ro' > "$out" 2> "$err"
check_equal "run: with a key file, too" "old old ro" "$(paste -s -d ' ' "$out")" || show_outputs
check "run: nothing is left of that" await 60 no_plain
outside_check "run: nothing at all"

set=$(quiescectl create --quiet /srv /srv/db)
for directory in /srv /srv/db; do echo new > $directory/file; done
for volume in vg/mail vg/db; do
        id=$(snapshot_of $volume)
        check "$volume: it is mounted" quiescectl mount "$id" /mnt/look
        check_equal "$volume: as it was" old "$(cat /mnt/look/file)"
        check_equal "$volume: with a device of its own" "quiesced_plain_${id//-/}" "$(list_plain)"
        check_equal "$volume: which has no link that is the volume's" "" "$(links_of "quiesced_plain_${id//-/}")"
        check_equal "$volume: is not written" ro "$(touch /mnt/look/x 2> /dev/null || echo ro)"
        check "$volume: it is unmounted by its directory" quiescectl umount /mnt/look
        check "$volume: and the device is gone" await 60 no_plain
        check "$volume: a copy is mounted" quiescectl mount --rw "$id" /mnt/look
        check "$volume: and written" sh -c 'echo newer > /mnt/look/file && sync /mnt/look/file'
        tail -f /mnt/look/file > /dev/null &
        holder=$!
        check "$volume: somebody reads it" await 30 sh -c "ls -l /proc/$holder/fd | grep -q /mnt/look/file"
        check_fails "$volume: who reads it is named" "/mnt/look is in use by tail \(pid $holder\)" quiescectl umount "$id"
        kill $holder
        wait $holder 2> /dev/null
        check "$volume: it is unmounted by its id" quiescectl umount "$id"
        check_equal "$volume: nothing is left of it" "" "$(list_plain; lvs --noheadings -o lv_name -S 'lv_name=~^quiesced_copy_')"
done
check_equal "exec: a set of encrypted volumes" "old old" "$(quiescectl exec "$set" -- cat /srv/file /srv/db/file | paste -s -d ' ')"
check "its devices go with it" await 60 no_plain
# Who opens one meets who leaves it.
open_often() { for _ in 1 2 3 4 5 6 7 8; do quiescectl exec "$set" -- cat /srv/file /srv/db/file || break; done > "$test_work/often-$1" 2>&1; }
for number in 1 2 3; do open_often $number & openers[number]=$!; done
wait "${openers[@]}"
check_equal "three who open and leave them all the time see them each time" "48 old" \
        "$(cat "$test_work"/often-? | sort | uniq -c | sed 's/^ *//')"
check "then they are gone again" await 60 no_plain
check "it is mounted" quiescectl mount "$(snapshot_of vg/mail)" /mnt/look
check "it is deleted with its mount" quiescectl delete --quiet --force "$set"
check "and its device" await 60 no_plain

# The volumes are not what they were when the set was made.
set=$(quiescectl create --quiet /srv /srv/db)
must umount /srv/db /srv
must cryptsetup close secret
must cryptsetup close hidden
: > /etc/crypttab
check_fails "a volume that is locked locks its snapshots" "encrypted and not open here" \
        quiescectl mount "$(snapshot_of vg/mail)" /mnt/look
make_luks luks1 mail secret
check_fails "one with another key is not theirs" "encrypted anew since the snapshot was made: secret is of another LUKS header" \
        quiescectl mount "$(snapshot_of vg/mail)" /mnt/look
must lvextend -qq -L +16M vg/db
must cryptsetup open --disable-keyring --key-file "$test_work/key" /dev/vg/db hidden
check "without a keyring no key file is needed; and the volume may have grown" quiescectl mount "$(snapshot_of vg/db)" /mnt/look
check_equal "it is as it was" new "$(cat /mnt/look/file)"
check "it is unmounted" quiescectl umount /mnt/look
check "its device is gone" await 60 no_plain
must quiescectl delete --quiet "$set"
not_said() { ! journalctl | grep -q -F -e "$key"; }
check "no key is ever said" not_said
must cryptsetup close secret
must cryptsetup close hidden
check_equal "at the end no snapshot is left" "" "$(lvs --noheadings -o lv_name -S 'lv_name=~^quiesced_')"
finish
