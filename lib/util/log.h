/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The daemon's log: lines on stderr with a "<priority>" in front, which journald understands; and entries,
 * which programs may look for by their message id and by what they are about. Whoever has set a sink gets
 * the entries; where there is none, or it fails, they are lines like others.
 *
 * In the dark (contract.md) nothing may be logged, because journald may be blocked on a frozen file system
 * and would block us in turn: between log_hold() and log_release() all is kept in a small buffer and told
 * afterwards; what does not fit is counted and said.
 *
 * Each folder of the daemon is a module with a level of its own: what is less urgent is dropped.
 */

#include <syslog.h>

#include "util/macro.h"

#define LOG_MODULES_MAX 16u

/* What an entry is about; NULL: nothing of that sort. */
typedef struct LogEntry {
        const char *message_id; /* 32 hexadecimal digits: daemon/message-ids.h */
        const char *session, *set, *writer, *event;
} LogEntry;

/* Return: whether it was taken. */
typedef bool (*LogSink)(int priority, const LogEntry *entry, const char *text);

void log_at(int priority, const char *place, const LogEntry *entry, const char *format, ...) _printf_(4, 5);
void log_set_sink(LogSink sink);
void log_hold(void);
void log_drop(void);
void log_release(void);

int log_level_from_string(const char *name);
const char *log_level_to_string(int level);
size_t log_modules_count(void);
const char *log_module_name(size_t module);
int log_module_level(size_t module);
int log_set_level(const char *module, int level);

#define log_message(priority, ...) log_at(priority, __FILE__, NULL, __VA_ARGS__)
/* log_entry(LOG_NOTICE, (&(LogEntry){.message_id = …}), "…") */
#define log_entry(priority, entry, ...) log_at(priority, __FILE__, entry, __VA_ARGS__)

#define log_error(...)   log_message(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  log_message(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    log_message(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_message(LOG_DEBUG, __VA_ARGS__)
/* Of a module that does not log itself, because it is pure. */
#define log_debug_of(module, ...) log_at(LOG_DEBUG, module "/", NULL, __VA_ARGS__)
