/*
 * port.h: what programs have on QEMU's cores besides board.h: a counter, and a file to read, which emulated.c has.
 */
#ifndef AIRMARK_PORT_H
#define AIRMARK_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "board.h" /* port_write */

/* Starts the counter and opens the input: the file "input" in the emulator's working folder. */
bool port_start(void);

/* Reads the next `size` bytes of the input; false: there are not so many. */
bool port_read(void *bytes, size_t size);

/*
 * The counter: (port_count() - earlier) & PORT_COUNT_MASK is how far it went since. With QEMU's -icount that tells the
 * instructions: RISC-V counts them, SysTick of an Arm core and CCOUNT of an Xtensa a fixed number of ticks for each.
 */
#ifndef __arm__
#define PORT_COUNT_MASK 0xFFFFFFFFu
#else
#define PORT_COUNT_MASK 0x00FFFFFFu
#endif

static inline uint32_t port_count(void)
{
    uint32_t count;
    /* The barriers keep the compiler from moving work across. */
#ifdef __riscv
    __asm__ volatile("csrr %0, minstret" : "=r"(count) : : "memory");
#elif defined(__xtensa__)
    __asm__ volatile("rsr %0, ccount" : "=a"(count) : : "memory");
#else
    __asm__ volatile("" : : : "memory");
    count = ~*(volatile uint32_t *)0xE000E018u; /* it counts down */
    __asm__ volatile("" : : : "memory");
#endif
    return count;
}

/* Executes exactly 2 * loops instructions. */
static inline void port_loop(uint32_t loops)
{
#ifdef __riscv
    __asm__ volatile("1: addi %0, %0, -1\n bnez %0, 1b" : "+r"(loops));
#elif defined(__xtensa__)
    __asm__ volatile("1: addi %0, %0, -1\n bnez %0, 1b" : "+a"(loops));
#else
    __asm__ volatile(".syntax unified\n 1: subs %0, #1\n bne 1b" : "+l"(loops) : : "cc");
#endif
}

#endif
