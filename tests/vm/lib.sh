# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What every VM test uses: results, volumes, and the check from outside.
#
# Why: whether quiesced left something frozen, suspended, mounted or over is never asked of quiesced itself; it is read
# here from the kernel, from LVM and from whether each file system takes a write.
#
# A test is tests/vm/test-NAME.sh: it sources this file, calls check and its relatives, and ends with `finish`. Each
# result is a line "ok NAME" or "not ok NAME", what explains it a line "# …"; `finish` prints "done", without which the
# test counts as failed. Whatever may hang is run by `within`.
#
# Promises: nothing here hangs on a frozen file system or a suspended device, nor sleeps to wait for something.

set -u
export LC_ALL=C.UTF-8 LVM_SUPPRESS_FD_WARNINGS=1
# Not below /tmp: on a machine booted from an LV that may be frozen.
test_work=$(mktemp -d /run/vm-test.XXXXXX)
test_failures=0
test_within=0

# --- results ----------------------------------------------------------------------------------------------------------

ok() { echo "ok $*"; }

not_ok() {
        echo "not ok $*"
        test_failures=$((test_failures + 1))
}

# Lines of explanation, from standard input.
explain() { sed 's/^/# /'; }

# check NAME COMMAND…: the command succeeds. Its output is shown only when it does not.
check() { check_status "$1" 0 "${@:2}"; }

# check_status NAME STATUS COMMAND…: the command ends with just that exit status.
check_status() {
        local name=$1 expected=$2 status
        shift 2
        "$@" > "$test_work/output" 2>&1
        status=$?
        if [ "$status" -eq "$expected" ]; then
                ok "$name"
                return 0
        fi
        not_ok "$name"
        echo "# status $status, not $expected, of: $*"
        explain < "$test_work/output"
        return 1
}

# check_fails NAME PATTERN COMMAND…: the command fails, and what it prints matches the extended regular expression.
check_fails() {
        local name=$1 pattern=$2 status
        shift 2
        "$@" > "$test_work/output" 2>&1
        status=$?
        if [ "$status" -ne 0 ] && grep -q -E -e "$pattern" "$test_work/output"; then
                ok "$name"
                return 0
        fi
        not_ok "$name"
        echo "# status $status of: $*; expected a failure that says: $pattern"
        explain < "$test_work/output"
        return 1
}

# check_equal NAME EXPECTED ACTUAL
check_equal() {
        if [ "$2" = "$3" ]; then
                ok "$1"
                return 0
        fi
        not_ok "$1"
        printf '# expected: %s\n# actual:   %s\n' "$2" "$3"
        return 1
}

# Preparation that must work for the test to make sense: on failure the test ends here, without "done".
must() {
        "$@" > "$test_work/output" 2>&1 && return 0
        not_ok "preparation: $*"
        explain < "$test_work/output"
        exit 1
}

# The test's end.
finish() {
        rm -rf "$test_work"
        echo "done"
        [ "$test_failures" -eq 0 ]
        exit
}

# await SECONDS COMMAND…: until the command succeeds.
await() {
        local end=$((SECONDS + $1))
        shift
        until "$@" > /dev/null 2>&1; do
                [ "$SECONDS" -lt "$end" ] || return 1
                read -r -t 0.1 <> <(:) || :
        done
}

# within SECONDS COMMAND…: the command with a deadline that also holds when it hangs in the kernel, where no signal ends
# it: then it is left behind, and the answer is 124. It must not need standard input. What it prints is printed.
within() {
        local seconds=$1 output=$test_work/within.$BASHPID.$((++test_within)) pid status end
        shift
        exec {end}<> <(:)
        (
                # shellcheck disable=SC2030,SC2031 # the command has no business with our pipe, and only it
                "$@" < /dev/null > "$output" 2>&1 {end}>&-
                echo $? >&"$end"
        ) > /dev/null 2>&1 &
        pid=$!
        if read -r -t "$seconds" -u "$end" status; then
                exec {end}>&-
                wait "$pid" 2>/dev/null
        else
                exec {end}>&-
                kill -KILL "$pid" 2>/dev/null
                disown "$pid" 2>/dev/null
                echo "no end within $seconds s: $*"
                status=124
        fi
        [ ! -s "$output" ] || printf '%s\n' "$(< "$output")"
        return "$status"
}

# --- volumes ----------------------------------------------------------------------------------------------------------

# make_vg VG DISK…
make_vg() {
        must wipefs -qaf "${@:2}"
        must vgcreate -qq -y "$@"
}

# make_thick VG LV SIZE
make_thick() { must lvcreate -qq -y -Wy -n "$2" -L "$3" "$1"; }

# make_pool VG POOL SIZE
make_pool() { must lvcreate -qq -y --type thin-pool -n "$2" -L "$3" "$1"; }

# make_thin VG POOL LV VIRTUAL_SIZE
make_thin() { must lvcreate -qq -y --type thin -n "$3" -V "$4" --thinpool "$2" "$1"; }

# make_fs TYPE DEVICE DIRECTORY: make a file system and mount it.
make_fs() {
        case $1 in
        ext*) must "mkfs.$1" -q -F "$2" ;;
        *) must "mkfs.$1" -q -f "$2" ;;
        esac
        must mkdir -p "$3"
        must mount "$2" "$3"
}

# A pool is as long as a volume of its is active.
no_volume_is_open() { [ -z "$(lvs --noheadings -o lv_name -S 'vg_name!=rootvg && lv_device_open=open && lv_layout!~pool')" ]; }

# Give the disks back empty: unmount what is on device-mapper devices, remove all VGs but the root's, wipe.
clean_disks() {
        local target vg disk
        findmnt -rn -o TARGET,SOURCE | tac | while read -r target disk; do
                case $disk in
                /dev/mapper/rootvg-root) ;;
                /dev/mapper/* | /dev/dm-* | /dev/vd[b-z]*) must umount "$(printf '%b' "$target")" ;;
                esac
        done
        # udev looks into what was closed, btrfs above all, and lvm finds it in use then.
        udevadm settle
        # A mount namespace of somebody who has just ended may go later than its mounts here.
        await 30 no_volume_is_open
        for vg in $(vgs --noheadings -o vg_name); do
                [ "$vg" = rootvg ] || must vgremove -qq -ff -y "$vg"
        done
        for disk in /dev/vd[b-z]; do
                [ ! -b "$disk" ] || must wipefs -qaf "$disk"
        done
        udevadm settle
}

# --- the check from outside -------------------------------------------------------------------------------------------
# Each outside_X prints a line per problem and nothing when all is well. Few processes are started, as each one costs
# some 50 ms under emulation. outside_patience is how many seconds something may take to answer.
outside_patience=10

list_dm() { dmsetup info -c --noheadings --separator ' ' -o name,uuid | grep -v -x 'No devices found' | sort; }
list_lvs() { lvs -a --noheadings --separator ' ' -o vg_name,lv_name,lv_uuid | sort; }
list_mounts() {
        findmnt -rn -o TARGET,SOURCE,FSTYPE |
                grep -v -E '^(/run/(user|credentials)/|/proc/sys/fs/binfmt_misc )' | sort
}
# Mounts of device-mapper devices in all mount namespaces that a process is in. PID 1 stands for all that are in its own.
list_mounts_elsewhere() {
        local process elsewhere=(/proc/1)
        for process in /proc/[0-9]*; do
                [ "$process/ns/mnt" -ef /proc/1/ns/mnt ] || elsewhere+=("$process")
        done
        awk '$0 ~ " /dev/(mapper/|dm-)" { for (i = 7; $i != "-"; i++) ; print $5, $(i + 2) }' \
                "${elsewhere[@]/%//mountinfo}" 2>/dev/null | sort -u
}
list_processes() { grep -l -s -E '^(quiesced-(writer|hold|guard|hook)|quiesce-reaper)' /proc/[0-9]*/comm; }

# Remember what there is; nothing may be beyond or below it later.
outside_baseline() {
        udevadm settle
        base_dm=$(list_dm)
        base_lvs=$(list_lvs)
        base_mounts=$(list_mounts)
        base_elsewhere=$(list_mounts_elsewhere)
        base_processes=$(list_processes)
        base_rcu=$(< /sys/kernel/rcu_expedited)
        base_tainted=$(< /proc/sys/kernel/tainted)
}

# compare WHAT BASE NOW: tell the lines that are in one list alone.
compare() {
        local line
        [ "$2" != "$3" ] || return 0
        while IFS= read -r line; do
                [[ $'\n'$2$'\n' = *$'\n'"$line"$'\n'* ]] || echo "$1 left over: $line"
        done <<< "$3"
        while IFS= read -r line; do
                [[ $'\n'$3$'\n' = *$'\n'"$line"$'\n'* ]] || echo "$1 gone: $line"
        done <<< "$2"
}

outside_suspended() {
        local name state attributes
        while read -r name state attributes; do
                [ "$state" = Active ] || [ -z "$name" ] || echo "device is suspended: $name"
                [[ $attributes != *I* ]] || echo "device has an inactive table: $name"
        done <<< "$(dmsetup info -c --noheadings --separator ' ' -o name,suspended,attr | grep -v -x 'No devices found')"
}

outside_devices() { compare device "$base_dm" "$(list_dm)"; }

outside_lvs() {
        local now
        if now=$(within $((outside_patience * 3)) list_lvs); then
                compare LV "$base_lvs" "$now"
        else
                echo "lvs does not answer: ${now:0:1000}"
        fi
}

outside_mounts() {
        compare mount "$base_mounts" "$(list_mounts)"
        compare "mount in a namespace" "$base_elsewhere" "$(list_mounts_elsewhere)"
}

# A write, to the disk, in a file system; a frozen one holds it.
probe_write() {
        echo probe > "$1/.outside-probe" && sync "$1/.outside-probe" && rm "$1/.outside-probe"
}

outside_writable() {
        local target source type options rest said seen=' '
        while read -r source target type options rest; do
                case $type/$options, in
                ext[234]/rw,* | xfs/rw,* | btrfs/rw,* | vfat/rw,*) ;;
                *) continue ;;
                esac
                [[ $seen != *" $source "* ]] || continue
                seen+="$source "
                printf -v target '%b' "$target"
                said=$(within "$outside_patience" probe_write "$target") || echo "file system takes no write: $target ($said)"
        done < /proc/self/mounts
}

# Writers' processes may be on their way out when a session has ended: their end is waited for.
outside_processes() {
        local file pid
        for file in $(list_processes); do
                [[ $'\n'$base_processes$'\n' != *$'\n'"$file"$'\n'* ]] || continue
                pid=${file#/proc/}
                pid=${pid%/comm}
                timeout "$outside_patience" tail --pid="$pid" -f /dev/null ||
                        echo "process left over: $pid $(tr '\0' ' ' < "/proc/$pid/cmdline")"
        done
}

outside_locks() {
        local file
        for file in /run/lock/lvm/V_*; do
                [ -e "$file" ] || continue
                flock --timeout "$outside_patience" "$file" true || echo "LVM's lock is held: $file"
        done
}

# An lvm command that suspends has it changed as long as it runs.
rcu_is_put_back() { [ "$(< /sys/kernel/rcu_expedited)" = "$base_rcu" ]; }

outside_kernel() {
        local now
        await "$outside_patience" rcu_is_put_back || echo "rcu_expedited is $(< /sys/kernel/rcu_expedited)"
        now=$(< /proc/sys/kernel/tainted)
        [ "$now" = "$base_tainted" ] || echo "the kernel complained (tainted $now), see dmesg"
}

# A unit that starts has its root below /run/systemd for a moment.
no_jobs() { [ -z "$(systemctl list-jobs --no-legend)" ]; }

# Everything that is wrong, a line each. In this order, as the later ones ask more of the machine.
outside_problems() {
        udevadm settle --timeout="$outside_patience" || echo "udev does not settle"
        await "$outside_patience" no_jobs || echo "systemd has not done: $(systemctl list-jobs --no-legend)"
        outside_suspended
        outside_kernel
        outside_processes
        outside_locks
        outside_writable
        outside_mounts
        outside_devices
        outside_lvs
}

# outside_check [NAME]: one result for all of it.
outside_check() {
        local problems
        problems=$(outside_problems)
        if [ -z "$problems" ]; then
                ok "${1:-the check from outside}"
                return 0
        fi
        not_ok "${1:-the check from outside}"
        explain <<< "$problems"
        return 1
}
