/*
 * sound: the module with which the test script makes the input of golden vectors (../../vectors/README.md) on a device.
 *
 *     sound.fill(layers, first, out)   # samples number first, first + 1 ... into out, int16; in order, from 0 on
 *
 * layers: a bytearray of sound_layer_t, 35 words of 32 bits each; the generators' states in it are kept up.
 * Built as boards/micropython/modairmark.c is, both ways.
 */
#if defined(MICROPY_ENABLE_DYNRUNTIME)
#include "py/dynruntime.h"
#else
#include "py/runtime.h"
#endif

#include "vectors/sound.h"

static mp_obj_t sound_fill(mp_obj_t layers_in, mp_obj_t first_in, mp_obj_t out_in)
{
    mp_buffer_info_t layers, out;
    mp_get_buffer_raise(layers_in, &layers, MP_BUFFER_RW);
    mp_get_buffer_raise(out_in, &out, MP_BUFFER_RW);
    const uint32_t first = (uint32_t)mp_obj_get_int(first_in);
    for (uint32_t i = 0; i < out.len / 2; i++) {
        ((int16_t *)out.buf)[i] = sound_sample(layers.buf, (uint32_t)(layers.len / sizeof(sound_layer_t)), first + i);
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_3(sound_fill_obj, sound_fill);

#if defined(MICROPY_ENABLE_DYNRUNTIME)

mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args)
{
    MP_DYNRUNTIME_INIT_ENTRY
    (void)n_args;
    (void)n_kw;
    (void)args;
    mp_store_global(MP_QSTR_fill, MP_OBJ_FROM_PTR(&sound_fill_obj));
    MP_DYNRUNTIME_INIT_EXIT
}

#else

static const mp_rom_map_elem_t sound_globals_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_sound)},
    {MP_ROM_QSTR(MP_QSTR_fill), MP_ROM_PTR(&sound_fill_obj)},
};
static MP_DEFINE_CONST_DICT(sound_globals, sound_globals_table);

const mp_obj_module_t sound_module = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)&sound_globals,
};

MP_REGISTER_MODULE(MP_QSTR_sound, sound_module);

#endif
