/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl export: the backup document of a persistent set, for a restore elsewhere.
 */

#include <fcntl.h>
#include <sys/stat.h>

#include "ctl/table.h"
#include "quiesce/requester.h"

static const char usage[] = "\nUsage:\n"
                            " quiescectl export [options] ID\n"
                            "\n"
                            "Print the backup document of a persistent set, which a restore takes. Its\n"
                            "name does for its ID.\n"
                            "\n"
                            "Options:\n"
                            " -o, --output FILE       write it to FILE, which must not exist\n"
                            " -H, --host [USER@]HOST  from another host\n"
                            " -h, --help              display this help\n"
                            " -V, --version           display version\n"
                            "\n"
                            "For more details see quiescectl(1).\n";

static const struct option long_options[] = {
        {"output", required_argument, NULL, 'o'},
        OPTIONS_HOST,
        OPTIONS_ALWAYS,
        {},
};

/* It names files of everybody's. What could not be written whole is not left there. */
static int write_file(const char *file, const char *document) {
        _cleanup_fclose_ FILE *stream = NULL;
        int fd;

        fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0) {
                say("%s: %s", file, strerror(errno));
                return CTL_E_SAID;
        }
        stream = fdopen(fd, "w");
        if (!stream) {
                (void) fd_close(fd);
                return error_origin(-ENOMEM);
        }
        if (fputs(document, stream) >= 0 && fputc('\n', stream) >= 0 && fflush(stream) == 0 &&
            fsync(fd) == 0)
                return 0;
        say("%s: %s", file, strerror(errno));
        (void) unlink(file);
        return CTL_E_SAID;
}

static int export_set(sd_bus *bus, const char *id, const char *file) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *path = NULL;
        const char *document;
        int r;

        r = object_find_set(bus, id, &path);
        if (r != 0)
                return r;
        r = sd_bus_message_new_method_call(bus, &call, QUIESCE_BUS_NAME, path, QUIESCE_BUS_SET,
                                           "GetDocument");
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(call, true);
        if (r >= 0)
                r = sd_bus_message_append(call, "a{sv}", 0);
        if (r < 0)
                return error_trace(r);
        r = sd_bus_call(bus, call, UINT64_MAX, &error, &reply);
        if (r < 0)
                return say_bus_error(id, &error, r);
        r = sd_bus_message_read(reply, "s", &document);
        if (r < 0)
                return error_trace(r);
        if (file)
                return write_file(file, document);
        return puts(document) >= 0 && fflush(stdout) == 0 ? 0 : error_origin(-errno);
}

/**
 * verb_export() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: the exit status, or a negative errno.
 */
int verb_export(int argc, char **argv) {
        _cleanup_bus_ sd_bus *bus = NULL;
        const char *file = NULL;
        Options options = {};
        int c, r;

        while ((c = getopt_long(argc, argv, "o:H:hV", long_options, NULL)) >= 0) {
                r = options_take(&options, c, usage);
                if (r == OPTIONS_E_DONE)
                        return EXIT_SUCCESS;
                if (r == OPTIONS_E_UNKNOWN && c != 'o')
                        return usage_hint("export");
                if (c == 'o')
                        file = optarg;
        }
        if (optind + 1 != argc)
                return usage_error("export", optind >= argc ? "no ID given" : "one ID at a time");
        r = bus_open(&bus, options.host);
        if (r == 0)
                r = export_set(bus, argv[optind], file);
        return r == CTL_E_SAID ? EXIT_FAILURE : r;
}
