/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* See writers-harness.h. */

#include "writers-harness.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>

#include "util/macro.h"

#define PATIENCE (20 * USEC_PER_SEC)

static void on_launched(uint64_t session, const ContractWriterSpec *writers, size_t n, void *userdata) {
        Room *room = userdata;
        Launched *l;

        assert_true(room->n_launched < TOLD_MAX && n <= ELEMENTSOF(l->writers));
        l = &room->launched[room->n_launched++];
        *l = (Launched){.session = session, .n = n};
        for (size_t i = 0; i < n; i++) {
                (void) snprintf(l->writers[i].name, sizeof(l->writers[i].name), "%s", writers[i].name);
                (void) snprintf(l->writers[i].text, sizeof(l->writers[i].text), "%s",
                                writers[i].text ? writers[i].text : "");
                l->writers[i].level = writers[i].level;
                l->writers[i].available = writers[i].available;
                l->writers[i].window = writers[i].freeze_window_usec;
        }
}

static Told *add_told(Room *room, uint64_t session, uint32_t writer, ContractEvent event) {
        assert_true(room->n_told < TOLD_MAX);
        room->told[room->n_told] = (Told){.session = session, .writer = writer, .event = event};
        return &room->told[room->n_told++];
}

static void on_answered(uint64_t session, uint32_t writer, ContractEvent event, const WriterAnswer *answer,
                        void *userdata) {
        Told *told = add_told(userdata, session, writer, event);

        told->failure = answer->failure;
        (void) snprintf(told->text, sizeof(told->text), "%s", answer->text ? answer->text : "");
        for (size_t i = 0, at = 0;
             answer->metadata && i < answer->metadata->n_paths && at < sizeof(told->paths); i++)
                at += (size_t) snprintf(told->paths + at, sizeof(told->paths) - at, "%s%s", i ? ":" : "",
                                        answer->metadata->paths[i]);
        for (size_t i = 0, at = 0; i < answer->n_frozen && at < sizeof(told->frozen); i++)
                at += (size_t) snprintf(told->frozen + at, sizeof(told->frozen) - at, "%s%u", i ? "," : "",
                                        answer->frozen[i]);
}

static void on_gone(uint64_t session, uint32_t writer, void *userdata) {
        (void) add_told(userdata, session, writer, CONTRACT_EVENT_NONE);
}

int room_setup(void **state) {
        Room *room;

        room = calloc(1, sizeof(*room));
        assert_non_null(room);
        (void) snprintf(room->directory, sizeof(room->directory), "/tmp/quiesced-test.XXXXXX");
        assert_non_null(mkdtemp(room->directory));
        (void) snprintf(room->writers_d, sizeof(room->writers_d), "%s/writers.d", room->directory);
        (void) snprintf(room->socket, sizeof(room->socket), "%s/writers", room->directory);
        (void) snprintf(room->log, sizeof(room->log), "%s/log", room->directory);
        /* A name of one length wherever the build is: a descriptor's lines are short. */
        (void) snprintf(room->program, sizeof(room->program), "%s/writer", room->directory);
        assert_int_equal(symlink(TEST_WRITER, room->program), 0);
        assert_int_equal(mkdir(room->writers_d, 0755), 0);
        assert_true(sd_event_new(&room->event) >= 0);
        room->launch_limit_usec = 15 * USEC_PER_SEC;
        *state = room;
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

int room_teardown(void **state) {
        Room *room = *state;

        writers_free(room->writers);
        sd_event_unref(room->event);
        (void) nftw(room->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(room);
        return 0;
}

void room_open(Room *room) {
        WritersConfig config = {
                .descriptor_dirs = (const char *const[]){room->writers_d, NULL},
                .listen_fd = -1,
                .socket_path = room->socket,
                .launcher = WRITERS_LAUNCHER_FORK,
                .launch_limit_usec = room->launch_limit_usec,
                .launched = on_launched,
                .answered = on_answered,
                .gone = on_gone,
                .userdata = room,
        };

        assert_int_equal(writers_new(&room->writers, room->event, &config), 0);
}

void room_add_descriptor(Room *room, const char *name, const char *format, ...) {
        char path[256];
        va_list arguments;
        FILE *f;

        (void) snprintf(path, sizeof(path), "%s/%s.writer", room->writers_d, name);
        f = fopen(path, "we");
        assert_non_null(f);
        va_start(arguments, format);
        assert_true(vfprintf(f, format, arguments) >= 0);
        va_end(arguments);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(chmod(path, 0644), 0);
}

void room_add_writer(Room *room, const char *name, const char *arguments) {
        room_add_descriptor(room, name, "[Writer]\nUser=root\nExec=%s log=%s %s\n", room->program, room->log,
                            arguments);
}

static int on_patience(sd_event_source *source, uint64_t usec, void *userdata) {
        fail_msg("nothing happened for 20 s");
        return 0;
}

static void turn(Room *room) {
        sd_event_source *source = NULL;

        assert_true(sd_event_add_time_relative(room->event, &source, CLOCK_BOOTTIME, PATIENCE, 0,
                                               on_patience, NULL) >= 0);
        assert_true(sd_event_run(room->event, UINT64_MAX) >= 0);
        sd_event_source_disable_unref(source);
}

const Launched *room_launch(Room *room, uint64_t session) {
        size_t n = room->n_launched;

        assert_int_equal(writers_launch(room->writers, session, NULL, 0, false), 0);
        assert_int_equal(room->n_launched, n);
        while (room->n_launched == n)
                turn(room);
        assert_int_equal(room->launched[n].session, session);
        return &room->launched[n];
}

static void send(Room *room, uint64_t session, uint32_t writer, ContractEvent event, bool by_name) {
        WriterEvent e = {.event = event,
                         .session_id = "11111111-1111-1111-1111-111111111111",
                         .set_id = "22222222-2222-2222-2222-222222222222",
                         .limit_usec = 10 * USEC_PER_SEC,
                         .by_name = by_name,
                         .outcome = CONTRACT_OUTCOME_ABORTED,
                         .cause = CONTRACT_CAUSE_ADMINISTRATOR};
        size_t n = room->n_told;

        assert_int_equal(writers_send(room->writers, session, writer, &e), 0);
        assert_int_equal(room->n_told, n);
}

void room_send(Room *room, uint64_t session, uint32_t writer, ContractEvent event) {
        send(room, session, writer, event, false);
}

void room_send_by_name(Room *room, uint64_t session, uint32_t writer, ContractEvent event) {
        send(room, session, writer, event, true);
}

const Told *room_wait_told(Room *room, size_t n) {
        while (room->n_told < n)
                turn(room);
        return &room->told[n - 1];
}

const Told *room_ask(Room *room, uint64_t session, uint32_t writer, ContractEvent event) {
        size_t n = room->n_told;

        room_send(room, session, writer, event);
        return room_wait_told(room, n + 1);
}

void room_wait_idle(Room *room) {
        while (writers_busy(room->writers))
                turn(room);
}

static const char *read_log(Room *room) {
        static char text[65536];
        int fd;
        ssize_t n = 0;

        fd = open(room->log, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
                n = read(fd, text, sizeof(text) - 1);
                close(fd);
        }
        text[n > 0 ? n : 0] = 0;
        return text;
}

unsigned room_count_log(Room *room, const char *text) {
        unsigned n = 0;

        for (const char *s = read_log(room); (s = strstr(s, text)); s++)
                n++;
        return n;
}

const char *room_wait_log(Room *room, const char *text, unsigned n) {
        /* The log is written by processes that may not be ours any more: looked at every 10 ms, 20 s long.
         */
        for (unsigned i = 0; room_count_log(room, text) < n; i++) {
                if (i >= 2000)
                        fail_msg("the log never held \"%s\" %u times:\n%s", text, n, read_log(room));
                assert_true(sd_event_run(room->event, 10 * USEC_PER_MSEC) >= 0);
        }
        return read_log(room);
}

pid_t room_pid_of(Room *room, const char *name) {
        const char *line = NULL;
        char start[128];
        int pid = 0;

        (void) snprintf(start, sizeof(start), "%s ", name);
        for (const char *s = read_log(room); *s; s = strchr(s, '\n') + 1)
                if (strncmp(s, start, strlen(start)) == 0)
                        line = s;
        assert_non_null(line);
        assert_int_equal(sscanf(line, "%*s %*s %*s %*s %*s %*s %*s %d", &pid), 1);
        assert_true(pid > 0);
        return pid;
}
