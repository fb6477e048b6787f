/*
 * The port for a computer with an operating system: standard input takes the place of the microphone, 16-bit samples. Where
 * it begins with a header, has no sample, or can't be read any more, the program ends with status 2.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio.h"
#include "board.h"
#include "header.h"

#define PIECE 160

static int16_t piece[PIECE];
static size_t first, count; /* samples of it that are not given back yet */

static void refuse(const char *what, const char *why)
{
    (void)fprintf(stderr, "standard input %s%s: wanted are " PORT_RAW "\n", what, why);
    exit(2);
}

static void take(void)
{
    first = 0;
    count = fread(piece, sizeof piece[0], PIECE, stdin);
    if (ferror(stdin)) {
        refuse("cannot be read: ", strerror(errno));
    }
}

bool port_audio_start(uint32_t rate)
{
    take();
    if (count == 0) {
        refuse("has no sound", "");
    }
    if (count * sizeof piece[0] >= PORT_HEADER && port_has_header(piece)) {
        refuse("has a header", "");
    }
    return rate == 16000;
}

uint32_t port_audio_read(const int16_t **samples, uint32_t *lost)
{
    if (count == 0) {
        take();
    }
    *samples = piece + first;
    *lost = 0;
    return (uint32_t)count;
}

void port_audio_done(uint32_t done)
{
    first += done;
    count -= done;
}

void port_write(const char *text, size_t length)
{
    if (fwrite(text, 1, length, stdout) != length || fflush(stdout) != 0) {
        exit(EXIT_FAILURE);
    }
}

void port_led(bool on)
{
    (void)on;
}

int main(void)
{
    return port_main();
}
