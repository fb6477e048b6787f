/*
 * sound.h: the input of golden vectors, sample by sample, in integers only (README.md here describes recipes and layers).
 *
 *     sound_layer_t layers[] = {{.kind = SOUND_NOISE, .length = 40000, .seed = 1, .amplitude = 3000}};
 *     for (uint32_t i = 0; i < length; i++) samples[i] = sound_sample(layers, 1, i); // in order, from 0 on
 */
#ifndef AIRMARK_SOUND_H
#define AIRMARK_SOUND_H

#include <stdint.h>

typedef enum { SOUND_CONSTANT, SOUND_SQUARE, SOUND_RAMP, SOUND_NOISE, SOUND_MARK } sound_kind_t;

typedef struct {
    sound_kind_t kind;
    uint32_t start;
    uint32_t length;
    uint32_t step;          /* square, ramp, mark */
    uint32_t seed;          /* noise, mark */
    int32_t value;          /* constant; of a ramp: first */
    int32_t high, low;      /* square */
    int32_t amplitude;      /* noise */
    uint32_t period, burst; /* noise */
    uint32_t columns[4];    /* mark, as what follows */
    int32_t amplitudes[4];
    uint32_t state[16]; /* of generators, set where a layer starts */
} sound_layer_t;

static inline uint32_t sound_draw(uint32_t x)
{
    x ^= x << 13;
    x ^= x >> 17;
    return x ^ x << 5;
}

/* v 2^-n, rounded to minus infinity. */
static inline int32_t sound_shift(int32_t v, uint32_t n)
{
    return v < 0 ? ~(~v >> n) : v >> n;
}

/* The low 16 bits as a signed number. */
static inline int32_t sound_signed(uint32_t v)
{
    return (int32_t)((v & 0xFFFFu) ^ 0x8000u) - 0x8000;
}

/* A mark's sample n at 16 kHz. */
static inline int32_t sound_of_mark(const sound_layer_t *layer, uint32_t n)
{
    static const uint32_t carriers[4] = {76, 191, 306, 423};
    const uint32_t repetition = n >> 10;
    int32_t sum = 0;
    n &= 1023u;
    for (uint32_t b = 0; repetition < 32u && b < 4u; b++) {
        const uint32_t bit = layer->state[4u * b + (n >> 8)] >> (n >> 3 & 31u);
        const uint32_t negative = (bit ^ n * carriers[b] >> 9 ^ layer->columns[b] >> (31u - repetition)) & 1u;
        sum += negative != 0 ? -layer->amplitudes[b] : layer->amplitudes[b];
    }
    return sum;
}

/* Sample i of a layer, counted from its start. */
static inline int32_t sound_of_layer(sound_layer_t *layer, uint32_t i)
{
    uint32_t *const state = layer->state;
    switch (layer->kind) {
    case SOUND_CONSTANT:
        return layer->value;
    case SOUND_SQUARE:
        return (i * layer->step & 0x80000000u) != 0 ? layer->low : layer->high;
    case SOUND_RAMP:
        return sound_signed((uint32_t)layer->value + i * layer->step);
    case SOUND_NOISE: {
        const uint32_t at = layer->period == 0 ? i : i % layer->period;
        if (layer->period != 0 && at >= layer->burst) {
            return 0;
        }
        state[0] = sound_draw(at == 0 ? layer->seed : state[0]);
        return sound_shift(sound_signed(state[0] >> 16) * layer->amplitude, 15);
    }
    default: {
        for (uint32_t k = 0; i == 0 && k < 16u; k++) {
            state[k] = sound_draw(k == 0 ? layer->seed : state[k - 1u]);
        }
        const uint32_t position = i * layer->step;
        const int32_t here = sound_of_mark(layer, position >> 16);
        const int32_t next = sound_of_mark(layer, (position >> 16) + 1u);
        return here + sound_shift((next - here) * (int32_t)(position >> 4 & 0xFFFu), 12);
    }
    }
}

/* Sample i, counted from the stream's first; to be called for i = 0, 1, 2 ... */
static inline int16_t sound_sample(sound_layer_t *layers, uint32_t count, uint32_t i)
{
    int32_t sum = 0;
    for (uint32_t k = 0; k < count; k++) {
        if (i >= layers[k].start && i - layers[k].start < layers[k].length) {
            sum += sound_of_layer(&layers[k], i - layers[k].start);
        }
    }
    return (int16_t)(sum > 32767 ? 32767 : sum < -32768 ? -32768 : sum);
}

#endif
