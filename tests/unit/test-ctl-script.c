/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Scripts of diskshadow's verbs: words, verbs, their order, variables, and what is said of mistakes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/script-parse.h"

static const char *environment(const char *name) {
        return streq(name, "HOME") ? "/root" : NULL;
}

static Program *parse(const char *text) {
        char error[PROGRAM_ERROR_MAX] = "";
        Program *program = NULL;

        if (program_parse(&program, text, strlen(text), environment, error) != 0)
                fail_msg("%s: %s", text, error);
        return program;
}

static void assert_wrong_bytes(const char *text, size_t size, const char *expected) {
        char error[PROGRAM_ERROR_MAX] = "";
        Program *program = NULL;

        assert_int_equal(program_parse(&program, text, size, environment, error), PROGRAM_E_INVALID);
        assert_null(program);
        if (!strstr(error, expected))
                fail_msg("%s: says \"%s\", not \"%s\"", text, error, expected);
}

static void assert_wrong(const char *text, const char *expected) {
        assert_wrong_bytes(text, strlen(text), expected);
}

/* Microsoft's own example, but for names and the end of its lines. */
static void test_example(void **state) {
        _cleanup_(program_freep) Program *program = parse("#DiskShadow script file\r\n"
                                                          "set context persistent nowriters\r\n"
                                                          "set metadata /var/backups/example.cab\r\n"
                                                          "set verbose on\r\n"
                                                          "begin backup\r\n"
                                                          "add volume / alias systemvolumeshadow\r\n"
                                                          "add volume /srv alias datavolumeshadow\r\n"
                                                          "\r\n"
                                                          "create\r\n"
                                                          "\r\n"
                                                          "expose %systemvolumeshadow% /mnt/p\r\n"
                                                          "expose %datavolumeshadow% /mnt/q\r\n"
                                                          "exec /usr/local/bin/backupscript\r\n"
                                                          "end backup\r\n"
                                                          "#End of script");
        static const ProgramVerb verbs[] = {
                PROGRAM_SET_CONTEXT, PROGRAM_SET_METADATA, PROGRAM_SET_VERBOSE, PROGRAM_BEGIN_BACKUP,
                PROGRAM_ADD_VOLUME,  PROGRAM_ADD_VOLUME,   PROGRAM_CREATE,      PROGRAM_EXPOSE,
                PROGRAM_EXPOSE,      PROGRAM_EXEC,         PROGRAM_END_BACKUP,
        };

        assert_int_equal(program->n_commands, ELEMENTSOF(verbs));
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                assert_int_equal(program->commands[i].verb, verbs[i]);
        assert_int_equal(program->commands[0].line, 2);
        assert_int_equal(program->commands[10].line, 14);
        assert_true(program->commands[0].persistent && program->commands[0].without_writers);
        assert_string_equal(program->commands[5].argument, "/srv");
        assert_string_equal(program->commands[5].alias, "datavolumeshadow");
        assert_string_equal(program->commands[7].name, "expose");
        assert_string_equal(program->commands[7].argument, "%systemvolumeshadow%");
}

static void test_contexts(void **state) {
        static const struct {
                const char *text;
                bool persistent, without_writers;
        } cases[] = {
                {"set context volatile", false, false},
                {"SET CONTEXT Volatile NoWriters", false, true},
                {"set context persistent", true, false},
                {"set context clientaccessible", true, true},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(program_freep) Program *program = parse(cases[i].text);

                assert_int_equal(program->commands[0].persistent, cases[i].persistent);
                assert_int_equal(program->commands[0].without_writers, cases[i].without_writers);
        }
        assert_wrong("set context", "1: set context: it is written set context {");
        assert_wrong("set context persistent writers", "it is written");
        assert_wrong("set context clientaccessible nowriters", "it is written");
}

static void test_words(void **state) {
        _cleanup_(program_freep) Program *program =
                parse("\xef\xbb\xbfREM \"a comment\n"
                      "\texec \"/opt/My \"\"own\"\" copy\"  a\"b c\"d  \"\"  back\\slash\\ #no-comment\n"
                      "  # \"but this\n"
                      "writer exclude System  Writer\n");
        char *const *words = program->commands[0].arguments;

        assert_int_equal(program->n_commands, 2);
        assert_string_equal(words[0], "/opt/My \"own\" copy");
        assert_string_equal(words[1], "ab cd");
        assert_string_equal(words[2], "");
        assert_string_equal(words[3], "back\\slash\\");
        assert_string_equal(words[4], "#no-comment");
        assert_null(words[5]);
        assert_string_equal(program->commands[1].argument, "System Writer");
}

static void test_no_text(void **state) {
        static const char many[] =
                "exec x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x "
                "x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x";
        _cleanup_free_ char *large = calloc(1, PROGRAM_SIZE_MAX + 1);

        memset(large, '\n', PROGRAM_SIZE_MAX + 1);
        assert_wrong("reset\nexec \"a b\nreset\n", "2: a quote is not closed");
        assert_wrong_bytes("reset\0reset", 11, "1: there is a control character");
        assert_wrong("reset \x1b[2J", "1: there is a control character");
        assert_wrong_bytes("\xff\xfer\0", 4, "iconv -f utf-16");
        assert_wrong(many, "1: it has too many words");
        assert_wrong_bytes(large, PROGRAM_SIZE_MAX + 1, "at most 65536 bytes");
        program_free(parse(""));
        program_free(parse("\n\n"));
}

static void test_break_and_revert(void **state) {
        _cleanup_(program_freep) Program *program =
                parse("add volume /srv alias Srv\ncreate\nbreak %VSS_SHADOW_SET%\nBREAK Writable {1-2}\n"
                      "revert {%Srv%}\n");
        const ProgramCommand *commands = program->commands;

        assert_int_equal(program->n_commands, 5);
        assert_int_equal(commands[2].verb, PROGRAM_BREAK);
        assert_false(commands[2].writable);
        assert_string_equal(commands[2].argument, "%VSS_SHADOW_SET%");
        assert_true(commands[3].writable);
        assert_string_equal(commands[3].argument, "1-2");
        assert_int_equal(commands[4].verb, PROGRAM_REVERT);
        assert_string_equal(commands[4].argument, "%Srv%");
        assert_wrong("break", "1: break: it is written break [writable] ID");
        assert_wrong("break writable 1 2", "it is written break [writable] ID");
        assert_wrong("revert", "1: revert: it is written revert ID");
        assert_wrong("revert 1 2", "it is written revert ID");
        assert_wrong("revert %none%", "%none% has no value");
        assert_wrong("break %VSS_SHADOW_SET%", "%VSS_SHADOW_SET% has no value before 'create'");
}

static void test_unknown_verbs(void **state) {
        assert_wrong("reset\n\ndance now", "3: dance: there is no such verb; quiesce-script(5)");
        assert_wrong("add disk c:", "add: it is written add");
        assert_wrong("set", "set: it needs one of context, option, metadata, verbose behind it");
        assert_wrong("delete everything", "delete: everything is none of shadows");
        assert_wrong("create now", "create: it is written create");
        assert_wrong("begin backup full", "begin backup: it is written begin backup");
}

static void test_not_supported(void **state) {
        assert_wrong("import",
                     "1: import: it is not supported (NotSupported): there is no hardware provider");
        assert_wrong("mask {id}", "mask: it is not supported (NotSupported)");
        assert_wrong("set option differential plex", "plex is not supported (NotSupported)");
        assert_wrong("set option transportable", "transportable is not supported (NotSupported)");
        assert_wrong("set option fast", "it is written set option");
        assert_wrong("set option", "it is written set option");
        assert_wrong("list writers detailed", "(NotSupported)");
        assert_wrong("writer verify {4dc3bdd4-ab48-4d07-adb0-3bee2926fd7f}",
                     "a writer has a name here, and no GUID");
        assert_wrong("add volume / provider {b5946137}", "a provider has a name here, and no GUID");
        program_free(parse("set option differential rollbackrecover\nlist writers\nlist writers STATUS"));
}

static void test_windows_names(void **state) {
        assert_wrong("set metadata c:\\x.cab", "c:\\x.cab is a name of Windows");
        assert_wrong("add volume C: alias a", "C: is a name of Windows");
        assert_wrong("add volume \\\\server\\share", "is a name of Windows");
        assert_wrong("exec d:/copy.cmd", "is a name of Windows");
        assert_wrong("expose {1} p:", "p: is a name of Windows");
        assert_wrong("expose {1} share", "exposing as a share is not supported (NotSupported)");
        assert_wrong("delete shadows volume c:\\", "is a name of Windows");
        program_free(parse("add volume test:one\nadd volume vg/c:\nadd volume ./c:"));
}

static void test_variables(void **state) {
        _cleanup_(program_freep) Program *program = parse("add alias Where /mnt/100%%\n"
                                                          "add alias Id {0a6f}\n"
                                                          "add volume %HOME% alias Home1\n"
                                                          "add volume /srv\n"
                                                          "create\n"
                                                          "expose %vss_shadow_2% %WHERE%\n"
                                                          "exec a-%home1%-%VSS_Shadow_Set%\n");

        assert_string_equal(program->commands[1].argument, "0a6f");
        assert_string_equal(program->commands[5].directory, "%WHERE%");
        assert_wrong("add volume /a alias A\nexpose %A% /x", "2: expose: %A% has no value before 'create'");
        assert_wrong("add volume /a\ncreate\nexpose %VSS_SHADOW_2% /x", "%VSS_SHADOW_2% has no value");
        assert_wrong("exec %NOTHING%", "%NOTHING% has no value: 'add alias'");
        assert_wrong("add alias a b\nreset\nexec %a%", "3: exec: %a% has no value");
        assert_wrong("exec 100%", "a '%' begins no variable; %% stands for one");
        program_free(parse("load metadata x\nexec %of-the-document%"));
}

static void test_variable_next(void **state) {
        char name[PROGRAM_NAME_MAX], wide[PROGRAM_NAME_MAX + 3];
        size_t at = 0, begin;

        assert_int_equal(variable_next("a%b%c%%d%e", &at, &begin, name), VARIABLE_E_FOUND);
        assert_int_equal(begin, 1);
        assert_string_equal(name, "b");
        assert_int_equal(variable_next("a%b%c%%d%e", &at, &begin, name), VARIABLE_E_PERCENT);
        assert_int_equal(begin, 5);
        assert_int_equal(variable_next("a%b%c%%d%e", &at, &begin, name), VARIABLE_E_BROKEN);
        assert_int_equal(variable_next("a%b%c%%d%e", &at, &begin, name), 0);
        memset(wide, 'w', sizeof(wide));
        wide[0] = wide[PROGRAM_NAME_MAX + 1] = '%';
        wide[PROGRAM_NAME_MAX + 2] = at = 0;
        assert_int_equal(variable_next(wide, &at, &begin, name), VARIABLE_E_BROKEN);
}

static void test_aliases(void **state) {
        _cleanup_free_ char *many = NULL;
        size_t size;
        FILE *f = open_memstream(&many, &size);

        assert_wrong("add alias 1st x", "1st cannot be an alias");
        assert_wrong("add alias a-b x", "a-b cannot be an alias");
        assert_wrong("add alias path x", "path cannot be an alias");
        assert_wrong("add alias vss_shadow_1 x", "cannot be an alias");
        assert_wrong("add volume / alias a\nadd alias A x", "2: add alias: there is an alias A already");
        assert_wrong("add volume / alias a alias b", "it is written add volume");
        assert_wrong("add volume / alias", "it is written add volume");
        for (unsigned i = 0; i <= PROGRAM_ALIASES_MAX; i++)
                (void) fprintf(f, "add alias a%u x\n", i);
        assert_int_equal(fclose(f), 0);
        assert_wrong(many, "257: add alias: there are 256 aliases already");
        many[size - strlen("add alias a256 x\n")] = '\0';
        program_free(parse(many));
}

static void test_too_many_volumes(void **state) {
        _cleanup_free_ char *many = NULL;
        size_t size;
        FILE *f = open_memstream(&many, &size);

        for (unsigned i = 0; i <= PROGRAM_VOLUMES_MAX; i++)
                (void) fputs("add volume /\n", f);
        assert_int_equal(fclose(f), 0);
        assert_wrong(many, "65: add volume: a set has at most 64 volumes");
}

static void test_order(void **state) {
        static const struct {
                const char *text, *error;
        } cases[] = {
                {"create", "1: create: there is no volume"},
                {"add volume /\ncreate\ncreate", "3: create: the set is made already"},
                {"add volume /\ncreate\nadd volume /",
                 "add volume: it comes before 'create'; 'reset' begins anew"},
                {"add volume /\ncreate\nset context volatile", "set context: it comes before 'create'"},
                {"add volume /\ncreate\nbegin backup", "begin backup: it comes before 'create'"},
                {"add volume /\ncreate\nwriter exclude w", "writer exclude: it comes before 'create'"},
                {"begin backup\nbegin backup", "a backup has begun already"},
                {"end backup", "no backup has begun"},
                {"begin backup\nend backup", "there is no 'create' before it"},
                {"begin backup\nadd volume /\ncreate\nend backup\nend backup",
                 "5: end backup: the backup has ended"},
                {"begin restore", "'load metadata' comes first"},
                {"simulate restore", "'load metadata' comes first"},
                {"end restore", "no restore has begun"},
                {"load metadata x\nbegin restore\nend restore\nend restore",
                 "the restore has ended already"},
                {"load metadata x\nbegin restore\nbegin restore", "a restore has begun"},
                {"load metadata x\nbegin restore\nload metadata x", "3: load metadata: a restore has begun"},
                {"load metadata x\nbegin restore\nadd volume /\n", "it comes before 'begin restore'"},
                {"add volume /\nload metadata x\nbegin restore\ncreate", "4: create: a restore has begun"},
                {"load metadata x\nbegin backup\nbegin restore", "a backup has begun"},
                {"writer verify w\nset context volatile nowriters\nadd volume /\ncreate", "cannot be met"},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_wrong(cases[i].text, cases[i].error);
        program_free(parse("begin backup\nadd volume /\ncreate\nend backup\nreset\n"
                           "load metadata x\nsimulate restore\nbegin restore\nend restore\nreset\n"
                           "add volume /\ncreate\ndelete shadows all\nexit\nwhatever stands \"here"));
}

static void test_which(void **state) {
        static const struct {
                const char *text, *argument;
                ProgramWhich which;
        } cases[] = {
                {"delete shadows all", NULL, PROGRAM_ALL},
                {"delete shadows volume /srv", "/srv", PROGRAM_OF_VOLUME},
                {"Delete Shadows Oldest vg/srv", "vg/srv", PROGRAM_OLDEST},
                {"delete shadows set {0a}", "0a", PROGRAM_OF_SET},
                {"delete shadows id 0a", "0a", PROGRAM_ID},
                {"delete shadows exposed /mnt", "/mnt", PROGRAM_EXPOSED},
                {"list shadows all", NULL, PROGRAM_ALL},
                {"list shadows set 0a", "0a", PROGRAM_OF_SET},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(program_freep) Program *program = parse(cases[i].text);

                assert_int_equal(program->commands[0].which, cases[i].which);
                if (cases[i].argument)
                        assert_string_equal(program->commands[0].argument, cases[i].argument);
                else
                        assert_null(program->commands[0].argument);
        }
        assert_wrong("delete shadows", "it is written delete shadows {all");
        assert_wrong("delete shadows all now", "it is written");
        assert_wrong("delete shadows set", "it is written");
        assert_wrong("delete shadows set {}", "it is written");
        assert_wrong("list shadows oldest /", "it is written list shadows");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_example),
                cmocka_unit_test(test_contexts),
                cmocka_unit_test(test_words),
                cmocka_unit_test(test_no_text),
                cmocka_unit_test(test_break_and_revert),
                cmocka_unit_test(test_unknown_verbs),
                cmocka_unit_test(test_not_supported),
                cmocka_unit_test(test_windows_names),
                cmocka_unit_test(test_variables),
                cmocka_unit_test(test_variable_next),
                cmocka_unit_test(test_aliases),
                cmocka_unit_test(test_too_many_volumes),
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_which),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
