/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One step after the other: calls, what is expected of them, and the steps that are no calls; see
 * requester.h.
 *
 * Promise: what is expected is looked at for every call, also if nothing is written: then it must succeed.
 */

#include "requester.h"

#include <fcntl.h>

#include "util/error.h"

#define ERROR_PREFIX "org.quiesce1.Error."

enum { HELD, BROKEN, WRONG };

static int wrong(const char *what, const char *why) {
        (void) fprintf(stderr, "quiesce-test-requester: %s: %s\n", what, why);
        return WRONG;
}

static int run_once(void *userdata) {
        Requester *requester = userdata;

        return sd_event_run(requester->event, UINT64_MAX);
}

static void set_id(Requester *requester, unsigned which, const char *id) {
        free(requester->ids[which]);
        requester->ids[which] = id ? strdup(id) : NULL;
}

static void made_free(Made *made) {
        for (Made **place = &made->requester->made; *place; place = &(*place)->next)
                if (*place == made) {
                        *place = made->next;
                        break;
                }
        sd_bus_slot_unref(made->slot);
        sd_bus_message_unref(made->reply);
        free(made->name);
        free(made);
}

static void forget_session(Requester *requester) {
        requester->backup = quiesce_backup_free(requester->backup);
        requester->restore = quiesce_restore_free(requester->restore);
        for (unsigned i = 0; i < ELEMENTSOF(requester->ids); i++)
                set_id(requester, i, NULL);
}

/**
 * requester_clear() - end it; its session ends with its connection
 * @requester:  it
 */
void requester_clear(Requester *requester) {
        while (requester->made)
                made_free(requester->made);
        forget_session(requester);
        (void) script_unref(requester->steps);
        (void) script_unref(requester->rules);
        sd_bus_flush_close_unref(requester->bus);
        sd_event_unref(requester->event);
        free(requester->signals);
}

/* expected: what stands behind "=>", or NULL. */
static int judge(Requester *requester, const char *call, const char *error, const char *text,
                 char *const *expected) {
        _cleanup_free_ char *part = NULL;
        const char *name = error && strncmp(error, ERROR_PREFIX, strlen(ERROR_PREFIX)) == 0
                                   ? error + strlen(ERROR_PREFIX)
                                   : error;
        const char *wanted = expected ? expected[0] : "ok";
        bool held;

        printf("%s %s%s%s\n", call, name ? name : "ok", text[0] ? " " : "", text);
        (void) fflush(stdout);
        if (expected && expected[0] && expected[1]) {
                part = script_join(expected + 1);
                if (!part)
                        return wrong(call, "out of memory");
        }
        held = streq(wanted, "any") || streq(wanted, name ? name : "ok");
        if (held && (!part || strstr(text, part)))
                return HELD;
        (void) fprintf(stderr, "quiesce-test-requester: %s: expected %s%s%s\n", call, wanted,
                       part ? " with: " : "", part ? part : "");
        requester->failed = true;
        return BROKEN;
}

static void note_answer(Requester *requester, const Made *made) {
        const char *id;

        if (sd_bus_message_get_error(made->reply))
                return;
        if (streq(made->name, "StartSnapshotSet") && sd_bus_message_read(made->reply, "s", &id) > 0)
                set_id(requester, ID_SET, id);
        if (streq(made->name, "AddToSnapshotSet") && sd_bus_message_read(made->reply, "s", &id) > 0)
                set_id(requester, ID_SNAPSHOT, id);
        (void) sd_bus_message_rewind(made->reply, true);
}

static int save(const char *path, sd_bus_message *reply) {
        _cleanup_fclose_ FILE *f = fopen(path, "we");
        const char *document;

        if (!f)
                return -errno;
        if (sd_bus_message_read(reply, "s", &document) <= 0 || fputs(document, f) < 0 || fflush(f) != 0)
                return -EIO;
        return 0;
}

static int await_made(Requester *requester, Made *made, const char *save_to, char *const *expected) {
        _cleanup_free_ char *text = NULL;
        const sd_bus_error *error;
        int r;

        while (!made->reply) {
                r = run_once(requester);
                if (r < 0)
                        return wrong(made->name, strerror(-r));
        }
        error = sd_bus_message_get_error(made->reply);
        note_answer(requester, made);
        if (save_to && !error) {
                r = save(save_to, made->reply);
                if (r < 0)
                        return wrong(save_to, strerror(-r));
        } else
                text = error ? strdup(error->message ? error->message : "") : message_to_text(made->reply);
        r = judge(requester, made->name, error ? error->name : NULL, text ? text : "", expected);
        made_free(made);
        return r;
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Made *made = userdata;

        made->reply = sd_bus_message_ref(m);
        return 1;
}

static int make(Requester *requester, char *const *words, Made **ret) {
        sd_bus_message *m = NULL;
        char why[SCRIPT_ERROR_MAX];
        Made *made;
        int r;

        r = call_build(requester, words, &m, why);
        if (r < 0) {
                sd_bus_message_unref(m);
                return wrong(words[0], why);
        }
        made = calloc(1, sizeof(*made));
        if (!made)
                return wrong(words[0], "out of memory");
        made->requester = requester;
        made->name = strdup(words[0]);
        made->next = requester->made;
        requester->made = made;
        if (!made->name)
                r = -ENOMEM;
        else if (requester->backup)
                r = quiesce_backup_call_async(requester->backup, &made->slot, m, on_reply, made);
        else
                r = sd_bus_call_async(requester->bus, &made->slot, m, on_reply, made, UINT64_MAX);
        sd_bus_message_unref(m);
        if (r >= 0)
                r = sd_bus_flush(requester->bus);
        if (r < 0)
                return wrong(words[0], strerror(-r));
        *ret = made;
        return HELD;
}

static char *read_document(const char *path) {
        _cleanup_fclose_ FILE *f = fopen(path, "re");
        char *text = NULL;
        size_t size = 0;

        if (!f || getdelim(&text, &size, '\0', f) < 0) {
                free(text);
                return NULL;
        }
        return text;
}

/* A new session; the one before, if it was not released, lives until the connection ends. */
static int open_session(Requester *requester, char *const *words, char *const *expected) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *document = NULL;
        bool restore = streq(words[0], "OpenRestore");
        int r;

        forget_session(requester);
        if (restore && words[1]) {
                document = read_document(words[1]);
                if (!document)
                        return wrong(words[1], errno ? strerror(errno) : "it is empty");
        }
        if (restore) {
                r = quiesce_restore_new(&requester->restore, requester->bus);
                if (r >= 0)
                        quiesce_restore_set_wait(requester->restore, run_once, requester);
                if (r >= 0)
                        r = quiesce_restore_open(requester->restore, document, &error);
        } else {
                r = quiesce_backup_new(&requester->backup, requester->bus);
                if (r >= 0)
                        quiesce_backup_set_wait(requester->backup, run_once, requester);
                if (r >= 0)
                        r = quiesce_backup_open(requester->backup, &error);
        }
        if (r < 0 && !error.name)
                return wrong(words[0], strerror(-r));
        if (r >= 0) {
                set_id(requester, ID_SESSION,
                       restore ? quiesce_restore_get_id(requester->restore)
                               : quiesce_backup_get_id(requester->backup));
                r = watch_signals(requester);
                if (r < 0)
                        return wrong(words[0], strerror(-r));
        } else
                forget_session(requester);
        return judge(requester, words[0], error.name,
                     error.name                   ? error.message
                     : requester->ids[ID_SESSION] ? requester->ids[ID_SESSION]
                                                  : "",
                     expected);
}

static void on_act(void *userdata) {
        *(bool *) userdata = true;
}

/* Return: HELD, WRONG, or -ENOENT if the words are no common action. */
static int act(Requester *requester, char *const *words) {
        _cleanup_(script_wait_freep) ScriptWait *wait = NULL;
        bool over = false;
        int r;

        r = script_act(&wait, requester->event, requester->directory, words, on_act, &over);
        if (r == -ENOENT)
                return r;
        if (r < 0)
                return wrong(words[0], r == -EINVAL ? "its argument is wrong" : strerror(-r));
        while (r > 0 && !over)
                if (run_once(requester) < 0)
                        return wrong(words[0], "the bus is gone");
        return HELD;
}

/* What the rules say before a call. times: how often to make it. */
static int obey_rules(Requester *requester, const char *call, unsigned *times) {
        char **action;
        size_t at = 0;
        int r;

        *times = 1;
        while ((action = script_next(requester->rules, &at, call, "*"))) {
                if (streq(action[0], "skip"))
                        *times = 0;
                else if (streq(action[0], "repeat")) {
                        if (!action[1] || !script_count(action[1], times))
                                return wrong(action[0], "its argument is no number of times");
                } else {
                        r = act(requester, action);
                        if (r != HELD)
                                return r == -ENOENT ? wrong(action[0], "it is no action here") : r;
                }
        }
        return HELD;
}

static int await_call(Requester *requester, const char *name, char *const *expected) {
        Made *first = NULL;

        for (Made *made = requester->made; made; made = made->next)
                if (streq_ptr(made->name, name))
                        first = made; /* the list begins with the last */
        return first ? await_made(requester, first, NULL, expected)
                     : wrong("await", "no such call is under way");
}

static int await_signal(Requester *requester, char *const *words) {
        _cleanup_free_ char *text = script_join(words);

        while (text && (!requester->signals || !strstr(requester->signals, text)))
                if (run_once(requester) < 0)
                        return wrong("signal", "the bus is gone");
        return text ? HELD : wrong("signal", "out of memory");
}

static int make_call(Requester *requester, char **words, bool behind, char *const *expected) {
        char *save_to = NULL;
        unsigned times;
        Made *made;
        int r;

        r = obey_rules(requester, words[0], &times);
        if (r == HELD && times == 0)
                printf("%s skipped\n", words[0]);
        if (streq(words[0], "SaveDocument") && words[1]) {
                save_to = words[1];
                words[1] = NULL;
        }
        for (unsigned i = 0; i < times && r == HELD; i++) {
                if (streq(words[0], "OpenBackup") || streq(words[0], "OpenRestore")) {
                        r = open_session(requester, words, expected);
                        continue;
                }
                r = make(requester, words, &made);
                if (r == HELD && !behind)
                        r = await_made(requester, made, save_to, expected);
        }
        return r;
}

/* Words with $session, $set, $snapshot in place, and what follows "=>" apart. ids: what these are now; the
 * step may change them. */
static int run_step(Requester *requester, const ScriptLine *line, char *const *ids) {
        static const char *const names[] = {"$session", "$set", "$snapshot"};
        char *words[SCRIPT_WORDS_MAX + 1] = {}, **expected = NULL;
        size_t n = 0;
        bool behind;
        int r;

        for (; n < line->n_words; n++) {
                words[n] = line->words[n];
                for (unsigned i = 0; i < ELEMENTSOF(names); i++)
                        if (streq(words[n], names[i]) && ids[i])
                                words[n] = ids[i];
                if (streq(words[n], "=>")) {
                        words[n] = NULL;
                        expected = line->words + n + 1;
                        if (n == 0 || !expected[0])
                                return wrong("=>", "it needs a call before it and a result behind it");
                        break;
                }
        }
        behind = n > 1 && !expected && streq(words[n - 1], "&");
        if (behind)
                words[--n] = NULL;
        if (streq(words[0], "await") && words[1])
                return await_call(requester, words[1], expected);
        if (streq(words[0], "signal") && words[1])
                return await_signal(requester, words + 1);
        r = act(requester, words);
        if (r != -ENOENT)
                return r;
        if (!call_is_known(words[0]))
                return wrong(words[0], "it is no call and no action");
        return make_call(requester, words, behind, expected);
}

/**
 * run() - carry out the script
 * @requester:  with its steps and rules, and a bus
 *
 * Return: 0: what was expected held; 1: it did not; 2: the script is wrong, or the bus is gone.
 */
int run(Requester *requester) {
        for (size_t i = 0; i < requester->steps->n_lines; i++) {
                char *ids[ELEMENTSOF(requester->ids)];
                int r;

                for (unsigned j = 0; j < ELEMENTSOF(ids); j++)
                        ids[j] = requester->ids[j] ? strdup(requester->ids[j]) : NULL;
                r = run_step(requester, &requester->steps->lines[i], ids);
                for (unsigned j = 0; j < ELEMENTSOF(ids); j++)
                        free(ids[j]);

                if (r == HELD || (r == BROKEN && requester->keep_going))
                        continue;
                if (requester->steps->lines[i].number > 0)
                        (void) fprintf(stderr, "quiesce-test-requester: ended at line %u of the script\n",
                                       requester->steps->lines[i].number);
                return r;
        }
        return requester->failed ? BROKEN : HELD;
}
