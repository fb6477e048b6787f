/* Ports that read sound from a file or pipe: is it one with a header, whose rate and channels nobody would look at? */
#ifndef AIRMARK_PORT_HEADER_H
#define AIRMARK_PORT_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define PORT_HEADER 4u /* bytes that tell */
#define PORT_RAW "16-bit samples of 16 kHz, one channel, no header, as 'airmark simulate IN OUT.raw --rate 16000' writes them"

/* Whether the first PORT_HEADER bytes are those of WAV, FLAC or Ogg. */
static inline bool port_has_header(const void *bytes)
{
    static const char begins[][PORT_HEADER + 1] = {"RIFF", "RF64", "fLaC", "OggS"};
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        if (memcmp(bytes, begins[i], PORT_HEADER) == 0) {
            return true;
        }
    }
    return false;
}

#endif
