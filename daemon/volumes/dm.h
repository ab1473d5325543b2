/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The few device-mapper ioctls that recovery needs, by uuid. None waits for udev. */

#include "util/macro.h"

/* Return: 0; -ENXIO: no such device; or another negative errno. */
int dm_clear_uuid(const char *uuid);
/* Return: 1 it is; 0 it is not, or is not there; or a negative errno. */
int dm_uuid_is_suspended(const char *uuid);
/* Return: 1 it was suspended; 0 it was not; -ENXIO: no such device; or another negative errno. */
int dm_resume_uuid(const char *uuid);
