/*
 * A port for the detector program on this computer: the microphone is the file "input", of records that begin with a kind
 * and a count, both 32 bits: 0: so many samples follow; 1: so many were lost here. Samples are given as they lie there, so
 * that records are the blocks.
 */
#include <stdio.h>
#include <stdlib.h>

#include "audio.h"
#include "board.h"

#define LONGEST 100000u

static FILE *file;
static int16_t samples[LONGEST];
static uint32_t given, there;

bool port_audio_start(uint32_t rate)
{
    file = fopen("input", "rb");
    return file && rate == 16000;
}

uint32_t port_audio_read(const int16_t **first, uint32_t *lost)
{
    uint32_t head[2];
    *first = samples + given;
    *lost = 0;
    if (given < there) {
        return there - given;
    }
    given = there = 0;
    *first = samples;
    if (fread(head, sizeof head, 1, file) != 1) {
        return 0;
    }
    if (head[0] == 1) {
        *lost = head[1];
        return 0;
    }
    if (head[1] > LONGEST || fread(samples, sizeof samples[0], head[1], file) != head[1]) {
        exit(3);
    }
    there = head[1];
    return there;
}

void port_audio_done(uint32_t count)
{
    if (count > there - given) {
        exit(4);
    }
    given += count;
}

void port_write(const char *text, size_t length)
{
    fwrite(text, 1, length, stdout);
}

void port_led(bool on)
{
    puts(on ? "led on" : "led off");
}

int main(void)
{
    return port_main();
}
