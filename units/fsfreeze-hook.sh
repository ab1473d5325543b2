#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The QEMU guest agent's hook: application writers stay frozen from "freeze", which the agent says before it freezes all
# file systems, to "thaw", which it says after it has thawed them. See quiesced-external(7).
#
# Nothing is written between the two, not even by this: a freeze that fails says so by its status, and the agent gives up.

# Run by quiesced's own adaptor for such hooks: it freezes already.
[ -z "${QUIESCE_WRITER_NAME-}" ] || exit 0

case ${1-} in
freeze) exec quiescectl freeze --detach --quiet --all --applications-only --id "QEMU guest agent" > /dev/null ;;
thaw) exec quiescectl thaw ;;
*) exit 0 ;;
esac
