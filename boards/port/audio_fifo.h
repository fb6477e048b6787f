/*
 * audio_fifo.h: the task's side of audio.h, for ports whose interrupt fills a FIFO. Included by the one file of a port, which
 * prepares the FIFO before the interrupt comes, and has how to sleep.
 */
#ifndef AIRMARK_AUDIO_FIFO_H
#define AIRMARK_AUDIO_FIFO_H

#include "airmark_fifo.h"
#include "audio.h"

#ifndef PORT_AUDIO_FIFO
#define PORT_AUDIO_FIFO 2048 /* samples, a power of two: 128 ms at 16 kHz */
#endif

static int16_t fifo_samples[PORT_AUDIO_FIFO];
static airmark_fifo_t fifo;

/*
 * The port's: sleeps until the interrupt has come since the FIFO was empty, which it is when this is called; may return
 * sooner. Returns false where the sound has ended and the FIFO is still empty: never with a microphone.
 */
static bool wait_for_sound(void);

/* Whether there is nothing to read. A port that sleeps by an instruction asks with interrupts held back, just before. */
static inline bool fifo_is_empty(void)
{
    const int16_t *samples;
    uint32_t lost;
    return airmark_fifo_peek(&fifo, &samples, &lost) == 0 && lost == 0;
}

/* NOLINTBEGIN(misc-definitions-in-headers): one file of a program includes this. */
uint32_t port_audio_read(const int16_t **samples, uint32_t *lost)
{
    do {
        const uint32_t count = airmark_fifo_peek(&fifo, samples, lost);
        if (count || *lost) {
            airmark_fifo_skip(&fifo, *lost);
            return count;
        }
    } while (wait_for_sound());
    return 0;
}

void port_audio_done(uint32_t count)
{
    airmark_fifo_consume(&fifo, count);
}
/* NOLINTEND(misc-definitions-in-headers) */

#endif
