/*
 * A PDM microphone as Zephyr's driver shows it, and as much of the kernel as takes turns: the port's thread goes before its
 * task, so it runs until it waits for sound; then the task goes on. One runs at a time, on two threads of this computer.
 */
#include "hardware.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <zephyr/audio/dmic.h>
#include <zephyr/drivers/gpio.h>
#include <zephyr/kernel.h>
#include <zephyr/sys/printk.h>

#define LATER (-11) /* -EAGAIN */

const struct device standin_dmic_dev = {"dmic"}, standin_led0 = {"led"};

static pthread_mutex_t turns = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn = PTHREAD_COND_INITIALIZER;
static bool thread_waits;    /* in dmic_read */
static bool block_is_there;
static bool silent;          /* the thread is to wake for want of sound */
static k_thread_entry_t entry;
static struct pcm_stream_cfg stream;
static bool active, lit;
static int64_t uptime;       /* ms */

bool device_is_ready(const struct device *device)
{
    return device == &standin_dmic_dev;
}

int dmic_configure(const struct device *device, struct dmic_cfg *config)
{
    stream = config->streams[0];
    return device == &standin_dmic_dev && stream.pcm_rate == 16000 && stream.pcm_width == 16 &&
                   config->channel.req_num_chan == 1 && config->channel.req_num_streams == 1
               ? 0
               : -22;
}

int dmic_trigger(const struct device *device, enum dmic_trigger command)
{
    (void)device;
    active = command == DMIC_TRIGGER_START;
    return 0;
}

/* The thread's: gives the turn to the task until there is a block. */
int dmic_read(const struct device *device, uint8_t number, void **buffer, size_t *size, int32_t timeout)
{
    int result = LATER;
    (void)device;
    (void)number;
    if (timeout < 20) {
        hardware_fail("does not wait for sound");
    }
    pthread_mutex_lock(&turns);
    thread_waits = true;
    pthread_cond_broadcast(&turn);
    while (!block_is_there && !silent) {
        pthread_cond_wait(&turn, &turns);
    }
    thread_waits = false;
    if (block_is_there) {
        uint32_t index = 0;
        while (stream.mem_slab->used >> index & 1u) {
            index++;
        }
        if (index >= stream.mem_slab->num_blocks) {
            hardware_fail("no buffer is free");
        }
        stream.mem_slab->used |= 1u << index;
        *buffer = stream.mem_slab->buffer + index * stream.block_size;
        *size = stream.block_size;
        for (uint32_t i = 0; i < stream.block_size / 2u; i++) {
            const int32_t value = hardware_sample();
            ((int16_t *)*buffer)[i] = (int16_t)(value > 32767 ? 32767 : value < -32768 ? -32768 : value);
        }
        result = 0;
    }
    block_is_there = silent = false;
    pthread_mutex_unlock(&turns);
    return result;
}

void k_mem_slab_free(struct k_mem_slab *slab, void *block)
{
    const size_t index = (size_t)((char *)block - slab->buffer) / slab->block_size;
    if (!(slab->used >> index & 1u)) {
        hardware_fail("a buffer is freed that is not in use");
    }
    slab->used &= ~(1u << index);
}

/* The task's: gives the turn to the thread until it waits again. */
static void run_thread(bool *event)
{
    if (!active) {
        hardware_fail("the microphone is not started");
    }
    pthread_mutex_lock(&turns);
    *event = true;
    pthread_cond_broadcast(&turn);
    while (*event || !thread_waits) {
        pthread_cond_wait(&turn, &turns);
    }
    pthread_mutex_unlock(&turns);
}

void hardware_block(void)
{
    uptime += 10;
    run_thread(&block_is_there);
}

/* The thread is held up: it gets the two blocks that there were buffers for, late, and then no more, as the driver stops. */
uint32_t hardware_mishap(void)
{
    uptime += 170;
    run_thread(&block_is_there);
    run_thread(&block_is_there);
    uptime += 100;
    for (uint32_t i = 0; i < 4000; i++) {
        (void)hardware_sample();
    }
    run_thread(&silent);
    return 4000;
}

static void *run(void *unused)
{
    (void)unused;
    entry(NULL, NULL, NULL);
    return NULL;
}

k_tid_t k_thread_create(struct k_thread *thread, k_thread_stack_t *stack, size_t size, k_thread_entry_t function, void *p1,
                        void *p2, void *p3, int priority, uint32_t options, k_timeout_t delay)
{
    pthread_t made;
    (void)stack;
    (void)p1;
    (void)p2;
    (void)p3;
    (void)options;
    (void)delay;
    if (size < 512 || priority >= 0) {
        hardware_fail("a thread that may be held up, or with too small a stack");
    }
    entry = function;
    if (pthread_create(&made, NULL, run, NULL) != 0) {
        hardware_fail("no thread");
    }
    pthread_mutex_lock(&turns);
    while (!thread_waits) {
        pthread_cond_wait(&turn, &turns);
    }
    pthread_mutex_unlock(&turns);
    return thread;
}

int k_sem_take(struct k_sem *semaphore, k_timeout_t timeout)
{
    (void)timeout;
    while (!semaphore->count) {
        hardware_block();
    }
    semaphore->count--;
    return 0;
}

void k_sem_give(struct k_sem *semaphore)
{
    semaphore->count += semaphore->count < semaphore->limit;
}

int64_t k_uptime_ticks(void)
{
    return uptime * 32768 / 1000;
}

uint64_t k_ticks_to_us_floor64(uint64_t ticks)
{
    return ticks * 1000000 / 32768;
}

int gpio_pin_configure_dt(const struct gpio_dt_spec *spec, gpio_flags_t flags)
{
    lit = flags != GPIO_OUTPUT_INACTIVE;
    return spec->port == &standin_led0 ? 0 : -22;
}

int gpio_pin_set_dt(const struct gpio_dt_spec *spec, int value)
{
    lit = value;
    return spec->port == &standin_led0 ? 0 : -22;
}

bool hardware_led(void)
{
    return lit;
}

void printk(const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    hardware_write(text, (uint32_t)strlen(text));
}
