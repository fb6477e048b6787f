/* Of Arduino's core, what boards/port/arduino_pdm.cpp uses. */
#ifndef STANDIN_ARDUINO_H
#define STANDIN_ARDUINO_H

#include <stddef.h>
#include <stdint.h>

#define LED_BUILTIN 13
#define OUTPUT 1
#define HIGH 1
#define LOW 0

void pinMode(int pin, int mode);
void digitalWrite(int pin, int value);
void noInterrupts();
void interrupts();
void __WFI();

class Console {
public:
    void begin(unsigned long baud);
    size_t write(const uint8_t *buffer, size_t size);
};
extern Console Serial;

void setup();
void loop();

#endif
