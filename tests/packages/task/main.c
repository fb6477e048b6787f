/*
 * Runs the guide's task on this computer: while it sleeps the microphone hears the raw samples on standard input, 160 at a
 * time, and interrupts. Prints the marks.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "airmark.h"
#include "cmsis.h"

void microphone_interrupt(const int16_t *half, uint32_t count);
void detector_task(void);
void detector_wake(void);
void on_mark(const airmark_detection_t *detection);

static int16_t half[160];
static bool masked;
static uint32_t pending; /* samples of an interrupt that waits */

void detector_wake(void) {}

void on_mark(const airmark_detection_t *detection)
{
    printf("mark at %lu ms\n", (unsigned long)(detection->sample / 16));
}

void __disable_irq(void)
{
    masked = true;
}

void __WFI(void)
{
    pending = (uint32_t)fread(half, sizeof half[0], 160, stdin);
    if (pending == 0) {
        exit(masked ? 0 : 1);
    }
}

void __enable_irq(void)
{
    masked = false;
    if (pending > 0) {
        microphone_interrupt(half, pending);
        pending = 0;
    }
}

int main(void)
{
    detector_task();
    return 2;
}
