SRC_USERMOD_C += $(USERMOD_DIR)/sound.c
CFLAGS_USERMOD += -I$(realpath $(USERMOD_DIR)/../..)
