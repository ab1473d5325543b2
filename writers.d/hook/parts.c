/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which files of a directory are scripts, and in which order they are run: as the tool does that they were
 * written for.
 *
 * qemu-ga:        scripts/qemu-guest-agent/fsfreeze-hook of QEMU, with Debian's additions: what is
 * executable and not left over from an editor or a package manager, in the order of the shell's "*".
 * open-vm-tools:  services/plugins/vmbackup/scriptOps.c: every file, strcmp() order. It runs what is not
 *                 executable, too, and fails; here that is found before anything is frozen.
 * run-parts:      run-parts(8) of Debian without options: names of letters, digits, "_" and "-", in the
 * order of the C locale; other files and what is not executable are silently ignored.
 *
 * The shell's order is that of the locale; here it is always that of the C locale. Names that begin with a
 * dot are never run.
 */

#include "writers.d/hook/parts.h"

#include <assert.h>
#include <dirent.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "util/error.h"
#include "util/trust.h"
#include "util/utf8.h"

typedef struct Listing {
        Parts parts;
        HookFlavor flavor;
        const char *hook;
        char *text;
        size_t size;
} Listing;

static int _printf_(2, 3) refuse(Listing *l, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        (void) vsnprintf(l->text, l->size, format, arguments);
        va_end(arguments);
        return PARTS_E_REFUSED;
}

/**
 * parts_done() - free a list
 * @parts: the list, zeroed or from parts_list()
 */
void parts_done(Parts *parts) {
        for (size_t i = 0; i < parts->n_items; i++) {
                free(parts->items[i].path);
                free(parts->items[i].thaw_path);
        }
        free(parts->items);
        *parts = (Parts){};
}

static bool left_over(const char *name) {
        static const char *const suffixes[] = {
                "~",          ".bak",      ".orig",        ".rpmnew",     ".rpmorig",
                ".rpmsave",   ".sample",   ".dpkg-old",    ".dpkg-new",   ".dpkg-tmp",
                ".dpkg-dist", ".dpkg-bak", ".dpkg-backup", ".dpkg-remove"};
        size_t n = strlen(name);

        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
                size_t m = strlen(suffixes[i]);

                if (n >= m && streq(name + n - m, suffixes[i]))
                        return true;
        }
        return false;
}

static bool is_run_parts_name(const char *name) {
        for (const char *c = name; *c; c++)
                if (!(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z') && !(*c >= '0' && *c <= '9') &&
                    *c != '_' && *c != '-')
                        return false;
        return true;
}

static int add(Listing *l, const char *path, const char *thaw_path) {
        Part *items, part = {};
        int r;

        r = trust_check(path, l->text, l->size);
        if (!r && !streq(path, thaw_path))
                r = trust_check(thaw_path, l->text, l->size);
        if (r < 0)
                return refuse(l, "%s cannot be looked at: %s", path, strerror(-r));
        if (r)
                return PARTS_E_REFUSED;
        /* It stands in lines, of notes and of messages. */
        if (strchr(path, '\n') || !utf8_is_valid(path))
                return refuse(l, "%s has a script with a name that is not UTF-8 or has a line break",
                              l->hook);
        if (l->parts.n_items >= PARTS_MAX)
                return refuse(l, "%s has more than %u scripts", l->hook, PARTS_MAX);
        part.path = strdup(path);
        part.thaw_path = strdup(thaw_path);
        items = reallocarray(l->parts.items, l->parts.n_items + 1, sizeof(*items));
        if (items)
                l->parts.items = items;
        if (!items || !part.path || !part.thaw_path) {
                free(part.path);
                free(part.thaw_path);
                return error_origin(-ENOMEM);
        }
        l->parts.items[l->parts.n_items++] = part;
        return 0;
}

static int add_entry(Listing *l, const char *name) {
        _cleanup_free_ char *path = NULL;
        struct stat st;

        if (name[0] == '.' || (l->flavor == HOOK_FLAVOR_QEMU_GA && left_over(name)) ||
            (l->flavor == HOOK_FLAVOR_RUN_PARTS && !is_run_parts_name(name)))
                return 0;
        if (asprintf(&path, "%s/%s", l->hook, name) < 0) {
                path = NULL;
                return error_origin(-ENOMEM);
        }
        if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
                return 0;
        if (access(path, X_OK) < 0)
                return l->flavor == HOOK_FLAVOR_OPEN_VM_TOOLS
                               ? refuse(l, "%s cannot be executed: %m; open-vm-tools runs every file of %s",
                                        path, l->hook)
                               : 0;
        return error_trace(add(l, path, path));
}

static int by_strcmp(const struct dirent **a, const struct dirent **b) {
        return strcmp((*a)->d_name, (*b)->d_name);
}

static int list_directory(Listing *l) {
        struct dirent **entries = NULL;
        int n, r = 0;

        n = scandir(l->hook, &entries, NULL, by_strcmp);
        if (n < 0)
                return errno == ENOMEM ? error_origin(-ENOMEM) : refuse(l, "%s cannot be read: %m", l->hook);
        for (int i = 0; i < n; i++) {
                if (!r)
                        r = add_entry(l, entries[i]->d_name);
                free(entries[i]);
        }
        free(entries);
        return error_trace(r);
}

static int list(Listing *l, const char *thaw_hook) {
        struct stat st;

        if (stat(l->hook, &st) < 0)
                return refuse(l, "%s: %m", l->hook);
        if (!S_ISDIR(st.st_mode) && l->flavor == HOOK_FLAVOR_RUN_PARTS)
                return refuse(l, "%s is no directory, as Flavor=run-parts needs it", l->hook);
        if (!S_ISDIR(st.st_mode) && access(l->hook, X_OK) < 0)
                return refuse(l, "%s cannot be executed: %m", l->hook);
        if (!S_ISDIR(st.st_mode) && thaw_hook && access(thaw_hook, X_OK) < 0)
                return refuse(l, "%s cannot be executed: %m", thaw_hook);
        if (!S_ISDIR(st.st_mode))
                return error_trace(add(l, l->hook, thaw_hook ? thaw_hook : l->hook));
        if (l->flavor == HOOK_FLAVOR_NONE)
                return refuse(l, "%s is a directory; Flavor= says how its scripts are run", l->hook);
        if (thaw_hook)
                return refuse(l, "%s is a directory, ThawHook= goes with a script", l->hook);
        return error_trace(list_directory(l));
}

/**
 * parts_list() - what a hook consists of
 * @ret: the scripts, in the order of freeze, none started; parts_done() them
 * @flavor: whose scripts they are
 * @hook: absolute path of a script or a directory
 * @thaw_hook: of the script that is run for thaw instead of @hook; or NULL
 * @text: why it is refused, for people
 * @size: of text, in bytes
 *
 * Return: 0; PARTS_E_REFUSED: one is not to be trusted, missing, or not as the flavour wants it; -ENOMEM.
 */
int parts_list(Parts *ret, HookFlavor flavor, const char *hook, const char *thaw_hook, char *text,
               size_t size) {
        Listing l = {.flavor = flavor, .hook = hook, .text = text, .size = size};
        int r;

        assert(ret && hook && text && size > 0);

        r = list(&l, thaw_hook);
        if (r) {
                parts_done(&l.parts);
                return error_trace(r);
        }
        *ret = l.parts;
        return 0;
}
