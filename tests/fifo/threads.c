/*
 * Producer and consumer on two threads. Arguments: size, the fewest samples to write, the value that all counters begin
 * with, how late the consumer may be: 1 of so many times it sleeps, and the fewest gaps. It goes on until the consumer has
 * had the FIFO's size 20 times over and so many gaps, whenever the computer lets that happen. Every sample is its own
 * number, so that the consumer knows which should come. Prints samples consumed, samples lost, gaps; exit status 1: a
 * sample was not the one to come, or one is missing that was not told.
 */
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "airmark_fifo.h"

static airmark_fifo_t fifo;
static uint32_t fewest;
static uint32_t written, given_up; /* the producer's own count */
static int enough; /* the consumer's word to the producer */
static int done;

static uint32_t draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 16;
}

static int64_t microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void *produce(void *unused)
{
    uint32_t state = 1, next = 0;
    (void)unused;
    while (next < fewest || !__atomic_load_n(&enough, __ATOMIC_RELAXED)) {
        int16_t block[300];
        uint32_t count = 1 + draw(&state) % 300, stored;
        for (uint32_t i = 0; i < count; i++) {
            block[i] = (int16_t)(uint16_t)(next + i);
        }
        stored = airmark_fifo_write(&fifo, block, count, 1);
        written += stored;
        given_up += count - stored;
        next += count;
        /* On a busy computer one yield may take milliseconds: it is pause enough. */
        const int64_t began = microseconds();
        for (uint32_t i = draw(&state) % 200; i && microseconds() - began < 200; i--) {
            sched_yield();
        }
    }
    __atomic_store_n(&done, 1, __ATOMIC_RELEASE);
    return NULL;
}

int main(int count, char **arguments)
{
    pthread_t producer;
    uint32_t consumed = 0, lost = 0, gaps = 0, state = 2;
    if (count != 6) {
        return 2;
    }
    const uint32_t size = (uint32_t)strtoul(arguments[1], NULL, 10);
    const uint32_t start = (uint32_t)strtoul(arguments[3], NULL, 10);
    const uint32_t late = (uint32_t)strtoul(arguments[4], NULL, 10);
    const uint32_t fewest_gaps = (uint32_t)strtoul(arguments[5], NULL, 10);
    int16_t *samples = malloc(size * sizeof *samples);
    fewest = (uint32_t)strtoul(arguments[2], NULL, 10);
    if (!samples || airmark_fifo_init(&fifo, samples, size) != AIRMARK_OK) {
        return 2;
    }
    fifo.written = fifo.consumed = fifo.lost = fifo.skipped = start;
    if (pthread_create(&producer, NULL, produce, NULL) != 0) {
        return 2;
    }
    for (;;) {
        const int last = __atomic_load_n(&done, __ATOMIC_ACQUIRE);
        const int16_t *next;
        uint32_t gap, there = airmark_fifo_peek(&fifo, &next, &gap);
        if (there) {
            const uint32_t taken = 1 + draw(&state) % there;
            for (uint32_t i = 0; i < taken; i++) {
                if (next[i] != (int16_t)(uint16_t)(consumed + lost + i)) {
                    printf("sample %" PRIu32 " is %d\n", consumed + lost + i, next[i]);
                    return 1;
                }
            }
            airmark_fifo_consume(&fifo, taken);
            consumed += taken;
        } else if (gap) {
            airmark_fifo_skip(&fifo, gap);
            lost += gap;
            gaps++;
        } else if (last) {
            break;
        }
        if (consumed > 20 * size && gaps >= fewest_gaps) {
            __atomic_store_n(&enough, 1, __ATOMIC_RELAXED);
        }
        if (draw(&state) % late == 0) {
            nanosleep(&(struct timespec){0, 100000}, NULL);
        }
    }
    pthread_join(producer, NULL);
    printf("%" PRIu32 " %" PRIu32 " %" PRIu32 "\n", consumed, lost, gaps);
    free(samples);
    return consumed == written && lost == given_up ? 0 : 1;
}
