/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One connection of quiesced to the hold, from the first message to the last.
 */

int hold_session_run(int connection_fd);
