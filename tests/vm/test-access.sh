#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 600
#
# The real polkit with the rules and actions that are installed: group backup may back up and no more, what a user has made
# is his, an administrator by a rule of the machine's own may end what others began, nobody may do anything, and many calls
# of one user keep nobody else out. A service on the bus is a writer if its descriptor, the bus and a rule of polkit's let it.

# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

manager=(org.quiesce1 /org/quiesce1 org.quiesce1.Manager)
call=(busctl --allow-interactive-authorization=no call "${manager[@]}")

# as USER COMMAND…: with that user's groups
as() { setpriv --reuid "$1" --regid "$(id -g "$1")" --init-groups "${@:2}"; }
session_of() { busctl call "${manager[@]}" GetSession s "$1"; }

must mkdir -p /etc/quiesced/writers.d
must useradd -r quiesced-test-nobody
must useradd -r -G backup quiesced-test-alice
must useradd -r -G backup quiesced-test-bob
must useradd -r quiesced-test-admin
cat > /etc/polkit-1/rules.d/40-test.rules << 'END'
polkit.addRule(function (action, subject) {
    if (action.id == "org.quiesce1.administer" && subject.user == "quiesced-test-admin")
        return polkit.Result.YES;
    return polkit.Result.NOT_HANDLED;
});
END
systemctl daemon-reload
systemctl reload dbus.service
systemctl restart polkit.service
systemctl start quiesced-hold.socket quiesced.socket
make_vg vg0 /dev/vdb
make_thick vg0 data 256M
make_fs ext4 /dev/vg0/data /mnt/data
outside_baseline

for action in backup restore administer; do
        check "polkit knows $action" grep -q "^org.quiesce1.$action$" <(pkaction)
done
check_fails "nobody may not back up" 'org.quiesce1.backup' \
        within 30 as quiesced-test-nobody "${call[@]}" OpenBackup 'a{sv}' 0
check_fails "nor restore" 'org.quiesce1.restore' \
        within 30 as quiesced-test-nobody "${call[@]}" OpenRestore 'sa{sv}' '' 0
check_fails "nor list volumes" 'org.quiesce1.backup' within 30 as quiesced-test-nobody quiescectl list volumes
check_fails "nor writers" 'org.quiesce1.backup' within 30 as quiesced-test-nobody quiescectl list writers
check "but see that there is no session" within 30 as quiesced-test-nobody quiescectl list sessions

set=$(within 120 as quiesced-test-alice quiescectl create --quiet /mnt/data)
check "a member of group backup makes a set" test -n "$set"
check "it is hers" grep -q quiesced-test-alice <(quiescectl list sets)
check "she looks into it" within 30 as quiesced-test-alice quiescectl show "$set"
snapshot=$(as quiesced-test-alice quiescectl list snapshots --json | jq -r '.snapshots[0].id')
must install -d -o quiesced-test-alice /srv/alice
must ln -s /etc /srv/alice/link
check_fails "she may not mount it on a folder of root's" 'AccessDenied|does not belong to user' \
        within 30 as quiesced-test-alice quiescectl mount "$snapshot" /etc
check_fails "by a link neither" 'AccessDenied|does not belong to user' \
        within 30 as quiesced-test-alice quiescectl mount "$snapshot" /srv/alice/link
check_equal "nothing is mounted there" "" "$(findmnt -n /etc)"
must install -d -o quiesced-test-alice $'/srv/alice/odd \n\xff'
check "she may on one of hers, whatever its name" within 30 as quiesced-test-alice quiescectl mount "$snapshot" $'/srv/alice/odd \n\xff'
check_equal "with no setuid and no devices" "ro,nosuid,nodev" \
        "$(findmnt -rn -o VFS-OPTIONS -S "$(quiescectl show --json "$snapshot" | jq -r '.snapshots[0].device')" | grep -o '^ro,nosuid,nodev')"
check "and unmount it" within 30 as quiesced-test-alice quiescectl umount "$snapshot"
check_fails "she may not restore" 'org.quiesce1.restore' \
        within 30 as quiesced-test-alice "${call[@]}" OpenRestore 'sa{sv}' '' 0
check_fails "another member may not delete it" 'org.quiesce1.administer' \
        within 30 as quiesced-test-bob quiescectl delete "$set"
check_fails "nobody may not" 'org.quiesce1.administer' within 30 as quiesced-test-nobody quiescectl delete "$set"
check "she deletes it" within 60 as quiesced-test-alice quiescectl delete "$set"

set=$(within 120 as quiesced-test-alice quiescectl create --quiet /mnt/data)
check "an administrator deletes what is hers" within 60 as quiesced-test-admin quiescectl delete "$set"

# A session that stays: its requester waits in a writer's Identify.
cat > /etc/quiesced/writers.d/slow.writer << 'END'
[Writer]
Exec=/usr/bin/tail -f /dev/null
User=root
END
must systemctl restart quiesced.service
as quiesced-test-alice quiescectl create /mnt/data > /tmp/alice 2>&1 &
alice=$!
session=
until [ -n "$session" ] || [ "$SECONDS" -gt 300 ]; do
        session=$(quiescectl list sessions --no-legend | awk '{ print $1; exit }')
done
check "her session is listed for nobody too" grep -q "$session" <(as quiesced-test-nobody quiescectl list sessions)
check_fails "another member may not end it" 'org.quiesce1.administer' \
        within 30 as quiesced-test-bob quiescectl release "$session"
check "an administrator may" within 60 as quiesced-test-admin quiescectl release "$session"
wait "$alice"
check "she is told" grep -q -i released /tmp/alice
check_fails "it is gone" 'ObjectNotFound|no session' session_of "$session"
rm -f /etc/quiesced/writers.d/slow.writer
must systemctl restart quiesced.service

# More at once of one who may nothing than may wait: root and alice are served meanwhile.
flood=()
for _ in $(seq 20); do
        as quiesced-test-nobody "${call[@]}" OpenBackup 'a{sv}' 0 > /dev/null 2>> /tmp/flood &
        flood+=($!)
done
check "root is served meanwhile" within 60 "${call[@]}" OpenBackup 'a{sv}' 0
check "so is a member of group backup" within 60 as quiesced-test-alice "${call[@]}" OpenBackup 'a{sv}' 0
wait "${flood[@]}"
check_equal "none of the many got in" 20 "$(wc -l < /tmp/flood)"

# --- a writer that is a service on the system bus ----------------------------------------------------------------------

# What its package would bring: a unit with a user of its own, a policy for its name, a rule for polkit.
must useradd -r quiesced-test-db
cat > /run/systemd/system/test-db.service << END
[Service]
Type=dbus
BusName=org.example.Db1
User=quiesced-test-db
RuntimeDirectory=test-db
RuntimeDirectoryPreserve=yes
EnvironmentFile=-/run/test-db.environment
ExecStart=$(command -v quiesce-test-writer) bus=org.example.Db1 register=db level=back-end log=/run/test-db/log \$WORDS
END
cat > /etc/dbus-1/system.d/org.example.Db1.conf << 'END'
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><policy user="quiesced-test-db"><allow own="org.example.Db1"/></policy></busconfig>
END
cat > /usr/share/dbus-1/system-services/org.example.Db1.service << 'END'
[D-BUS Service]
Name=org.example.Db1
Exec=/bin/false
User=quiesced-test-db
SystemdService=test-db.service
END
printf '[Writer]\nBusName=org.example.Db1\n' > /etc/quiesced/writers.d/db.writer
must systemctl daemon-reload
must systemctl reload dbus.service

# A unit is behind it when it has registered. Each look is a call of its own.
db_registers() {
        until [[ $(quiescectl list writers --no-legend | grep '^db ') =~ ' bus '.*' test-db.service' ]]; do :; done
}
db_ends() { while systemctl is-active --quiet test-db.service; do :; done; }
story() { awk '{ printf "%s%s", n++ ? " " : "", $2 }' /run/test-db/log; }

check "polkit knows register-writer" grep -q '^org.quiesce1.register-writer$' <(pkaction)
check_fails "nobody may not register" 'org.quiesce1.register-writer' \
        within 30 as quiesced-test-nobody "${call[@]}" Register 'sa{sv}' db 0
check_fails "nor a member of group backup" 'org.quiesce1.register-writer' \
        within 30 as quiesced-test-alice "${call[@]}" Register 'sa{sv}' db 0
check_fails "root may, but does not own the name" 'AccessDenied|does not own org.example.Db1' \
        within 30 "${call[@]}" Register 'sa{sv}' db 0
must systemctl start test-db.service
check "without a rule the service is refused" within 60 db_ends
check "and told which authorisation it lacks" grep -q 'org.quiesce1.register-writer' <(journalctl -u test-db)

cat > /etc/polkit-1/rules.d/41-test-db.rules << 'END'
polkit.addRule(function (action, subject) {
    if (action.id == "org.quiesce1.register-writer" && action.lookup("writer") == "db" &&
        subject.user == "quiesced-test-db")
        return polkit.Result.YES;
    return polkit.Result.NOT_HANDLED;
});
END
must systemctl restart polkit.service
systemctl reset-failed test-db.service 2> /dev/null
must systemctl start test-db.service
check "with one it registers, in its unit" within 60 db_registers
pid=$(systemctl show -P MainPID test-db)
set=$(within 120 quiescectl create --quiet /mnt/data)
check "a set is made with it" test -n "$set"
check_equal "it had all events" \
        "identify prepare-for-backup prepare-for-snapshot freeze thaw post-snapshot backup-shutdown" "$(story)"
check "the set is deleted" within 60 quiescectl delete "$set"
check_equal "it goes on" "$pid" "$(systemctl show -P MainPID test-db)"

must systemctl restart quiesced.service
check "it registers with the next quiesced" within 60 db_registers
check_equal "as the same process" "$pid" "$(systemctl show -P MainPID test-db)"

must systemctl stop test-db.service
must rm /run/test-db/log
set=$(within 120 quiescectl create --quiet /mnt/data)
check "a service that does not run is started by the bus" test -n "$set"
check "and took part" grep -q ' freeze ' /run/test-db/log
check "that set is deleted, too" within 60 quiescectl delete "$set"

echo 'WORDS=freeze=die' > /run/test-db.environment
must systemctl restart test-db.service
check "it registers, about to die" within 60 db_registers
check_fails "a set fails with it" 'writer db' within 120 quiescectl create --quiet /mnt/data
outside_check "nothing of that set is left"

mkdir -p /etc/quiesced/quiesced.conf.d
printf '[Events]\nAbortSec=2s\n' > /etc/quiesced/quiesced.conf.d/abort.conf
echo 'WORDS=freeze=fail:Retryable:busy abort=hang' > /run/test-db.environment
must systemctl restart quiesced.service
must systemctl restart test-db.service
check "it registers, about to hang" within 60 db_registers
pid=$(systemctl show -P MainPID test-db)
check_fails "a set fails with its words" 'busy' within 120 quiescectl create --quiet /mnt/data
check "who does not answer Abort has its unit stopped" within 60 tail --pid="$pid" -f /dev/null
check_equal "and is started again for what it is owed" backup-shutdown \
        "$(awk -v pid="$pid" '$8 == pid { event = ""; next } { event = $2 } END { print event }' /run/test-db/log)"
check "the journal says so" grep -q 'writer db does not answer, stopping test-db.service' <(journalctl -u quiesced)

# Its sandbox must not give it one of its own: mounts of snapshots would be invisible.
check_equal "quiesced is in the host's mount namespace" "$(readlink /proc/1/ns/mnt)" \
        "$(readlink "/proc/$(systemctl show -P MainPID quiesced.service)/ns/mnt")"

must systemctl stop test-db.service
rm -f /etc/quiesced/writers.d/db.writer /etc/quiesced/quiesced.conf.d/abort.conf /run/test-db.environment \
        /etc/dbus-1/system.d/org.example.Db1.conf /usr/share/dbus-1/system-services/org.example.Db1.service
must systemctl restart quiesced.service

outside_check "after all that nothing is left"
finish
