#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 600
#
# quiescectl script with real volumes: a script of diskshadow's verbs copies from the snapshots that it exposes, and
# whatever ends it leaves nothing; tests/bus/test-ctl-script.sh has the verbs one by one.
# On /srv an ext4 on a thick LV, on /srv/db an xfs on a thin one.
# shellcheck disable=SC2016 # scripts of other shells are in quotes
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

make_vg vg /dev/vdb
make_thick vg mail 400M
make_pool vg pool 800M
make_thin vg pool db 400M
make_fs ext4 /dev/vg/mail /srv
must mkdir -p /srv/db /mnt/mail /mnt/db /var/tmp/copy
make_fs xfs /dev/vg/db /srv/db
must systemctl start quiesced.service
outside_baseline

renew() {
        echo old > /srv/file
        echo old > /srv/db/file
}
# What the script's program does; the live files change before it looks at the snapshots.
cat > /var/tmp/copy.sh <<'END'
#!/bin/sh
set -e
echo new > /srv/file
echo new > /srv/db/file
cp /mnt/mail/file /var/tmp/copy/mail
cp /mnt/db/file /var/tmp/copy/db
echo "$Mail $Db $VSS_SHADOW_SET" > /var/tmp/copy/ids
! touch /mnt/mail/written 2> /dev/null
exit "${STATUS:-0}"
END
must chmod +x /var/tmp/copy.sh
cat > /var/tmp/backup.dsh <<'END'
# DiskShadow script file
set context persistent
set metadata /var/tmp/copy/example.cab
set verbose on
begin backup
add volume /srv alias Mail
add volume /srv/db alias Db

create

expose %mail% /mnt/mail
expose %db% /mnt/db
exec /var/tmp/copy.sh
unexpose %Mail%
unexpose /mnt/db
end backup
delete shadows set %VSS_SHADOW_SET%
# End of script
END

renew
check "a script for Windows with names of this machine" quiescectl script /var/tmp/backup.dsh
check_equal "copied what was there at the instant" "old old" "$(cat /var/tmp/copy/mail /var/tmp/copy/db | xargs)"
check_equal "not what came after it" "new new" "$(cat /srv/file /srv/db/file | xargs)"
check_equal "its aliases are ids" 3 "$(wc -w < /var/tmp/copy/ids)"
check_equal "its document is of an application-consistent set" application "$(jq -r .consistency /var/tmp/copy/example.cab)"
check "and file systems were frozen by their writer" jq -e '.writers[] | select(.name == "fsfreeze" and .["takes-part"])' \
        /var/tmp/copy/example.cab
outside_check "it has left nothing"

renew
sed -e 's/persistent/volatile/' -e '/verbose/d' /var/tmp/backup.dsh > /var/tmp/volatile.dsh
STATUS=7 check_fails "a program that fails ends it" 'volatile.dsh:12: exec: /var/tmp/copy.sh ended with 7' \
        quiescectl script /var/tmp/volatile.dsh
check_equal "after it had read the snapshots" "old old" "$(cat /var/tmp/copy/mail /var/tmp/copy/db | xargs)"
outside_check "what it had exposed goes with its volatile set"

# Killed where it cannot do anything about it.
cat > /var/tmp/killed.dsh <<'END'
begin backup
add volume /srv
create
expose %VSS_SHADOW_1% /mnt/mail
exec sh -c "kill -9 $(cat /var/tmp/pid)"
end backup
END
check_fails "killed in the middle" . sh -c 'echo $$ > /var/tmp/pid; exec quiescectl script /var/tmp/killed.dsh'
check "its session is released" within 60 sh -c 'until [ -z "$(quiescectl list sessions --no-legend)$(quiescectl list --no-legend)" ]; do :; done'
outside_check "killed: it has left nothing"

# Persistent ones are there after quiesced was started again, for the next script.
printf '%s\n' "set context persistent nowriters" "add volume /srv" create > /var/tmp/keep.dsh
check "a persistent set" quiescectl script /var/tmp/keep.dsh
check "and another" quiescectl script /var/tmp/keep.dsh
must systemctl restart quiesced.service
oldest=$(quiescectl list --json | jq -r '.snapshots | sort_by(.created)[0].id')
check "the oldest of a volume goes by a path on it" quiescectl script - <<< "delete shadows oldest /srv/file"
check_equal "and the other stays" "1 0" \
        "$(quiescectl list --json | jq -r --arg id "$oldest" '"\(.snapshots | length) \([.snapshots[] | select(.id == $id)] | length)"')"
check "until all of the volume go" quiescectl script - <<< "delete shadows volume /dev/mapper/vg-mail"
outside_check "after all of them nothing is left"

# Volumes become what they were: that which nobody uses at once, the other when it is activated next.
renew
printf '%s\n' "set context persistent nowriters" "add volume /srv/db alias Db" create 'exec sh -c "echo new > /srv/db/file; umount /srv/db"' \
        'revert %Db%' 'exec mount /dev/vg/db /srv/db' > /var/tmp/revert.dsh
check "a script that reverts a volume" within 120 quiescectl script /var/tmp/revert.dsh
check_equal "it is what it was" old "$(cat /srv/db/file)"
check_equal "and the set is gone" 0 "$(quiescectl list --json | jq '.snapshots | length')"
printf '%s\n' "set context persistent nowriters" "add volume /srv alias Mail" "add volume /srv/db" create 'revert %Mail%' > /var/tmp/both.dsh
check_fails "one volume of two is not reverted" 'both.dsh:5: revert: .* is one of 2 snapshots' within 120 quiescectl script /var/tmp/both.dsh
set=$(quiescectl list sets --json | jq -r '.sets[0].id')
printf '%s\n' "expose $(quiescectl show --json "$set" | jq -r '.sets[0].snapshots[0]') /mnt/mail" "break $set" > /var/tmp/exposed.dsh
check_fails "what is exposed is not broken" 'is mounted; unmount it first' within 60 quiescectl script /var/tmp/exposed.dsh
must quiescectl umount /mnt/mail
echo "break writable {$set}" > /var/tmp/break.dsh
within 60 quiescectl script -q /var/tmp/break.dsh > /var/tmp/broken
check_equal "but then" 0 $?
check_equal "its volumes are told" 2 "$(grep -c -E '^Snapshot [0-9a-f-]+ = volume vg/(mail|db)_[0-9TZ]+$' /var/tmp/broken)"
sed 's/.* = volume //' /var/tmp/broken | xargs lvremove -q -f -y > /dev/null
outside_check "with them nothing is left"
finish
