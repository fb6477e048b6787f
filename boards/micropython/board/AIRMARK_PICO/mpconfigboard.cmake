# A Raspberry Pi Pico with airmark inside. Paths that are not absolute count from ports/rp2.
include(boards/RPI_PICO/mpconfigboard.cmake)
set(GEN_PINS_BOARD_CSV "${CMAKE_CURRENT_SOURCE_DIR}/boards/RPI_PICO/pins.csv")
set(GEN_PINS_CSV_ARG --board-csv "${GEN_PINS_BOARD_CSV}")
set(AIRMARK_GLUE "${CMAKE_CURRENT_LIST_DIR}/../..")
set(USER_C_MODULES "${AIRMARK_GLUE}/micropython.cmake")
set(MICROPY_FROZEN_MANIFEST "${AIRMARK_GLUE}/manifest.py")
