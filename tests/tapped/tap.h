/* Included before all else in every C file of this build: the detector's taps call back. */
#ifndef TAP_H
#define TAP_H

#include <stddef.h>
#include <stdint.h>

void tap(int stage, uint32_t value);
uint32_t tap_crc32(const void *bytes, size_t count);

#define AIRMARK_TAP(detector, stage, value) tap((int)(stage), (value))
#define AIRMARK_TAP_CRC(bytes, count) tap_crc32((bytes), (count))

#endif
