/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl release: an administrator ends sessions, whoever owns them.
 */

#include "ctl/ctl.h"

static const char usage[] = "\nUsage:\n"
                            " quiescectl release [options] ID...\n"
                            "\n"
                            "End sessions, whoever owns them: backups under way are aborted.\n"
                            "\n"
                            "Options:\n"
                            " -H, --host [USER@]HOST  release on another host\n"
                            " -q, --quiet             tell nothing but errors\n"
                            " -h, --help              display this help\n"
                            " -V, --version           display version\n"
                            "\n"
                            "For more details see quiescectl(1).\n";

static int say_released(const char *id, sd_bus_message *reply, const Options *options) {
        if (!options->quiet)
                say("%s: released", id);
        return 0;
}

/**
 * verb_release() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: the exit status, or a negative errno.
 */
int verb_release(int argc, char **argv) {
        static const IdVerb verb = {"release", usage, "ReleaseSession", false, false, say_released};

        return verb_of_ids(&verb, argc, argv);
}
