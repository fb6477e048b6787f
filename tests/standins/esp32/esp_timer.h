/* Of ESP-IDF's esp_timer.h, what boards/port/esp32.c uses. */
#ifndef STANDIN_ESP_TIMER_H
#define STANDIN_ESP_TIMER_H

#include <stdint.h>

int64_t esp_timer_get_time(void);

#endif
