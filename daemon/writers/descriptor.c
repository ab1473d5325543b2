/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reading the text of a descriptor.
 *
 * inih splits the lines; a reader of ours feeds it, because its own neither counts lines for the handler nor
 * tells that a line was too long. The first defect of a descriptor is kept, with file and line; the rest is
 * still read, so that `Name=` and `Description=` show up in the list.
 */

#include "daemon/writers/descriptor-parser.h"

#include <assert.h>
#include <ini.h>
#include <stdarg.h>
#include <systemd/sd-bus.h>

#include "contract/names.h"
#include "daemon/writers/words.h"
#include "util/error.h"
#include "util/texts.h"
#include "util/utf8.h"

#define FREEZE_WINDOW_MAX 600u /* seconds */

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
        texts_free(descriptor->exec);
        texts_free(descriptor->paths);
        texts_free(descriptor->blocks_revert);
        (void) writer_metadata_unref(descriptor->metadata);
        free(descriptor->name);
        free(descriptor->path);
        free(descriptor->description);
        free(descriptor->service);
        free(descriptor->hook);
        free(descriptor->bus_name);
        free(descriptor->thaw_hook);
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

static int parse_type(Parser *p, const char *key, const char *value) {
        if (*value && !streq(value, "static"))
                return parser_fail(p, "Type=%s is not static", value);
        p->descriptor->is_static = *value != '\0';
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

static int parse_writable_snapshots(Parser *p, const char *key, const char *value) {
        if (!streq(value, "yes") && !streq(value, "no"))
                return parser_fail(p, "WritableSnapshots=%s is neither yes nor no", value);
        p->descriptor->writable_snapshots = streq(value, "yes");
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
                p->descriptor->exec = texts_free(p->descriptor->exec);
                return 0;
        }
        r = words_split(&words, value, DESCRIPTOR_LIST_MAX);
        if (r == WORDS_E_QUOTES)
                return parser_fail(p, "Exec= has a quote or a backslash without its other half");
        if (r == WORDS_E_TOO_MANY)
                return parser_fail(p, "Exec= has more than %u arguments", DESCRIPTOR_LIST_MAX);
        if (r)
                return error_fold(r);
        texts_free(p->descriptor->exec);
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

/* A unique name is some process's of the moment, and the bus's own is no writer. */
static int parse_bus_name(Parser *p, const char *key, const char *value) {
        if (*value && (value[0] == ':' || !sd_bus_service_name_is_valid(value) ||
                       streq(value, "org.freedesktop.DBus") || streq(value, "org.quiesce1")))
                return parser_fail(p, "BusName=%s is no well-known name that a service can own on the bus",
                                   value);
        return set_string(&p->descriptor->bus_name, value);
}

static int parse_thaw_hook(Parser *p, const char *key, const char *value) {
        if (*value && value[0] != '/')
                return parser_fail(p, "ThawHook=%s is no absolute path", value);
        return set_string(&p->descriptor->thaw_hook, value);
}

static int parse_flavor(Parser *p, const char *key, const char *value) {
        HookFlavor flavor = hook_flavor_from_string(value);

        if (*value && flavor == HOOK_FLAVOR_NONE)
                return parser_fail(p, "Flavor=%s is none of qemu-ga, open-vm-tools, run-parts", value);
        p->descriptor->flavor = flavor;
        return 0;
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

typedef struct WordList {
        char ***words;
        size_t *n_words;
} WordList;

/* Adds the value's words; an empty value takes all back. */
static int parse_words(Parser *p, const char *key, const char *value, WordList list,
                       bool (*is_good)(const char *word), const char *what) {
        char **words = NULL;
        int r;

        if (!*value) {
                *list.words = texts_free(*list.words);
                *list.n_words = 0;
                return 0;
        }
        r = words_split(&words, value, DESCRIPTOR_LIST_MAX);
        if (r == WORDS_E_QUOTES)
                return parser_fail(p, "%s= has a quote or a backslash without its other half", key);
        if (r > 0 || (!r && words_count(words) + *list.n_words > DESCRIPTOR_LIST_MAX)) {
                texts_free(words);
                return parser_fail(p, "%s= has more than %u entries", key, DESCRIPTOR_LIST_MAX);
        }
        if (r)
                return error_trace(r);
        for (char **w = words; *w; w++)
                if (!is_good(*w)) {
                        r = parser_fail(p, "%s=%s is %s", key, *w, what);
                        texts_free(words);
                        return error_trace(r);
                }
        *list.n_words += words_count(words);
        return error_trace(words_join(list.words, words));
}

static bool is_absolute_path(const char *word) {
        return word[0] == '/';
}

/* A volume is called VG/LV, or PROVIDER:NAME where it is no LVM's. */
static bool is_path_or_volume(const char *word) {
        return is_absolute_path(word) || strpbrk(word, "/:");
}

static int parse_paths(Parser *p, const char *key, const char *value) {
        return parse_words(p, key, value, (WordList){&p->descriptor->paths, &p->descriptor->n_paths},
                           is_absolute_path, "no absolute path");
}

static int parse_blocks_revert(Parser *p, const char *key, const char *value) {
        return parse_words(p, key, value,
                           (WordList){&p->descriptor->blocks_revert, &p->descriptor->n_blocks_revert},
                           is_path_or_volume, "neither an absolute path nor a volume such as vg/lv");
}

static const ParserKey writer_keys[] = {
        {"Name", parse_name, false},
        {"Type", parse_type, false},
        {"Description", parse_description, false},
        {"Level", parse_level, false},
        {"FreezeWindowSec", parse_freeze_window, false},
        {"WritableSnapshots", parse_writable_snapshots, false},
        {"Service", parse_service, false},
        {"Exec", parse_exec, false},
        {"Hook", parse_hook, false},
        {"BusName", parse_bus_name, false},
        {"ThawHook", parse_thaw_hook, false},
        {"Flavor", parse_flavor, false},
        {"User", parse_user, false},
        {"Paths", parse_paths, true},
        {"BlocksRevert", parse_blocks_revert, true},
        {"ExcludeFiles", parse_exclude_files, true},
        {"RestoreMethod", parse_restore_method, false},
        {"Restore", parse_restore, false},
};

/**
 * parser_dispatch() - carry out the key at hand
 * @p:          the parser
 * @keys:       those its section knows
 * @n_keys:     how many
 * @seen:       which of them have come
 *
 * Return: 0, also if there is a defect; -ENOMEM.
 */
int parser_dispatch(Parser *p, const ParserKey *keys, size_t n_keys, unsigned *seen) {
        size_t i;

        for (i = 0; i < n_keys && !streq(keys[i].key, p->key); i++)
                ;
        if (i == n_keys)
                return parser_fail(p, "unknown key %s=", p->key);
        if (*seen & (1u << i) && !keys[i].repeats)
                return parser_fail(p, "%s= is given twice", p->key);
        *seen |= 1u << i;
        return error_trace(keys[i].parse(p, p->key, p->value));
}

/* The value of the key at hand has ended. */
static void finish_key(Parser *p) {
        if (p->key && p->r == 0) {
                if (streq(p->section, "Writer"))
                        p->r = parser_dispatch(p, writer_keys, ELEMENTSOF(writer_keys), &p->seen);
                else if (streq(p->section, "Component"))
                        p->r = parser_component_key(p);
                else
                        p->r = parser_fail(p,
                                           "unknown section [%s], only [Writer] and [Component] are known",
                                           p->section);
        }
        free(p->section);
        free(p->key);
        free(p->value);
        p->section = p->key = p->value = NULL;
}

static int continue_value(Parser *p, const char *more) {
        char *joined;

        if (asprintf(&joined, "%s%s%s", p->value, *p->value ? " " : "", more) < 0)
                return error_origin(-ENOMEM);
        free(p->value);
        p->value = joined;
        return 0;
}

/* inih's handler: 1 is good. Defects are kept by us, so it is always told 1; its own errors are syntax. It
 * gives a line that continues another as one more value of the same key. */
static int on_key(void *userdata, const char *section, const char *key, const char *value) {
        Parser *p = userdata;

        if (p->r < 0)
                return 1;
        if (p->continues && p->has_key && p->key) {
                p->r = continue_value(p, value);
                return 1;
        }
        finish_key(p);
        p->has_key = *key; /* to inih nothing goes on behind one without a name */
        p->key_line = p->line;
        p->key_sections = p->sections;
        p->section = strdup(section);
        p->key = strdup(key);
        p->value = strdup(value);
        if (!p->section || !p->key || !p->value)
                p->r = error_origin(-ENOMEM);
        return 1;
}

/* Sees what inih does not tell: where a section begins, and which lines continue others. */
static void look_at_line(Parser *p, const char *line, size_t n) {
        size_t blanks = 0;

        while (blanks < n && strchr(" \t\r\v\f", line[blanks]))
                blanks++;
        p->continues = blanks > 0;
        if (blanks < n && line[blanks] == '[' && (blanks == 0 || !p->has_key)) {
                p->sections++;
                p->has_key = false;
        }
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
                finish_key(p);
                p->key_line = p->line;
                if (p->r == 0)
                        p->r = parser_fail(
                                p,
                                memchr(start, 0, n)
                                        ? "a NUL byte"
                                        : "the line is too long (%d bytes at most); go on in a next "
                                          "line that begins with a blank",
                                size - 2);
                n = 1;
                start = "\n";
        }
        look_at_line(p, start, n);
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
        finish_key(&parser);
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

/* In the dark, which begins with the first Freeze at level system, nothing goes over the bus. */
static int finish_bus(Descriptor *d) {
        if (d->level_set && d->level == CONTRACT_LEVEL_SYSTEM)
                return descriptor_fail(
                        d, d->path, 0,
                        "Level=system does not go with BusName=: while that level is frozen "
                        "quiesced does not use the bus. Say front-end or back-end, or make it "
                        "a program that quiesced starts, with Service= or Exec=");
        if (d->user)
                return descriptor_fail(d, d->path, 0,
                                       "User= goes with Exec= and Hook=; who owns %s on the bus says itself "
                                       "who it runs as",
                                       d->bus_name);
        return 0;
}

/**
 * descriptor_finish() - check what only the whole tells
 * @descriptor: all its files have been read
 *
 * Return: 0, also if there is a defect; -ENOMEM.
 */
int descriptor_finish(Descriptor *d) {
        unsigned n = (d->service != NULL) + (d->exec != NULL) + (d->hook != NULL) + (d->bus_name != NULL) +
                     d->is_static;

        d->kind = d->service     ? DESCRIPTOR_SERVICE
                  : d->exec      ? DESCRIPTOR_EXEC
                  : d->hook      ? DESCRIPTOR_HOOK
                  : d->bus_name  ? DESCRIPTOR_BUS
                  : d->is_static ? DESCRIPTOR_STATIC
                                 : DESCRIPTOR_NO_KIND;
        if (d->service)
                d->unit = strdup(d->service);
        else if (d->kind != DESCRIPTOR_BUS && asprintf(&d->unit, "quiesced-writer-%s.service", d->name) < 0)
                d->unit = NULL;
        if (!d->unit && d->kind != DESCRIPTOR_BUS)
                return error_origin(-ENOMEM);
        if (n != 1)
                return descriptor_fail(
                        d, d->path, 0,
                        "it needs exactly one of Service=, Exec=, Hook=, BusName= and Type=static, not %s",
                        n == 0 ? "none" : "several");
        if (d->kind != DESCRIPTOR_HOOK && d->flavor != HOOK_FLAVOR_NONE)
                return descriptor_fail(d, d->path, 0, "Flavor= goes with Hook=");
        if (d->thaw_hook && d->flavor != HOOK_FLAVOR_OPEN_VM_TOOLS)
                return descriptor_fail(d, d->path, 0, "ThawHook= goes with Flavor=open-vm-tools");
        if (d->kind == DESCRIPTOR_STATIC)
                return error_trace(descriptor_finish_static(d));
        if (d->metadata)
                return descriptor_fail(d, d->path, 0,
                                       "[Component], ExcludeFiles=, Restore= and RestoreMethod= go with "
                                       "Type=static; a writer with a process says itself what it has");
        if (d->kind == DESCRIPTOR_BUS)
                return error_trace(finish_bus(d));
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
        static const char *const names[] = {"none", "service", "exec", "hook", "static", "bus"};

        assert((size_t) kind < ELEMENTSOF(names));
        return names[kind];
}
