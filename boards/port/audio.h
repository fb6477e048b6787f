/*
 * audio.h: the port's microphone. Three functions, called from one task.
 *
 *     if (!port_audio_start(16000)) ...
 *     for (;;) {
 *         const int16_t *samples;
 *         uint32_t lost;
 *         uint32_t count = port_audio_read(&samples, &lost);   // sleeps until there is something
 *         if (lost) ...                                        // so many samples are missing here
 *         if (!count && !lost) break;                          // the end: of a file, never of a microphone
 *         use(samples, count);
 *         port_audio_done(count);
 *     }
 *
 * Behind it an interrupt puts what DMA has brought into an airmark_fifo_t and wakes the task; it does nothing else.
 * The file of each board tells its microphone, pins, and how long the task may be late before samples are lost.
 */
#ifndef AIRMARK_AUDIO_H
#define AIRMARK_AUDIO_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Starts the microphone at `rate`, Hz. Returns false where the board can't, or something it needs did not start. */
bool port_audio_start(uint32_t rate);

/*
 * What comes next; while there is nothing the core sleeps.
 *
 * Samples: *samples is the first of the number returned, one channel; *lost is 0. They stay until port_audio_done.
 * A gap: returns 0, and *lost is how many samples were lost between those given so far and those to come. It is told once.
 * The end: returns 0, and *lost is 0.
 */
uint32_t port_audio_read(const int16_t **samples, uint32_t *lost);

/* Gives back the first `count` samples of those read, at most as many as were: there is room for new ones. */
void port_audio_done(uint32_t count);

#ifdef __cplusplus
}
#endif

#endif
