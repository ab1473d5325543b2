/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The provider "test": volumes that are files or directories below one directory. See test.c. */

#include "daemon/providers/provider.h"

#define PROVIDER_TEST_PREFIX "test:"

extern const ProviderOps provider_test_ops;

int provider_test_new(Provider **ret, sd_event *event, const char *directory);
Provider *provider_test_free(Provider *provider);
int provider_test_key_of_path(const Provider *provider, const char *path, char **ret_key);
int provider_test_recover(Provider *provider, bool (*keep)(const char *set_id, void *userdata),
                          void *userdata);
