/* Of the Pico SDK, what boards/port/arduino_pdm.cpp uses. */
#ifndef STANDIN_HARDWARE_SYNC_H
#define STANDIN_HARDWARE_SYNC_H

void __wfi();

#endif
