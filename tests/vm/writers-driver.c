/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * writers-driver: the writers' room with a handle, for tests of real writers without the rest of quiesced.
 *
 *   writers-driver systemd|fork SOCKET DIRECTORY…
 *
 * Reads commands, one a line, and prints what is told, one a line:
 *   fs PATH                    a file system for the PrepareForSnapshots that follow
 *   launch SESSION             launched SESSION NAME available|unavailable LEVEL TEXT …  (one line per
 * writer) send SESSION INDEX EVENT   answered SESSION INDEX EVENT FAILURE frozen=… paths=… TEXT byname
 * SESSION INDEX EVENT as send, by name adopt SESSION NAME stop SESSION INDEX release SESSION idle waits
 * until no writer runs: idle wait N                     waits until N lines have been told in all "gone
 * SESSION INDEX" comes by itself. EVENT is as on the bus: PrepareForSnapshot.
 */

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "contract/names.h"
#include "daemon/writers/writers.h"
#include "util/macro.h"

#define FILE_SYSTEMS_MAX 64u
#define PATIENCE         (60 * USEC_PER_SEC)

static sd_event *loop;
static Writers *room;
static WriterFileSystem file_systems[FILE_SYSTEMS_MAX];
static size_t n_file_systems, n_told, n_awaited;
static bool awaiting_idle, at_end;
static char input[65536];
static size_t n_input;

static void on_launched(uint64_t session, const ContractWriterSpec *writers, size_t n, void *userdata) {
        for (size_t i = 0; i < n; i++)
                printf("launched %" PRIu64 " %s %s %s %s\n", session, writers[i].name,
                       writers[i].available ? "available" : "unavailable",
                       contract_level_to_string(writers[i].level), writers[i].text ? writers[i].text : "");
        n_told++;
}

static void on_answered(uint64_t session, uint32_t writer, ContractEvent event, const WriterAnswer *answer,
                        void *userdata) {
        printf("answered %" PRIu64 " %" PRIu32 " %s %s frozen=", session, writer,
               contract_event_to_string(event), contract_failure_to_string(answer->failure));
        for (size_t i = 0; i < answer->n_frozen; i++)
                printf("%s%" PRIu32, i ? "," : "", answer->frozen[i]);
        printf(" paths=");
        for (size_t i = 0; answer->metadata && i < answer->metadata->n_paths; i++)
                printf("%s%s", i ? ":" : "", answer->metadata->paths[i]);
        printf(" %s\n", answer->text ? answer->text : "");
        n_told++;
}

static void on_gone(uint64_t session, uint32_t writer, void *userdata) {
        printf("gone %" PRIu64 " %" PRIu32 "\n", session, writer);
        n_told++;
}

static ContractEvent event_from_string(const char *s) {
        for (int e = CONTRACT_EVENT_IDENTIFY; e < _CONTRACT_EVENT_MAX; e++)
                if (streq(contract_event_to_string((ContractEvent) e), s))
                        return (ContractEvent) e;
        fprintf(stderr, "no event %s\n", s);
        exit(2);
}

static void add_file_system(const char *path) {
        WriterFileSystem *fs = &file_systems[n_file_systems];
        struct stat st;

        fs->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fs->fd < 0 || fstat(fs->fd, &st) < 0 || n_file_systems >= FILE_SYSTEMS_MAX) {
                perror(path);
                exit(2);
        }
        fs->index = (uint32_t) n_file_systems + 10;
        fs->mount_point = strdup(path);
        fs->type = "test";
        fs->device = st.st_dev;
        n_file_systems++;
}

static int send_event(uint64_t session, uint32_t writer, const char *name, bool by_name) {
        static const char *const volumes[] = {"volume one"};
        char id[64];
        WriterEvent event = {.event = event_from_string(name),
                             .session_id = id,
                             .set_id = "22222222-2222-2222-2222-222222222222",
                             .limit_usec = 30 * USEC_PER_SEC,
                             .by_name = by_name,
                             .outcome = CONTRACT_OUTCOME_COMPLETED,
                             .cause = CONTRACT_CAUSE_RELEASED,
                             .volumes = volumes,
                             .volume_names = volumes,
                             .n_volumes = 1,
                             .file_systems = file_systems,
                             .n_file_systems = n_file_systems};

        (void) snprintf(id, sizeof(id), "session-%" PRIu64, session);
        return writers_send(room, session, writer, &event);
}

static int on_patience(sd_event_source *source, uint64_t usec, void *userdata) {
        printf("nothing happened for 60 s\n");
        exit(3);
}

static int command(const char *line) {
        char verb[32] = "", a[256] = "", b[256] = "", c[256] = "";
        uint64_t session;

        (void) sscanf(line, "%31s %255s %255s %255s", verb, a, b, c);
        session = strtoull(a, NULL, 10);
        if (streq(verb, "fs"))
                add_file_system(a);
        else if (streq(verb, "launch"))
                return writers_launch(room, session, NULL, 0, false);
        else if (streq(verb, "adopt"))
                return writers_adopt(room, session, (const char *const[]){b}, 1);
        else if (streq(verb, "send") || streq(verb, "byname"))
                return send_event(session, (uint32_t) atoi(b), c, streq(verb, "byname"));
        else if (streq(verb, "stop"))
                return writers_stop(room, session, (uint32_t) atoi(b));
        else if (streq(verb, "release"))
                writers_release(room, session);
        else if (streq(verb, "idle"))
                awaiting_idle = true;
        else if (streq(verb, "wait"))
                n_awaited = (size_t) session;
        else if (*verb)
                return -EINVAL;
        return 0;
}

static int on_input(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        ssize_t n;

        n = read(fd, input + n_input, sizeof(input) - n_input - 1);
        if (n <= 0) {
                at_end = true;
                return sd_event_source_set_enabled(source, SD_EVENT_OFF);
        }
        n_input += (size_t) n;
        return 0;
}

/* Commands, until one waits for something. Return: whether there may be more to do. */
static bool run_commands(void) {
        char *end;

        for (;;) {
                if (awaiting_idle && writers_busy(room))
                        return true;
                if (awaiting_idle)
                        printf("idle\n");
                awaiting_idle = false;
                if (n_told < n_awaited)
                        return true;
                end = memchr(input, '\n', n_input);
                if (!end)
                        return !at_end;
                *end = 0;
                if (command(input) < 0)
                        printf("refused %s\n", input);
                n_input -= (size_t) (end + 1 - input);
                memmove(input, end + 1, n_input);
        }
}

static int run(void) {
        sd_event_source *source;
        int r = 0;

        while (r >= 0 && run_commands()) {
                (void) fflush(stdout);
                r = sd_event_add_time_relative(loop, &source, CLOCK_BOOTTIME, PATIENCE, 0, on_patience,
                                               NULL);
                if (r >= 0)
                        r = sd_event_run(loop, UINT64_MAX);
                sd_event_source_disable_unref(source);
        }
        return r;
}

int main(int argc, char **argv) {
        WritersConfig config = {.listen_fd = -1,
                                .launch_limit_usec = 20 * USEC_PER_SEC,
                                .launched = on_launched,
                                .answered = on_answered,
                                .gone = on_gone};
        sd_bus *bus = NULL;
        int r;

        if (argc < 4)
                return 2;
        config.launcher = streq(argv[1], "systemd") ? WRITERS_LAUNCHER_SYSTEMD : WRITERS_LAUNCHER_FORK;
        config.socket_path = argv[2];
        config.descriptor_dirs = (const char *const *) argv + 3;
        r = sd_event_new(&loop);
        if (r >= 0)
                r = writers_new(&room, loop, &config);
        if (r >= 0 && config.launcher == WRITERS_LAUNCHER_SYSTEMD) {
                r = sd_bus_open_system(&bus);
                if (r >= 0)
                        r = sd_bus_attach_event(bus, loop, 0);
                if (r >= 0)
                        r = writers_set_bus(room, bus);
        }
        if (r >= 0)
                r = sd_event_add_io(loop, NULL, STDIN_FILENO, EPOLLIN, on_input, NULL);
        if (r >= 0)
                r = run();
        writers_free(room);
        sd_bus_flush_close_unref(bus);
        if (r < 0)
                fprintf(stderr, "writers-driver: %s\n", strerror(-r));
        return r < 0;
}
