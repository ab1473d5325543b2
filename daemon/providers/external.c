/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The provider "external": writers are frozen, the requester takes the snapshot elsewhere, says so, and they
 * are thawed. quiesced runs no command of a caller's and knows no array: its whole part is the *moment*.
 *
 * In the dark the system bus is not read, so the moment has a socket of its own, which the requester hands
 * over with DoSnapshotSet. There quiesced says "frozen USEC", the time that is left, and the requester
 * answers "done ID" or "failed TEXT". Whatever else happens ends the moment, too: the socket's end, which is
 * also the requester's death, or the time. quiesced shuts the socket down when the moment is over, so that
 * the requester learns that what it goes on to snapshot is not frozen any more.
 *
 * There is one moment at a time on a machine, as there is one creation slot (C3).
 */

#include "daemon/providers/external.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <sys/socket.h>
#include <time.h>

#include "util/error.h"
#include "util/utf8.h"

#define NO_TREE                                                                                              \
        "The snapshot was taken elsewhere, by the requester (provider external): quiesced has no device of " \
        "it. Look into it with the tool that took it."

struct Provider {
        sd_event *event;
        /* the moment, if there is one */
        ProviderVolume *volume; /* the set's first */
        ProviderDone done;      /* NULL: none */
        void *userdata;
        sd_event_source *io, *timer;
};

static uint64_t clock_usec(clockid_t clock) {
        struct timespec ts = {};

        (void) clock_gettime(clock, &ts);
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / NSEC_PER_USEC;
}

/* The callback may give the set up, so it is the last thing done. */
static void moment_end(Provider *provider, ContractError error, const char *text) {
        ProviderDone done = provider->done;
        ProviderSet *set = provider->volume->set;

        provider->done = NULL;
        provider->io = sd_event_source_disable_unref(provider->io);
        provider->timer = sd_event_source_disable_unref(provider->timer);
        /* Somebody may still have copies of either end. */
        (void) shutdown(set->moment_fd, SHUT_RDWR);
        set->moment_fd = fd_close(set->moment_fd);
        done(error == CONTRACT_OK ? NULL : provider->volume, error, text, provider->userdata);
}

/* What stands behind the word, or NULL: the message begins with another one. */
static const char *after_word(const char *message, const char *word) {
        size_t n = strlen(word);

        if (strncmp(message, word, n) != 0 || (message[n] != '\0' && message[n] != ' '))
                return NULL;
        return message[n] == ' ' ? message + n + 1 : message + n;
}

static bool text_is_good(const char *text) {
        for (const char *c = text; *c; c++)
                if (iscntrl((unsigned char) *c))
                        return false;
        return utf8_is_valid(text);
}

static void moment_answered(Provider *provider, const char *message) {
        ProviderSet *set = provider->volume->set;
        char text[CONTRACT_TEXT_MAX];
        const char *said;

        if (!text_is_good(message)) {
                moment_end(provider, CONTRACT_ERROR_INVALID_ARGUMENT,
                           "What the requester said in the moment is no text without control characters.");
        } else if ((said = after_word(message, "done"))) {
                (void) snprintf(set->external_id, sizeof(set->external_id), "%s", said);
                moment_end(provider, CONTRACT_OK, NULL);
        } else if ((said = after_word(message, "failed"))) {
                (void) snprintf(text, sizeof(text), "The requester could not take the snapshot%s%.300s",
                                *said ? ": " : ".", said);
                moment_end(provider, CONTRACT_ERROR_PROVIDER_VETO, text);
        } else
                moment_end(provider, CONTRACT_ERROR_INVALID_ARGUMENT,
                           "What the requester said in the moment begins neither with \"done\" nor with "
                           "\"failed\".");
}

/* Return: whether the moment is over. */
static bool moment_read(Provider *provider) {
        ProviderSet *set = provider->volume->set;
        char message[sizeof(set->external_id) + sizeof("done ")];
        ssize_t n = recv(set->moment_fd, message, sizeof(message), MSG_DONTWAIT | MSG_TRUNC);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return false;
        if (n <= 0)
                moment_end(provider, CONTRACT_ERROR_PROVIDER_VETO,
                           "The requester went away before it had said that the snapshot is taken.");
        else if ((size_t) n >= sizeof(message))
                moment_end(provider, CONTRACT_ERROR_INVALID_ARGUMENT,
                           "What the requester said in the moment is too long.");
        else {
                message[n] = '\0';
                moment_answered(provider, message);
        }
        return true;
}

static int on_moment(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        (void) moment_read(userdata);
        return 0;
}

/* An answer that lies there already was given in time. */
static int on_time(sd_event_source *source, uint64_t usec, void *userdata) {
        Provider *provider = userdata;

        if (!moment_read(provider))
                moment_end(provider, CONTRACT_ERROR_HOLD_WRITES_TIMEOUT,
                           "The requester did not say in time that the snapshot is taken: everything was "
                           "let go, and what it has taken is not consistent. Make it faster, or raise its "
                           "limit and LimitSec= of [External] in quiesced.conf.");
        return 0;
}

static int moment_watch(Provider *provider, const ProviderSet *set) {
        int r;

        r = sd_event_add_io(provider->event, &provider->io, set->moment_fd, EPOLLIN, on_moment, provider);
        if (r >= 0)
                r = sd_event_add_time(provider->event, &provider->timer, CLOCK_BOOTTIME,
                                      set->moment_until_usec, USEC_PER_MSEC, on_time, provider);
        return error_trace(r < 0 ? r : 0);
}

/* COMMIT: everything is frozen. */
static int external_commit(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes,
                           ProviderDone done, void *userdata) {
        ProviderSet *set = volumes[0]->set;
        uint64_t now_usec = clock_usec(CLOCK_BOOTTIME);
        char message[64];
        int r, n;

        assert(!provider->done);
        provider->volume = volumes[0];
        provider->done = done;
        provider->userdata = userdata;
        r = moment_watch(provider, set);
        if (r < 0) {
                provider->io = sd_event_source_disable_unref(provider->io);
                provider->done = NULL;
                return error_trace(r);
        }
        set->instant_realtime_usec = clock_usec(CLOCK_REALTIME);
        n = snprintf(message, sizeof(message), "frozen %" PRIu64,
                     set->moment_until_usec > now_usec ? set->moment_until_usec - now_usec : 0);
        /* One that is gone is seen by reading. */
        (void) send(set->moment_fd, message, (size_t) n, MSG_DONTWAIT | MSG_NOSIGNAL);
        return 0;
}

static int external_begin_prepare(ProviderVolume *volume, ProviderDone done, void *userdata) {
        char text[CONTRACT_TEXT_MAX];

        if (volume->set && volume->set->persistent) {
                done(volume, CONTRACT_ERROR_NOT_SUPPORTED,
                     "A snapshot of provider external is not quiesced's to keep: it is known until its "
                     "session is released. Use context backup or file-share-backup.",
                     userdata);
                return 0;
        }
        if (volume->origin && volume->origin->suspended) {
                (void) snprintf(text, sizeof(text), "%s is suspended by someone else, see dmsetup info.",
                                volume->origin->name);
                done(volume, CONTRACT_ERROR_VOLUME_BUSY, text, userdata);
                return 0;
        }
        free(volume->no_tree);
        volume->no_tree = strdup(NO_TREE);
        if (!volume->no_tree)
                return error_origin(-ENOMEM);
        done(volume, CONTRACT_OK, NULL, userdata);
        return 0;
}

static int external_end_prepare(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes,
                                ProviderDone done, void *userdata) {
        bool has_moment = volumes[0]->set->moment_fd >= 0;

        done(has_moment ? NULL : volumes[0], has_moment ? CONTRACT_OK : CONTRACT_ERROR_NOT_SUPPORTED,
             has_moment
                     ? NULL
                     : "The volumes are of provider external, so DoSnapshotSet needs the option \"moment\": "
                       "the socket over which the requester hears that all is frozen, and says that the "
                       "snapshot is taken.",
             userdata);
        return 0;
}

/* What there is of the snapshot is its requester's. */
static int external_forget(ProviderVolume *volume, ProviderDone done, void *userdata) {
        done(volume, CONTRACT_OK, NULL, userdata);
        return 0;
}

static void external_cancel(ProviderVolume *volume) {
        Provider *provider = volume->provider;

        if (provider->done && provider->volume->set == volume->set)
                moment_end(provider, CONTRACT_ERROR_ABORTED, "The snapshot set was given up.");
}

/* Only its file systems are held, and they are frozen by writers alone. */
static int external_describe_hold(const ProviderVolume *volume, HoldVolume *ret,
                                  const char **ret_lock_path) {
        *ret = (HoldVolume){.kind = HOLD_VOLUME_FILE_SYSTEMS};
        (void) snprintf(ret->origin_uuid, sizeof(ret->origin_uuid), "%.*s", (int) HOLD_UUID_MAX - 1,
                        volume->name);
        *ret_lock_path = NULL;
        return 0;
}

const ProviderOps provider_external_ops = {
        .name = PROVIDER_EXTERNAL_NAME,
        .op =
                {
                        [PROVIDER_BEGIN_PREPARE] = external_begin_prepare,
                        [PROVIDER_ABORT] = external_forget,
                        [PROVIDER_DELETE] = external_forget,
                },
        .set_op =
                {
                        [PROVIDER_END_PREPARE] = external_end_prepare,
                        [PROVIDER_COMMIT] = external_commit,
                },
        .cancel = external_cancel,
        .describe_hold = external_describe_hold,
        .is_suspended = false,
};

/**
 * provider_external_new() - the provider
 * @ret:        it
 * @event:      loop
 *
 * Return: 0, or a negative errno.
 */
int provider_external_new(Provider **ret, sd_event *event) {
        Provider *provider = calloc(1, sizeof(*provider));

        if (!provider)
                return error_origin(-ENOMEM);
        provider->event = sd_event_ref(event);
        *ret = provider;
        return 0;
}

/**
 * provider_external_free() - end it; its volumes must be gone
 * @provider:   it or NULL
 *
 * Return: NULL.
 */
Provider *provider_external_free(Provider *provider) {
        if (!provider)
                return NULL;
        sd_event_source_disable_unref(provider->io);
        sd_event_source_disable_unref(provider->timer);
        sd_event_unref(provider->event);
        free(provider);
        return NULL;
}
