# The module `airmark` in a firmware, by CMake (ESP32, RP2): USER_C_MODULES=<this file>; see README.md.
set(AIRMARK_MAX_KEYS 8 CACHE STRING "Keys that one detector can listen for, 1 to 16")
get_filename_component(AIRMARK_LIBRARY "${CMAKE_CURRENT_LIST_DIR}/../../firmware/lib/airmark/src" ABSOLUTE)
file(GLOB AIRMARK_SOURCES CONFIGURE_DEPENDS "${AIRMARK_LIBRARY}/*.c")
# Some ports compile for size.
set_source_files_properties(${AIRMARK_SOURCES} PROPERTIES COMPILE_OPTIONS -O2)

add_library(usermod_airmark INTERFACE)
target_sources(usermod_airmark INTERFACE "${CMAKE_CURRENT_LIST_DIR}/modairmark.c" ${AIRMARK_SOURCES})
target_include_directories(usermod_airmark INTERFACE "${AIRMARK_LIBRARY}")
target_compile_definitions(usermod_airmark INTERFACE AIRMARK_MAX_KEYS=${AIRMARK_MAX_KEYS})
target_link_libraries(usermod INTERFACE usermod_airmark)
