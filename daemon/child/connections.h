/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A new process closes what others take for a sign of life: see connections.c. */

void connections_close(int except_fd);
