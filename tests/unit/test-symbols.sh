#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What libquiesce exports is what its map names, each with its version, declared in an installed header and described
# in a man page; it links libsystemd alone; its headers stand alone, in C and, if there is a compiler, in C++.
source_tree=$(readlink -f "${srcdir:-.}")
build=${QUIESCED_BUILD:-$PWD}
library=$build/.libs/libquiesce.so
failed=0

problem() { echo "# $*"; failed=1; }

map=$(sed -n 's/^ *\(quiesce_[a-z_]*\);.*/\1/p' "$source_tree/lib/libquiesce.sym" | sort)
exported=$(nm -D --defined-only "$library" | awk '$2 == "T" { print $3 }' | sort)
[ -n "$map" ] || problem "the map names nothing"
# shellcheck disable=SC2001 # each line, not the first match
while read -r line; do problem "exported without a version, or not as the map says: $line"; done \
        < <(comm -3 <(sed 's/$/@@QUIESCE_0.1/' <<< "$map") <(echo "$exported") | tr -d '\t')
for symbol in $map; do
        grep -q -w "$symbol" "$source_tree"/lib/quiesce/requester.h "$source_tree"/lib/quiesce/writer.h ||
                problem "in no header: $symbol"
        grep -q -w "$symbol" "$source_tree"/man/*.3.scd || problem "in no man page: $symbol"
done
needed=$(readelf -d "$library" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | grep -v -E '^(libc|ld-linux.*|libasan|libubsan)\.so' | sort)
[[ $needed == libsystemd.so* && $needed != *$'\n'* ]] || problem "links more than libsystemd: ${needed//$'\n'/ }"
for header in requester writer; do
        echo "#include <quiesce/$header.h>" | ${CC:-cc} -Wall -Wextra -Werror -x c -I "$source_tree/lib" -fsyntax-only - ||
                problem "$header.h does not stand alone in C"
        command -v c++ > /dev/null || continue
        echo "#include <quiesce/$header.h>" | c++ -Wall -Wextra -Werror -x c++ -I "$source_tree/lib" -fsyntax-only - ||
                problem "$header.h does not stand alone in C++"
done
[ "$failed" -eq 0 ] && echo "ok libquiesce's symbols and headers" || echo "not ok libquiesce's symbols and headers"
exit "$failed"
