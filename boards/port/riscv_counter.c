/*
 * The counter of a RISC-V core that has mcycle, as the standard says, in machine mode; no environment of platformio.ini
 * is of that kind. NOT RUN ON HARDWARE, but under QEMU.
 */
#include <stddef.h>

#include "counter.h"

#define MIE 8u /* mstatus: interrupts at all */

static uint32_t mstatus;

uint32_t port_counter_read(void)
{
    uint32_t count;
    __asm__ volatile("csrr %0, mcycle" : "=r"(count) : : "memory");
    return count;
}

uint32_t port_counter_since(uint32_t before)
{
    return port_counter_read() - before;
}

const port_counter_t *port_counter_start(void)
{
    static const port_counter_t counter = {"cycles", "mcycle", 0};
    const uint32_t before = port_counter_read();
    for (volatile uint32_t i = 0; i < 10; i++) {
        /* it must go on */
    }
    return port_counter_read() != before ? &counter : NULL;
}

const char *port_counter_reason(void)
{
    return "mcycle stands still: clear bit 0 of mcountinhibit";
}

void port_counter_hold(void)
{
    __asm__ volatile("csrrc %0, mstatus, %1" : "=r"(mstatus) : "r"(MIE) : "memory");
}

void port_counter_release(void)
{
    __asm__ volatile("csrs mstatus, %0" : : "r"(mstatus & MIE) : "memory");
}
