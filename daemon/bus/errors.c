/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Errors on the bus: org.quiesce1.Error.* after the contract's names, with a text for people.
 */

#include <stdarg.h>

#include "daemon/bus/bus.h"

#include "contract/names.h"
#include "util/log.h"

static void error_name(char *target, size_t size, ContractError code) {
        (void) snprintf(target, size, BUS_ERROR "%s", contract_error_to_string(code));
}

/**
 * bus_error_set() - refuse a call from within its handler
 * @error:      the handler's
 * @code:       which
 * @format:     the text: what happened, to which thing, at which step, what to do
 *
 * Return: a negative errno, to be returned by the handler.
 */
int bus_error_set(sd_bus_error *error, ContractError code, const char *format, ...) {
        char name[128], text[1024];
        va_list ap;

        error_name(name, sizeof(name), code);
        va_start(ap, format);
        (void) vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        (void) sd_bus_error_set(error, name, text);
        return -EPROTO;
}

/**
 * bus_error_set_not_found() - there is no such thing, as far as is known
 * @error:      filled in
 * @manager:    the manager; asks LVM again if that could not tell what there is
 * @what:       for people: "snapshot"
 * @id:         what was asked for; 40 characters of it are told
 *
 * Return: -EPROTO.
 */
int bus_error_set_not_found(sd_bus_error *error, Manager *manager, const char *what, const char *id) {
        const char *not_told = manager_get_not_told(manager);

        manager_ask_lvm_again(manager);
        return bus_error_set(
                error, CONTRACT_ERROR_OBJECT_NOT_FOUND, "There is no %s %.40s%s.", what, id,
                not_told ?: " (any more); quiescectl list, or the ObjectManager, shows what there is");
}

/**
 * bus_reply_error() - answer a kept call with an error
 * @call:       the method call
 * @code:       which
 * @text:       for people
 */
void bus_reply_error(sd_bus_message *call, ContractError code, const char *text) {
        char name[128];
        int r;

        error_name(name, sizeof(name), code);
        r = sd_bus_reply_method_errorf(call, name, "%s", text ? text : "");
        if (r < 0 && r != -ENOTCONN)
                log_warning("a call could not be answered, ignoring: %s", strerror(-r));
}

/**
 * bus_reply_sent() - see to it that a call whose answer could not be made gets an error
 * @call:       the method call
 * @r:          how making and sending the answer went
 */
void bus_reply_sent(sd_bus_message *call, int r) {
        if (r >= 0 || r == -ENOTCONN)
                return;
        if (r == -ENOENT) {
                bus_reply_error(
                        call, CONTRACT_ERROR_OBJECT_NOT_FOUND,
                        "There is no such object (any more); quiescectl list, or the ObjectManager, shows what "
                        "there is.");
                return;
        }
        if (r == -E2BIG) {
                bus_reply_error(call, CONTRACT_ERROR_LIMITS_EXCEEDED,
                                "The answer would be larger than it may be; quiesce-document(5) tells how "
                                "large a document is at most. Make two backups of it, with fewer components "
                                "each.");
                return;
        }
        log_warning("the answer to %s could not be made: %s", sd_bus_message_get_member(call), strerror(-r));
        bus_reply_error(call, CONTRACT_ERROR_UNEXPECTED,
                        "The call was carried out, but its answer could not be made.");
}

/**
 * bus_reply_send() - answer a kept call
 * @call:       the method call
 * @reply:      its answer, or NULL
 * @r:          how building the answer went: if not well, the caller gets an error instead
 */
void bus_reply_send(sd_bus_message *call, sd_bus_message *reply, int r) {
        if (r >= 0)
                r = sd_bus_send(sd_bus_message_get_bus(call), reply, NULL);
        bus_reply_sent(call, r);
}
