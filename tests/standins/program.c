/*
 * The program that checks a port on this computer, with a stand-in for the hardware: every sample, in order, limited to 16
 * bits; gaps where the reader was late or something went wrong, of the length that is missing; lamp and console. Prints
 * samples read, samples lost and gaps.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio.h"
#include "board.h"
#include "hardware.h"

#define SAMPLES 200000u

static uint32_t made; /* samples of the microphone */
static char written[256];

static int32_t sample(uint32_t number)
{
    return (int32_t)((uint64_t)number * 7919u % 90001u) - 45000;
}

int32_t hardware_sample(void)
{
    return sample(made++);
}

void hardware_fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

void hardware_write(const void *text, uint32_t length)
{
    const size_t there = strlen(written);
    if (there + length < sizeof written) {
        memcpy(written + there, text, length);
    }
}

const char *hardware_written(void)
{
    static char last[sizeof written];
    memcpy(last, written, sizeof last);
    memset(written, 0, sizeof written);
    return last;
}

static int16_t expected(uint32_t number)
{
    const int32_t value = sample(number);
    return (int16_t)(value > 32767 ? 32767 : value < -32768 ? -32768 : value);
}

int port_main(void)
{
    uint32_t at = 0, read = 0, lost = 0, gaps = 0, mishaps = 0, mishap = 0, times = 0;
    if (port_audio_start(11025) || !port_audio_start(16000)) {
        hardware_fail("takes rates that it should not, or not 16000 Hz");
    }
    while (read < SAMPLES) {
        const int16_t *samples;
        uint32_t gap, count = port_audio_read(&samples, &gap);
        if (gap) {
            if (count) {
                hardware_fail("samples and a gap at once");
            }
            gaps++;
            lost += gap;
            at += gap;
            if (mishap && gap < mishap) {
                hardware_fail("a mishap's samples are not all told as lost");
            }
            mishap = 0;
            continue;
        }
        if (!count) {
            hardware_fail("the end of a microphone's sound");
        }
        times++;
        count = count < 1 + times % 300 ? count : 1 + times % 300; /* some are left for the next time */
        for (uint32_t i = 0; i < count; i++) {
            if (samples[i] != expected(at + i)) {
                fprintf(stderr, "sample %u is %d, not %d\n", at + i, samples[i], expected(at + i));
                exit(1);
            }
        }
        port_audio_done(count);
        at += count;
        read += count;
        if (times % 100 == 0) { /* late */
            for (uint32_t block = 0; block < 20; block++) {
                hardware_block();
            }
        }
        if (times % 300 == 299) {
            mishap = hardware_mishap();
            mishap += times % 600 == 599 ? hardware_mishap() : 0; /* two in a row */
            mishaps += mishap;
        }
    }
    port_led(true);
    if (!hardware_led()) {
        hardware_fail("the lamp is not lit");
    }
    port_led(false);
    if (hardware_led()) {
        hardware_fail("the lamp is lit");
    }
    (void)hardware_written();
    port_write("two\nlines\nand more", 10);
    if (strcmp(hardware_written(), "two\nlines\n") != 0) {
        hardware_fail("something else is written");
    }
    printf("%u %u %u %u\n", read, lost, gaps, mishaps);
    exit(0);
}
