/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Descriptors: each defect is told with file, line and what; search order, masks, drop-ins, ownership. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <sys/stat.h>

#include "daemon/writers/descriptor.h"
#include "daemon/writers/words.h"
#include "util/macro.h"

static Descriptor *parse(const char *text, size_t n) {
        Descriptor *d = NULL;

        assert_int_equal(descriptor_new(&d, "w", "w.writer"), 0);
        assert_int_equal(descriptor_parse(d, "w.writer", text, n), 0);
        assert_int_equal(descriptor_finish(d), 0);
        return d;
}

#define HOOK   "[Writer]\nHook=/h\nUser=u\n"
#define STATIC "[Writer]\nType=static\n"

typedef struct Defect {
        const char *text, *error;
} Defect;

static void assert_defects(const Defect *defects, size_t n) {
        for (size_t i = 0; i < n; i++) {
                _cleanup_(descriptor_unrefp) Descriptor *d = parse(defects[i].text, strlen(defects[i].text));

                if (!d->error)
                        fail_msg("no defect found in:\n%s", defects[i].text);
                assert_string_equal(d->error, defects[i].error);
        }
}

static void one_defect_each(void **state) {
        static const Defect defects[] = {
                {"",
                 "w.writer: it needs exactly one of Service=, Exec=, Hook=, BusName= and Type=static, not none"},
                {"[Writer]\nHook=/h\n", "w.writer: User= is missing: say as whom it is to run"},
                {"[Writer]\nExec=/h\n", "w.writer: User= is missing: say as whom it is to run"},
                {"[Writer]\nHook=/h\nExec=/e\nUser=u\n",
                 "w.writer: it needs exactly one of Service=, Exec=, Hook=, BusName= and Type=static, not several"},
                {"[Writer]\nService=a.service\nUser=u\n",
                 "w.writer: User= goes with Exec= and Hook=; a.service says itself who it runs as"},
                {"[Writer]\nBusName=org.example.Db\nService=a.service\n",
                 "w.writer: it needs exactly one of Service=, Exec=, Hook=, BusName= and Type=static, not several"},
                {"[Writer]\nBusName=org.example.Db\nUser=u\n",
                 "w.writer: User= goes with Exec= and Hook=; who owns org.example.Db on the bus says itself who "
                 "it runs as"},
                {"[Writer]\nBusName=org.example.Db\nLevel=system\n",
                 "w.writer: Level=system does not go with BusName=: while that level is frozen quiesced does not "
                 "use the bus. Say front-end or back-end, or make it a program that quiesced starts, with "
                 "Service= or Exec="},
                {"[Writer]\nBusName=:1.7\n",
                 "w.writer:2: BusName=:1.7 is no well-known name that a service can own on the bus"},
                {"[Writer]\nBusName=database\n",
                 "w.writer:2: BusName=database is no well-known name that a service can own on the bus"},
                {"[Writer]\nBusName=org.freedesktop.DBus\n",
                 "w.writer:2: BusName=org.freedesktop.DBus is no well-known name that a service can own on the "
                 "bus"},
                {"[Writer]\nBusName=org.example.Db\n[Component]\nName=c\n",
                 "w.writer: [Component], ExcludeFiles=, Restore= and RestoreMethod= go with Type=static; a "
                 "writer with a process says itself what it has"},
                {HOOK "Level=middle\n", "w.writer:4: Level=middle is none of front-end, back-end, system"},
                {HOOK "WritableSnapshots=1\n", "w.writer:4: WritableSnapshots=1 is neither yes nor no"},
                {HOOK "BlocksRevert=yes\n",
                 "w.writer:4: BlocksRevert=yes is neither an absolute path nor a volume such as vg/lv"},
                {HOOK "FreezeWindowSec=0\n",
                 "w.writer:4: FreezeWindowSec=0 is no number of seconds from 1 to 600"},
                {HOOK "FreezeWindowSec=601\n",
                 "w.writer:4: FreezeWindowSec=601 is no number of seconds from 1 to 600"},
                {HOOK "FreezeWindowSec=-1\n",
                 "w.writer:4: FreezeWindowSec=-1 is no number of seconds from 1 to 600"},
                {HOOK "FreezeWindowSec=5s\n",
                 "w.writer:4: FreezeWindowSec=5s is no number of seconds from 1 to 600"},
                {HOOK "\n\nColour=red\n", "w.writer:6: unknown key Colour="},
                {HOOK "User=v\n", "w.writer:4: User= is given twice"},
                {HOOK "[Unit]\nAfter=x\n",
                 "w.writer:5: unknown section [Unit], only [Writer] and [Component] are known"},
                {"Hook=/h\n", "w.writer:1: unknown section [], only [Writer] and [Component] are known"},
                {HOOK "nonsense\n", "w.writer:4: neither [Writer] nor KEY=VALUE"},
                {"[Writer\nHook=/h\nUser=u\n", "w.writer:1: neither [Writer] nor KEY=VALUE"},
                {HOOK "Paths=srv\n", "w.writer:4: Paths=srv is no absolute path"},
                {HOOK "Paths=\"/srv\n",
                 "w.writer:4: Paths= has a quote or a backslash without its other half"},
                {"[Writer]\nUser=u\nHook=h\n", "w.writer:3: Hook=h is no absolute path"},
                {"[Writer]\nUser=u\nExec=h /a\n",
                 "w.writer:3: Exec=h /a does not begin with an absolute path"},
                {"[Writer]\nUser=u\nExec=/h 'a\n",
                 "w.writer:3: Exec= has a quote or a backslash without its other half"},
                {"[Writer]\nUser=-u\nHook=/h\n", "w.writer:2: User=-u is no name of a user"},
                {"[Writer]\nUser=a b\nHook=/h\n", "w.writer:2: User=a b is no name of a user"},
                {"[Writer]\nService=a\n", "w.writer:2: Service=a is no name of a service unit"},
                {"[Writer]\nService=a/b.service\n",
                 "w.writer:2: Service=a/b.service is no name of a service unit"},
                {"[Writer]\nName=v\nHook=/h\nUser=u\n",
                 "w.writer:2: Name=v differs from the file's name, w.writer"},
                {HOOK "Description=\377\n",
                 "w.writer:4: Description= is longer than 511 bytes or is not UTF-8"},
                /* Lines that go on. */
                {HOOK "Level=\n  middle\n",
                 "w.writer:4: Level=middle is none of front-end, back-end, system"},
                {HOOK "Paths=/a\n\t/b\n\tc\n", "w.writer:4: Paths=c is no absolute path"},
                {HOOK "Paths=/a\n # no\n  b\n", "w.writer:4: Paths=b is no absolute path"},
                {HOOK " [Component]\n", "w.writer:3: User=u [Component] is no name of a user"},
                /* Of two the first is told. */
                {HOOK "Level=x\nnonsense\n", "w.writer:4: Level=x is none of front-end, back-end, system"},
                {HOOK "nonsense\nLevel=x\n", "w.writer:4: neither [Writer] nor KEY=VALUE"},
        };

        assert_defects(defects, ELEMENTSOF(defects));
}

static void defects_of_scripts_of_others(void **state) {
        static const Defect defects[] = {
                {HOOK "Flavor=vss\n", "w.writer:4: Flavor=vss is none of qemu-ga, open-vm-tools, run-parts"},
                {HOOK "Flavor=none\n",
                 "w.writer:4: Flavor=none is none of qemu-ga, open-vm-tools, run-parts"},
                {"[Writer]\nExec=/h\nUser=u\nFlavor=qemu-ga\n", "w.writer: Flavor= goes with Hook="},
                {STATIC "Paths=/a\nFlavor=run-parts\n", "w.writer: Flavor= goes with Hook="},
                {HOOK "ThawHook=/t\n", "w.writer: ThawHook= goes with Flavor=open-vm-tools"},
                {HOOK "Flavor=run-parts\nThawHook=/t\n",
                 "w.writer: ThawHook= goes with Flavor=open-vm-tools"},
                {"[Writer]\nExec=/h\nUser=u\nThawHook=/t\n",
                 "w.writer: ThawHook= goes with Flavor=open-vm-tools"},
                {HOOK "Flavor=open-vm-tools\nThawHook=t\n", "w.writer:5: ThawHook=t is no absolute path"},
        };

        assert_defects(defects, ELEMENTSOF(defects));
}

static void defects_of_static_writers(void **state) {
        static const Defect defects[] = {
                {STATIC,
                 "w.writer: Type=static needs Paths= or a [Component]: there is nothing else that tells "
                 "what is to be backed up"},
                {HOOK "Type=static\n",
                 "w.writer: it needs exactly one of Service=, Exec=, Hook=, BusName= and Type=static, not several"},
                {HOOK "Type=dynamic\n", "w.writer:4: Type=dynamic is not static"},
                {HOOK "[Component]\nName=c\n",
                 "w.writer: [Component], ExcludeFiles=, Restore= and RestoreMethod= go with Type=static; a "
                 "writer with a process says itself what it has"},
                {STATIC "Paths=/a\nLevel=system\n",
                 "w.writer: User=, Level=, FreezeWindowSec= and WritableSnapshots= are of a process, and a writer of Type=static "
                 "has none"},
                {STATIC "[Component]\nColour=red\n", "w.writer:4: unknown key Colour="},
                /* Nothing goes on behind a key without a name. */
                {"=x\n [Component]\nName=c\n",
                 "w.writer:1: unknown section [], only [Writer] and [Component] are known"},
                {STATIC "[Component]\nName=a\nName=b\n", "w.writer:5: Name= is given twice"},
                {STATIC "[Component]\nSelectable=perhaps\n",
                 "w.writer:4: Selectable=perhaps is neither yes nor no"},
                {STATIC "[Component]\nName=a\nFiles=srv\n",
                 "w.writer:5: Files=srv is not FOLDER PATTERN recursive, of which the last two may be missing"},
                {STATIC "[Component]\nName=a\nFiles=/a * deep\n",
                 "w.writer:5: Files=/a * deep is not FOLDER PATTERN recursive, of which the last two may be missing"},
                {STATIC "[Component]\nName=a\nFiles='/a\n",
                 "w.writer:5: Files= has a quote or a backslash without its other half"},
                {STATIC "[Component]\nType=folder\nName=a\n",
                 "w.writer: component 1 (a) has a type that is neither database nor filegroup"},
                {STATIC "[Component]\nName=a\n[Component]\nName=a\n",
                 "w.writer: component 2 (a) has a name that another one with the same logical path has"},
                {STATIC "[Component]\nCaption=nameless\n",
                 "w.writer: component 1 () has a name that is empty, too long, not UTF-8 or has a slash in it"},
                {STATIC "Paths=/a\nRestoreMethod=pray\n",
                 "w.writer: it declares a restore method that is not known"},
                {STATIC "Paths=/a\nRestore=maybe\n",
                 "w.writer:4: Restore=maybe is neither always nor never"},
        };

        assert_defects(defects, ELEMENTSOF(defects));
}

static void bytes(void **state) {
        _cleanup_(descriptor_unrefp) Descriptor *nul = NULL, *line = NULL, *file = NULL;
        static char text[DESCRIPTOR_SIZE_MAX + 2];

        nul = parse(HOOK "Paths=/a\0b\n", sizeof(HOOK "Paths=/a\0b\n") - 1);
        assert_string_equal(nul->error, "w.writer:4: a NUL byte");
        memset(text, 'x', 300);
        memcpy(text, HOOK "Paths=/", strlen(HOOK "Paths=/"));
        text[300] = '\n';
        line = parse(text, 301);
        assert_string_equal(line->error,
                            "w.writer:4: the line is too long (198 bytes at most); go on in a next line "
                            "that begins with a blank");
        memset(text, '\n', sizeof(text));
        file = parse(text, sizeof(text));
        assert_string_equal(file->error, "w.writer: longer than 65536 bytes");
}

static void all_keys(void **state) {
        static const char text[] =
                "# a comment\n; another\n[Writer]\nName=w\nDescription=Größe und so\nLevel=system\n"
                "FreezeWindowSec=45\nWritableSnapshots=yes\nExec=/opt/w \"a b\" c\\ d '$x'\nUser=www-data\n"
                "Paths=/a \"/b c\"\nPaths=/d\nBlocksRevert=vg/x\nBlocksRevert=\nBlocksRevert=/a \"/b c\" vg/lv\n";
        _cleanup_(descriptor_unrefp) Descriptor *d = parse(text, strlen(text));

        assert_null(d->error);
        assert_string_equal(d->description, "Größe und so");
        assert_true(d->level_set);
        assert_int_equal(d->level, CONTRACT_LEVEL_SYSTEM);
        assert_int_equal(d->freeze_window_usec, 45 * USEC_PER_SEC);
        assert_true(d->writable_snapshots);
        assert_int_equal(d->kind, DESCRIPTOR_EXEC);
        assert_string_equal(d->exec[0], "/opt/w");
        assert_string_equal(d->exec[1], "a b");
        assert_string_equal(d->exec[2], "c d");
        assert_string_equal(d->exec[3], "$x");
        assert_null(d->exec[4]);
        assert_string_equal(d->user, "www-data");
        assert_int_equal(d->n_paths, 3);
        assert_string_equal(d->paths[1], "/b c");
        assert_string_equal(d->paths[2], "/d");
        assert_int_equal(d->n_blocks_revert, 3);
        assert_string_equal(d->blocks_revert[1], "/b c");
        assert_string_equal(d->blocks_revert[2], "vg/lv");
        assert_null(d->blocks_revert[3]);
        assert_string_equal(d->unit, "quiesced-writer-w.service");
}

/* A value of any length, over lines that begin with a blank; one blank joins them. */
static void long_values(void **state) {
        char text[8192] = "[Writer]\nUser=u\nExec=/opt/w\n", *end = text + strlen(text);
        _cleanup_(descriptor_unrefp) Descriptor *d = NULL;

        for (unsigned i = 1; i < 60; i++)
                end += snprintf(end, (size_t) (text + sizeof(text) - end), "%s%-100u\n",
                                i % 2 ? "  " : "\t\t", i);
        (void) snprintf(end, (size_t) (text + sizeof(text) - end),
                        "\n# no end\n  last\nDescription=a\n b\n");
        d = parse(text, strlen(text));
        assert_null(d->error);
        assert_int_equal(words_count(d->exec), 61);
        assert_string_equal(d->exec[0], "/opt/w");
        assert_string_equal(d->exec[1], "1");
        assert_string_equal(d->exec[59], "59");
        assert_string_equal(d->exec[60], "last");
        assert_string_equal(d->description, "a b");
}

static void bus_writer(void **state) {
        static const char text[] = "[Writer]\nBusName=org.example.Db\nLevel=back-end\nPaths=/srv/db\n"
                                   "FreezeWindowSec=30\n";
        _cleanup_(descriptor_unrefp) Descriptor *d = parse(text, strlen(text));

        assert_null(d->error);
        assert_int_equal(d->kind, DESCRIPTOR_BUS);
        assert_string_equal(descriptor_kind_to_string(d->kind), "bus");
        assert_string_equal(d->bus_name, "org.example.Db");
        assert_int_equal(d->level, CONTRACT_LEVEL_BACK_END);
        assert_int_equal(d->n_paths, 1);
        assert_null(d->unit);
}

static void static_writer(void **state) {
        static const char text[] =
                "[Writer]\nType=static\nDescription=The wiki\nPaths=/srv/wiki\n"
                "ExcludeFiles=/srv/wiki/cache * recursive\nExcludeFiles=/srv/wiki core\n"
                "RestoreMethod=restore-if-not-there\nRestore=never\n"
                "[Component]\nName=pages\nCaption=All pages\nSelectableForRestore=yes\n"
                "Files=/srv/wiki/pages\nFiles=\"/srv/w i\" *.md\n  recursive\n"
                "[Component]\n Type=database\nName=index\nLogicalPath=pages\nSelectable=no\n"
                "Files=/srv/wiki/index *.db\n";
        _cleanup_(descriptor_unrefp) Descriptor *d = parse(text, strlen(text));
        const WriterMetadata *m = d->metadata;

        assert_null(d->error);
        assert_int_equal(d->kind, DESCRIPTOR_STATIC);
        assert_null(d->unit);
        assert_string_equal(m->description, "The wiki");
        assert_int_equal(m->n_paths, 1);
        assert_string_equal(m->paths[0], "/srv/wiki");
        assert_int_equal(m->n_exclude_files, 2);
        assert_true(m->exclude_files[0].recursive);
        assert_string_equal(m->exclude_files[1].pattern, "core");
        assert_false(m->exclude_files[1].recursive);
        assert_string_equal(m->restore_method, "restore-if-not-there");
        assert_true(m->never_restored);
        assert_int_equal(m->n_components, 2);
        assert_string_equal(m->components[0].type, "filegroup");
        assert_string_equal(m->components[0].caption, "All pages");
        assert_true(m->components[0].selectable && m->components[0].selectable_for_restore);
        assert_int_equal(m->components[0].n_files, 2);
        assert_string_equal(m->components[0].files[0].pattern, "*");
        assert_string_equal(m->components[0].files[1].path, "/srv/w i");
        assert_string_equal(m->components[0].files[1].pattern, "*.md");
        assert_true(m->components[0].files[1].recursive);
        assert_string_equal(m->components[1].type, "database");
        assert_string_equal(m->components[1].logical_path, "pages");
        assert_false(m->components[1].selectable || m->components[1].selectable_for_restore);
}

static void drop_in(void **state) {
        static const char more[] = "[Writer]\nHook=\nExec=/e\nPaths=\nPaths=/only\nLevel=back-end\n";
        _cleanup_(descriptor_unrefp) Descriptor *d = NULL;

        assert_int_equal(descriptor_new(&d, "w", "w.writer"), 0);
        assert_int_equal(descriptor_parse(d, "w.writer", HOOK "Paths=/a\n", strlen(HOOK "Paths=/a\n")), 0);
        assert_int_equal(descriptor_parse(d, "w.writer.d/x.conf", more, strlen(more)), 0);
        assert_int_equal(descriptor_finish(d), 0);
        assert_null(d->error);
        assert_int_equal(d->kind, DESCRIPTOR_EXEC);
        assert_int_equal(d->n_paths, 1);
        assert_string_equal(d->paths[0], "/only");
        assert_int_equal(d->level, CONTRACT_LEVEL_BACK_END);
}

/* Directories a and b, a wins. */
typedef struct Tree {
        char root[64], a[80], b[80];
} Tree;

static int tree_setup(void **state) {
        Tree *t = calloc(1, sizeof(*t));

        assert_non_null(t);
        strcpy(t->root, "/tmp/quiesced-test.XXXXXX");
        assert_non_null(mkdtemp(t->root));
        (void) snprintf(t->a, sizeof(t->a), "%s/a", t->root);
        (void) snprintf(t->b, sizeof(t->b), "%s/b", t->root);
        assert_int_equal(mkdir(t->a, 0755) | mkdir(t->b, 0755), 0);
        *state = t;
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static int tree_teardown(void **state) {
        (void) nftw(((Tree *) *state)->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(*state);
        return 0;
}

static void write_file(const char *directory, const char *name, const char *text) {
        char path[256];
        FILE *f;

        (void) snprintf(path, sizeof(path), "%s/%s", directory, name);
        f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(chmod(path, 0644), 0);
}

static void load(const Tree *t, Descriptors *ret) {
        assert_int_equal(descriptors_load(ret, (const char *const[]){t->a, "/nowhere", t->b, NULL}), 0);
}

/* Those that are installed beside the documentation say what they are there for. */
static void examples(void **state) {
        static const struct {
                const char *name;
                HookFlavor flavor;
                bool pair;
        } cases[] = {
                {"qemu-ga", HOOK_FLAVOR_QEMU_GA, false},
                {"open-vm-tools", HOOK_FLAVOR_OPEN_VM_TOOLS, false},
                {"pre-freeze", HOOK_FLAVOR_OPEN_VM_TOOLS, true},
                {"run-parts", HOOK_FLAVOR_RUN_PARTS, false},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const char *source = getenv("srcdir");
                _cleanup_(descriptor_unrefp) Descriptor *d = NULL;
                _cleanup_fclose_ FILE *f = NULL;
                char path[512], text[4096];

                (void) snprintf(path, sizeof(path), "%s/writers.d/hook/%s.writer", source ? source : ".",
                                cases[i].name);
                f = fopen(path, "re");
                assert_non_null(f);
                d = parse(text, fread(text, 1, sizeof(text), f));
                if (d->error)
                        fail_msg("%s: %s", path, d->error);
                assert_int_equal(d->kind, DESCRIPTOR_HOOK);
                assert_int_equal(d->flavor, cases[i].flavor);
                assert_int_equal(d->thaw_hook != NULL, cases[i].pair);
                assert_string_equal(d->user, "root");
        }
}

static void search_order(void **state) {
        const Tree *t = *state;
        Descriptors list;
        char path[256];

        write_file(t->a, "both.writer", "[Writer]\nHook=/from-a\nUser=u\n");
        write_file(t->b, "both.writer", "[Writer]\nHook=/from-b\nUser=u\n");
        write_file(t->b, "alone.writer", HOOK);
        write_file(t->b, "masked.writer", HOOK);
        write_file(t->b, "no-writer.conf", "x");
        write_file(t->b, ".hidden.writer", HOOK);
        write_file(t->b, "bad name.writer", HOOK);
        (void) snprintf(path, sizeof(path), "%s/masked.writer", t->a);
        assert_int_equal(symlink("/dev/null", path), 0);
        (void) snprintf(path, sizeof(path), "%s/both.writer.d", t->b);
        assert_int_equal(mkdir(path, 0755), 0);
        write_file(path, "10.conf", "[Writer]\nDescription=ten\n");
        write_file(path, "20.conf", "[Writer]\nDescription=twenty\n");
        (void) snprintf(path, sizeof(path), "%s/both.writer.d", t->a);
        assert_int_equal(mkdir(path, 0755), 0);
        write_file(path, "20.conf", "[Writer]\nLevel=back-end\n");
        load(t, &list);
        assert_int_equal(list.n_items, 3);
        assert_string_equal(list.items[0]->name, "alone");
        assert_string_equal(list.items[1]->name, "bad name");
        assert_non_null(strstr(list.items[1]->error, "letters, digits"));
        assert_string_equal(list.items[2]->name, "both");
        assert_null(list.items[2]->error);
        assert_string_equal(list.items[2]->hook, "/from-a");
        /* 20.conf of the first directory hides that of the second. */
        assert_string_equal(list.items[2]->description, "ten");
        assert_int_equal(list.items[2]->level, CONTRACT_LEVEL_BACK_END);
        descriptors_done(&list);
}

static void not_to_be_trusted(void **state) {
        const Tree *t = *state;
        Descriptors list;
        char path[256];

        write_file(t->a, "writable.writer", HOOK);
        (void) snprintf(path, sizeof(path), "%s/writable.writer", t->a);
        assert_int_equal(chmod(path, 0664), 0);
        write_file(t->a, "foreign.writer", HOOK);
        (void) snprintf(path, sizeof(path), "%s/foreign.writer", t->a);
        if (geteuid() == 0)
                assert_int_equal(chown(path, 65534, 65534), 0);
        (void) snprintf(path, sizeof(path), "%s/directory.writer", t->a);
        assert_int_equal(mkdir(path, 0755), 0);
        (void) snprintf(path, sizeof(path), "%s/fifo.writer", t->a);
        assert_int_equal(mkfifo(path, 0644), 0);
        (void) snprintf(path, sizeof(path), "%s/link.writer", t->a);
        assert_int_equal(symlink("nowhere", path), 0);
        load(t, &list);
        assert_int_equal(list.n_items, 5);
        assert_non_null(strstr(list.items[0]->error, "directory.writer: no regular file"));
        assert_non_null(strstr(list.items[1]->error, "fifo.writer: no regular file"));
        if (geteuid() == 0)
                assert_non_null(strstr(list.items[2]->error, "foreign.writer: belongs to user 65534"));
        assert_non_null(strstr(list.items[3]->error, "link.writer: cannot be read: No such file"));
        assert_non_null(strstr(list.items[4]->error, "writable.writer: others than its owner may write it"));
        descriptors_done(&list);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_defect_each),
                cmocka_unit_test(defects_of_scripts_of_others),
                cmocka_unit_test(defects_of_static_writers),
                cmocka_unit_test(bytes),
                cmocka_unit_test(all_keys),
                cmocka_unit_test(long_values),
                cmocka_unit_test(bus_writer),
                cmocka_unit_test(static_writer),
                cmocka_unit_test(drop_in),
                cmocka_unit_test(examples),
                cmocka_unit_test_setup_teardown(search_order, tree_setup, tree_teardown),
                cmocka_unit_test_setup_teardown(not_to_be_trusted, tree_setup, tree_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
