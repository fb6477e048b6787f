/*
 * emulated_timer.h: a timer interrupt of QEMU's cores, in the place of a microphone's: SysTick on Arm, the machine timer
 * on RISC-V.
 */
#ifndef AIRMARK_EMULATED_TIMER_H
#define AIRMARK_EMULATED_TIMER_H

#include <stdbool.h>
#include <stdint.h>

/* The program's: called by the interrupt. */
void port_timer_interrupt(void);

/* From now on the interrupt comes every `ticks` (2 to 2^24) of a clock of 10 MHz or more. */
void port_timer_start(uint32_t ticks);

/* The interrupt's: it comes again in so many ticks from now, and then every so many. */
void port_timer_set(uint32_t ticks);

/*
 * Sleeps until an interrupt comes, or not at all where idle(), which is called with interrupts held back, is false: one
 * that comes between the question and the sleep then ends the sleep.
 */
void port_sleep_while(bool (*idle)(void));

#endif
