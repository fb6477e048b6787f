/*
 * The counter of QEMU's cores: instructions. With -icount each takes the same emulated time, which the counter of
 * port.h measures; loops of known length tell how much.
 */
#include <stddef.h>

#include "counter.h"
#include "port.h"

#define LOOPS 400000u
#define INSTRUCTIONS (2u * LOOPS) /* that the second of two loops has more than the first */

static uint32_t ticks; /* for so many instructions */

static uint32_t since(uint32_t before)
{
    return (port_count() - before) & PORT_COUNT_MASK;
}

/* What an instruction takes by two loops, one twice as long: what is around them does not count. */
static uint32_t calibrate(void)
{
    uint32_t count[2];
    for (uint32_t i = 0; i < 2; i++) {
        const uint32_t before = port_count();
        port_loop((i + 1u) * LOOPS);
        count[i] = since(before);
    }
    return count[1] - count[0];
}

const port_counter_t *port_counter_start(void)
{
    static const port_counter_t counter = {"instructions", "icount", 0};
    uint32_t again;
    ticks = calibrate();
    again = calibrate();
    /* Without -icount it measures this computer's time, which is never twice the same. */
    return ticks != 0 && again + 2u - ticks <= 4u ? &counter : NULL;
}

const char *port_counter_reason(void)
{
    return "instructions take no fixed time: run QEMU with -icount shift=8";
}

/* No interrupt comes: bench starts none. */
void port_counter_hold(void)
{
}

void port_counter_release(void)
{
}

uint32_t port_counter_read(void)
{
    return port_count();
}

uint32_t port_counter_since(uint32_t before)
{
    return (uint32_t)(((uint64_t)since(before) * INSTRUCTIONS + ticks / 2u) / ticks);
}
