/* hardware.h: what a stand-in does for the program that checks the port. */
#ifndef STANDINS_HARDWARE_H
#define STANDINS_HARDWARE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The microphone's next sample, in 16-bit units but up to 1.4 times their range; to be called once for each. */
int32_t hardware_sample(void);

/* Brings one block of sound, as the peripheral would, with its interrupt. Stand-ins call it when the port sleeps. */
void hardware_block(void);

/* Something goes wrong: the driver stops, or interrupts are held back. Returns the samples that must be told as lost. */
uint32_t hardware_mishap(void);

/* What the port last did with the lamp, and what it wrote since the last call. */
bool hardware_led(void);
const char *hardware_written(void);

/* For the stand-ins: what was written, for hardware_written. */
void hardware_write(const void *text, uint32_t length);

/* Ends the program with a line: the port did what it must not. */
void hardware_fail(const char *what);

#ifdef __cplusplus
}
#endif

#endif
