/* Of the Pico SDK, what boards/port/cortex_m_counter.c uses. */
#ifndef STANDIN_HARDWARE_CLOCKS_H
#define STANDIN_HARDWARE_CLOCKS_H

#include <stdint.h>

enum clock_index { clk_sys = 5 };

uint32_t clock_get_hz(enum clock_index clock);

#endif
