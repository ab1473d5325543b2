/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Where a snapshot's volume is mounted now, for who looks at a set later: quiesced tells the volume by its
 * device-mapper uuid, the caller's own mounts tell devices.
 */

#include <sys/types.h>

#include "util/macro.h"

bool device_lies_on(const char *sysfs, dev_t device, const char *key);
