# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154
#
# The suites of scripts/test that have a build of their own: the packages, and those that look at the programs of unit,
# contract and bus in another way, which run if they are named, and with --all. Sourced by it.

# $1: name; $2: what is wrong
suite_is_bad() {
        echo "not ok $1: $2"
        failed=$((failed + 1))
}

# The programs and the tests' programs, in $build. Arguments: configure's
build_variant() {
        mkdir -p "$build" && cd "$build" || return
        if [ ! -e Makefile ] || [ "$source_tree/configure" -nt Makefile ]; then
                "$source_tree/configure" --quiet --prefix=/usr --sysconfdir=/etc --localstatedir=/var "$@" || return
        fi
        make -s -j"$(nproc)" && make -s -j"$(nproc)" check TESTS=
}

# --- packages ---------------------------------------------------------------------------------------------------------

# Made from what "make dist" makes, looked at, and installed in a guest that has nothing else of quiesced.
suite_packaging() {
        local vm_debs=$source_tree/build-packages timeout options scripts tests
        quietly env QUIESCED_TEST_ALL="$all" "$source_tree/tests/packaging/build-packages" "$build" "$vm_debs" || { suite_is_bad packaging "the build of the packages failed"; return; }
        "$source_tree/tests/packaging/check-packages" "$vm_debs" "$build" < /dev/null 2>&1 | tee "$work/output"
        count_results "$work/output" packaging "${PIPESTATUS[0]}"
        tests=("$source_tree"/tests/packaging/test-*.sh)
        while IFS='|' read -r -u 3 timeout options scripts; do
                # shellcheck disable=SC2086 # a list of names
                run_group 6.1 "$timeout" "$options" $scripts
        done 3< <(vm_groups "${tests[@]}")
}

# --- sanitizers -------------------------------------------------------------------------------------------------------

suite_sanitizers() {
        local build=$source_tree/build-asan
        quietly build_variant --enable-asan || { suite_is_bad sanitizers "its build failed"; return; }
        suite_unit
        suite_contract
        suite_bus
}

# --- coverage ---------------------------------------------------------------------------------------------------------

# What runs at all, line by line. Built anew, as counts of objects that are no more would be taken for real.
suite_coverage() {
        local build=$source_tree/build-coverage file
        if [ -e "$build" ]; then as_root rm -rf "$build"; fi
        quietly build_variant --enable-coverage || { suite_is_bad coverage "its build failed"; return; }
        # Writers that run as other users count as well: what is empty is begun, by whom it may be written.
        find "$build" -name '*.gcno' | while read -r file; do install -m 666 /dev/null "${file%.gcno}.gcda"; done
        suite_unit
        suite_contract
        suite_bus
        coverage_in_guest
        find "$build" -name '*.gcda' -empty -delete
        coverage_report > "$work/output" 2>&1
        cat "$work/output"
        count_results "$work/output" coverage 0
}

# What needs devices of its own: the hold; with --all whatever runs in the guest.
coverage_in_guest() {
        # shellcheck disable=SC2034 # run_group reads it
        local vm_runner=run-counted timeout options scripts tests
        tests=("$source_tree"/tests/vm/test-hold*.sh)
        [ "$all" = no ] || tests=("$source_tree"/tests/vm/test-*.sh)
        while IFS='|' read -r -u 3 timeout options scripts; do
                # shellcheck disable=SC2086 # a list of names
                run_group 6.1 "$timeout" "$options" $scripts
        done 3< <(vm_groups "${tests[@]}")
}

# The guest cannot write here: it prints what it has counted, on top of what was there when it began. $1: its output
take_counts() {
        sed -n 's/^# counted //p' "$1" | base64 -d | as_root tar -x -z -C "$build"
}

# Folders must have all of their lines run. What cannot is marked GCOVR_EXCL_LINE, or is assert_not_reached().
complete_folders=(lib/contract daemon/hold)

# Reads what the programs have counted. gcovr does not add up folders, jq does. Result lines for count_results.
coverage_report() {
        local report=$build/coverage folder missing arguments
        mkdir -p "$report"
        arguments=(--root "$source_tree" --object-directory "$build" --filter "$source_tree/(lib|daemon|ctl|kit|writers.d)/"
                   --exclude-lines-by-pattern '.*\bassert_not_reached\(.*' --exclude-branches-by-pattern '.*\bassert(_not_reached)?\(.*'
                   --exclude-unreachable-branches)
        (cd "$build" && gcovr "${arguments[@]}" --json-summary "$report/summary.json" --html-details "$report/index.html" \
                --txt "$report/lines") || { echo "not ok coverage: gcovr failed"; return; }
        jq -r '.files | group_by(.filename | split("/")[:-1])[] |
               [(.[0].filename | split("/")[:-1] | join("/")),
                (map(.line_covered) | add), (map(.line_total) | add), (map(.branch_covered) | add), (map(.branch_total) | add)] | @tsv' \
                "$report/summary.json" |
                awk -F '\t' 'function part(n, of) { return sprintf("%6d of %6d %5.1f %%", n, of, of ? 100 * n / of : 100) }
                        BEGIN { printf "%-20s %26s %26s\n", "", "lines", "branches" }
                        { printf "%-20s %s   %s\n", $1, part($2, $3), part($4, $5); l += $2; L += $3; b += $4; B += $5 }
                        END { printf "%-20s %s   %s\n", "all", part(l, L), part(b, B) }' | tee "$report/folders"
        for folder in "${complete_folders[@]}"; do
                missing=$(jq -r --arg folder "$folder/" '.files[] | select(.filename | startswith($folder)) |
                        select(.line_covered < .line_total) | .filename' "$report/summary.json")
                if grep -q "^$folder " "$report/folders" && [ -z "$missing" ]; then
                        echo "ok coverage: all lines of $folder"
                else
                        echo "not ok coverage: all lines of $folder; not run:"
                        grep -F "${missing:-$folder}" "$report/lines" | sed 's/^/# /'
                fi
        done
}

# --- clang-tidy -------------------------------------------------------------------------------------------------------

# With the checks of .clang-tidy, which tells why those and not others. Standard input: files, each ended by NUL
tidy() {
        local flags
        read -r -a flags < <(make -s -C "$build" -f - flags << 'END'
include Makefile
flags: ; @echo $(SYSTEMD_CFLAGS) $(DEVMAPPER_CFLAGS) $(MOUNT_CFLAGS) $(BLKID_CFLAGS) $(SMARTCOLS_CFLAGS) $(JANSSON_CFLAGS) \
	$(INIH_CFLAGS) $(SQLITE_CFLAGS) $(MARIADB_CFLAGS) $(POSTGRESQL_CFLAGS) $(HIREDIS_CFLAGS)
END
        )
        flags+=(-std=gnu17 "-I$source_tree/lib" "-I$source_tree" -include "$build/config.h" -include "$source_tree/scripts/tidy.h")
        flags+=('-DLIBEXECDIR=""' '-DBINDIR=""' '-DSBINDIR=""' '-DSYSCONFDIR=""' '-DVENDORDIR=""'
                '-DSTATEDIR=""' '-DUDEVRULESDIR=""' '-DDBUSPOLICYDIR=""')
        # One file each: when it has several, clang-tidy 14 does not see va_start() any more.
        # shellcheck disable=SC2016 # the other bash's
        xargs -0 -r -n 1 -P "$(nproc)" bash -c 'clang-tidy --quiet "${@: -1}" -- "${@:1:$#-1}"' bash "${flags[@]}" 2>&1 |
                grep -v '^[0-9]* warnings\{0,1\} .*generated'
}

suite_tidy() {
        cp "$source_tree/.clang-tidy" "$work"
        printf '#include <string.h>\nvoid f(int *p);\nvoid f(int *p) {\n        memset(p, sizeof(*p), 0);\n}\n' > "$work/sample.c"
        (cd "$source_tree" && find lib daemon ctl kit writers.d -name '*.c' -print0 | tidy) > "$work/tidy"
        printf '%s\0' "$work/sample.c" | tidy > "$work/seen"
        {
                if grep '' "$work/tidy"; then echo "not ok tidy"; else echo "ok tidy"; fi
                if grep -q suspicious-memset "$work/seen"; then
                        echo "ok tidy itself: it complains of a bad sample"
                else
                        echo "not ok tidy itself: it says nothing of a bad sample"
                fi
        } | tee "$work/output"
        count_results "$work/output" tidy 0
}

# --- valgrind ---------------------------------------------------------------------------------------------------------

# Not run under it:
valgrind_leaves_out=(
        tests/contract/test-enumerate tests/contract/test-enumerate-two # hours; the other tests run the same lines
        tests/unit/test-child tests/unit/test-lvm-queue tests/unit/test-set-store tests/unit/test-sets tests/unit/test-mapped-queue tests/bus/test-bus-recovery tests/bus/test-bus-timeline # valgrind 3.19 has no pidfd_open()
        tests/bus/test-bus-access # the same: nobody may mount then
        tests/unit/test-ctl-view # it has no fsopen()
        tests/unit/test-hold-main.sh # it opens a standard input that is closed
        tests/unit/test-hold-end tests/unit/test-hold-faults tests/unit/test-hold-guard tests/unit/test-hold-refusals # the same
        tests/unit/test-script # has a wait of some ms that it must see begin
        tests/unit/test-symbols.sh # runs nothing of ours
)

# What it has complained of since the last look, in a file for each process, but for system calls that it does not know, which
# programs get as ENOSYS ("--" begins what it says of itself). Whether that is anything. $1: directory
valgrind_complaints() {
        local status
        find "$1" -type f -exec cat {} + | grep -v -E '^--[0-9]+-- '
        status=$?
        find "$1" -type f -delete
        return "$status"
}

# unit, contract and bus, each of our programs in it under valgrind's memcheck.
# shellcheck disable=SC2034 # run_program reads tool, via and time_limit
suite_valgrind() {
        local test tool via=() time_limit=3600 logs=$work/valgrind
        [ "$(id -u)" -eq 0 ] || via=(sudo)
        tool=(valgrind -q --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --trace-children=yes
              --suppressions="$source_tree/scripts/valgrind.supp" --trace-children-skip='/bin/*,/sbin/*,/usr/*,/lib/*' --log-file="$logs/%p")
        mkdir -m 777 "$logs"
        echo 'int main(void) { char *volatile lost = __builtin_malloc(10); lost = 0; return !!lost; }' | cc -x c -o "$work/leak" - &&
                "${tool[@]}" "$work/leak"
        valgrind_complaints "$logs" > /dev/null || suite_is_bad "valgrind itself" "it says nothing of a leak"
        for test in $({ listed_tests; cd "$source_tree" && find tests/bus -name 'test-*.sh'; } |
                        grep -v -x -F -f <(printf '%s\n' "${valgrind_leaves_out[@]}")); do
                CONTRACT_WALK_EPISODES=20 run_program "$test"
                if valgrind_complaints "$logs" > "$work/complaints"; then
                        suite_is_bad valgrind "$test"
                        sed 's/^/# /' "$work/complaints"
                else
                        echo "ok valgrind: $test"
                        passed=$((passed + 1))
                fi
        done
}
