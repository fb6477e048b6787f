/*
 * The port for Zephyr 3.7 or newer and its digital microphone interface: nRF52840 DK and nRF5340 DK with a PDM microphone;
 * pins and clocks are in boards/zephyr. NOT RUN ON HARDWARE.
 *
 * Zephyr's driver takes its buffers in the interrupt and hands them to a thread; that thread, which goes before all others,
 * does nothing but fill the FIFO. The task may be late by FIFO samples less a block. Console: Zephyr's. Lamp: alias led0.
 */
#include <zephyr/audio/dmic.h>
#include <zephyr/drivers/gpio.h>
#include <zephyr/kernel.h>
#include <zephyr/sys/printk.h>

#include "audio_fifo.h"
#include "board.h"

#define BLOCK 160 /* samples of one of DMA's buffers */
#define BLOCK_BYTES (BLOCK * sizeof(int16_t))
#define BUFFERS 4
#define SILENT_MS 100 /* without a block for so long, the driver has stopped */

K_MEM_SLAB_DEFINE_STATIC(buffers, BLOCK_BYTES, BUFFERS, 4);
K_SEM_DEFINE(sound, 0, 1);
K_THREAD_STACK_DEFINE(stack, 1024);

static const struct device *const microphone = DEVICE_DT_GET(DT_NODELABEL(dmic_dev));
static const struct gpio_dt_spec led = GPIO_DT_SPEC_GET(DT_ALIAS(led0), gpios);
static struct k_thread thread;
static uint32_t samples_per_second;

static int64_t microseconds(void)
{
    return (int64_t)k_ticks_to_us_floor64((uint64_t)k_uptime_ticks());
}

/*
 * The driver stops where it finds no buffer, which it does if this thread is held up for BUFFERS less two blocks: two are
 * DMA's. Then it is started again; how much was lost in between the kernel's clock tells, to a millisecond. `end` is when
 * the last block ended. Those that had to wait for this thread are read later than that, so each may end a block after the
 * one before it and no later, but for 0.4% by which the clocks may differ.
 *
 * It does not see where the core itself stands still for longer than a block, as while its flash is erased: what is lost
 * then nobody tells.
 */
static void collect(void *unused1, void *unused2, void *unused3)
{
    const int64_t block_lasts = INT64_C(1000000) * BLOCK / samples_per_second;
    int64_t end = microseconds();
    (void)unused1;
    (void)unused2;
    (void)unused3;
    for (;;) {
        void *buffer;
        size_t size;
        const bool read = dmic_read(microphone, 0, &buffer, &size, SILENT_MS) == 0;
        int64_t now;
        if (read) {
            airmark_fifo_write(&fifo, buffer, (uint32_t)(size / sizeof(int16_t)), 1);
            k_mem_slab_free(&buffers, buffer);
            end += block_lasts + block_lasts / 256;
        } else {
            dmic_trigger(microphone, DMIC_TRIGGER_STOP);
            dmic_trigger(microphone, DMIC_TRIGGER_START);
        }
        now = microseconds();
        if (!read) {
            airmark_fifo_lose(&fifo, (uint32_t)((now - end + 500) / 1000 * samples_per_second / 1000));
        }
        end = read && end < now ? end : now;
        k_sem_give(&sound);
    }
}

bool port_audio_start(uint32_t rate)
{
    struct pcm_stream_cfg stream = {
        .pcm_rate = rate,
        .pcm_width = 16,
        .block_size = BLOCK_BYTES,
        .mem_slab = &buffers,
    };
    struct dmic_cfg config = {
        .io = {
            .min_pdm_clk_freq = 1000000,
            .max_pdm_clk_freq = 3250000,
            .min_pdm_clk_dc = 40,
            .max_pdm_clk_dc = 60,
        },
        .streams = &stream,
        .channel = {
            .req_num_chan = 1,
            .req_num_streams = 1,
        },
    };
    config.channel.req_chan_map_lo = dmic_build_channel_map(0, 0, PDM_CHAN_LEFT);
    samples_per_second = rate;
    if (airmark_fifo_init(&fifo, fifo_samples, PORT_AUDIO_FIFO) != AIRMARK_OK || !device_is_ready(microphone) ||
        dmic_configure(microphone, &config) != 0 || dmic_trigger(microphone, DMIC_TRIGGER_START) != 0) {
        return false;
    }
    k_thread_create(&thread, stack, K_THREAD_STACK_SIZEOF(stack), collect, NULL, NULL, NULL, K_PRIO_COOP(1), 0,
                    K_NO_WAIT);
    return true;
}

static bool wait_for_sound(void)
{
    k_sem_take(&sound, K_FOREVER);
    return true;
}

void port_write(const char *text, size_t length)
{
    printk("%.*s", (int)length, text);
}

void port_led(bool on)
{
    gpio_pin_set_dt(&led, on);
}

int main(void)
{
    gpio_pin_configure_dt(&led, GPIO_OUTPUT_INACTIVE);
    return port_main();
}
