/* Stand-in for Arduino's PDM library: a microphone that hears standard input. */
#ifndef PDM_H
#define PDM_H

#include <stddef.h>

class Microphone {
public:
    int begin(int channels, int rate);
    void onReceive(void (*callback)());
    int available();
    int read(void *buffer, size_t bytes);
};

extern Microphone PDM;

#endif
