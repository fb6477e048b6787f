/* Stand-in for Arduino's core: what the example sketch calls, in time that passes as the sketch waits. */
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stddef.h>
#include <stdint.h>

#define LOW 0
#define HIGH 1
#define OUTPUT 1
#define LED_BUILTIN 13

void setup();
void loop();

void pinMode(int pin, int mode);
void digitalWrite(int pin, int level);
unsigned long millis();
void delay(unsigned long ms);

class Printer {
public:
    void begin(unsigned long baud);
    void print(const char *text);
    void print(unsigned int number);
    void print(unsigned long number);
    void print(double number, int digits = 2);
    void println(const char *text);
    void println(unsigned char number);
};

extern Printer Serial;

#endif
