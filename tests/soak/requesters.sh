# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The soak's requesters: each makes one set after the other, in its own way, and looks whether what was reported as good is:
# the counters in it differ by one write at most, none is older than what was acknowledged before the set was asked for, none
# newer than what was written when it had been reported. Each end is a line "WHO VERDICT TEXT" in $soak/results:
#
# good; failed (quiescectl said so; somebody was killed, a writer failed); overflowed (the store of a snapshot was full before
# it was read, and LVM says so); wrong. Needs lib.sh, job-functions.sh, and $soak, a folder.

# shellcheck disable=SC2154 # soak and volumes are set by who sources this
soak_stopped() { [ -e "$soak/stop" ]; }

# Between two sets: those who are asked to pause tell that they do.
requester_pauses() {
        [ -e "$soak/pause" ] || return 0
        : > "$soak/idle.$1"
        until [ ! -e "$soak/pause" ]; do read -r -t 0.3 <> <(:); done
        rm -f "$soak/idle.$1"
}

# Some of the volumes, a line.
choose_volumes() {
        case $((RANDOM % 4)) in
        0) echo "${volumes[*]}" ;;
        1) echo "/mnt/te /mnt/tx" ;;
        2) echo "/mnt/e /mnt/x" ;;
        3) echo "/mnt/te /mnt/x" ;;
        esac
}

result() { printf '%s\n' "${*//$'\n'/ }" >> "$soak/results"; }

# The counters of volumes below a prefix, lowest and highest; nothing if one cannot be read. $1: prefix; then volumes
counters_of() {
        local prefix=$1 volume n lowest=999999999999 highest=0
        shift
        for volume; do
                n=$(cat "$prefix$volume/counter") && [[ $n =~ ^[0-9]{12}$ ]] || return
                n=$((10#$n))
                [ "$n" -ge "$lowest" ] || lowest=$n
                [ "$n" -le "$highest" ] || highest=$n
        done
        echo "$lowest $highest"
}

overflowed() { dmsetup status --target snapshot | grep -q -E 'Invalid|Overflow'; }

# judge WHO BEFORE LOWEST HIGHEST NOW: a set that was reported as good.
judge() {
        local who=$1 before=$2 lowest=$3 highest=$4 now=$5
        if [ -z "$highest" ]; then
                if [ "$lowest" = overflowed ] || overflowed; then result "$who overflowed"; else result "$who wrong: it cannot be read"; fi
        elif [ $((highest - lowest)) -gt 1 ]; then
                result "$who wrong: not one instant: $lowest to $highest"
        elif [ "$before" -gt "$highest" ]; then
                result "$who wrong: an acknowledged write is missing: $before, $highest"
        elif [ "$highest" -gt "$now" ]; then
                result "$who wrong: a write from later is there: $highest, $now"
        else
                result "$who good"
        fi
}

# failed WHO STATUS: what quiescectl said is told; 124 is a hang.
failed() {
        if [ "$2" -eq 124 ]; then
                result "$1 wrong: it hangs: $(cat "$soak/$1.err")"
        else
                result "$1 failed: $2 $(cat "$soak/$1.err")"
        fi
}

# quiescectl run: the command reads the snapshots.
requester_run() {
        local chosen before lowest highest now rest status
        until soak_stopped; do
                requester_pauses run
                read -r -a chosen <<< "$(choose_volumes)"
                read -r before rest <<< "$(counters_of "" "${chosen[@]}")"
                # shellcheck disable=SC2016 # the other bash's
                timeout 300 quiescectl run -q --wait --ignore-writer=flaky "${chosen[@]}" -- \
                        bash -c "$(declare -f counters_of overflowed)"'; counters_of "" "$@" || ! overflowed || echo overflowed' \
                        look "${chosen[@]}" > "$soak/run.seen" 2> "$soak/run.err"
                status=$?
                if [ "$status" -ne 0 ]; then failed run "$status"; continue; fi
                read -r rest now <<< "$(counters_of "" "${volumes[@]}")"
                read -r lowest highest < "$soak/run.seen"
                judge run "$before" "${lowest:-}" "${highest:-}" "$now"
        done
}

# quiescectl create, mount, umount and delete: sets that stay, until all are deleted.
requester_create() {
        local chosen before lowest highest now rest status id volume i set
        mkdir -p "$soak/created"
        until soak_stopped; do
                requester_pauses create
                read -r -a chosen <<< "$(choose_volumes)"
                read -r before rest <<< "$(counters_of "" "${chosen[@]}")"
                timeout 300 quiescectl create -q --wait --json --ignore-writer=flaky "${chosen[@]}" \
                        > "$soak/create.seen" 2> "$soak/create.err"
                status=$?
                read -r rest now <<< "$(counters_of "" "${volumes[@]}")"
                if [ "$status" -ne 0 ]; then
                        failed create "$status"
                        delete_sets
                        continue
                fi
                lowest='' highest='' i=0 status=0
                set=$(jq -r '.sets[0].id' "$soak/create.seen")
                timeout 100 quiescectl list snapshots --json > "$soak/create.seen" 2> "$soak/create.err" || status=$?
                while read -r id volume; do
                        i=$((i + 1))
                        mkdir -p "$soak/created/mnt/$volume"
                        timeout 100 quiescectl mount "$id" "$soak/created/mnt/$volume" 2> "$soak/create.err" || status=$?
                done < <(jq -r --arg set "$set" '.snapshots[] | select(.set == $set) | .id + " " + (.volume | sub(".*/"; ""))' \
                        "$soak/create.seen" 2> /dev/null)
                [ "$status" -ne 0 ] || read -r lowest highest <<< "$(counters_of "$soak/created" "${chosen[@]}")"
                if [ "$status" -ne 0 ] && ! overflowed; then
                        failed create "mount-$status"
                elif [ "$i" -ne "${#chosen[@]}" ]; then
                        result "create wrong: ${#chosen[@]} volumes, $i snapshots"
                else
                        judge create "$before" "${lowest:-}" "${highest:-}" "$now"
                fi
                delete_sets
        done
}

# What was made and could not be told to us, too; only this requester's sets stay. Whoever is killed in it is asked again.
delete_sets() {
        local id
        for id in $(quiescectl list sets --json 2> /dev/null | jq -r '.sets[] | select(.persistent).id'); do
                timeout 200 quiescectl delete --force "$id" > "$soak/delete.out" 2>&1
        done
}

# quiescectl begin --mount, complete or abort, end.
requester_begin() {
        local chosen before lowest highest now rest status id
        until soak_stopped; do
                requester_pauses begin
                read -r -a chosen <<< "$(choose_volumes)"
                read -r before rest <<< "$(counters_of "" "${chosen[@]}")"
                id=$(timeout 300 quiescectl begin -q --wait --mount "$soak/begun" --ignore-writer=flaky "${chosen[@]}" \
                        2> "$soak/begin.err")
                status=$?
                if [ "$status" -ne 0 ]; then failed begin "$status"; continue; fi
                lowest='' highest=''
                read -r rest now <<< "$(counters_of "" "${volumes[@]}")"
                read -r lowest highest <<< "$(counters_of "$soak/begun" "${chosen[@]}" 2> "$soak/begin.err")"
                if [ -n "$highest" ] || overflowed; then
                        judge begin "$before" "${lowest:-}" "${highest:-}" "$now"
                elif mountpoint -q "$soak/begun${chosen[0]}"; then
                        result "begin wrong: it is mounted and cannot be read"
                else
                        result "begin failed: its session ended: $(cat "$soak/begin.err")"
                fi
                if [ $((RANDOM % 3)) -eq 0 ]; then timeout 100 quiescectl abort "$id"; else timeout 100 quiescectl complete "$id"; fi \
                        > "$soak/begin.err" 2>&1
                timeout 200 quiescectl end "$id" > "$soak/begin.err" 2>&1
        done
}
