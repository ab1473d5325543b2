/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The runner of the `lvm` command: a queue, lanes, and the gate.
 *
 * All decisions are made in one place, the pump, which the event loop calls after every change; so nothing
 * here is ever re-entered, and "no command of ours runs" is one counter. A command is never killed because
 * its user lost interest: LVM killed in the middle leaves devices suspended. Only its deadline ends it.
 */

#include <assert.h>
#include <inttypes.h>

#include "daemon/providers/lvm-command.h"
#include "util/error.h"
#include "util/failpoint.h"
#include "util/log.h"
#include "util/trial-lock.h"
#include "util/utf8.h"

#define LVM_PROGRAM "/sbin/lvm"

struct LvmCommand {
        Lvm *lvm;
        LvmCommand *next;
        char *lane;
        char *argv[LVM_ARGUMENTS_MAX + 2];
        uint64_t limit_usec;
        size_t out_max;
        bool changes, cancelled;
        char *origin_key, *origin_name, *snapshot_lv, *thin_pool_key, *top_key;
        LvmOriginWork work;
        Child *child; /* it runs */
        uint64_t started_usec;
        LvmCommandDone done;
        void *userdata;
};

static LvmCommand *lvm_command_free(LvmCommand *command) {
        if (!command)
                return NULL;
        command->child = child_free(command->child);
        for (size_t i = 0; i < ELEMENTSOF(command->argv); i++)
                free(command->argv[i]);
        free(command->lane);
        free(command->origin_key);
        free(command->origin_name);
        free(command->snapshot_lv);
        free(command->thin_pool_key);
        free(command->top_key);
        (void) fd_close(command->work.lock_fd);
        free(command);
        return NULL;
}
DEFINE_CLEANUP(LvmCommand *, lvm_command_free)

static void lvm_unlink(Lvm *lvm, LvmCommand *command) {
        LvmCommand *before = NULL;

        for (LvmCommand *c = lvm->first; c != command; c = c->next)
                before = c;
        if (before)
                before->next = command->next;
        else
                lvm->first = command->next;
        if (lvm->last == command)
                lvm->last = before;
        command->next = NULL;
}

/* Lines of warning, and what was meant for the log, are left out: people would read them first, and they are
 * not why it failed. */
static void text_append_said(char *text, size_t n_text, const char *said) {
        size_t n = strlen(text);

        while (*said && n + 2 < n_text) {
                size_t length = strcspn(said, "\n");
                const char *line = said + strspn(said, " \t");

                if (line < said + length && strncmp(line, "WARNING", 7) != 0 && *line != '<')
                        n += (size_t) snprintf(text + n, n_text - n, " %.*s", (int) (said + length - line),
                                               line);
                said += length;
                said += *said == '\n';
        }
        utf8_clean(text, n_text);
}

/**
 * lvm_text_of_child() - how a command ended, for people
 * @text:       the text
 * @n_text:     room for it
 * @verb:       the command
 * @result:     how it ended
 * @limit_usec: its deadline, in µs from its start
 */
void lvm_text_of_child(char *text, size_t n_text, const char *verb, const ChildResult *result,
                       uint64_t limit_usec) {
        if (result->error == 0 && result->status == LVM_STATUS_REFUSED) {
                text[0] = '\0';
                text_append_said(text, n_text, result->err);
        } else if (result->error == -ETIMEDOUT)
                (void) snprintf(text, n_text, "lvm %s did not end within %llu s and was killed.", verb,
                                (unsigned long long) (limit_usec / USEC_PER_SEC));
        else if (result->error == -ENOSPC)
                (void) snprintf(text, n_text, "lvm %s printed more than can be read.", verb);
        else if (result->status > 128)
                (void) snprintf(text, n_text, "lvm %s was ended by signal %d.", verb, result->status - 128);
        else {
                (void) snprintf(text, n_text, "lvm %s failed (exit status %d):", verb, result->status);
                text_append_said(text, n_text, result->err);
        }
}

static void command_answer(LvmCommand *command, const LvmAnswer *answer) {
        if (command->done)
                command->done(answer, command->userdata);
}

static int result_error(const ChildResult *result) {
        if (result->error == -ETIMEDOUT)
                return -ETIMEDOUT;
        if (result->status > 128)
                return -EINTR;
        if (result->error == 0 && result->status == LVM_STATUS_REFUSED)
                return -EBUSY;
        return result->error < 0 || result->status != 0 ? -EIO : 0;
}

/* µs; as old as the loop's turn. */
static uint64_t loop_now(const Lvm *lvm) {
        uint64_t now = 0;

        (void) sd_event_now(lvm->event, CLOCK_BOOTTIME, &now);
        return now;
}

static void on_command(Child *child, const ChildResult *result, void *userdata) {
        _cleanup_(lvm_command_freep) LvmCommand *command = userdata;
        LvmAnswer answer = {.out = result->out, .n_out = result->n_out};
        Lvm *lvm = command->lvm;
        char text[CONTRACT_TEXT_MAX] = "";

        if (!lvm)
                return; /* it outlived the runner */
        command->work.lock_fd = fd_close(command->work.lock_fd);
        if (command->work.suspends)
                lvm_rcu_end(lvm->rcu);
        if (command->changes)
                lvm_listings_invalidate(lvm, command->lane);
        lvm_unlink(lvm, command);
        lvm->n_running--;
        log_debug("lvm %s in %s took %" PRIu64 " ms.", command->argv[1], command->lane,
                  (loop_now(lvm) - command->started_usec) / USEC_PER_MSEC);
        answer.error = result_error(result);
        /* Killed, it may have left the origin suspended. */
        if (command->origin_key && answer.error != -ETIMEDOUT && answer.error != -EINTR)
                lvm_origin_end(lvm, command->origin_key);
        if (answer.error < 0) {
                lvm_text_of_child(text, sizeof(text), command->argv[1], result, command->limit_usec);
                answer.text = text + (text[0] == ' ');
        }
        lvm_pump(lvm);
        command_answer(command, &answer);
}

static int command_failpoint(const LvmCommand *command) {
        char place[96];

        if (!ENABLE_FAILPOINTS)
                return 0;
        (void) snprintf(place, sizeof(place), "quiesced.lvm.%s", command->argv[1]);
        return failpoint(place);
}

/* Return: whether it is over already, because no process could be made. */
static bool command_start(LvmCommand *command) {
        ChildSpec spec = {
                .argv = (const char *const *) command->argv,
                .limit_usec = command->limit_usec,
                .out_max = command->out_max,
                .before = command->origin_key || command->top_key ? lvm_origin_prepare : NULL,
                .before_argument = &command->work,
        };
        int r;

        if (command->origin_key) {
                lvm_lock_path(command->lvm, command->lane, command->work.lock_path);
                command->work.resume = lvm_origin_begin(command->lvm, &command->work);
        }
        if (command->work.suspends) {
                lvm_rcu_begin(command->lvm->rcu);
                command->work.lock_fd = trial_lock_open();
        }
        if (command->changes)
                lvm_listings_invalidate(command->lvm, command->lane);
        r = command_failpoint(command);
        if (r == 0)
                r = child_spawn(&command->child, command->lvm->event, &spec, on_command, command);
        if (r < 0) {
                LvmAnswer answer = {.error = r, .out = "", .text = "No process could be made for lvm."};

                if (command->work.suspends)
                        lvm_rcu_end(command->lvm->rcu);
                if (command->origin_key && !command->work.resume)
                        lvm_origin_end(command->lvm, command->origin_key);
                lvm_unlink(command->lvm, command);
                command_answer(command, &answer);
                (void) lvm_command_free(command);
                return true;
        }
        command->lvm->n_running++;
        command->started_usec = loop_now(command->lvm);
        return false;
}

static bool lane_is_busy(const Lvm *lvm, const LvmCommand *command) {
        for (const LvmCommand *c = lvm->first; c != command; c = c->next)
                if (streq(c->lane, command->lane))
                        return true;
        return false;
}

/* Takes one step. Return: whether there may be another. */
static bool pump_once(Lvm *lvm) {
        if (lvm_listings_answer(lvm))
                return true;
        for (LvmCommand *c = lvm->first; c; c = c->next) {
                LvmAnswer answer = {.error = -ECANCELED, .out = "", .text = "It was cancelled."};

                if (!c->cancelled || c->child)
                        continue;
                lvm_unlink(lvm, c);
                command_answer(c, &answer);
                (void) lvm_command_free(c);
                return true;
        }
        if (lvm->gate_closed) {
                LvmGateClosed callback = TAKE_PTR(lvm->gate_callback);

                if (callback && lvm->n_running == 0 && !lvm->configuration)
                        callback(lvm->gate_userdata);
                else
                        lvm->gate_callback = callback;
                return false;
        }
        if (!lvm->first || lvm->configuration)
                return false;
        if (!lvm->configured && lvm_configure(lvm) == 0)
                return false;
        for (LvmCommand *c = lvm->first; c; c = c->next)
                if (!c->child && !lane_is_busy(lvm, c))
                        /* One that could not be started is gone, and its callback may have changed all. */
                        return command_start(c) || lvm->first;
        return false;
}

static int on_pump(sd_event_source *source, void *userdata) {
        Lvm *lvm = userdata;

        /* Off before the step: what it calls may turn the pump on again. */
        (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        if (pump_once(lvm))
                lvm_pump(lvm);
        return 0;
}

/**
 * lvm_pump() - see to it that what can start does
 * @lvm:        after whatever changed in it
 */
void lvm_pump(Lvm *lvm) {
        int r = sd_event_source_set_enabled(lvm->pump, SD_EVENT_ON);

        if (r < 0)
                log_error("lvm: the event loop is broken: %s", strerror(-r));
}

static int command_fill(LvmCommand *command, const LvmCommandSpec *spec, const char *program) {
        size_t n = 0;

        command->lane = strdup(spec->lane);
        command->argv[n++] = strdup(program);
        for (; spec->arguments[n - 1]; n++)
                command->argv[n] = strdup(spec->arguments[n - 1]);
        for (size_t i = 0; i < n; i++)
                if (!command->argv[i])
                        return error_origin(-ENOMEM);
        if (spec->origin_key) {
                command->work.key = command->origin_key = strdup(spec->origin_key);
                command->work.name = command->origin_name = strdup(spec->origin_name);
                command->work.snapshot_vg = command->lane;
                command->work.snapshot_lv = command->snapshot_lv = strdup(spec->snapshot_lv);
                if (!command->origin_key || !command->origin_name || !command->snapshot_lv)
                        return error_origin(-ENOMEM);
        }
        if (spec->thin_pool_key) {
                command->work.thin_pool_key = command->thin_pool_key = strdup(spec->thin_pool_key);
                if (!command->thin_pool_key)
                        return error_origin(-ENOMEM);
        }
        if (spec->top_key) {
                command->work.top_key = command->top_key = strdup(spec->top_key);
                if (!command->top_key)
                        return error_origin(-ENOMEM);
        }
        command->work.thin_id = spec->thin_id;
        command->work.clears = spec->clears;
        command->work.suspends = spec->suspends;
        command->limit_usec = spec->limit_usec;
        command->out_max = spec->out_max;
        command->changes = spec->changes;
        return command->lane ? 0 : error_origin(-ENOMEM);
}

/**
 * lvm_command_new() - have a command run
 * @ret:        it, valid until its callback; for cancel and forget; may be NULL
 * @lvm:        the runner
 * @spec:       the command; copied
 * @done:       called once, from the event loop
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno.
 */
int lvm_command_new(LvmCommand **ret, Lvm *lvm, const LvmCommandSpec *spec, LvmCommandDone done,
                    void *userdata) {
        _cleanup_(lvm_command_freep) LvmCommand *command = NULL;
        int r;

        assert(spec->lane && spec->arguments[0] && spec->limit_usec > 0);
        assert(!(spec->suspends || spec->clears || spec->thin_pool_key) || spec->origin_key);
        assert(!spec->origin_key || (spec->origin_name && spec->snapshot_lv));
        command = calloc(1, sizeof(*command));
        if (!command)
                return error_origin(-ENOMEM);
        command->work.lock_fd = -EBADF;
        r = command_fill(command, spec, lvm->program);
        if (r < 0)
                return error_trace(r);
        command->lvm = lvm;
        command->done = done;
        command->userdata = userdata;
        if (lvm->last)
                lvm->last->next = command;
        else
                lvm->first = command;
        lvm->last = command;
        if (ret)
                *ret = command;
        TAKE_PTR(command);
        lvm_pump(lvm);
        return 0;
}

/**
 * lvm_command_cancel() - end the wait for a command
 * @command:    it
 *
 * If it has not started, it never will, and calls back soon with -ECANCELED. One that runs is waited for.
 */
void lvm_command_cancel(LvmCommand *command) {
        command->cancelled = true;
        lvm_pump(command->lvm);
}

/**
 * lvm_command_forget() - its user goes away
 * @command:    it or NULL; does not call back any more, and does not start if it has not
 */
void lvm_command_forget(LvmCommand *command) {
        if (!command)
                return;
        command->done = NULL;
        lvm_command_cancel(command);
}

/**
 * lvm_spec_add() - one more argument
 * @spec:       of this command
 * @argument:   stays the caller's, as long as the spec is used
 *
 * Return: how many more there is room for.
 */
size_t lvm_spec_add(LvmCommandSpec *spec, const char *argument) {
        size_t n = 0;

        while (spec->arguments[n])
                n++;
        assert(n + 1 < LVM_ARGUMENTS_MAX);
        spec->arguments[n] = argument;
        return LVM_ARGUMENTS_MAX - n - 2;
}

/**
 * lvm_gate_close() - no command of ours may start any more
 * @lvm:        the runner
 * @closed:     called from the event loop once none runs; NULL: nobody waits
 * @userdata:   for @closed
 *
 * Return: 0.
 */
int lvm_gate_close(Lvm *lvm, LvmGateClosed closed, void *userdata) {
        lvm->gate_closed = true;
        lvm->gate_callback = closed;
        lvm->gate_userdata = userdata;
        lvm_pump(lvm);
        return 0;
}

/**
 * lvm_gate_open() - commands may run again
 * @lvm:        the runner
 */
void lvm_gate_open(Lvm *lvm) {
        lvm->gate_closed = false;
        lvm->gate_callback = NULL;
        lvm_pump(lvm);
}

/**
 * lvm_gate_is_closed() - whether commands wait
 * @lvm:        the runner
 *
 * Return: whether they do.
 */
bool lvm_gate_is_closed(const Lvm *lvm) {
        return lvm->gate_closed;
}

/**
 * lvm_new() - a runner
 * @ret:        the runner
 * @event:      loop
 * @program:    to be run instead of LVM's own, by tests; must outlive the runner; or NULL
 *
 * Return: 0, or a negative errno.
 */
int lvm_new(Lvm **ret, sd_event *event, const char *program) {
        _cleanup_(lvm_freep) Lvm *lvm = NULL;
        int r;

        lvm = calloc(1, sizeof(*lvm));
        if (!lvm)
                return error_origin(-ENOMEM);
        lvm->event = sd_event_ref(event);
        lvm->program = program ?: LVM_PROGRAM;
        r = sd_event_add_defer(event, &lvm->pump, on_pump, lvm);
        if (r < 0)
                return error_trace(r);
        r = sd_event_source_set_enabled(lvm->pump, SD_EVENT_OFF);
        if (r < 0)
                return error_trace(r);
        *ret = TAKE_PTR(lvm);
        return 0;
}

/**
 * lvm_free() - end it
 * @lvm:        it or NULL
 *
 * What waits never runs. What runs goes on by itself, and nobody hears of its end: its memory is left to the
 * end of this process.
 *
 * Return: NULL.
 */
Lvm *lvm_free(Lvm *lvm) {
        if (!lvm)
                return NULL;
        lvm->pump = sd_event_source_disable_unref(lvm->pump);
        while (lvm->first) {
                LvmCommand *command = lvm->first;

                lvm_unlink(lvm, command);
                if (command->child)
                        command->lvm = NULL;
                else
                        (void) lvm_command_free(command);
        }
        lvm->configuration = child_free(lvm->configuration);
        while (lvm->listings)
                lvm->listings = lvm_listing_free(lvm->listings);
        lvm->rcu = lvm_rcu_free(lvm->rcu);
        free(lvm->runtime_dir);
        lvm->event = sd_event_unref(lvm->event);
        free(lvm);
        return NULL;
}
