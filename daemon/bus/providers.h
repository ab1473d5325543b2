/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The providers as the bus shows them. */

#include "daemon/manager.h"

typedef struct ProviderObject {
        const char *name;
        const char *kind; /* "system": built in; "external": the requester does it; "test" */
} ProviderObject;

const ProviderObject *provider_objects_get(const Manager *manager, size_t index);
