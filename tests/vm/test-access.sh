#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 600
#
# The real polkit with the rules and actions that are installed: group backup may back up and no more, what a user has made
# is his, an administrator by a rule of the machine's own may end what others began, nobody may do anything, and many calls
# of one user keep nobody else out.

# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

manager=(org.quiesce1 /org/quiesce1 org.quiesce1.Manager)
call=(busctl --allow-interactive-authorization=no call "${manager[@]}")

# as USER COMMAND…: with that user's groups
as() { setpriv --reuid "$1" --regid "$(id -g "$1")" --init-groups "${@:2}"; }
session_of() { busctl call "${manager[@]}" GetSession s "$1"; }

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

# Many at once of one who may nothing: root and alice are served meanwhile.
flood=()
for _ in $(seq 40); do
        as quiesced-test-nobody "${call[@]}" OpenBackup 'a{sv}' 0 > /dev/null 2>> /tmp/flood &
        flood+=($!)
done
check "root is served meanwhile" within 60 "${call[@]}" OpenBackup 'a{sv}' 0
check "so is a member of group backup" within 60 as quiesced-test-alice "${call[@]}" OpenBackup 'a{sv}' 0
wait "${flood[@]}"
check_equal "none of the many got in" 40 "$(wc -l < /tmp/flood)"
outside_check "after all that nothing is left"
finish
