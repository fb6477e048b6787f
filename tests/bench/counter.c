/*
 * A counter of boards/port counts a loop of LOOPS turns, and then one of twice as many, while a timer's interrupt would come
 * all the time; the timer goes on after each hold. Prints the counter's unit, source and clock, and the two counts. Exit
 * status 1: it does not count; 2: an interrupt came in a hold, or none after it.
 */
#include "board.h"
#include "counter.h"
#include "emulated_timer.h"
#include "line.h"
#include "port.h"

#define LOOPS 50000u
#define TICKS 1000u

uint32_t SystemCoreClock = 16000000u;

static volatile uint32_t interrupts;

void port_timer_interrupt(void)
{
    interrupts++;
}

int port_main(void)
{
    const port_counter_t *const counter = port_counter_start();
    uint32_t counts[2];
    if (!counter) {
        text(port_counter_reason());
        end_line();
        return 1;
    }
    port_timer_start(TICKS);
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t came, before;
        port_counter_hold();
        came = interrupts;
        before = port_counter_read();
        port_loop((i + 1u) * LOOPS);
        counts[i] = port_counter_since(before);
        if (interrupts != came) {
            return 2;
        }
        port_counter_release();
        came = interrupts;
        port_loop(LOOPS);
        if (interrupts < came + 2u) {
            return 2;
        }
    }
    text(counter->unit);
    text(" ");
    text(counter->source);
    field(" ", counter->hz);
    field(" ", counts[0]);
    field(" ", counts[1]);
    end_line();
    return 0;
}
