# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154
#
# What scripts/test and scripts/demo share: the way from a fresh Debian 12 and a clone to a build. Sourced by them, with
# $source_tree and $build set.
#
# Promises: nothing is printed by the package manager and the build but what a failure needs; both functions answer
# non-zero if they failed, also where the caller has no `set -e`.

say() { printf '\n== %s\n' "$*"; }

# What of scripts/packages is not installed.
missing_packages() {
        local package
        sed 's/#.*//; /^ *$/d' "$source_tree/scripts/packages" | while read -r package; do
                dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || echo "$package"
        done
}

as_root() {
        if [ "$(id -u)" -eq 0 ]; then
                "$@"
        elif command -v sudo > /dev/null; then
                sudo "$@"
        else
                echo "${0##*/}: neither root nor is there sudo: run it as root" >&2
                return 1
        fi
}

# Runs a command and shows what it printed only if it fails. Nobody is asked anything.
quietly() {
        local log status=0
        log=$(mktemp) || return
        "$@" < /dev/null > "$log" 2>&1 || status=$?
        [ "$status" -eq 0 ] || cat "$log"
        rm -f "$log"
        return "$status"
}

# The lists are fetched first: a fresh machine has none, an old one names versions that are gone.
install_packages() {
        local missing
        mapfile -t missing < <(missing_packages)
        [ "${#missing[@]}" -gt 0 ] || return 0
        say "installing: ${missing[*]}"
        quietly as_root apt-get -q update || echo "the package lists could not be fetched; trying with those that are here"
        quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 \
                install "${missing[@]}"
}

# Build all that is installed, in $build.
build_tree() {
        say "building in $build"
        cd "$source_tree" || return
        if [ ! -e configure ] || [ configure.ac -nt configure ]; then quietly ./autogen.sh || return; fi
        mkdir -p "$build" && cd "$build" || return
        [ -e Makefile ] ||
                "$source_tree/configure" --quiet --enable-werror --prefix=/usr --sysconfdir=/etc --localstatedir=/var ||
                return
        make -s -j"$(nproc)" all > /dev/null # what is wrong is on stderr
}
