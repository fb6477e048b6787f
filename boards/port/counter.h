/*
 * counter.h: a counter of what the core does, for the program bench. Each family has a file: cortex_m_counter.c,
 * esp32_counter.c, riscv_counter.c, host_counter.c, and emulated_counter.c for QEMU, which has instructions to count
 * but no cycles.
 *
 *     port_counter_hold();
 *     before = port_counter_read();
 *     work();
 *     count = port_counter_since(before);
 *     port_counter_release();
 */
#ifndef AIRMARK_COUNTER_H
#define AIRMARK_COUNTER_H

#include <stdint.h>

typedef struct {
    const char *unit;   /* plural, one word: "cycles" */
    const char *source; /* one word: "DWT" */
    uint32_t hz;        /* how many a second has of them, if that is known; or 0 */
} port_counter_t;

/* Starts the counter. Returns NULL where it does not count; port_counter_reason then tells a person why. */
const port_counter_t *port_counter_start(void);
const char *port_counter_reason(void);

/* Between these no interrupt comes, so that only the program's work is counted, and the core must not sleep. */
void port_counter_hold(void);
void port_counter_release(void);

/* The counter as it is; and how many units passed since it was so, in the same hold: at most 2^24 - 1. */
uint32_t port_counter_read(void);
uint32_t port_counter_since(uint32_t before);

#endif
