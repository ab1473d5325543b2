/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Reading descriptors, from within: what descriptor.c and the keys of each section share.
 */

#include "daemon/writers/descriptor.h"

typedef struct Parser {
        Descriptor *descriptor;
        const char *path;
        const char *text;
        size_t n_text, position;
        unsigned line;     /* that is being read */
        unsigned sections; /* headers so far */
        bool continues;    /* the line begins with a blank */
        bool has_key;      /* one has come in this section, with a name */
        int r;             /* fatal */
        /* The key at hand: its value may go on in the next line. */
        char *section, *key, *value;
        unsigned key_line, key_sections;
        unsigned seen; /* keys of [Writer] in this file, bits by index */
        /* The component at hand. */
        unsigned component_sections; /* its header; 0: none yet */
        unsigned component_seen;
} Parser;

typedef int (*KeyHandler)(Parser *parser, const char *key, const char *value);

typedef struct ParserKey {
        const char *key;
        KeyHandler parse;
        bool repeats;
} ParserKey;

#define parser_fail(_p, ...) descriptor_fail((_p)->descriptor, (_p)->path, (_p)->key_line, __VA_ARGS__)

int parser_dispatch(Parser *parser, const ParserKey *keys, size_t n_keys, unsigned *seen);

/* descriptor-static.c: what writers without a process say */
int parse_exclude_files(Parser *parser, const char *key, const char *value);
int parse_restore(Parser *parser, const char *key, const char *value);
int parse_restore_method(Parser *parser, const char *key, const char *value);
int parser_component_key(Parser *parser);
int descriptor_finish_static(Descriptor *descriptor);
