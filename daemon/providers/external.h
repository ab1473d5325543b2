/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The provider "external": the requester takes the snapshot elsewhere (a hypervisor, an array, a cloud
 * disk), see quiesced-external(7) for what passes over the moment's socket.
 */

#include <systemd/sd-event.h>

#include "daemon/providers/provider.h"

#define PROVIDER_EXTERNAL_NAME "external"

extern const ProviderOps provider_external_ops;

int provider_external_new(Provider **ret, sd_event *event);
Provider *provider_external_free(Provider *provider);
