/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl delete: snapshots or whole sets go, whoever made them.
 */

#include "ctl/ctl.h"

static const char usage[] =
        "\nUsage:\n"
        " quiescectl delete [options] ID...\n"
        "\n"
        "Delete snapshots, or sets with all their snapshots. What is locked, mounted\n"
        "or in use is not deleted unless by force. The name of a set does for its ID.\n"
        "\n"
        "Options:\n"
        " -f, --force             unlock and unmount; what is in use goes with its user\n"
        " -H, --host [USER@]HOST  delete on another host\n"
        " -q, --quiet             tell nothing but errors\n"
        " -h, --help              display this help\n"
        " -V, --version           display version\n"
        "\n"
        "For more details see quiescectl(1).\n";

static int say_deleted(const char *id, sd_bus_message *reply, const Options *options) {
        const char *left;
        uint32_t deleted;
        int r;

        r = sd_bus_message_read(reply, "us", &deleted, &left);
        if (r < 0)
                return error_trace(r);
        if (!options->quiet || *left)
                say("%s: %u snapshot%s deleted%s%s", id, deleted, deleted == 1 ? "" : "s",
                    *left ? "; the first that could not be is " : "", left);
        return *left ? CTL_E_SAID : 0;
}

/**
 * verb_delete() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: the exit status, or a negative errno.
 */
int verb_delete(int argc, char **argv) {
        static const IdVerb verb = {"delete", usage, "DeleteSnapshots", true, true, say_deleted};

        return verb_of_ids(&verb, argc, argv);
}
