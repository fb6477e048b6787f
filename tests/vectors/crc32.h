/* crc32.h: the checksum of golden vectors (README.md here), of bytes and of words, and of whatever else is summed. */
#ifndef AIRMARK_CRC32_H
#define AIRMARK_CRC32_H

#include <stddef.h>
#include <stdint.h>

#define CRC32_BEGIN 0xFFFFFFFFu /* the sum of nothing yet; when all is added its complement is the CRC32 */

/* A sum to whose low end a number was put by exclusive or, with so many of the number's nibbles added, lowest first. */
static inline uint32_t crc32_add(uint32_t sum, uint32_t nibbles)
{
    static const uint32_t of_nibble[16] = {
        0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
        0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
    };
    while (nibbles--) {
        sum = sum >> 4 ^ of_nibble[sum & 15u];
    }
    return sum;
}

static inline uint32_t crc32_of(const void *bytes, size_t count)
{
    const uint8_t *const of = (const uint8_t *)bytes;
    uint32_t sum = CRC32_BEGIN;
    for (size_t i = 0; i < count; i++) {
        sum = crc32_add(sum ^ of[i], 2);
    }
    return ~sum;
}

#endif
