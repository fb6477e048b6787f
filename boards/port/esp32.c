/*
 * The port for Espressif's ESP32-S3 and ESP32-C3 with an I2S microphone (INMP441 or like it), through ESP-IDF 5.4 or newer.
 * NOT RUN ON HARDWARE.
 *
 * The microphone: SCK, WS and SD to the pins below, L/R to ground (left), VDD to 3.3 V. Console: ESP-IDF's. Lamp: a LED with
 * a resistor from LED_PIN to ground (the boards' own are not plain ones). The task may be late by FIFO samples less a block.
 */
#include <driver/gpio.h>
#include <driver/i2s_std.h>
#include <esp_timer.h>
#include <freertos/FreeRTOS.h>
#include <freertos/task.h>
#include <stdio.h>

#include "audio_fifo.h"
#include "board.h"
#include "convert.h"

#ifndef MIC_SCK_PIN
#define MIC_SCK_PIN GPIO_NUM_4
#endif
#ifndef MIC_WS_PIN
#define MIC_WS_PIN GPIO_NUM_5
#endif
#ifndef MIC_SD_PIN
#define MIC_SD_PIN GPIO_NUM_6
#endif
#ifndef LED_PIN
#define LED_PIN GPIO_NUM_7
#endif

#define BLOCK 160u /* samples of one of DMA's buffers */
#define BUFFERS 4u
/* 24 bits lie at the top of 32; full scale of the microphone is 8 times ours, so that a quiet room is not rounded away. */
#define SHIFT 13u

static TaskHandle_t task;
static int64_t buffer_lasts; /* microseconds */

static void take(const int32_t *words)
{
    int16_t block[BLOCK];
    for (uint32_t i = 0; i < BLOCK; i++) {
        block[i] = port_sample(words[i], SHIFT);
    }
    airmark_fifo_write(&fifo, block, BLOCK, 1);
}

/*
 * The interrupt. Where it was held back for longer than a buffer lasts, as by a write to flash, the driver tells of the last
 * one only. The buffers come in the same order always, which the first round shows: so those before it are taken too, but
 * for the one that DMA is writing again. How many whole rounds were lost before that the clock tells: no interrupt comes
 * later than the next buffer, so it is wrong by less than one.
 */
static bool received(i2s_chan_handle_t channel, i2s_event_data_t *event, void *context)
{
    static const int32_t *buffers[BUFFERS];
    static uint32_t known;
    static int64_t last;
    const int32_t *const newest = event->dma_buf;
    const int64_t now = esp_timer_get_time();
    BaseType_t woken = pdFALSE;
    (void)channel;
    (void)context;
    if (known < BUFFERS) {
        /*
         * One that was missed in this round, by its place or by the time: begin anew. Half a buffer late it may have been;
         * a whole one later it was, and is told.
         */
        uint32_t again = 0;
        for (uint32_t i = 0; i < known; i++) {
            again |= buffers[i] == newest;
        }
        int64_t late = known > 0 ? now - last - buffer_lasts : 0;
        again |= late > buffer_lasts / 2;
        for (; late >= buffer_lasts; late -= buffer_lasts) {
            airmark_fifo_lose(&fifo, BLOCK);
        }
        known = again ? 0 : known;
        buffers[known++] = newest;
        take(newest);
    } else {
        static uint32_t next;
        uint32_t count = 1;
        while (buffers[(next + count - 1) % BUFFERS] != newest) {
            count++;
        }
        for (int64_t late = now - last - count * buffer_lasts; late > BUFFERS / 2 * buffer_lasts;
             late -= BUFFERS * buffer_lasts) {
            airmark_fifo_lose(&fifo, BUFFERS * BLOCK);
        }
        if (count == BUFFERS) {
            airmark_fifo_lose(&fifo, BLOCK);
            next = (next + 1) % BUFFERS;
            count--;
        }
        for (; count; count--) {
            take(buffers[next]);
            next = (next + 1) % BUFFERS;
        }
    }
    last = now;
    vTaskNotifyGiveFromISR(task, &woken);
    return woken == pdTRUE;
}

bool port_audio_start(uint32_t rate)
{
    i2s_chan_config_t buffers = I2S_CHANNEL_DEFAULT_CONFIG(I2S_NUM_0, I2S_ROLE_MASTER);
    i2s_std_config_t config = {
        .clk_cfg = I2S_STD_CLK_DEFAULT_CONFIG(rate),
        .slot_cfg = I2S_STD_PHILIPS_SLOT_DEFAULT_CONFIG(I2S_DATA_BIT_WIDTH_32BIT, I2S_SLOT_MODE_MONO),
        .gpio_cfg = {
            .mclk = I2S_GPIO_UNUSED,
            .bclk = MIC_SCK_PIN,
            .ws = MIC_WS_PIN,
            .dout = I2S_GPIO_UNUSED,
            .din = MIC_SD_PIN,
        },
    };
    const i2s_event_callbacks_t callbacks = {.on_recv = received};
    i2s_chan_handle_t channel;
    if (airmark_fifo_init(&fifo, fifo_samples, PORT_AUDIO_FIFO) != AIRMARK_OK) {
        return false;
    }
    task = xTaskGetCurrentTaskHandle();
    buffer_lasts = BLOCK * 1000000 / rate;
    buffers.dma_desc_num = BUFFERS;
    buffers.dma_frame_num = BLOCK;
    config.slot_cfg.slot_mask = I2S_STD_SLOT_LEFT;
    return i2s_new_channel(&buffers, NULL, &channel) == ESP_OK &&
           i2s_channel_init_std_mode(channel, &config) == ESP_OK &&
           i2s_channel_register_event_callback(channel, &callbacks, NULL) == ESP_OK &&
           i2s_channel_enable(channel) == ESP_OK;
}

static bool wait_for_sound(void)
{
    ulTaskNotifyTake(pdTRUE, portMAX_DELAY);
    return true;
}

void port_write(const char *text, size_t length)
{
    (void)fwrite(text, 1, length, stdout); /* where it fails there is no one to tell */
    (void)fflush(stdout);
}

void port_led(bool on)
{
    gpio_set_level(LED_PIN, on);
}

void app_main(void);

void app_main(void)
{
    gpio_reset_pin(LED_PIN);
    gpio_set_direction(LED_PIN, GPIO_MODE_OUTPUT);
    port_main();
}
