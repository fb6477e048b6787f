/* Of ESP-IDF's esp_rom_sys.h, what boards/port/esp32_counter.c uses. */
#ifndef STANDIN_ESP_ROM_SYS_H
#define STANDIN_ESP_ROM_SYS_H

#include <stdint.h>

uint32_t esp_rom_get_cpu_ticks_per_us(void);

#endif
