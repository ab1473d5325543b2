/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Numbers as people read them, and times as programs do. Each result fits FORMAT_MAX bytes. And what people
 * type. */

#include <stddef.h>
#include <stdint.h>

#define FORMAT_MAX 48u

char *format_duration(char buffer[static FORMAT_MAX], uint64_t usec);
char *format_percent(char buffer[static FORMAT_MAX], uint64_t part, uint64_t whole);
char *format_size(char buffer[static FORMAT_MAX], uint64_t bytes);
char *format_time(char buffer[static FORMAT_MAX], uint64_t realtime_usec);
char *format_local_time(char buffer[static FORMAT_MAX], uint64_t realtime_usec);
int parse_size(const char *text, uint64_t *ret);
int parse_duration(const char *text, uint64_t *ret);
int parse_statuses(const char *text, int **ret, size_t *ret_n);
