#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 1200
#
# quiescectl exec: the snapshots of a set that was made earlier, in the places where their volumes are mounted now. What it
# refuses, and how it ends, has tests/bus/test-ctl-exec.sh.
# On /srv an ext4 on a thick LV, on /srv/db an xfs on a thin one, on /srv/disk an ext4 on no LV.
# shellcheck disable=SC2016 # the commands' own shells expand
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

out=$test_work/out err=$test_work/err
# run_exec OPTION…: with a deadline, its outputs in files.
run_exec() { timeout --foreground 120 quiescectl exec "$@" > "$out" 2> "$err"; }
show_outputs() { { cat "$out"; sed 's/^/stderr: /' "$err"; } | explain; }
# exec_status NAME STATUS OPTION…
exec_status() {
        local name=$1 expected=$2 status
        shift 2
        run_exec "$@"
        status=$?
        check_equal "$name" "$expected" "$status" || show_outputs
}
out_has() { check "$1" grep -q -x -e "$2" "$out" || show_outputs; }
err_has() { check "$1" grep -q -E -e "$2" "$err" || show_outputs; }

make_vg vg /dev/vdb
make_thick vg mail 400M
make_pool vg pool 800M
make_thin vg pool db 400M
make_fs ext4 /dev/vg/mail /srv
must mkdir -p /srv/db /srv/disk /srv/sub
make_fs xfs /dev/vg/db /srv/db
make_fs ext4 /dev/vdc /srv/disk
for directory in /srv /srv/db /srv/disk /srv/sub; do echo old > $directory/file; done
must mkdir -p /bound
must mount --bind /srv/sub /bound
must systemctl start quiesced.service
set=$(quiescectl create --quiet /srv /srv/db)
check "a set" test "$set"
for directory in /srv /srv/db /srv/disk /srv/sub; do echo new > $directory/file; done
outside_baseline

mounts=$(list_mounts)
look='echo "main $(cat /srv/file) db $(cat /srv/db/file) sub $(cat /bound/file) disk $(cat /srv/disk/file)"
        touch /srv/x /srv/db/x /bound/x 2> /dev/null || echo ro; touch /srv/disk/x && echo live; grep " /srv/db " /proc/self/mountinfo'
exec_status "a command sees the set" 0 "$set" -- sh -c "$look"
out_has "all of it where it is mounted, and what is mounted there beside it" "main old db old sub old disk new"
out_has "read-only" ro
out_has "what is no snapshot is live" live
check "the xfs is mounted beside its origin, which has the same UUID" grep -q ' xfs .*nouuid' "$out"
err_has "and told of" '/srv/disk stays live .*: no snapshot of it was chosen'
check_equal "no mount of it is left on the host" "$mounts" "$(list_mounts)"
outside_check "after a view nothing is left"

# Another quiesced knows from LVM's tags alone what there is.
must systemctl restart quiesced.service
exec_status "it does after a restart of quiesced" 0 "$set" -- sh -c "$look"
out_has "as before" "main old db old sub old disk new"
timeout 120 setpriv --reuid=nobody --regid=nogroup --clear-groups quiescectl exec "$set" -- true > "$out" 2> "$err"
check_equal "who is not authorised may not" 125 $?
err_has "and is told so" 'authori[sz]'
echo 'polkit.addRule(function(action, subject) {
        if (action.id == "org.quiesce1.administer" && subject.user == "nobody") return polkit.Result.YES; });' \
        > /etc/polkit-1/rules.d/10-test-exec.rules
must systemctl restart polkit.service
timeout 120 setpriv --reuid=nobody --regid=nogroup --clear-groups quiescectl exec "$set" -- sh -c '
        echo "$(id -un) $(cat /srv/db/file)"; touch /srv/x 2> /dev/null || echo no' > "$out" 2> "$err"
check_equal "an ordinary user may, where policy lets him" 0 $? || show_outputs
out_has "he stays who he is, and sees the snapshot" "nobody old"
rm /etc/polkit-1/rules.d/10-test-exec.rules
must systemctl restart polkit.service

# It is busy meanwhile, and the host's mounts may come and go.
mkfifo "$test_work/go"
quiescectl exec "$set" -- sh -c 'echo in; read -r go < "$1"; cat /srv/db/file' - "$test_work/go" > "$out" 2> "$err" &
pid=$!
check "a command waits in its view" await 60 grep -q in "$out"
check_fails "its snapshots are in use" "exec|sh|in use|open in" timeout 60 quiescectl delete "$set"
echo go > "$test_work/go"
wait $pid
check_equal "and stay until it has ended" "in old" "$(paste -s -d ' ' "$out")"
check "then they go" quiescectl delete --quiet "$set"

set=$(quiescectl create --quiet /srv /srv/db)
must umount /bound
must umount /srv/db
exec_status "a volume that is mounted no more" 125 "$set" -- true
err_has "is named, with what to do" 'vg/db is not mounted anywhere now.*--at vg/db=DIR'
must mkdir -p /mnt/old
exec_status "--at" 0 --at vg/db=/mnt/old "$set" -- sh -c 'cat /mnt/old/file; ls /srv/db/file 2> /dev/null || echo empty'
out_has "gives its snapshot a place" new
out_has "and the other one is where its volume is" empty
must mkdir -p /elsewhere
must mount /dev/vg/db /elsewhere
exec_status "a volume that is mounted elsewhere now" 0 "$set" -- sh -c 'cat /elsewhere/file; touch /elsewhere/x || echo ro'
out_has "is seen there" ro
must umount /elsewhere
must mount /dev/vg/db /srv/db
must quiescectl delete --quiet "$set"
check_equal "at the end no snapshot is left" "" "$(lvs --noheadings -o lv_name -S 'lv_name=~^quiesced_')"
finish
