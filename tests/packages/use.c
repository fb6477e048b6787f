/*
 * Uses the library as a product would, and prints what it was configured for: as this file sees it, and as the library
 * does. Then the marks in the file "sound", raw samples at 16 kHz.
 */
#include <stdio.h>

#include "airmark.h"
#include "airmark_fifo.h"
#include "keys.h"

static airmark_t detector;
static airmark_fifo_t fifo;
static int16_t waiting[256];

static int library_max_keys(void)
{
    static airmark_key_t many[256];
    int most = 0;

    for (int count = 1; count < 256 && count <= AIRMARK_MAX_KEYS; count++) {
        many[count - 1] = airmark_keys[0];
        airmark_config_t config = AIRMARK_CONFIG(16000, many, (uint8_t)count);
        most = airmark_init(&detector, &config) == AIRMARK_OK ? count : most;
    }
    return most;
}

static int library_resample(void)
{
    airmark_config_t config = AIRMARK_CONFIG(48000, airmark_keys, 1);

    return airmark_init(&detector, &config) == AIRMARK_OK;
}

int main(void)
{
    static int16_t samples[100];
    size_t count;
    FILE *sound = fopen("sound", "rb");

    printf("keys %d %d, resample %d %d\n", AIRMARK_MAX_KEYS, library_max_keys(), AIRMARK_RESAMPLE, library_resample());
    airmark_config_t config = AIRMARK_CONFIG(16000, airmark_keys, 1);
    if (sound == NULL || airmark_init(&detector, &config) != AIRMARK_OK) {
        return 1;
    }
    if (airmark_fifo_init(&fifo, waiting, 256) != AIRMARK_OK) {
        return 1;
    }
    while ((count = fread(samples, sizeof samples[0], 100, sound)) > 0) {
        const int16_t *next;
        uint32_t ready, lost;
        airmark_fifo_write(&fifo, samples, (uint32_t)count, 1);
        while ((ready = airmark_fifo_peek(&fifo, &next, &lost)) > 0) {
            airmark_detection_t detection;
            bool found;
            airmark_fifo_consume(&fifo, (uint32_t)airmark_push(&detector, next, ready, 1, &detection, &found));
            if (found) {
                printf("mark at %lu ms\n", (unsigned long)(detection.sample / 16));
            }
        }
    }
    return 0;
}
