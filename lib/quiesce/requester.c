/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The requester's session as an object, and how its calls travel: without a time limit, waiting in the
 * caller's own event loop if it has one.
 *
 * Promise: nothing is decided here. Which call is legal when is quiesced's business; its answer is passed on
 * as it is.
 */

#include "quiesce/requester.h"

#include "quiesce/requester-internal.h"
#include "util/error.h"
#include "util/texts.h"

#define SESSION_PREFIX QUIESCE_BUS_PATH "/session/"

typedef struct PendingCall {
        sd_bus_message *reply;
} PendingCall;

/**
 * quiesce_backup_new() - make a backup session that is not open yet
 * @ret:        the session; end with quiesce_backup_free()
 * @bus:        connection to the system bus; a reference is taken
 *
 * Mirrors CreateVssBackupComponents() and InitializeForBackup().
 *
 * Return: 0; -ENOMEM.
 */
_public_ int quiesce_backup_new(QuiesceBackup **ret, sd_bus *bus) {
        QuiesceBackup *backup;

        if (!ret || !bus)
                return -EINVAL;
        backup = calloc(1, sizeof(*backup));
        if (!backup)
                return error_origin(-ENOMEM);
        backup->bus = sd_bus_ref(bus);
        *ret = backup;
        return 0;
}

/**
 * quiesce_backup_free() - forget a session
 * @backup:     session or NULL
 *
 * Sends nothing: a session that was not released lives until the bus connection ends.
 *
 * Return: NULL.
 */
_public_ QuiesceBackup *quiesce_backup_free(QuiesceBackup *backup) {
        if (!backup)
                return NULL;
        sd_bus_unref(backup->bus);
        free(backup->path);
        free(backup->id);
        free(backup);
        return NULL;
}

/**
 * quiesce_backup_set_wait() - wait in the caller's event loop
 * @backup:     the session
 * @wait:       runs the loop once; NULL: block on the bus alone
 * @userdata:   its argument
 */
_public_ void quiesce_backup_set_wait(QuiesceBackup *backup, QuiesceWait wait, void *userdata) {
        backup->wait = wait;
        backup->wait_userdata = userdata;
}

/**
 * quiesce_backup_get_path() - the session's object path
 * @backup:     the session
 *
 * Return: the path, the session's own; NULL if it is not open.
 */
_public_ const char *quiesce_backup_get_path(const QuiesceBackup *backup) {
        return backup->path;
}

/**
 * quiesce_backup_get_id() - the session's UUID as text
 * @backup:     the session
 *
 * Return: the id, the session's own; NULL if it is not open.
 */
_public_ const char *quiesce_backup_get_id(const QuiesceBackup *backup) {
        return backup->id;
}

static int call_answered(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        PendingCall *pending = userdata;

        pending->reply = sd_bus_message_ref(reply);
        return 1;
}

/* Let the bus, or the caller's loop with the bus in it, do one thing. */
static int backup_wait(QuiesceBackup *backup) {
        int r;

        if (backup->wait)
                return error_trace(backup->wait(backup->wait_userdata));
        r = sd_bus_process(backup->bus, NULL);
        if (r < 0)
                return error_trace(r);
        if (r > 0)
                return 0;
        return error_trace(sd_bus_wait(backup->bus, UINT64_MAX));
}

/**
 * requester_call() - send a call and wait for its answer as long as it takes
 * @backup:     the session
 * @call:       the message
 * @ret_reply:  the answer, to be unreferenced; may be NULL
 * @error:      gets the error that was answered; may be NULL
 *
 * Return: 0; what the caller's wait function returned to end the call; else a negative errno.
 */
int requester_call(QuiesceBackup *backup, sd_bus_message *call, sd_bus_message **ret_reply,
                   sd_bus_error *error) {
        PendingCall pending = {};
        sd_bus_slot *slot = NULL;
        int r;

        r = sd_bus_call_async(backup->bus, &slot, call, call_answered, &pending, UINT64_MAX);
        while (r >= 0 && !pending.reply)
                r = backup_wait(backup);
        sd_bus_slot_unref(slot);
        if (!pending.reply)
                return error_trace(r);
        if (sd_bus_message_is_method_error(pending.reply, NULL)) {
                r = -sd_bus_message_get_errno(pending.reply);
                if (error)
                        (void) sd_bus_error_copy(error, sd_bus_message_get_error(pending.reply));
                sd_bus_message_unref(pending.reply);
                return error_origin(r < 0 ? r : -EIO);
        }
        if (ret_reply)
                *ret_reply = pending.reply;
        else
                sd_bus_message_unref(pending.reply);
        return 0;
}

/**
 * requester_end() - make a call that has nothing more to end once quiesced has gone
 * @backup:     the session
 * @interface:  of the session's object
 * @member:     the method, without arguments but options
 * @error:      gets the error that was answered; may be NULL
 *
 * The session ended with the quiesced that had it, so a bus name that nobody owns is a success. What a
 * session leaves behind is then the next quiesced's, which looks whether the caller is still on the bus.
 *
 * Return: 0 or a negative errno.
 */
int requester_end(QuiesceBackup *backup, const char *interface, const char *member, sd_bus_error *error) {
        sd_bus_error answered = SD_BUS_ERROR_NULL;
        int r;

        r = requester_call_simple(backup, interface, member, NULL, &answered);
        if (sd_bus_error_has_name(&answered, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
            sd_bus_error_has_name(&answered, SD_BUS_ERROR_SERVICE_UNKNOWN))
                r = 0;
        else if (error && sd_bus_error_is_set(&answered))
                (void) sd_bus_error_move(error, &answered);
        sd_bus_error_free(&answered);
        return error_trace(r);
}

/**
 * quiesce_backup_new_call() - an empty call of a method of this session
 * @backup:     the session, open
 * @ret:        the message, to be filled with arguments
 * @interface:  QUIESCE_BUS_SESSION or QUIESCE_BUS_BACKUP
 * @member:     the method
 *
 * It starts no quiesced: one that is started has not this session, and whoever has stopped it wants it to
 * stay so.
 *
 * Return: 0; -ENOTCONN if the session is not open.
 */
_public_ int quiesce_backup_new_call(QuiesceBackup *backup, sd_bus_message **ret, const char *interface,
                                     const char *member) {
        int r;

        if (!backup->path)
                return error_origin(-ENOTCONN);
        r = sd_bus_message_new_method_call(backup->bus, ret, QUIESCE_BUS_NAME, backup->path, interface,
                                           member);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(*ret, false);
        return error_trace(r < 0 ? r : 0);
}

/**
 * quiesce_backup_call() - make a call from quiesce_backup_new_call() and wait for its answer
 * @backup:     the session
 * @call:       the message
 * @ret_reply:  the answer, to be unreferenced; may be NULL
 * @error:      gets the error that was answered; may be NULL
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_backup_call(QuiesceBackup *backup, sd_bus_message *call, sd_bus_message **ret_reply,
                                 sd_bus_error *error) {
        return error_trace(requester_call(backup, call, ret_reply, error));
}

/**
 * quiesce_backup_call_async() - make a call without waiting and without a time limit
 * @backup:     the session
 * @ret_slot:   takes the answer's handler back when unreferenced; NULL: it lives until the answer
 * @call:       the message
 * @callback:   called from the bus's event loop with the answer
 * @userdata:   its argument
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_backup_call_async(QuiesceBackup *backup, sd_bus_slot **ret_slot, sd_bus_message *call,
                                       sd_bus_message_handler_t callback, void *userdata) {
        int r;

        r = sd_bus_call_async(backup->bus, ret_slot, call, callback, userdata, UINT64_MAX);
        return error_trace(r < 0 ? r : 0);
}

/**
 * requester_call_simple() - call a method that takes options alone, and give it none
 * @backup:     the session
 * @interface:  of the session's object
 * @member:     the method
 * @ret_reply:  the answer, to be unreferenced; may be NULL
 * @error:      gets the error that was answered; may be NULL
 *
 * Return: 0 or a negative errno.
 */
int requester_call_simple(QuiesceBackup *backup, const char *interface, const char *member,
                          sd_bus_message **ret_reply, sd_bus_error *error) {
        _cleanup_(message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = quiesce_backup_new_call(backup, &call, interface, member);
        if (r >= 0)
                r = sd_bus_message_append(call, "a{sv}", 0);
        if (r >= 0)
                r = requester_call(backup, call, ret_reply, error);
        return error_trace(r < 0 ? r : 0);
}

/* The UUID is the last part of the path, with its dashes turned to underscores. */
static int backup_adopt_path(QuiesceBackup *backup, const char *path) {
        _cleanup_free_ char *copy = NULL, *id = NULL;

        if (strncmp(path, SESSION_PREFIX, strlen(SESSION_PREFIX)) != 0)
                return error_origin(-EBADMSG);
        copy = strdup(path);
        id = strdup(path + strlen(SESSION_PREFIX));
        if (!copy || !id)
                return error_origin(-ENOMEM);
        for (char *c = id; *c; c++)
                if (*c == '_')
                        *c = '-';
        backup->path = TAKE_PTR(copy);
        backup->id = TAKE_PTR(id);
        return 0;
}

/**
 * requester_open() - open a session with quiesced
 * @backup:     the session
 * @member:     the manager's method
 * @document:   its first argument, or NULL: it has none
 * @error:      gets the error that was answered; may be NULL
 *
 * Return: 0; -EALREADY if it is open; else a negative errno.
 */
int requester_open(QuiesceBackup *backup, const char *member, const char *document, sd_bus_error *error) {
        _cleanup_(message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        const char *path;
        int r;

        if (backup->path)
                return error_origin(-EALREADY);
        r = sd_bus_message_new_method_call(backup->bus, &call, QUIESCE_BUS_NAME, QUIESCE_BUS_PATH,
                                           QUIESCE_BUS_MANAGER, member);
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(call, true);
        if (r >= 0 && document)
                r = sd_bus_message_append(call, "s", document);
        if (r >= 0)
                r = sd_bus_message_append(call, "a{sv}", 0);
        if (r >= 0)
                r = requester_call(backup, call, &reply, error);
        if (r >= 0)
                r = sd_bus_message_read(reply, "o", &path);
        if (r < 0)
                return error_trace(r);
        return error_trace(backup_adopt_path(backup, path));
}

/**
 * quiesce_backup_open() - open the session with quiesced
 * @backup:     the session
 * @error:      gets the error that was answered; may be NULL
 *
 * Return: 0; -EALREADY if it is open; else a negative errno.
 */
_public_ int quiesce_backup_open(QuiesceBackup *backup, sd_bus_error *error) {
        return error_trace(requester_open(backup, "OpenBackup", NULL, error));
}

/**
 * quiesce_strv_free() - free a NULL-terminated array of strings
 * @strings:    the array or NULL
 *
 * Return: NULL.
 */
_public_ char **quiesce_strv_free(char **strings) {
        return texts_free(strings);
}
