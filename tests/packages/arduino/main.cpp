/*
 * Runs a sketch on this computer: `sketch [MS]` hears the raw 16-bit samples on standard input until they end. Each call of
 * loop() takes MS milliseconds (none), and as many as it waits. The LED's changes are printed as they come.
 */
#include <Arduino.h>
#include <PDM.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Printer Serial;
Microphone PDM;

static const int BLOCK = 512; /* bytes that PDM's driver gathers before it interrupts */
static unsigned char block[BLOCK];
static int filled;
static void (*receive)();
static int rate;
static bool ended;
static unsigned long now;
static int led = LOW;

static void pass(unsigned long ms) {
    for (; ms > 0; ms--) {
        now++;
        for (int count = rate / 1000; count > 0; count--) {
            if (fread(block + filled, 2, 1, stdin) != 1) {
                ended = true;
                return;
            }
            filled += 2;
            if (filled == BLOCK) {
                receive();
                if (filled != 0) {
                    fprintf(stderr, "the block was not taken in its interrupt\n");
                    exit(1);
                }
            }
        }
    }
}

int Microphone::begin(int channels, int hertz) {
    rate = hertz;
    return channels == 1 && hertz == 16000 && receive != NULL;
}

void Microphone::onReceive(void (*callback)()) {
    receive = callback;
}

int Microphone::available() {
    return filled;
}

int Microphone::read(void *buffer, size_t bytes) {
    int count = bytes < (size_t)filled ? (int)bytes : filled;
    memcpy(buffer, block, (size_t)count);
    filled -= count;
    memmove(block, block + count, (size_t)filled);
    return count;
}

void pinMode(int, int) {}

void digitalWrite(int, int level) {
    if (level != led) {
        printf("LED %s at %lu ms\n", level ? "on" : "off", now);
    }
    led = level;
}

unsigned long millis() {
    return now;
}

void delay(unsigned long ms) {
    if (rate == 0) { /* the sketch has given up */
        fflush(stdout);
        exit(3);
    }
    pass(ms);
}

void Printer::begin(unsigned long) {}

void Printer::print(const char *text) {
    fputs(text, stdout);
}

void Printer::print(unsigned int number) {
    printf("%u", number);
}

void Printer::print(unsigned long number) {
    printf("%lu", number);
}

void Printer::print(double number, int digits) {
    printf("%.*f", digits, number);
}

void Printer::println(const char *text) {
    puts(text);
}

void Printer::println(unsigned char number) {
    printf("%u\n", number);
}

int main(int count, char **arguments) {
    unsigned long ms = count > 1 ? strtoul(arguments[1], NULL, 10) : 0;
    setup();
    while (!ended) {
        loop();
        pass(ms);
    }
    return 0;
}
