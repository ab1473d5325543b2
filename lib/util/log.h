/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The daemon's log: lines on stderr with a "<priority>" in front, which journald understands.
 *
 * In the dark (contract.md) nothing may be logged, because journald may be blocked on a frozen file system
 * and would block us in turn: between log_hold() and log_release() lines are kept in a small buffer and
 * printed afterwards; what does not fit is counted and said.
 */

#include <syslog.h>

#include "util/macro.h"

void log_message(int priority, const char *format, ...) _printf_(2, 3);
void log_hold(void);
void log_drop(void);
void log_release(void);

#define log_error(...)   log_message(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  log_message(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    log_message(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_message(LOG_DEBUG, __VA_ARGS__)
