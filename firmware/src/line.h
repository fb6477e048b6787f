/* Lines of a word and fields for the console, without printf. */
#ifndef AIRMARK_LINE_H
#define AIRMARK_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "board.h"

/* A line in the making. */
static char line[144];
static size_t line_length;

static inline void text(const char *word)
{
    while (*word) {
        line[line_length++] = *word++;
    }
}

/* At least so many digits. */
static inline void number(uint64_t value, unsigned least)
{
    char digits[20];
    unsigned count = 0;
    while (value || count < least) {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    }
    while (count) {
        line[line_length++] = digits[--count];
    }
}

static inline void field(const char *name, uint64_t value)
{
    text(name);
    number(value, 1);
}

/* value / unit to that many places, rounded to the nearest. */
static inline void decimal(const char *name, uint64_t value, uint32_t unit, unsigned places)
{
    uint32_t scale = 1;
    for (unsigned i = 0; i < places; i++) {
        scale *= 10;
    }
    value = value / unit * scale + (value % unit * scale + unit / 2) / unit;
    field(name, value / scale);
    text(".");
    number(value % scale, places);
}

static inline void end_line(void)
{
    line[line_length++] = '\n';
    port_write(line, line_length);
    line_length = 0;
}

#endif
