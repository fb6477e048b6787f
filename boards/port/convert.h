/* convert.h: what drivers bring, made 16-bit samples. */
#ifndef AIRMARK_CONVERT_H
#define AIRMARK_CONVERT_H

#include <stdint.h>

/* word / 2^shift (1 to 31), rounded down, limited to 16 bits. */
static inline int16_t port_sample(int32_t word, unsigned shift)
{
    /* As a number from 0 on, which C shifts the same way everywhere. */
    const int32_t value = (int32_t)(((uint32_t)word ^ 0x80000000u) >> shift) - (int32_t)(0x80000000u >> shift);
    return (int16_t)(value > INT16_MAX ? INT16_MAX : value < INT16_MIN ? INT16_MIN : value);
}

#endif
