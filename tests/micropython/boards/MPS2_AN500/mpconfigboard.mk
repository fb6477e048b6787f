# A Cortex-M7 with double precision, on QEMU's mps2-an500: MicroPython's qemu port has none with floating point.
QEMU_ARCH = arm
QEMU_MACHINE = mps2-an500

CFLAGS += -mthumb -mcpu=cortex-m7 -mfloat-abi=hard -mfpu=fpv5-d16
CFLAGS += -DQEMU_SOC_MPS2
CFLAGS += -DMICROPY_HW_MCU_NAME='"Cortex-M7"'

LDSCRIPT = mcu/arm/mps2.ld
LDFLAGS += -Wl,--wrap=uart_init

SRC_BOARD_O = shared/runtime/gchelper_native.o shared/runtime/gchelper_thumb2.o
SRC_C += fpu.c
vpath fpu.c $(BOARD_DIR)

MPY_CROSS_FLAGS += -march=armv7emdp
