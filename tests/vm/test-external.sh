#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 300
#
# Snapshots that are taken elsewhere: a raw disk is copied while it is frozen, whoever freezes or takes it is killed, and
# the QEMU guest agent drives our hook.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
hook=/usr/libexec/quiesced/fsfreeze-hook
copy=/run/copy.img

# A process that writes would wait uninterruptibly; a second freeze is refused at once.
frozen_now() {
        ! fsfreeze -f "$1" 2> /dev/null || { fsfreeze -u "$1"; false; }
}
# Written at the time: what was frozen has it all, and nothing after the freeze.
canary() { printf '%s\n' "$1" > /mnt/data/canary; }

must mkfs.ext4 -q -F /dev/vdb 32M
must mkdir -p /mnt/data /etc/quiesced/quiesced.conf.d
# It is copied meanwhile, however slow the machine is.
printf '[External]\nLimitSec=50s\n' > /etc/quiesced/quiesced.conf.d/test-external.conf
must systemctl restart quiesced.service
must mount /dev/vdb /mnt/data
outside_baseline

canary before
{ while :; do echo line >> /mnt/data/busy; done; } &
load=$!
check "a raw disk is copied while it is frozen" within 120 quiescectl freeze --limit 50s /mnt/data -- \
        dd if=/dev/vdb of="$copy" bs=4M count=8 status=none
kill "$load"
wait "$load" 2> /dev/null
canary after
check "the copy needs no journal" sh -c "! dumpe2fs -h $copy 2> /dev/null | grep -q needs_recovery"
check "and is clean" e2fsck -fn "$copy"
check "it holds the canary" test "$(debugfs -R 'cat /canary' "$copy" 2> /dev/null)" = before

# shellcheck disable=SC2016
check "the command sees it frozen" within 60 quiescectl freeze /mnt/data -- sh -c '! fsfreeze -f /mnt/data'
check_status "a command that fails" 3 quiescectl freeze /mnt/data -- sh -c 'exit 3'
check_status "one that takes too long" 125 quiescectl freeze --limit 3s /mnt/data -- tail -f /dev/null
check "leaves nothing frozen" within 10 touch /mnt/data/probe
outside_check "failures"

# Whoever is killed, it is thawed.
for victim in quiescectl quiesced quiesced-writer-fsfreeze quiesced-hold; do
        mkfifo /run/is-frozen
        quiescectl freeze --limit 8s /mnt/data -- sh -c 'echo > /run/is-frozen; exec tail -f /dev/null' 2> /dev/null &
        requester=$!
        within 60 cat /run/is-frozen
        if [ "$victim" = quiescectl ]; then
                kill -KILL "$requester"
        else
                for pid in /proc/[0-9]*; do
                        [ "$(readlink "$pid/exe")" != "$(command -v "$victim" || echo "/usr/libexec/quiesced/$victim")" ] ||
                                kill -KILL "${pid#/proc/}"
                done
        fi
        wait "$requester" 2> /dev/null
        check "$victim killed: thawed" within 15 touch /mnt/data/probe
        rm /run/is-frozen
done
check "a further freeze works" within 60 quiescectl freeze /mnt/data -- true
outside_check "killed"

# Two processes.
id=$(quiescectl freeze --detach --quiet /mnt/data)
check "detached: frozen" frozen_now /mnt/data
check "detached: thaw" within 30 quiescectl thaw "$id"
check "detached: thawed" within 10 touch /mnt/data/probe
id=$(quiescectl freeze --detach --quiet --limit 4s /mnt/data)
check "a thaw that never comes is not waited for" within 20 touch /mnt/data/probe
# It fails in three words, by how far the session's end has come.
check_fails "and is told of later" 'held by no|nothing is frozen|the freeze was lost' quiescectl thaw "$id"

# The agent, on a socket of its own.
mkdir -p /run/app /etc/quiesced/writers.d
mkfifo -m 666 /run/app/events
exec {events}<> /run/app/events
cat <&"$events" > /run/app.log &
reader=$!
cat > /usr/local/bin/test-app <<'END'
#!/bin/sh
echo "$QUIESCE_STEP" > /run/app/events
[ "$QUIESCE_STEP" != freeze ] || [ ! -e /run/app/fails ]
END
chmod 755 /usr/local/bin/test-app
printf '[Writer]\nHook=/usr/local/bin/test-app\nUser=nobody\n' > /etc/quiesced/writers.d/app.writer
check "the hook is installed" test -x "$hook"
qemu-ga --method=unix-listen --path=/run/agent --statedir=/run --logfile=/run/agent.log -F"$hook" &
agent=$!
until [ -S /run/agent ]; do read -r -t 0.1 <> <(:); done
coproc socat - UNIX-CONNECT:/run/agent
# agent COMMAND: its answer
agent() {
        local answer
        printf '{"execute": "%s"}\n' "$1" >&"${COPROC[1]}"
        read -r -t 90 answer <&"${COPROC[0]}"
        printf '%s\n' "$answer"
}
check "the agent freezes" grep -q return <<< "$(agent guest-fsfreeze-freeze)"
check "the application was frozen before" grep -q "^freeze" /run/app.log
check "and is not thawed" sh -c '! grep -q thaw /run/app.log'
check "it says so" grep -q frozen <<< "$(agent guest-fsfreeze-status)"
check "the agent thaws" grep -q return <<< "$(agent guest-fsfreeze-thaw)"
check "the application is thawed" grep -q thaw /run/app.log
check "nothing is frozen" within 10 touch /mnt/data/probe
touch /run/app/fails
check "a writer that fails keeps the agent from freezing" grep -q error <<< "$(agent guest-fsfreeze-freeze)"
check "nothing is frozen then" within 10 touch /mnt/data/probe
rm /run/app/fails
kill "$agent" "$reader"
wait "$agent" "$reader" 2> /dev/null
rm -r /etc/quiesced/quiesced.conf.d/test-external.conf /etc/quiesced/writers.d/app.writer /usr/local/bin/test-app /run/app
must systemctl restart quiesced.service
outside_check "agent"
finish
