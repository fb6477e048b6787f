# The module `airmark` in a firmware, by make: USER_C_MODULES=<the folder above this one>; see README.md.
AIRMARK_GLUE := $(USERMOD_DIR)
AIRMARK_LIBRARY := $(realpath $(USERMOD_DIR)/../../firmware/lib/airmark/src)
AIRMARK_MAX_KEYS ?= 8

SRC_USERMOD_C += $(AIRMARK_GLUE)/modairmark.c
SRC_USERMOD_LIB_C += $(wildcard $(AIRMARK_LIBRARY)/*.c)
CFLAGS_USERMOD += -I$(AIRMARK_LIBRARY) -DAIRMARK_MAX_KEYS=$(AIRMARK_MAX_KEYS)

# Some ports compile for size.
$(BUILD)/$(AIRMARK_LIBRARY)/%.o: CFLAGS += -O2
