#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Makes ./configure from a git checkout; a release tarball has it already.
set -eu
cd "$(dirname "$0")"
mkdir -p m4
exec autoreconf --force --install --warnings=all,no-obsolete
