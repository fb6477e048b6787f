# An ESP32-S3 with airmark inside. Paths that are not absolute count from ports/esp32.
include(boards/ESP32_GENERIC_S3/mpconfigboard.cmake)
set(AIRMARK_GLUE "${CMAKE_CURRENT_LIST_DIR}/../..")
set(USER_C_MODULES "${AIRMARK_GLUE}/micropython.cmake")
set(MICROPY_FROZEN_MANIFEST "${AIRMARK_GLUE}/manifest.py")
