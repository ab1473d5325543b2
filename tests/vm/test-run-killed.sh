#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: --disk 2G --disk 512M --timeout 600
# vm-all
#
# quiescectl run is killed or interrupted at several points, or quiesced is: nothing of it is left.
exec "$(dirname "$0")/test-run.sh" killed restart
