#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --package sudo --package gcc --package libc6-dev --package libsystemd-dev --package pkgconf --timeout 600
#
# The Debian packages on a machine that has nothing of quiesced: installed by apt, tried by debian/tests, installed anew while
# all is frozen and while a backup reads its snapshots, removed while all is frozen, purged.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../vm/lib.sh"

source_tree=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")
export DEBIAN_FRONTEND=noninteractive
packages=()
for file in "$QUIESCED_DEBS"/*.deb; do packages+=("$(dpkg-deb -f "$file" Package)"); done
units=(quiesced.socket quiesced-hold.socket quiesced.service)

# All files where packages, or what they start, may leave some.
list_files() {
        find /etc /run /usr /var -xdev \( -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/cache/apt -o -path '/run/vm-test.*' \
                -o -path /var/cache/ldconfig -o -path /var/log -o -path /run/systemd -o -path /run/udev -o -path /run/lock -o -path /run/lvm -o -path /run/log \
                -o -path /run/user -o -path /run/dmeventd.pid -o -path /etc/lvm \) -prune -o -print | sort
}
main_pid() { systemctl show -P MainPID quiesced.service; }
# What a package has unpacked anew has another inode.
unpacked() { stat -c %i /usr/sbin/quiesced; }
nobody_holds() { [ -z "$(systemctl list-units --no-legend --state=active,activating,deactivating 'quiescectl-*')" ]; }
is_writable() { within 20 probe_write /srv/data; }

# --- installation -----------------------------------------------------------------------------------------------------

# The guest's system comes without documentation; what is tried here has its own.
must rm -f /etc/dpkg/dpkg.cfg.d/99mmdebstrap
check_equal "nothing of quiesced is here before" '' "$(dpkg-query -W -f '${Package} ' "${packages[@]}" 2> /dev/null)"
list_files > "$test_work/before"
check "apt installs the packages" within 240 apt-get -q -y install "$QUIESCED_DEBS"/*.deb
for unit in "${units[@]}"; do
        check_equal "$unit runs" active "$(systemctl is-active "$unit")"
        check_equal "$unit is enabled" enabled "$(systemctl is-enabled "$unit")"
done
for writer in mariadb postgresql redis sqlite; do
        check "the user of the writer $writer is there" getent passwd "quiesced-$writer"
        check "the writer $writer has a manual page" test -s "/usr/share/man/man8/quiesced-writer-$writer.8.gz"
done

# --- debian/tests -----------------------------------------------------------------------------------------------------

mapfile -t names < <(sed -n 's/^Tests: //p' "$source_tree/debian/tests/control")
check "there are tests of the installed packages" [ "${#names[@]}" -ge 3 ]
for name in "${names[@]}"; do
        must mkdir -p "$test_work/$name"
        check "debian/tests/$name" within 200 env AUTOPKGTEST_TMP="$test_work/$name" "$source_tree/debian/tests/$name"
done

# --- an upgrade -------------------------------------------------------------------------------------------------------

make_vg vg /dev/vdb
make_thick vg data 256M
make_fs ext4 /dev/vg/data /srv/data
must cp "$QUIESCED_DEBS"/*.deb /var/cache/apt/archives/
# As long as may be: dpkg takes its time here.
printf '[External]\nLimitSec=50\n' > /etc/quiesced/quiesced.conf
must systemctl restart quiesced.service
outside_baseline
pid=$(main_pid)
inode=$(unpacked)

mkfifo "$test_work/go"
# shellcheck disable=SC2016 # the other shell's
quiescectl run --quiet /srv/data -- sh -c 'echo reads > "$1/reads"; read -r _ < "$1/go"; test -d /srv/data/lost+found' \
        sh "$test_work" > "$test_work/run" 2>&1 &
run=$!
check "a backup reads its snapshots" await 120 test -e "$test_work/reads"
check "all is frozen" within 60 quiescectl freeze --detach /srv/data
check "the packages are installed anew meanwhile" within 200 apt-get -q -y --reinstall install "$QUIESCED_DEBS"/*.deb
check "they were unpacked anew" test "$(unpacked)" != "$inode"
check_equal "quiesced was not restarted" "$pid" "$(main_pid)"
check "the moment was a good one until its end" within 60 quiescectl thaw
echo go > "$test_work/go"
wait "$run"
check_equal "the backup is complete" 0 "$?" || explain < "$test_work/run"
check_equal "quiesced is the same still" "$pid" "$(main_pid)"
outside_check "after the upgrade nothing is left"

# --- removal ----------------------------------------------------------------------------------------------------------

check "all is frozen again" within 60 quiescectl freeze --detach /srv/data
check "the packages are removed meanwhile" within 240 apt-get -q -y remove "${packages[@]}"
check "the file system takes writes" is_writable
for unit in "${units[@]}"; do
        check "$unit does not run" test "$(systemctl is-active "$unit")" = inactive
done
check "who had all frozen ends" await 60 nobody_holds
check_equal "no program of theirs is left" '' "$(find /usr -name '*quiesce*' -not -path '/usr/share/doc/*')"
check "what the administrator wrote is still there" test -s /etc/quiesced/quiesced.conf
outside_check "after the removal nothing is left"

# Of a package that leaves no configuration behind dpkg knows nothing any more.
mapfile -t removed < <(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "${packages[@]}" 2> /dev/null | sed -n 's/^rc *//p')
check "some of them have something left" [ "${#removed[@]}" -gt 0 ]
check "they are purged" within 240 apt-get -q -y purge "${removed[@]}"
rm -f /var/cache/apt/archives/*.deb
check_equal "nothing of them is left" '' "$(list_files | comm -3 "$test_work/before" -)"
must umount /srv/data
must rmdir /srv/data
finish
