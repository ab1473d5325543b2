#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 2G --disk 2G --timeout 900
#
# Faulty and slow storage below a set's volumes (dm-error, dm-flakey, dm-delay): I/O errors on a snapshot's store, on an
# origin, on a pool's metadata, at exact points; a device so slow that the hold limit passes; an fstrim under way. Each time
# the set fails and says what of, no snapshot is reported, nothing stays suspended, frozen or left over, volumes whose disks
# are well take writes all the time, and the others as soon as their disk works again and they were mended.
# What fails between two steps of the hold is in tests/kill/storage.sh. Arguments: the cases to run.
# shellcheck disable=SC2317 # cases are called by name
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/gate-functions.sh
. "$(dirname "$0")/gate-functions.sh"
# shellcheck source=tests/vm/storage-functions.sh
. "$(dirname "$0")/storage-functions.sh"

out=$test_work/out
limit=10 # of the hold, in seconds: quiesced.conf(5)

# start EVENT VOLUMES RESULT…: a requester whose DoSnapshotSet is to end so; the writer waits in EVENT.
start() {
        local volume
        gate_seen > /dev/null
        heard=''
        set_gate "$1"
        {
                printf '%s\n' OpenBackup GatherWriterMetadata StartSnapshotSet
                for volume in $2; do echo "AddToSnapshotSet /mnt/$volume"; done
                printf '%s\n' PrepareForBackup "DoSnapshotSet => ${*:3}" Release
        } > "$test_work/script"
        quiesce-test-requester --script="$test_work/script" > "$out" 2>&1 &
        requester=$!
        await_gate || { not_ok "the writer is told $1"; explain < "$out"; }
}

# ends NAME: as it was to, and every volume that is well takes writes.
ends() {
        check "$1: the call ends" await 120 ended "$requester"
        wait "$requester" || { not_ok "$1: as it must"; explain < "$out"; }
        explain < <(grep -h -o 'DoSnapshotSet.*' "$out")
}

# fails NAME: the set has failed; what was made for it goes although the device is still as it is.
fails() {
        ends "$1"
        check "$1: no snapshot is left" await 60 no_snapshot
        check "$1: what is well takes writes" within "$limit" probe_write /mnt/well
}

# is_good NAME DEVICE: it is well again, and so is everything.
is_good() {
        set_device "$2" linear
        case $2 in
        origin) mend_thick ;;
        meta) mend_pool ;;
        esac
        outside_check "$1: nothing is left"
}

# The snapshot that LVM has made of one/thick, and LVM has done.
is_made() { dmsetup info -c --noheadings -o name | grep -q -x 'one-quiesced_[0-9a-f]*' && lvm_has_done; }
lvm_has_done() {
        local pid
        pid=$(systemctl show -P MainPID quiesced.service)
        [ -z "$(< "/proc/$pid/task/$pid/children")" ]
}

# --- I/O errors ---------------------------------------------------------------------------------------------------------

case_store_when_made() {
        start prepare-for-backup "thick well" UnexpectedProviderError "one/thick"
        set_device store error
        open_gate
        fails "a store that cannot be made"
        is_good "a store that cannot be made" store
}

case_store_when_cleared() {
        start prepare-for-snapshot "thick well" any "cannot clear the store of one-quiesced"
        check "a store that cannot be cleared: it is made" await 60 is_made
        set_device store error-writes
        open_gate
        fails "a store that cannot be cleared"
        is_good "a store that cannot be cleared" store
}

# The instant is over; the first write to the origin is to be copied into the store.
case_store_when_copied() {
        start thaw "thick well" any "or the store's disk has failed"
        set_device store error-writes
        check "a store that fails: its origin takes writes" within "$limit" probe_write /mnt/thick
        open_gate
        fails "a store that fails"
        is_good "a store that fails" store
}

case_origin_when_synced() {
        set_gate_level back-end
        start freeze "thick well" any "cannot write out file system"
        set_device origin error-writes
        dirty /mnt/thick
        open_gate
        fails "an origin that cannot be synced"
        is_good "an origin that cannot be synced" origin
        set_gate_level system
}

case_origin_when_frozen() {
        start freeze "thick well" any "cannot suspend one-thick"
        set_device origin error-writes
        dirty /mnt/thick
        open_gate
        fails "an origin that cannot be frozen"
        is_good "an origin that cannot be frozen" origin
}

# Its device is deleted, and not created yet: nothing has been written to the pool since.
case_metadata() {
        start freeze "thin well" any "two/pool is not well"
        set_device meta "$1"
        open_gate
        ends "metadata, $1"
        check "metadata, $1: what is well takes writes" within "$limit" probe_write /mnt/well
        set_device meta linear
        mend_pool
        must systemctl restart quiesced.service
        check "metadata, $1: no snapshot is left" await 60 no_snapshot
        outside_check "metadata, $1: nothing is left"
}
case_metadata_errors() { case_metadata error; }
case_metadata_error_writes() { case_metadata error-writes; }

# --- slow -----------------------------------------------------------------------------------------------------------------

# overruns NAME VOLUME DEVICE: the device is so slow that the hold limit passes.
overruns() {
        local since=$SECONDS
        open_gate
        check "$1: the others are suspended" await 30 is_suspended one-well
        check "$1: they take writes within the limit of $limit s, and a bit" within $((limit + 5)) probe_write /mnt/well
        echo "# after $((SECONDS - since)) s"
        set_device "$3" linear
        check "$1: the slow one too, as soon as it answers" within "$limit" probe_write "/mnt/$2"
        fails "$1"
        is_good "$1" "$3"
}

case_slow_origin() {
        start freeze "thick well" HoldWritesTimeout "one-thick"
        set_device origin slow 60000
        dirty /mnt/thick
        overruns "a slow origin" thick origin
}

case_slow_pool() {
        start freeze "thin well" HoldWritesTimeout "two-thin"
        set_device data slow 60000
        dirty /mnt/thin
        overruns "a slow pool" thin data
}

# A suspend waits for discards that are under way. There is something to be discarded, which no earlier fstrim had.
free_blocks() {
        dirty /mnt/more
        sync /mnt/more/dirty
        rm /mnt/more/dirty
        sync -f /mnt/more
}
start_trim() {
        set_device data slow "$1"
        fstrim /mnt/more > "$test_work/trim" 2>&1 &
        trim=$!
        check "an fstrim is under way" await 30 trim_is_under_way
}
trim_is_under_way() {
        ! ended "$trim" && awk -v device="$(basename "$(readlink -f /dev/mapper/data)")" \
                '$3 == device { under_way = $12 } END { exit !under_way }' /proc/diskstats
}

case_trim_too_long() {
        free_blocks
        start freeze "more well" HoldWritesTimeout "two-more"
        start_trim 60000
        overruns "an fstrim that takes longer than the limit" more data
        check "the fstrim comes to its end" await 60 ended "$trim"
}

case_trim() {
        free_blocks
        start freeze "more well" ok
        start_trim 200
        open_gate
        ends "an fstrim under way: the set is made"
        set_device data linear
        check "the fstrim comes to its end" await 60 ended "$trim"
        outside_check "an fstrim under way: nothing is left"
}

make_storage
make_gate
must systemctl restart quiesced.service
outside_baseline
if [ $# -eq 0 ]; then
        set -- store_when_cleared slow_origin
        [ "${QUIESCED_TEST_ALL:-no}" = no ] || set -- "$@" store_when_made store_when_copied origin_when_synced origin_when_frozen \
                metadata_errors metadata_error_writes slow_pool trim_too_long trim
fi
# Since Linux 6.6 the fsfreeze writer freezes what lies on a volume, too: then nothing is left for the suspend to write.
frozen_before() { printf '%s\n' 6.6 "$(uname -r)" | sort -V -C; }
for name; do
        case $name in origin_when_frozen | slow_*) ! frozen_before || continue ;; esac
        since=$SECONDS
        "case_$name"
        echo "# $name: $((SECONDS - since)) s"
done
remove_gate
remove_storage
finish
