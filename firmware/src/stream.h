/*
 * stream.h: the port's sound in pieces, for a program of one detector: every sample has its number, also where some are
 * lost. They get zeros in their place, but no more than it takes to decide on all that was heard; from there on the
 * program begins anew at the first sample after the gap, which is told by a line "lost sample=51200 count=160".
 */
#ifndef AIRMARK_STREAM_H
#define AIRMARK_STREAM_H

#include "airmark.h"
#include "audio.h"
#include "line.h"

#define RATE 16000u
#define PIECE 160u /* samples pushed before their place is given back: 10 ms */

static uint64_t now;                    /* number of the next sample; push counts it on */
static uint64_t lost;                   /* in all */
static uint64_t sound_end = UINT64_MAX; /* where the sound ended, once it has: how many samples there were, with those lost */

/* The program's: takes all of the samples, which are the next ones. */
static void push(const int16_t *samples, uint32_t count);

/* The program's: begins, or begins anew, with sample number `now`. */
static airmark_status_t begin(void);

static void push_silence(uint32_t count)
{
    static const int16_t silence[PIECE];
    while (count) {
        const uint32_t piece = count < PIECE ? count : PIECE;
        push(silence, piece);
        count -= piece;
    }
}

static void skip(uint32_t count)
{
    const uint32_t zeros = count < AIRMARK_FLUSH_SAMPLES(RATE) ? count : AIRMARK_FLUSH_SAMPLES(RATE);
    field("lost sample=", now);
    field(" count=", count);
    end_line();
    lost += count;
    count -= zeros;
    push_silence(zeros);
    if (count) {
        now += count;
        (void)begin(); /* with a configuration that was good before */
    }
}

/* Pushes all that the port brings and, where the sound ends, silence until it has decided on all it heard. */
static void stream(void)
{
    for (;;) {
        const int16_t *samples;
        uint32_t gap;
        uint32_t count = port_audio_read(&samples, &gap);
        if (gap) {
            skip(gap);
        } else if (count) {
            count = count < PIECE ? count : PIECE;
            push(samples, count);
            port_audio_done(count);
        } else {
            sound_end = now;
            push_silence(AIRMARK_FLUSH_SAMPLES(RATE));
            return;
        }
    }
}

#endif
