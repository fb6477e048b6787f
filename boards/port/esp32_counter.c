/*
 * The counter of Espressif's parts, through ESP-IDF 5.4 or newer: CCOUNT of an ESP32-S3, the performance counter of an
 * ESP32-C3, which has no mcycle. NOT RUN ON HARDWARE.
 *
 * The other core of an ESP32-S3 goes on, and shares the flash's cache.
 */
#include <esp_cpu.h>
#include <esp_rom_sys.h>
#include <freertos/FreeRTOS.h>
#include <stddef.h>

#include "counter.h"

const port_counter_t *port_counter_start(void)
{
    static port_counter_t counter = {"cycles", "esp_cpu", 0};
    const uint32_t before = esp_cpu_get_cycle_count();
    counter.hz = esp_rom_get_cpu_ticks_per_us() * 1000000u;
    for (volatile uint32_t i = 0; i < 10; i++) {
        /* it must go on */
    }
    return esp_cpu_get_cycle_count() != before ? &counter : NULL;
}

const char *port_counter_reason(void)
{
    return "esp_cpu_get_cycle_count stands still";
}

void port_counter_hold(void)
{
    portDISABLE_INTERRUPTS();
}

void port_counter_release(void)
{
    portENABLE_INTERRUPTS();
}

uint32_t port_counter_read(void)
{
    return esp_cpu_get_cycle_count();
}

uint32_t port_counter_since(uint32_t before)
{
    return esp_cpu_get_cycle_count() - before;
}
