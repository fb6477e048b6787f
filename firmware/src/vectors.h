/*
 * vectors.h: the detector's taps for the program vectors, which counts what they tell. Included before all else in every
 * C file of its build (the compiler's -include).
 */
#ifndef AIRMARK_VECTORS_H
#define AIRMARK_VECTORS_H

#include <stddef.h>
#include <stdint.h>

void vectors_tap(uint32_t stage, uint32_t value);
uint32_t vectors_crc32(const void *bytes, size_t count);

#define AIRMARK_TAP(detector, stage, value) vectors_tap((uint32_t)(stage), (value))
#define AIRMARK_TAP_CRC(bytes, count) vectors_crc32((bytes), (count))

#endif
