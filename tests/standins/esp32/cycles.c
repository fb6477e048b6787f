/* The cycle counter of an ESP32 at 160 MHz, as ESP-IDF shows it: this computer's time. Holds must not be nested. */
#define _POSIX_C_SOURCE 199309L
#include <esp_cpu.h>
#include <esp_rom_sys.h>
#include <freertos/FreeRTOS.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

static bool held;

void standin_interrupts(int enabled)
{
    if (held != (enabled != 0)) {
        abort();
    }
    held = !enabled;
}

esp_cpu_cycle_count_t esp_cpu_get_cycle_count(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 160000000u + (uint64_t)now.tv_nsec * 160u / 1000u);
}

uint32_t esp_rom_get_cpu_ticks_per_us(void)
{
    return 160;
}
