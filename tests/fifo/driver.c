/*
 * Runs a FIFO by commands, for comparison with a model. Input, on standard input: the size, the value that all counters
 * begin with, then commands of a word and a number; output: a line for each.
 *
 *     write N     N samples, numbered on from the last: how many found room
 *     stride N    the same, each of them the second of two
 *     lose N      N samples that never came: nothing
 *     peek 0      samples, lost, first sample and last sample (0 0 where there are none)
 *     consume N   nothing
 *     skip N      nothing
 *     room 0      how many
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "airmark_fifo.h"

int main(void)
{
    airmark_fifo_t fifo;
    uint32_t size, start, number;
    uint16_t next = 0;
    char word[16];
    if (scanf("%" SCNu32 " %" SCNu32, &size, &start) != 2) {
        return 2;
    }
    int16_t *samples = malloc(size * sizeof *samples); /* to the byte, so that sanitizers see what is beyond */
    if (!samples || airmark_fifo_init(&fifo, samples, size) != AIRMARK_OK) {
        return 3;
    }
    fifo.written = fifo.consumed = fifo.lost = fifo.skipped = start;
    while (scanf("%15s %" SCNu32, word, &number) == 2) {
        const uint32_t stride = strcmp(word, "stride") == 0 ? 2 : 1;
        if (strcmp(word, "write") == 0 || stride == 2) {
            int16_t *block = calloc((size_t)number * stride + 1, sizeof *block);
            if (!block) {
                return 3;
            }
            for (uint32_t i = 0; i < number; i++, next++) {
                block[i * stride] = (int16_t)next;
            }
            printf("%" PRIu32 "\n", airmark_fifo_write(&fifo, block, number, stride));
            free(block);
        } else if (strcmp(word, "lose") == 0) {
            airmark_fifo_lose(&fifo, number);
            next = (uint16_t)(next + number);
            puts("0");
        } else if (strcmp(word, "peek") == 0) {
            const int16_t *first;
            uint32_t lost;
            const uint32_t count = airmark_fifo_peek(&fifo, &first, &lost);
            printf("%" PRIu32 " %" PRIu32 " %d %d\n", count, lost, count ? first[0] : 0, count ? first[count - 1] : 0);
        } else if (strcmp(word, "consume") == 0) {
            airmark_fifo_consume(&fifo, number);
            puts("0");
        } else if (strcmp(word, "skip") == 0) {
            airmark_fifo_skip(&fifo, number);
            puts("0");
        } else if (strcmp(word, "room") == 0) {
            printf("%" PRIu32 "\n", airmark_fifo_room(&fifo));
        } else {
            return 2;
        }
    }
    free(samples);
    return 0;
}
