/* Of ESP-IDF's FreeRTOS, what boards/port/esp32.c and esp32_counter.c use. */
#ifndef STANDIN_FREERTOS_H
#define STANDIN_FREERTOS_H

#include <stdint.h>

typedef int BaseType_t;
typedef uint32_t TickType_t;
#define pdFALSE ((BaseType_t)0)
#define pdTRUE ((BaseType_t)1)
#define portMAX_DELAY ((TickType_t)0xffffffffUL)

void standin_interrupts(int enabled);
#define portDISABLE_INTERRUPTS() standin_interrupts(0)
#define portENABLE_INTERRUPTS() standin_interrupts(1)

#endif
