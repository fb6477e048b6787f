/* A PDM microphone as Arduino's library shows it: a block in the interrupt, which must be read before the next. */
#include "hardware.h"

#include <Arduino.h>
#include <PDM.h>
#include <hardware/sync.h>

#include <cstring>

PDMClass PDM;
Console Serial;

namespace {

constexpr size_t samples = 256; /* of a block; the buffer of the library */
int16_t block[samples];
size_t there, given; /* bytes */
void (*receive)();
bool begun, held, ready, lit, output;

void interrupt()
{
    ready = false;
    receive();
}

} // namespace

int PDMClass::begin(int channels, int rate)
{
    begun = channels == 1 && rate == 16000 && receive;
    return begun;
}

int PDMClass::available()
{
    return static_cast<int>(there - given);
}

int PDMClass::read(void *buffer, size_t size)
{
    const size_t count = size < there - given ? size : there - given;
    std::memcpy(buffer, reinterpret_cast<const char *>(block) + given, count);
    given += count;
    return static_cast<int>(count);
}

void PDMClass::onReceive(void (*function)())
{
    receive = function;
}

void hardware_block()
{
    if (!begun || given < there) {
        hardware_fail("the library has stopped");
    }
    for (size_t i = 0; i < samples; i++) {
        const int32_t value = hardware_sample();
        block[i] = static_cast<int16_t>(value > 32767 ? 32767 : value < -32768 ? -32768 : value);
    }
    there = sizeof block;
    given = 0;
    ready = true;
    if (!held) {
        interrupt();
    }
}

/* None: this library has no way to tell of one. */
uint32_t hardware_mishap()
{
    return 0;
}

void noInterrupts()
{
    held = true;
}

void interrupts()
{
    held = false;
    if (ready) {
        interrupt();
    }
}

void __WFI()
{
    if (!held) {
        hardware_fail("sleeps where an interrupt may come before");
    }
    hardware_block();
}

void __wfi()
{
    __WFI();
}

void pinMode(int pin, int mode)
{
    output = pin == LED_BUILTIN && mode == OUTPUT;
}

void digitalWrite(int pin, int value)
{
    lit = output && pin == LED_BUILTIN && value == HIGH;
}

bool hardware_led()
{
    return lit;
}

void Console::begin(unsigned long)
{
}

size_t Console::write(const uint8_t *buffer, size_t size)
{
    hardware_write(buffer, static_cast<uint32_t>(size));
    return size;
}

int main()
{
    setup();
    loop();
    return 1;
}
