/*
 * The port for Arduino boards with a PDM microphone, through Arduino's PDM library: Nano 33 BLE Sense (nRF52840) and Nano
 * RP2040 Connect with their own microphones, by Arduino's mbed cores; any RP2040 or RP2350 board by the core arduino-pico.
 * NOT RUN ON HARDWARE.
 *
 * Pins: the core's own PIN_PDM_CLK and PIN_PDM_DIN; for a board that has none define both as build flags, for all files.
 * Console: USB. Lamp: LED_BUILTIN. The task may be late by FIFO samples less a block. What is lost because interrupts were
 * held back for longer than one of the library's blocks, nobody tells. An RP2040's or RP2350's clock that is a multiple of
 * 8 kHz, as 125, 133 and 150 MHz are, gives 16,000 Hz exactly: its state machine divides it in steps of 1/256.
 */
#include <Arduino.h>
#include <PDM.h>

#include "audio_fifo.h"
#include "board.h"

#ifdef ARDUINO_ARCH_MBED
#define SLEEP() __WFI()
#else
#include <hardware/sync.h>
#define SLEEP() __wfi()
#endif

/* The interrupt. The library stops for good where its block is still there when the next is done: so take all. */
static void received()
{
    int16_t block[128];
    int bytes;
    while ((bytes = PDM.read(block, sizeof block)) > 0) {
        airmark_fifo_write(&fifo, block, static_cast<uint32_t>(bytes) / sizeof block[0], 1);
    }
}

bool port_audio_start(uint32_t rate)
{
    if (airmark_fifo_init(&fifo, fifo_samples, PORT_AUDIO_FIFO) != AIRMARK_OK) {
        return false;
    }
    PDM.onReceive(received);
    return PDM.begin(1, static_cast<int>(rate)) == 1;
}

static bool wait_for_sound()
{
    /* An interrupt that comes from here on is held back, and ends the sleep. */
    noInterrupts();
    if (fifo_is_empty()) {
        SLEEP();
    }
    interrupts();
    return true;
}

void port_write(const char *text, size_t length)
{
    Serial.write(reinterpret_cast<const uint8_t *>(text), length);
}

void port_led(bool on)
{
    digitalWrite(LED_BUILTIN, on ? HIGH : LOW);
}

void setup()
{
    Serial.begin(115200);
    pinMode(LED_BUILTIN, OUTPUT);
    port_main();
}

void loop()
{
}
