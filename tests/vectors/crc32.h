/* crc32.h: the checksum of golden vectors (README.md here), of bytes, for builds that define AIRMARK_TAP_CRC. */
#ifndef AIRMARK_CRC32_H
#define AIRMARK_CRC32_H

#include <stddef.h>
#include <stdint.h>

static inline uint32_t crc32_of(const void *bytes, size_t count)
{
    const uint8_t *const of = (const uint8_t *)bytes;
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < count; i++) {
        crc ^= of[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1u)));
        }
    }
    return ~crc;
}

#endif
