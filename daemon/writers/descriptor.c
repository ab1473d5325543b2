/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reading the text of a descriptor.
 *
 * inih splits the lines; a reader of ours feeds it, because its own neither counts lines for the handler nor
 * tells that a line was too long. The first defect of a descriptor is kept, with file and line; the rest is
 * still read, so that `Name=` and `Description=` show up in the list.
 */

#include "daemon/writers/descriptor.h"

#include <assert.h>
#include <ini.h>
#include <stdarg.h>

#include "contract/names.h"
#include "daemon/writers/words.h"
#include "util/error.h"
#include "util/utf8.h"

#define FREEZE_WINDOW_MAX 600u /* seconds */

typedef struct Parser {
        Descriptor *descriptor;
        const char *path;
        const char *text;
        size_t n_text, position;
        unsigned line;
        unsigned seen; /* keys of this file, bits by index in keys[] */
        int r;         /* fatal */
} Parser;

typedef int (*KeyHandler)(Parser *parser, const char *key, const char *value);

/**
 * descriptor_new() - an empty descriptor
 * @ret: the descriptor, one reference
 * @name: the writer's name
 * @path: of its file, for messages
 *
 * Return: 0 or -ENOMEM.
 */
int descriptor_new(Descriptor **ret, const char *name, const char *path) {
        _cleanup_(descriptor_unrefp) Descriptor *descriptor = NULL;

        descriptor = calloc(1, sizeof(*descriptor));
        if (!descriptor)
                return error_origin(-ENOMEM);
        descriptor->n_ref = 1;
        descriptor->name = strdup(name);
        descriptor->path = strdup(path);
        if (!descriptor->name || !descriptor->path)
                return error_origin(-ENOMEM);
        *ret = TAKE_PTR(descriptor);
        return 0;
}

/**
 * descriptor_ref() - one more user
 * @descriptor: the descriptor
 *
 * Return: the descriptor.
 */
Descriptor *descriptor_ref(Descriptor *descriptor) {
        assert(descriptor && descriptor->n_ref > 0);
        descriptor->n_ref++;
        return descriptor;
}

/**
 * descriptor_unref() - one user less
 * @descriptor: the descriptor, or NULL
 *
 * Return: NULL.
 */
Descriptor *descriptor_unref(Descriptor *descriptor) {
        if (!descriptor || --descriptor->n_ref > 0)
                return NULL;
        words_free(descriptor->exec);
        words_free(descriptor->paths);
        free(descriptor->name);
        free(descriptor->path);
        free(descriptor->description);
        free(descriptor->service);
        free(descriptor->hook);
        free(descriptor->user);
        free(descriptor->unit);
        free(descriptor->error);
        free(descriptor);
        return NULL;
}

/**
 * descriptor_fail() - note a defect; the first one counts
 * @descriptor: the descriptor
 * @path: the file it is in
 * @line: from 1; 0: of the file as a whole
 * @format: what is wrong
 *
 * Return: 0 or -ENOMEM.
 */
int descriptor_fail(Descriptor *descriptor, const char *path, unsigned line, const char *format, ...) {
        _cleanup_free_ char *what = NULL;
        va_list arguments;
        int n;

        if (descriptor->error)
                return 0;
        va_start(arguments, format);
        n = vasprintf(&what, format, arguments);
        va_end(arguments);
        if (n < 0) {
                what = NULL;
                return error_origin(-ENOMEM);
        }
        if (line > 0)
                n = asprintf(&descriptor->error, "%s:%u: %s", path, line, what);
        else
                n = asprintf(&descriptor->error, "%s: %s", path, what);
        if (n < 0) {
                descriptor->error = NULL;
                return error_origin(-ENOMEM);
        }
        utf8_clean(descriptor->error, CONTRACT_TEXT_MAX - 1);
        return 0;
}

#define parser_fail(_p, ...) descriptor_fail((_p)->descriptor, (_p)->path, (_p)->line, __VA_ARGS__)

/* An empty value takes back what an earlier file said. */
static int set_string(char **field, const char *value) {
        char *copy = NULL;

        if (*value) {
                copy = strdup(value);
                if (!copy)
                        return error_origin(-ENOMEM);
        }
        free(*field);
        *field = copy;
        return 0;
}

static int parse_name(Parser *p, const char *key, const char *value) {
        if (!streq(value, p->descriptor->name))
                return parser_fail(p, "Name=%s differs from the file's name, %s.writer", value,
                                   p->descriptor->name);
        return 0;
}

static int parse_description(Parser *p, const char *key, const char *value) {
        if (strlen(value) >= CONTRACT_TEXT_MAX || !utf8_is_valid(value))
                return parser_fail(p, "Description= is longer than %u bytes or is not UTF-8",
                                   CONTRACT_TEXT_MAX - 1);
        return set_string(&p->descriptor->description, value);
}

static int parse_level(Parser *p, const char *key, const char *value) {
        int level;

        level = contract_level_from_string(value);
        if (level < 0)
                return parser_fail(p, "Level=%s is none of front-end, back-end, system", value);
        p->descriptor->level = (ContractLevel) level;
        p->descriptor->level_set = true;
        return 0;
}

static int parse_freeze_window(Parser *p, const char *key, const char *value) {
        unsigned long seconds;
        char *end;

        errno = 0;
        seconds = strtoul(value, &end, 10);
        if (errno || *end || value[0] < '0' || value[0] > '9' || seconds < 1 || seconds > FREEZE_WINDOW_MAX)
                return parser_fail(p, "FreezeWindowSec=%s is no number of seconds from 1 to %u", value,
                                   FREEZE_WINDOW_MAX);
        p->descriptor->freeze_window_usec = seconds * USEC_PER_SEC;
        return 0;
}

static int parse_service(Parser *p, const char *key, const char *value) {
        static const char suffix[] = ".service";
        size_t n = strlen(value);
        bool good = n > strlen(suffix) && n < 250 && streq(value + n - strlen(suffix), suffix);

        for (const char *c = value; *c; c++)
                good = good && ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                                (*c >= '0' && *c <= '9') || strchr(":-_.\\@", *c));
        if (*value && !good)
                return parser_fail(p, "Service=%s is no name of a service unit", value);
        return set_string(&p->descriptor->service, value);
}

static int parse_exec(Parser *p, const char *key, const char *value) {
        char **words = NULL;
        int r;

        if (!*value) {
                p->descriptor->exec = words_free(p->descriptor->exec);
                return 0;
        }
        r = words_split(&words, value, DESCRIPTOR_LIST_MAX);
        if (r == WORDS_E_QUOTES)
                return parser_fail(p, "Exec= has a quote or a backslash without its other half");
        if (r == WORDS_E_TOO_MANY)
                return parser_fail(p, "Exec= has more than %u arguments", DESCRIPTOR_LIST_MAX);
        if (r)
                return error_fold(r);
        words_free(p->descriptor->exec);
        p->descriptor->exec = words;
        if (!words[0] || words[0][0] != '/')
                return parser_fail(p, "Exec=%s does not begin with an absolute path", value);
        return 0;
}

static int parse_hook(Parser *p, const char *key, const char *value) {
        if (*value && value[0] != '/')
                return parser_fail(p, "Hook=%s is no absolute path", value);
        return set_string(&p->descriptor->hook, value);
}

static int parse_user(Parser *p, const char *key, const char *value) {
        bool good = strlen(value) <= 64 && value[0] != '-' && value[0] != '.';

        for (const char *c = value; *c; c++)
                good = good && ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                                (*c >= '0' && *c <= '9') || strchr("_-.", *c));
        if (!good)
                return parser_fail(p, "User=%s is no name of a user", value);
        return set_string(&p->descriptor->user, value);
}

static int parse_paths(Parser *p, const char *key, const char *value) {
        char **words = NULL;
        int r;

        if (!*value) {
                p->descriptor->paths = words_free(p->descriptor->paths);
                p->descriptor->n_paths = 0;
                return 0;
        }
        r = words_split(&words, value, DESCRIPTOR_LIST_MAX);
        if (r == WORDS_E_QUOTES)
                return parser_fail(p, "Paths= has a quote or a backslash without its other half");
        if (r > 0 || (!r && words_count(words) + p->descriptor->n_paths > DESCRIPTOR_LIST_MAX)) {
                words_free(words);
                return parser_fail(p, "Paths= has more than %u entries", DESCRIPTOR_LIST_MAX);
        }
        if (r)
                return error_trace(r);
        for (char **w = words; *w; w++)
                if ((*w)[0] != '/') {
                        r = parser_fail(p, "Paths=%s is no absolute path", *w);
                        words_free(words);
                        return error_trace(r);
                }
        p->descriptor->n_paths += words_count(words);
        return error_trace(words_join(&p->descriptor->paths, words));
}

static const struct {
        const char *key;
        KeyHandler parse;
        bool repeats;
} keys[] = {
        {"Name", parse_name, false},       {"Description", parse_description, false},
        {"Level", parse_level, false},     {"FreezeWindowSec", parse_freeze_window, false},
        {"Service", parse_service, false}, {"Exec", parse_exec, false},
        {"Hook", parse_hook, false},       {"User", parse_user, false},
        {"Paths", parse_paths, true},
};

/* inih's handler: 1 is good. Defects are kept by us, so it is always told 1; its own errors are syntax. */
static int on_key(void *userdata, const char *section, const char *key, const char *value) {
        Parser *p = userdata;
        int r;

        if (p->r < 0)
                return 1;
        if (!streq(section, "Writer"))
                r = parser_fail(p, "unknown section [%s], only [Writer] is known", section);
        else {
                size_t i;

                for (i = 0; i < ELEMENTSOF(keys) && !streq(keys[i].key, key); i++)
                        ;
                if (i == ELEMENTSOF(keys))
                        r = parser_fail(p, "unknown key %s=", key);
                else if (p->seen & (1u << i) && !keys[i].repeats)
                        r = parser_fail(p, "%s= is given twice", key);
                else {
                        p->seen |= 1u << i;
                        r = keys[i].parse(p, key, value);
                }
        }
        p->r = r;
        return 1;
}

/* inih's reader, like fgets(). */
static char *read_line(char *buffer, int size, void *userdata) {
        Parser *p = userdata;
        const char *start = p->text + p->position, *end;
        size_t n = p->n_text - p->position;

        if (n == 0 || p->r < 0)
                return NULL;
        p->line++;
        end = memchr(start, '\n', n);
        if (end)
                n = (size_t) (end - start) + 1;
        p->position += n;
        /* inih cuts longer lines in two, silently. */
        if (n > (size_t) size - 2 || memchr(start, 0, n)) {
                p->r = parser_fail(
                        p, memchr(start, 0, n) ? "a NUL byte" : "the line is too long (%d bytes at most)",
                        size - 2);
                n = 1;
                start = "\n";
        }
        memcpy(buffer, start, n);
        buffer[n] = 0;
        return buffer;
}

/**
 * descriptor_parse() - read one file of a descriptor
 * @descriptor: what the files before said; changed
 * @path: the file, for messages
 * @text: its content, no string: may hold anything
 * @n_text: its length in bytes
 *
 * Return: 0, also if there is a defect: it is in descriptor->error then; -ENOMEM.
 */
int descriptor_parse(Descriptor *descriptor, const char *path, const char *text, size_t n_text) {
        Parser parser = {.descriptor = descriptor, .path = path, .text = text, .n_text = n_text};
        bool clean = !descriptor->error;
        int syntax;

        assert(text || n_text == 0);

        if (n_text > DESCRIPTOR_SIZE_MAX)
                return descriptor_fail(descriptor, path, 0, "longer than %u bytes", DESCRIPTOR_SIZE_MAX);
        syntax = ini_parse_stream(read_line, &parser, on_key, &parser);
        if (parser.r < 0)
                return error_trace(parser.r);
        if (syntax < 0)
                return error_origin(-ENOMEM);
        if (syntax > 0 && clean) {
                unsigned line;

                /* Of two defects the first in the file is told. */
                if (descriptor->error && sscanf(descriptor->error + strlen(path), ":%u:", &line) == 1 &&
                    line <= (unsigned) syntax)
                        return 0;
                free(descriptor->error);
                descriptor->error = NULL;
                return descriptor_fail(descriptor, path, (unsigned) syntax,
                                       "neither [Writer] nor KEY=VALUE");
        }
        return 0;
}

/**
 * descriptor_finish() - check what only the whole tells
 * @descriptor: all its files have been read
 *
 * Return: 0, also if there is a defect; -ENOMEM.
 */
int descriptor_finish(Descriptor *d) {
        unsigned n = (d->service != NULL) + (d->exec != NULL) + (d->hook != NULL);

        d->kind = d->service ? DESCRIPTOR_SERVICE
                  : d->exec  ? DESCRIPTOR_EXEC
                  : d->hook  ? DESCRIPTOR_HOOK
                             : DESCRIPTOR_NO_KIND;
        if (d->service)
                d->unit = strdup(d->service);
        else if (asprintf(&d->unit, "quiesced-writer-%s.service", d->name) < 0)
                d->unit = NULL;
        if (!d->unit)
                return error_origin(-ENOMEM);
        if (n != 1)
                return descriptor_fail(d, d->path, 0,
                                       "it needs exactly one of Service=, Exec= and Hook=, not %s",
                                       n == 0 ? "none" : "several");
        if (d->kind == DESCRIPTOR_SERVICE && d->user)
                return descriptor_fail(d, d->path, 0,
                                       "User= goes with Exec= and Hook=; %s says itself who it runs as",
                                       d->service);
        if (d->kind != DESCRIPTOR_SERVICE && !d->user)
                return descriptor_fail(d, d->path, 0, "User= is missing: say as whom it is to run");
        return 0;
}

/**
 * descriptor_kind_to_string() - the kind's word
 * @kind: the kind
 *
 * Return: a constant.
 */
const char *descriptor_kind_to_string(DescriptorKind kind) {
        static const char *const names[] = {"none", "service", "exec", "hook"};

        assert((size_t) kind < ELEMENTSOF(names));
        return names[kind];
}
