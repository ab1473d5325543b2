#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 1500
# vm-all
#
# quiesced as a service: it is started by a call on the bus, the objects are there, polkit decides who may, it comes back
# after a crash, and it can be stopped.

# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

manager=(org.quiesce1 /org/quiesce1 org.quiesce1.Manager)
introspect=(busctl introspect --no-pager "${manager[@]}")
open_backup=(busctl --allow-interactive-authorization=no call "${manager[@]}" OpenBackup 'a{sv}' 0)

property() { systemctl show -P "$2" "$1"; }

systemctl daemon-reload
systemctl reload dbus.service
systemctl start quiesced-hold.socket quiesced.socket
check "a call on the bus starts it" within 30 "${introspect[@]}"
check_equal "systemd calls it active" active "$(property quiesced.service ActiveState)"
check "the objects are there" within 10 busctl tree --no-pager org.quiesce1
check "root may open a session" within 10 "${open_backup[@]}"
check "volumes are listed" within 30 busctl call "${manager[@]}" GetVolumes 'a{sv}' 0
check "writers are listed" within 10 busctl call "${manager[@]}" GetWriters 'a{sv}' 0

must useradd -r quiesced-test-nobody
must useradd -r -g backup quiesced-test-backup
check_fails "nobody may not open a session, and is told why" 'org.quiesce1.backup' \
        within 30 setpriv --reuid quiesced-test-nobody --regid nogroup --clear-groups "${open_backup[@]}"
check "a member of group backup may" \
        within 30 setpriv --reuid quiesced-test-backup --regid backup --clear-groups "${open_backup[@]}"

before=$(property quiesced.service MainPID)
kill -KILL "$before"
check "it comes back after a crash" within 30 systemctl start quiesced.service
check "and answers" within 30 "${introspect[@]}"
check "as another process" [ "$(property quiesced.service MainPID)" != "$before" ]
check "it can be stopped" within 60 systemctl stop quiesced.service
check_equal "and ended well" success "$(property quiesced.service Result)"
finish
