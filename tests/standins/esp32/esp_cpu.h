/* Of ESP-IDF's esp_cpu.h, what boards/port/esp32_counter.c uses. */
#ifndef STANDIN_ESP_CPU_H
#define STANDIN_ESP_CPU_H

#include <stdint.h>

typedef uint32_t esp_cpu_cycle_count_t;

esp_cpu_cycle_count_t esp_cpu_get_cycle_count(void);

#endif
