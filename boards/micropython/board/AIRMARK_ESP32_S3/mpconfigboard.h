#define MICROPY_HW_BOARD_NAME "ESP32-S3 with airmark"
#include "boards/ESP32_GENERIC_S3/mpconfigboard.h"
