/* I2S and DMA of an ESP32-C3 or ESP32-S3, as ESP-IDF shows them, and FreeRTOS's notification. */
#define _GNU_SOURCE /* fopencookie */

#include "hardware.h"

#include <driver/gpio.h>
#include <driver/i2s_std.h>
#include <esp_timer.h>
#include <freertos/FreeRTOS.h>
#include <freertos/task.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct i2s_channel_obj_t {
    int unused;
};
struct tskTaskControlBlock {
    int unused;
};

static struct i2s_channel_obj_t object;
static struct tskTaskControlBlock task;
static i2s_chan_config_t buffers;
static i2s_event_callbacks_t calls;
static int32_t *memory; /* all of DMA's buffers */
static uint32_t newest;
static uint32_t filled; /* buffers, in all */
static uint32_t notified;
static bool enabled, lit, output;

void app_main(void);

esp_err_t i2s_new_channel(const i2s_chan_config_t *config, i2s_chan_handle_t *transmit, i2s_chan_handle_t *receive)
{
    buffers = *config;
    *receive = &object;
    return transmit ? ESP_ERR_INVALID_ARG : ESP_OK;
}

esp_err_t i2s_channel_init_std_mode(i2s_chan_handle_t handle, const i2s_std_config_t *config)
{
    const bool left = config->slot_cfg.slot_mode == I2S_SLOT_MODE_MONO && config->slot_cfg.slot_mask == I2S_STD_SLOT_LEFT;
    if (handle != &object || config->clk_cfg.sample_rate_hz != 16000) {
        return ESP_ERR_INVALID_ARG;
    }
    if (!left || config->slot_cfg.data_bit_width != I2S_DATA_BIT_WIDTH_32BIT) {
        hardware_fail("not the left slot of 32 bits");
    }
    memory = calloc(buffers.dma_desc_num * buffers.dma_frame_num, sizeof *memory);
    return memory ? ESP_OK : ESP_ERR_INVALID_ARG;
}

esp_err_t i2s_channel_register_event_callback(i2s_chan_handle_t handle, const i2s_event_callbacks_t *callbacks, void *data)
{
    calls = *callbacks;
    return handle == &object && !enabled && !data ? ESP_OK : ESP_ERR_INVALID_ARG;
}

esp_err_t i2s_channel_enable(i2s_chan_handle_t handle)
{
    enabled = handle == &object && calls.on_recv;
    return enabled ? ESP_OK : ESP_ERR_INVALID_ARG;
}

/* Fills the next buffer; the one after it is being written. */
static int32_t *fill(void)
{
    const uint32_t frames = buffers.dma_frame_num;
    int32_t *const full = memory + newest * frames;
    newest = (newest + 1) % buffers.dma_desc_num;
    filled++;
    for (uint32_t i = 0; i < frames; i++) {
        full[i] = (int32_t)((uint32_t)hardware_sample() << 13 | (i * 977 & 0x1FFFu)); /* finer bits, to be rounded down */
        memory[newest * frames + i] = 0x55555555;
    }
    return full;
}

static void interrupt(int32_t *full)
{
    i2s_event_data_t event = {.dma_buf = full, .size = buffers.dma_frame_num * sizeof *full};
    const uint32_t before = notified;
    if (!enabled) {
        hardware_fail("the channel is not enabled");
    }
    if (!calls.on_recv(&object, &event, NULL) || notified == before) {
        hardware_fail("the task is not woken");
    }
}

/* With FIRST_ROUND_HELD two interrupts are held back before each buffer was seen once: 0, 2, 3, 1 come. */
void hardware_block(void)
{
#ifdef FIRST_ROUND_HELD
    static uint32_t blocks;
    blocks++;
    if (blocks == 2 || blocks == 4) {
        fill();
    }
#endif
    interrupt(fill());
}

/* An interrupt comes up to a buffer late, but where it must be known how many were missed. */
int64_t esp_timer_get_time(void)
{
#ifdef FIRST_ROUND_HELD
    return INT64_C(10000) * filled;
#else
    return INT64_C(10000) * filled + filled * 7919 % 9990;
#endif
}

/*
 * Interrupts held back for several buffers: the driver tells of the last one only. Those before it are still there unless
 * DMA came round again; of the last four one is being written.
 */
uint32_t hardware_mishap(void)
{
    static const struct {
        uint32_t buffers, lost;
    } mishaps[] = {{3, 0}, {4, 1}, {2, 0}, {5, 4}, {40, 37}, {6, 4}, {7, 4}, {8, 5}, {41, 40}};
    static uint32_t next;
    const uint32_t index = next++ % (sizeof mishaps / sizeof mishaps[0]);
    for (uint32_t i = 1; i < mishaps[index].buffers; i++) {
        fill();
    }
    interrupt(fill());
    return mishaps[index].lost * buffers.dma_frame_num;
}

TaskHandle_t xTaskGetCurrentTaskHandle(void)
{
    return &task;
}

void vTaskNotifyGiveFromISR(TaskHandle_t to, BaseType_t *woken)
{
    if (to != &task) {
        hardware_fail("another task is woken");
    }
    notified++;
    *woken = pdTRUE;
}

uint32_t ulTaskNotifyTake(BaseType_t clear, TickType_t ticks)
{
    const uint32_t before = notified;
    if (!before) {
        if (ticks != portMAX_DELAY) {
            hardware_fail("does not wait for sound");
        }
        hardware_block();
    }
    notified = clear ? 0 : notified - 1;
    return before ? before : 1;
}

esp_err_t gpio_reset_pin(gpio_num_t pin)
{
    (void)pin;
    return ESP_OK;
}

esp_err_t gpio_set_direction(gpio_num_t pin, gpio_mode_t mode)
{
    output = pin == GPIO_NUM_7 && mode == GPIO_MODE_OUTPUT;
    return ESP_OK;
}

esp_err_t gpio_set_level(gpio_num_t pin, uint32_t level)
{
    lit = output && pin == GPIO_NUM_7 && level == 1;
    return ESP_OK;
}

bool hardware_led(void)
{
    return lit;
}

/* ESP-IDF's console is standard output: what goes there is seen. */
static ssize_t console(void *unused, const char *text, size_t length)
{
    (void)unused;
    hardware_write(text, (uint32_t)length);
    return write(STDOUT_FILENO, text, length);
}

int main(void)
{
    stdout = fopencookie(NULL, "w", (cookie_io_functions_t){.write = console});
    app_main();
    return 1;
}
