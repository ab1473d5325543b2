/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Names of previous versions; see previous-versions.h. */

#include <ctype.h>
#include <time.h>

#include "ctl/previous-versions.h"
#include "util/macro.h"

/**
 * version_name() - what the directory of a snapshot is called
 * @ret:            "@GMT-2026.11.30-06.45.12", in UTC: the default of shadow:format
 * @instant_usec:   CLOCK_REALTIME
 */
void version_name(char ret[static VERSION_NAME_SIZE], uint64_t instant_usec) {
        time_t seconds = (time_t) (instant_usec / USEC_PER_SEC);
        struct tm utc;

        if (!gmtime_r(&seconds, &utc) ||
            strftime(ret, VERSION_NAME_SIZE, "@GMT-%Y.%m.%d-%H.%M.%S", &utc) == 0)
                ret[0] = '\0';
}

/**
 * version_is_name() - whether a directory may be one of ours
 * @name:       of the directory
 *
 * Return: whether it is built like one.
 */
bool version_is_name(const char *name) {
        static const char like[] = "@GMT-0000.00.00-00.00.00";
        size_t i;

        for (i = 0; like[i] && name[i]; i++)
                if (like[i] == '0' ? !isdigit((unsigned char) name[i]) : name[i] != like[i])
                        return false;
        return !like[i] && !name[i];
}
