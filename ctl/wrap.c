/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Wrapped text; see wrap.h.
 */

#include "ctl/wrap.h"

#include <stdio.h>
#include <string.h>

#define WIDTH 78u

/**
 * print_wrapped() - print text on stdout, its lines below each other
 * @indent:     the column of the text, after the head and a space
 * @color:      of the head
 * @head:       in the first line, right-aligned before the text
 * @text:       words with single spaces between them
 */
void print_wrapped(int indent, ScreenColor color, const char *head, const char *text) {
        size_t column = (size_t) indent, n;

        printf("%s%*s%s ", color == SCREEN_NORMAL ? "" : screen_color(color), indent - 1, head,
               color == SCREEN_NORMAL ? "" : screen_color(SCREEN_NORMAL));
        for (const char *word = text; *word; word += n + strspn(word + n, " ")) {
                n = strcspn(word, " ");
                if (word != text && column + 1 + n > WIDTH) {
                        printf("\n%*s", indent, "");
                        column = (size_t) indent;
                } else if (word != text)
                        column += (size_t) printf(" ");
                column += (size_t) printf("%.*s", (int) n, word);
        }
        (void) putchar('\n');
}
