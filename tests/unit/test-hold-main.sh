#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# quiesced-hold as a program: its version, no arguments, and what it says of a standard input that is no connection.
hold=${QUIESCED_BUILD:-$PWD}/quiesced-hold
failed=0

problem() { echo "# $*"; failed=1; }

said=$("$hold" --version) || problem "--version fails"
[[ $said == "quiesced-hold "[0-9]* ]] || problem "--version says '$said'"
said=$("$hold" --help 2>&1) && problem "an argument is taken"
[[ $said == *"takes no arguments"* ]] || problem "of an argument it says '$said'"
# Nobody is at the other end: nothing is held, and that is no failure.
"$hold" < /dev/null 2> /dev/null || problem "it fails if nobody is there"
said=$("$hold" 2>&1 <&-) && problem "it does without a standard input"
[[ $said == *"Bad file descriptor"* ]] || problem "without a standard input it says '$said'"
exit "$failed"
