/* The timer interrupt of QEMU's cores, and sleep. */
#include "emulated_timer.h"

#ifdef __riscv

#include <semihost.h>

#define MACHINE_TIMER 0x80000007u /* mcause */
#define MIE (1u << 3)             /* mstatus: interrupts at all */
#define MTIE (1u << 7)            /* mie: the machine timer's */
#define LIMIT ((volatile uint32_t *)0x02004000u) /* of QEMU's machine virt */
#define TIME ((volatile uint32_t *)0x0200BFF8u)

static uint32_t period;

static void set_limit(uint32_t low, uint32_t high)
{
    LIMIT[1] = 0xFFFFFFFFu; /* so that no half of it is ever in the past */
    LIMIT[0] = low;
    LIMIT[1] = high;
}

static void set_next(void)
{
    uint32_t high, low;
    do {
        high = TIME[1];
        low = TIME[0];
    } while (high != TIME[1]);
    set_limit(low + period, high + (low + period < low));
}

static __attribute__((interrupt, aligned(4))) void trap(void)
{
    uint32_t cause;
    __asm__ volatile("csrr %0, mcause" : "=r"(cause));
    if (cause != MACHINE_TIMER) {
        sys_semihost_exit(ADP_Stopped_RunTimeErrorUnknown, 0);
    }
    set_next();
    port_timer_interrupt();
}

void port_timer_set(uint32_t ticks)
{
    period = ticks;
    set_next();
}

void port_timer_start(uint32_t ticks)
{
    port_timer_set(ticks);
    __asm__ volatile("csrw mtvec, %0" : : "r"(trap));
    __asm__ volatile("csrs mie, %0" : : "r"(MTIE));
    __asm__ volatile("csrs mstatus, %0" : : "r"(MIE) : "memory");
}

void port_sleep_while(bool (*idle)(void))
{
    __asm__ volatile("csrc mstatus, %0" : : "r"(MIE) : "memory");
    if (idle()) {
        __asm__ volatile("wfi" : : : "memory");
    }
    __asm__ volatile("csrs mstatus, %0" : : "r"(MIE) : "memory");
}

#else

#define SYSTICK ((volatile uint32_t *)0xE000E010u)

/* The name is that of picolibc's vector. */
void arm_systick_isr(void);

void arm_systick_isr(void)
{
    port_timer_interrupt();
}

void port_timer_set(uint32_t ticks)
{
    SYSTICK[1] = ticks - 1;
    SYSTICK[2] = 0;
}

void port_timer_start(uint32_t ticks)
{
    port_timer_set(ticks);
    SYSTICK[0] = 7; /* the core's own clock, with the interrupt */
}

void port_sleep_while(bool (*idle)(void))
{
    __asm__ volatile("cpsid i" : : : "memory");
    if (idle()) {
        __asm__ volatile("wfi" : : : "memory");
    }
    __asm__ volatile("cpsie i" : : : "memory");
}

#endif
