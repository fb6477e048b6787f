/* Of Arduino's library PDM, what boards/port/arduino_pdm.cpp uses. */
#ifndef STANDIN_PDM_H
#define STANDIN_PDM_H

#include <stddef.h>

class PDMClass {
public:
    int begin(int channels, int sampleRate);
    int available();
    int read(void *buffer, size_t size);
    void onReceive(void (*function)());
};
extern PDMClass PDM;

#endif
