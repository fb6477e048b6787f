/*
 * The counter of Cortex-M cores: cycles by CYCCNT of the DWT, or by SysTick where there is none (M0, M0+, M23). For
 * Zephyr, STM32Cube, Arduino's mbed cores and arduino-pico. NOT RUN ON HARDWARE; SysTick was under QEMU, which has no
 * CYCCNT.
 *
 * SysTick is borrowed: an operating system that ticks by it has it back after each hold, and its time stands still
 * meanwhile.
 */
#include <stddef.h>

#include "counter.h"

#if defined(ARDUINO) && !defined(ARDUINO_ARCH_MBED)
#include <hardware/clocks.h>
#define HZ clock_get_hz(clk_sys)
#else
extern uint32_t SystemCoreClock; /* CMSIS has it */
#define HZ SystemCoreClock
#endif

static uint32_t primask;

static void hold_interrupts(void)
{
    __asm__ volatile("mrs %0, primask\n cpsid i" : "=r"(primask) : : "memory");
}

static void release_interrupts(void)
{
    __asm__ volatile("msr primask, %0" : : "r"(primask) : "memory");
}

#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)

#define SYST_CSR (*(volatile uint32_t *)0xE000E010u)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014u)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018u)
#define CORE_CLOCK 5u /* counts the core's cycles, without its interrupt */
#define MOST 0x00FFFFFFu

static struct {
    uint32_t csr, rvr;
} owner;

const port_counter_t *port_counter_start(void)
{
    static port_counter_t counter = {"cycles", "SysTick", 0};
    counter.hz = HZ;
    return &counter;
}

const char *port_counter_reason(void)
{
    return "";
}

void port_counter_hold(void)
{
    hold_interrupts();
    owner.csr = SYST_CSR;
    owner.rvr = SYST_RVR;
    SYST_CSR = 0;
    SYST_RVR = MOST;
    SYST_CVR = 0; /* any value: it begins anew */
    SYST_CSR = CORE_CLOCK;
    while (SYST_CVR == 0) {
        /* it is loaded by its next tick */
    }
}

void port_counter_release(void)
{
    SYST_CSR = 0;
    SYST_RVR = owner.rvr;
    SYST_CVR = 0;
    SYST_CSR = owner.csr;
    release_interrupts();
}

uint32_t port_counter_read(void)
{
    return SYST_CVR;
}

uint32_t port_counter_since(uint32_t before)
{
    return (before - SYST_CVR) & MOST; /* it counts down */
}

#else

#define DEMCR (*(volatile uint32_t *)0xE000EDFCu)
#define DWT_CTRL (*(volatile uint32_t *)0xE0001000u)
#define DWT_CYCCNT (*(volatile uint32_t *)0xE0001004u)
#define DWT_LAR (*(volatile uint32_t *)0xE0001FB0u)
#define TRCENA (1u << 24)
#define CYCCNTENA 1u
#define UNLOCK 0xC5ACCE55u /* a Cortex-M7 wants it */

const port_counter_t *port_counter_start(void)
{
    static port_counter_t counter = {"cycles", "DWT", 0};
    uint32_t before;
    DEMCR |= TRCENA;
    DWT_LAR = UNLOCK;
    DWT_CTRL |= CYCCNTENA;
    counter.hz = HZ;
    before = DWT_CYCCNT;
    for (volatile uint32_t i = 0; i < 10; i++) {
        /* it must go on */
    }
    return DWT_CYCCNT != before ? &counter : NULL;
}

const char *port_counter_reason(void)
{
    return "CYCCNT of the DWT stands still: the core has none, or debugging is locked";
}

void port_counter_hold(void)
{
    hold_interrupts();
}

void port_counter_release(void)
{
    release_interrupts();
}

uint32_t port_counter_read(void)
{
    return DWT_CYCCNT;
}

uint32_t port_counter_since(uint32_t before)
{
    return DWT_CYCCNT - before;
}

#endif
