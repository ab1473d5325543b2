# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154
#
# The suites of scripts/test that look at the programs of unit, contract and bus in another way, in a build of their own.
# Sourced by it; they run if they are named, and with --all.

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

suite_sanitizers() {
        local build=$source_tree/build-asan
        quietly build_variant --enable-asan || { suite_is_bad sanitizers "its build failed"; return; }
        suite_unit
        suite_contract
        suite_bus
}
