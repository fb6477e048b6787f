/*
 * modairmark: the module `airmark` for MicroPython, the detector with the names that the Python package has on the host.
 *
 * One source, built two ways: into a firmware as a user C module (micropython.mk, micropython.cmake), or as a native
 * module, airmark.mpy, that a stock MicroPython loads (natmod/Makefile). A native module may have no variable with a
 * value at start, reaches the runtime through a table only, and knows names (MP_QSTR_...) only once it runs: so types
 * are filled in when it is imported, and numbers that are not small integers are made by the interpreter's own
 * operators. These take and give objects, so that it does not matter how a float is handed over either: a module for a
 * core without floating point runs on one with.
 *
 * Memory: an object holds all of its detector or gate, with its keys; nothing is allocated afterwards but what is given
 * back: a tuple and a Detection for each mark. The collector does not move objects, so pointers into them stay good.
 * A detector can be used from scheduled callbacks (soft interrupts): nothing here lets another callback run while samples
 * are being pushed. A second call meanwhile, from a hard interrupt or another core, raises RuntimeError, from the first
 * sample of a buffer to the last. So nothing in between may raise: what finds no memory is told when all is pushed.
 */
#if defined(MICROPY_ENABLE_DYNRUNTIME)
#include "py/dynruntime.h"
#else
#include "py/binary.h"
#include "py/builtin.h"
#include "py/objstr.h"
#include "py/objtuple.h"
#include "py/runtime.h"
#endif

#include <string.h>

#include "airmark.h"
#include "airmark_gate.h"

#define PIECE 64 /* samples copied at a time, of a buffer at an odd address */

/* Scores of one false alarm a year, all keys together, for 1, 2, ... keys: airmark.thresholds, rounded up to 1/256. */
static const uint16_t one_a_year_q8[] = {
    AIRMARK_DEFAULT_THRESHOLD_Q8, 1662, 1679, 1691, 1701, 1708, 1714, 1720,
    1725, 1729, 1733, 1736, 1739, 1742, 1745, 1748,
};
#if AIRMARK_MAX_KEYS > 16
#error "airmark: the module for MicroPython is built for at most 16 keys (AIRMARK_MAX_KEYS)"
#endif

#define BAD_RATE MP_ERROR_TEXT("rate must be 8000, 16000, 32000, 44100 or 48000 Hz")
#define BAD_FIRST_SAMPLE MP_ERROR_TEXT("first_sample must be a whole number, 0 to 2**63 - 1")
#define BAD_WAIT MP_ERROR_TEXT("wait must be a whole number of samples, 0 to 2**32 - 1")
#define BAD_HEARD MP_ERROR_TEXT("heard must be a whole number of samples, 0 or more")

typedef struct detection_obj {
    mp_obj_base_t base;
    uint32_t rate;
    airmark_detection_t detection;
    struct detection_obj *next; /* of those that a call found, until it gives them back */
} detection_obj_t;

typedef struct {
    mp_obj_base_t base;
    mp_obj_t keys; /* as they were given, a tuple */
    volatile bool busy;
    airmark_t detector;
    airmark_key_t words[AIRMARK_MAX_KEYS]; /* where the detector looks for its keys */
} detector_obj_t;

typedef struct {
    mp_obj_base_t base;
    airmark_gate_t gate;
} gate_obj_t;

typedef struct {
    mp_obj_base_t base;
    uint32_t rate;
    airmark_gate_answer_t answer;
} answer_obj_t;

#if defined(MICROPY_ENABLE_DYNRUNTIME)
/* Not static: the linker of native modules wants it so. */
mp_obj_full_type_t detection_type, detector_type, gate_type, answer_type;
#else
static const mp_obj_type_t detection_type, detector_type, gate_type, answer_type;
#endif
#define TYPE(name) ((const mp_obj_type_t *)&name##_type)

/* Gives NULL where there is no memory. */
static void *allocate(size_t size)
{
#if defined(MICROPY_ENABLE_DYNRUNTIME)
    return m_realloc_maybe(NULL, size, false);
#else
    return m_malloc_maybe(size);
#endif
}

/* Numbers */

static mp_obj_t binary(mp_binary_op_t op, mp_obj_t left, mp_obj_t right)
{
    return mp_binary_op(op, left, right);
}

static mp_obj_t from_u64(uint64_t value)
{
    const mp_uint_t low = (mp_uint_t)(value & 0xFFFFFFFFu), high = (mp_uint_t)(value >> 32);
    if (high == 0) {
        return mp_obj_new_int_from_uint(low);
    }
    const mp_obj_t upper = binary(MP_BINARY_OP_LSHIFT, mp_obj_new_int_from_uint(high), MP_OBJ_NEW_SMALL_INT(32));
    return binary(MP_BINARY_OP_OR, upper, mp_obj_new_int_from_uint(low));
}

/* Raises TypeError with that text where it is no whole number, and ValueError where it does not fit in 64 bits. */
static uint64_t to_u64(mp_obj_t object, mp_rom_error_text_t text)
{
    if (mp_obj_get_type(object) != &mp_type_int) {
        mp_raise_TypeError(text);
    }
    const mp_obj_t upper = binary(MP_BINARY_OP_RSHIFT, object, MP_OBJ_NEW_SMALL_INT(32));
    if (mp_obj_is_true(binary(MP_BINARY_OP_RSHIFT, upper, MP_OBJ_NEW_SMALL_INT(32)))) {
        mp_raise_ValueError(text);
    }
    const uint64_t high = (uint32_t)mp_obj_get_int_truncated(upper);
    return high << 32 | (uint32_t)mp_obj_get_int_truncated(object);
}

/* The number of a stream's first sample. */
static uint64_t to_first_sample(mp_obj_t object)
{
    const uint64_t first_sample = to_u64(object, BAD_FIRST_SAMPLE);
    if (first_sample > INT64_MAX) {
        mp_raise_ValueError(BAD_FIRST_SAMPLE);
    }
    return first_sample;
}

/* value / unit, a float. */
static mp_obj_t fraction(int32_t value, mp_int_t unit)
{
    return binary(MP_BINARY_OP_TRUE_DIVIDE, mp_obj_new_int(value), MP_OBJ_NEW_SMALL_INT(unit));
}

/* A score in 1/256, rounded up, and limited to what the detector takes. */
static uint16_t to_threshold(mp_obj_t score)
{
    const mp_obj_t unit = fraction(1, 256);
    const mp_obj_type_t *const type = mp_obj_get_type(score);
    if (type != &mp_type_int && type != mp_obj_get_type(unit)) {
        mp_raise_TypeError(MP_ERROR_TEXT("threshold must be a number, such as 6.5"));
    }
    const mp_obj_t q8 = binary(MP_BINARY_OP_TRUE_DIVIDE, score, unit);
    /* Of what is no number, and of the infinite, the difference to itself is not 0. */
    if (!mp_obj_is_true(binary(MP_BINARY_OP_EQUAL, binary(MP_BINARY_OP_SUBTRACT, q8, q8), MP_OBJ_NEW_SMALL_INT(0)))) {
        mp_raise_ValueError(MP_ERROR_TEXT("threshold is no score: give a number, such as 6.5"));
    }
    if (mp_obj_is_true(binary(MP_BINARY_OP_LESS, q8, MP_OBJ_NEW_SMALL_INT(AIRMARK_LEAST_THRESHOLD_Q8)))) {
        return AIRMARK_LEAST_THRESHOLD_Q8;
    }
    if (mp_obj_is_true(binary(MP_BINARY_OP_MORE, q8, MP_OBJ_NEW_SMALL_INT(UINT16_MAX)))) {
        return UINT16_MAX;
    }
    const mp_obj_t whole = mp_call_function_n_kw(MP_OBJ_FROM_PTR(&mp_type_int), 1, 0, &q8);
    const mp_int_t down = mp_obj_get_int(whole);
    return (uint16_t)(down + (mp_obj_is_true(binary(MP_BINARY_OP_MORE, q8, whole)) ? 1 : 0));
}

/* Detection */

static mp_obj_t detection_field(const detection_obj_t *self, qstr name)
{
    const airmark_detection_t *const d = &self->detection;
    if (name == MP_QSTR_sample) {
        return from_u64(d->sample);
    }
    if (name == MP_QSTR_time_s) {
        return binary(MP_BINARY_OP_TRUE_DIVIDE, from_u64(d->sample), MP_OBJ_NEW_SMALL_INT((mp_int_t)self->rate));
    }
    if (name == MP_QSTR_score) {
        return fraction(d->score_q8, 256);
    }
    if (name == MP_QSTR_drift_ppm) {
        return fraction(d->drift_ppm_q4, 16);
    }
    if (name == MP_QSTR_key) {
        return MP_OBJ_NEW_SMALL_INT(d->key);
    }
    if (name == MP_QSTR_early) {
        return mp_obj_new_bool(d->early);
    }
    return MP_OBJ_NULL;
}

static void detection_attr(mp_obj_t self_in, qstr name, mp_obj_t *dest)
{
    if (dest[0] == MP_OBJ_NULL) {
        dest[0] = detection_field(MP_OBJ_TO_PTR(self_in), name);
    }
}

static void print_field(const mp_print_t *print, const char *before, const detection_obj_t *self, qstr name)
{
    const mp_obj_t field = detection_field(self, name);
    const mp_obj_t text = mp_call_function_n_kw(MP_OBJ_FROM_PTR(&mp_type_str), 1, 0, &field);
    mp_printf(print, "%s%s", before, (const char *)mp_obj_str_get_str(text));
}

static void detection_print(const mp_print_t *print, mp_obj_t self_in, mp_print_kind_t kind)
{
    const detection_obj_t *const self = MP_OBJ_TO_PTR(self_in);
    (void)kind;
    print_field(print, "Detection(sample=", self, MP_QSTR_sample);
    print_field(print, ", time_s=", self, MP_QSTR_time_s);
    print_field(print, ", score=", self, MP_QSTR_score);
    print_field(print, ", drift_ppm=", self, MP_QSTR_drift_ppm);
    print_field(print, ", key=", self, MP_QSTR_key);
    print_field(print, ", early=", self, MP_QSTR_early);
    mp_printf(print, ")");
}

/* Gives NULL where there is no memory. */
static detection_obj_t *new_detection(const airmark_detection_t *detection, uint32_t rate)
{
    detection_obj_t *const found = allocate(sizeof *found);
    if (found != NULL) {
        found->base.type = TYPE(detection);
        found->rate = rate;
        found->detection = *detection;
        found->next = NULL;
    }
    return found;
}

/* Detector */

/* Whether that is a key; its 16 bytes are copied where it is. */
static bool key_words(mp_obj_t object, airmark_key_t *words)
{
    mp_obj_t method[2];
    mp_buffer_info_t buffer;
    mp_load_method_maybe(object, MP_QSTR_words, method);
    if (method[0] == MP_OBJ_NULL || method[1] != MP_OBJ_NULL ||
        !mp_get_buffer(method[0], &buffer, MP_BUFFER_READ) || buffer.len != sizeof words->columns) {
        return false;
    }
    memcpy(words->columns, buffer.buf, sizeof words->columns);
    return true;
}

static void take_keys(detector_obj_t *self, mp_obj_t keys, airmark_config_t *config)
{
    size_t count = 1;
    if (key_words(keys, &self->words[0])) {
        self->keys = mp_obj_new_tuple(count, &keys);
    } else {
        const mp_obj_type_t *const type = mp_obj_get_type(keys);
        if (type != &mp_type_list && type != &mp_type_tuple) {
            mp_raise_TypeError(MP_ERROR_TEXT("keys must be a Key, as Key.load gives it, or a list of them"));
        }
        mp_obj_t *items;
        mp_obj_get_array(keys, &count, &items);
        if (count < 1 || count > AIRMARK_MAX_KEYS) {
            mp_raise_ValueError(MP_ERROR_TEXT("keys must be at least one and no more than airmark.MAX_KEYS"));
        }
        /* Getting a key's words may run code that changes the list: of a tuple of our own it can't. */
        self->keys = mp_obj_new_tuple(count, items);
        mp_obj_get_array(self->keys, &count, &items);
        for (size_t i = 0; i < count; i++) {
            if (!key_words(items[i], &self->words[i])) {
                mp_raise_TypeError(MP_ERROR_TEXT("each of the keys must be a Key, as Key.load gives it"));
            }
        }
    }
    config->keys = self->words;
    config->key_count = (uint8_t)count;
    config->threshold_q8 = one_a_year_q8[count - 1];
}

static mp_obj_t detector_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args)
{
    enum { KEYS, RATE, THRESHOLD, ENGINE, EARLY, FIRST_SAMPLE, COUNT };
    const mp_arg_t allowed[COUNT] = {
        {MP_QSTR_keys, MP_ARG_OBJ | MP_ARG_REQUIRED, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_rate, MP_ARG_OBJ, {.u_obj = MP_OBJ_NEW_SMALL_INT(16000)}},
        {MP_QSTR_threshold, MP_ARG_OBJ | MP_ARG_KW_ONLY, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_engine, MP_ARG_OBJ | MP_ARG_KW_ONLY, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_early, MP_ARG_BOOL | MP_ARG_KW_ONLY, {.u_bool = false}},
        {MP_QSTR_first_sample, MP_ARG_OBJ | MP_ARG_KW_ONLY, {.u_obj = MP_OBJ_NEW_SMALL_INT(0)}},
    };
    mp_arg_val_t given[COUNT];
    mp_arg_parse_all_kw_array(n_args, n_kw, args, COUNT, allowed, given);
    const mp_obj_t threshold = given[THRESHOLD].u_obj, engine = given[ENGINE].u_obj;
    const uint64_t rate = to_u64(given[RATE].u_obj, BAD_RATE);
    airmark_config_t config = AIRMARK_CONFIG(rate <= UINT32_MAX ? (uint32_t)rate : 0, NULL, 0);

    if (engine != MP_OBJ_NULL && engine != mp_const_none &&
        !mp_obj_is_true(binary(MP_BINARY_OP_EQUAL, engine, MP_OBJ_NEW_QSTR(MP_QSTR_c)))) {
        mp_raise_ValueError(MP_ERROR_TEXT("engine must be 'c': there is no other on a device"));
    }
    detector_obj_t *const self = mp_obj_malloc(detector_obj_t, type);
    self->busy = false;
    take_keys(self, given[KEYS].u_obj, &config);
    config.early = given[EARLY].u_bool;
    config.first_sample = to_first_sample(given[FIRST_SAMPLE].u_obj);
    if (threshold != MP_OBJ_NULL && threshold != mp_const_none) {
        config.threshold_q8 = to_threshold(threshold);
    }
    const airmark_status_t status = airmark_init(&self->detector, &config);
    if (status == AIRMARK_BAD_KEYS) {
        mp_raise_ValueError(MP_ERROR_TEXT("keys must have signs of both kinds in each band: one of these was never written"));
    }
    /* What else it might refuse was seen to above. */
    if (status != AIRMARK_OK) {
        mp_raise_ValueError(BAD_RATE);
    }
    return MP_OBJ_FROM_PTR(self);
}

static void detector_attr(mp_obj_t self_in, qstr name, mp_obj_t *dest)
{
    const detector_obj_t *const self = MP_OBJ_TO_PTR(self_in);
    const airmark_config_t *const config = &self->detector.config;
    if (dest[0] != MP_OBJ_NULL) {
        return;
    }
    if (name == MP_QSTR_score) {
        dest[0] = fraction(airmark_score_q8(&self->detector), 256);
    } else if (name == MP_QSTR_dropped) {
        dest[0] = MP_OBJ_NEW_SMALL_INT(airmark_dropped(&self->detector));
    } else if (name == MP_QSTR_keys) {
        dest[0] = self->keys;
    } else if (name == MP_QSTR_rate) {
        dest[0] = MP_OBJ_NEW_SMALL_INT((mp_int_t)config->rate);
    } else if (name == MP_QSTR_threshold) {
        dest[0] = fraction(config->threshold_q8, 256);
    } else if (name == MP_QSTR_first_sample) {
        dest[0] = from_u64(config->first_sample);
    } else if (name == MP_QSTR_engine) {
        dest[0] = MP_OBJ_NEW_QSTR(MP_QSTR_c);
    } else {
        dest[1] = MP_OBJ_SENTINEL; /* it may be a method */
    }
}

/* Raises RuntimeError where a call of this detector is under way; else marks that one is. */
static void begin(detector_obj_t *self)
{
    if (self->busy) {
        mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("detector is in use by another call"));
    }
    self->busy = true;
}

/* What a call found, first to last. */
typedef struct {
    detection_obj_t *first;
    detection_obj_t *last;
    size_t count;
    bool lost; /* for one there was no memory */
} found_t;

static void keep(found_t *all, detection_obj_t *detection)
{
    if (detection == NULL) {
        all->lost = true;
        return;
    }
    if (all->first == NULL) {
        all->first = detection;
    } else {
        all->last->next = detection;
    }
    all->last = detection;
    all->count++;
}

/* airmark_push of all; keeps what is found. bytes: samples at any address. */
static void push(detector_obj_t *self, const uint8_t *bytes, size_t count, found_t *all)
{
    const bool aligned = (uintptr_t)bytes % sizeof(int16_t) == 0;
    while (count > 0) {
        int16_t piece[PIECE];
        const int16_t *samples = (const int16_t *)(const void *)bytes;
        size_t size = count;
        if (!aligned) {
            size = count < PIECE ? count : PIECE;
            memcpy(piece, bytes, size * sizeof piece[0]);
            samples = piece;
        }
        airmark_detection_t detection;
        bool found;
        const size_t taken = airmark_push(&self->detector, samples, size, 1, &detection, &found);
        bytes += taken * sizeof piece[0];
        count -= taken;
        if (found) {
            keep(all, new_detection(&detection, self->detector.config.rate));
        }
    }
}

/* The call is over: all that was found, as a tuple. */
static mp_obj_t end(detector_obj_t *self, const found_t *all)
{
    mp_obj_t *items;
    size_t count;
    self->busy = false;
    if (all->lost) {
        m_malloc_fail(sizeof(detection_obj_t));
    }
    if (all->count == 0) {
        return mp_const_empty_tuple; /* it exists already */
    }
    const mp_obj_t tuple = mp_obj_new_tuple(all->count, NULL);
    mp_obj_get_array(tuple, &count, &items);
    for (detection_obj_t *one = all->first, *next; one != NULL; one = next) {
        next = one->next;
        one->next = NULL; /* whoever keeps one does not keep the rest */
        *items++ = MP_OBJ_FROM_PTR(one);
    }
    return tuple;
}

static mp_obj_t detector_process(mp_obj_t self_in, mp_obj_t samples)
{
    detector_obj_t *const self = MP_OBJ_TO_PTR(self_in);
    mp_buffer_info_t buffer;
    found_t all = {NULL, NULL, 0, false};
    if (mp_obj_get_type(samples) == &mp_type_str || !mp_get_buffer(samples, &buffer, MP_BUFFER_READ) ||
        (buffer.typecode != 'h' && buffer.typecode != 'B' && buffer.typecode != BYTEARRAY_TYPECODE)) {
        mp_raise_TypeError(MP_ERROR_TEXT("samples must be array('h'), bytes, bytearray or a memoryview of these"));
    }
    if (buffer.len % sizeof(int16_t) != 0) {
        mp_raise_ValueError(MP_ERROR_TEXT("samples must be whole: an even number of bytes"));
    }
    begin(self);
    push(self, buffer.buf, buffer.len / sizeof(int16_t), &all);
    return end(self, &all);
}
static MP_DEFINE_CONST_FUN_OBJ_2(detector_process_obj, detector_process);

static mp_obj_t detector_flush(mp_obj_t self_in)
{
    detector_obj_t *const self = MP_OBJ_TO_PTR(self_in);
    int16_t silence[PIECE];
    found_t all = {NULL, NULL, 0, false};
    memset(silence, 0, sizeof silence);
    size_t count = AIRMARK_FLUSH_SAMPLES(self->detector.config.rate);
    begin(self);
    while (count > 0) {
        const size_t size = count < PIECE ? count : PIECE;
        push(self, (const uint8_t *)silence, size, &all);
        count -= size;
    }
    return end(self, &all);
}
static MP_DEFINE_CONST_FUN_OBJ_1(detector_flush_obj, detector_flush);

static mp_obj_t detector_reset(mp_obj_t self_in)
{
    detector_obj_t *const self = MP_OBJ_TO_PTR(self_in);
    begin(self);
    airmark_reset(&self->detector);
    self->busy = false;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(detector_reset_obj, detector_reset);

/* Gate, and its Answer */

static void check(airmark_gate_status_t status)
{
    if (status != AIRMARK_GATE_OK) {
        mp_raise_msg(&mp_type_ValueError, (mp_rom_error_text_t)airmark_gate_status_text(status));
    }
}

static mp_obj_t answer_field(const answer_obj_t *self, qstr name)
{
    const airmark_gate_answer_t *const a = &self->answer;
    if (name == MP_QSTR_verdict) {
        return MP_OBJ_NEW_SMALL_INT((mp_int_t)a->verdict);
    }
    if (name == MP_QSTR_sample) {
        return from_u64(a->sample);
    }
    if (name == MP_QSTR_limited) {
        return mp_obj_new_bool(a->limited);
    }
    if (name == MP_QSTR_late) {
        return mp_obj_new_bool(a->late);
    }
    if (name == MP_QSTR_mark) {
        const bool marked = a->verdict == AIRMARK_GATE_SUPPRESS || a->late;
        if (!marked) {
            return mp_const_none;
        }
        detection_obj_t *const mark = new_detection(&a->mark, self->rate);
        if (mark == NULL) {
            m_malloc_fail(sizeof *mark);
        }
        return MP_OBJ_FROM_PTR(mark);
    }
    return MP_OBJ_NULL;
}

static void answer_attr(mp_obj_t self_in, qstr name, mp_obj_t *dest)
{
    if (dest[0] == MP_OBJ_NULL) {
        dest[0] = answer_field(MP_OBJ_TO_PTR(self_in), name);
    }
}

static mp_obj_t gate_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args)
{
    enum { CONFIG, FIRST_SAMPLE, COUNT };
    const mp_arg_t allowed[COUNT] = {
        {MP_QSTR_config, MP_ARG_OBJ | MP_ARG_REQUIRED, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_first_sample, MP_ARG_OBJ, {.u_obj = MP_OBJ_NEW_SMALL_INT(0)}},
    };
    mp_arg_val_t given[COUNT];
    mp_arg_parse_all_kw_array(n_args, n_kw, args, COUNT, allowed, given);
    const mp_obj_t from = given[CONFIG].u_obj;
    const uint64_t rate = to_u64(mp_load_attr(from, MP_QSTR_rate), BAD_RATE);
    const uint64_t wait = to_u64(mp_load_attr(from, MP_QSTR_wait), BAD_WAIT);
    if (wait > UINT32_MAX) {
        mp_raise_ValueError(BAD_WAIT);
    }
    const uint64_t overlap = to_u64(mp_load_attr(from, MP_QSTR_overlap_percent),
                                    MP_ERROR_TEXT("overlap_percent must be 1 to 100"));
    airmark_gate_config_t config = AIRMARK_GATE_CONFIG(rate <= UINT32_MAX ? (uint32_t)rate : 0, (uint32_t)wait);
    config.overlap_percent = overlap <= UINT8_MAX ? (uint8_t)overlap : 0;
    mp_buffer_info_t mask;
    mp_get_buffer_raise(mp_load_attr(from, MP_QSTR_mask), &mask, MP_BUFFER_READ);
    if (mask.len != sizeof config.keys) {
        mp_raise_ValueError(MP_ERROR_TEXT("mask must be 32 bytes, a bit a key, as GateConfig has it"));
    }
    memcpy(config.keys, mask.buf, sizeof config.keys);

    gate_obj_t *const self = mp_obj_malloc(gate_obj_t, type);
    check(airmark_gate_init(&self->gate, &config, to_u64(given[FIRST_SAMPLE].u_obj, BAD_FIRST_SAMPLE)));
    return MP_OBJ_FROM_PTR(self);
}

static mp_obj_t gate_reset(mp_obj_t self_in, mp_obj_t first_sample)
{
    gate_obj_t *const self = MP_OBJ_TO_PTR(self_in);
    check(airmark_gate_reset(&self->gate, to_u64(first_sample, BAD_FIRST_SAMPLE)));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(gate_reset_obj, gate_reset);

static mp_obj_t gate_mark(mp_obj_t self_in, mp_obj_t detection, mp_obj_t heard)
{
    gate_obj_t *const self = MP_OBJ_TO_PTR(self_in);
    if (mp_obj_get_type(detection) != TYPE(detection)) {
        mp_raise_TypeError(MP_ERROR_TEXT("mark must be a Detection, as Detector.process gives it"));
    }
    const detection_obj_t *const told = MP_OBJ_TO_PTR(detection);
    check(airmark_gate_mark(&self->gate, &told->detection, to_u64(heard, BAD_HEARD)));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_3(gate_mark_obj, gate_mark);

static mp_obj_t gate_heard(mp_obj_t self_in, mp_obj_t heard)
{
    gate_obj_t *const self = MP_OBJ_TO_PTR(self_in);
    check(airmark_gate_heard(&self->gate, to_u64(heard, BAD_HEARD)));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(gate_heard_obj, gate_heard);

static mp_obj_t gate_ask(mp_obj_t self_in, mp_obj_t word)
{
    const gate_obj_t *const self = MP_OBJ_TO_PTR(self_in);
    uint64_t numbers[3]; /* start, end, reported */
    for (mp_int_t i = 0; i < 3; i++) {
        numbers[i] = to_u64(mp_obj_subscr(word, MP_OBJ_NEW_SMALL_INT(i), MP_OBJ_SENTINEL),
                            MP_ERROR_TEXT("a word is the numbers of three samples: start, end, reported"));
    }
    const airmark_gate_word_t asked = {numbers[0], numbers[1], numbers[2]};
    airmark_gate_answer_t answer;
    check(airmark_gate_ask(&self->gate, &asked, &answer));
    answer_obj_t *const given = mp_obj_malloc(answer_obj_t, TYPE(answer));
    given->rate = self->gate.config.rate;
    given->answer = answer;
    return MP_OBJ_FROM_PTR(given);
}
static MP_DEFINE_CONST_FUN_OBJ_2(gate_ask_obj, gate_ask);

/* The module */

#if defined(MICROPY_ENABLE_DYNRUNTIME)

mp_map_elem_t detector_methods_table[3], gate_methods_table[4];
static MP_DEFINE_CONST_DICT(detector_methods, detector_methods_table);
static MP_DEFINE_CONST_DICT(gate_methods, gate_methods_table);

/* What the compiler calls of libc. */
void *memcpy(void *to, const void *from, size_t size)
{
    return mp_fun_table.memmove_(to, from, size);
}

void *memset(void *to, int value, size_t size)
{
    return mp_fun_table.memset_(to, value, size);
}

static mp_map_elem_t method(qstr name, const void *function)
{
    return (mp_map_elem_t){MP_OBJ_NEW_QSTR(name), MP_OBJ_FROM_PTR(function)};
}

static void begin_type(mp_obj_full_type_t *type, qstr name)
{
    type->base.type = &mp_type_type;
    type->name = name;
    mp_store_global(name, MP_OBJ_FROM_PTR(type));
}

mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args)
{
    MP_DYNRUNTIME_INIT_ENTRY
    (void)n_args;
    (void)n_kw;
    (void)args;

    begin_type(&detection_type, MP_QSTR_Detection);
    MP_OBJ_TYPE_SET_SLOT(&detection_type, attr, detection_attr, 0);
    MP_OBJ_TYPE_SET_SLOT(&detection_type, print, detection_print, 1);

    detector_methods_table[0] = method(MP_QSTR_process, &detector_process_obj);
    detector_methods_table[1] = method(MP_QSTR_flush, &detector_flush_obj);
    detector_methods_table[2] = method(MP_QSTR_reset, &detector_reset_obj);
    begin_type(&detector_type, MP_QSTR_Detector);
    MP_OBJ_TYPE_SET_SLOT(&detector_type, make_new, detector_make_new, 0);
    MP_OBJ_TYPE_SET_SLOT(&detector_type, attr, detector_attr, 1);
    MP_OBJ_TYPE_SET_SLOT(&detector_type, locals_dict, (void *)&detector_methods, 2);

    begin_type(&answer_type, MP_QSTR_Answer);
    MP_OBJ_TYPE_SET_SLOT(&answer_type, attr, answer_attr, 0);

    gate_methods_table[0] = method(MP_QSTR_reset, &gate_reset_obj);
    gate_methods_table[1] = method(MP_QSTR_mark, &gate_mark_obj);
    gate_methods_table[2] = method(MP_QSTR_heard, &gate_heard_obj);
    gate_methods_table[3] = method(MP_QSTR_ask, &gate_ask_obj);
    begin_type(&gate_type, MP_QSTR_Gate);
    MP_OBJ_TYPE_SET_SLOT(&gate_type, make_new, gate_make_new, 0);
    MP_OBJ_TYPE_SET_SLOT(&gate_type, locals_dict, (void *)&gate_methods, 1);

    mp_store_global(MP_QSTR_VERSION, mp_obj_new_str(AIRMARK_VERSION, sizeof AIRMARK_VERSION - 1));
    mp_store_global(MP_QSTR_NUMERIC_VERSION, MP_OBJ_NEW_SMALL_INT(AIRMARK_NUMERIC_VERSION));
    mp_store_global(MP_QSTR_MAX_KEYS, MP_OBJ_NEW_SMALL_INT(AIRMARK_MAX_KEYS));
    mp_store_global(MP_QSTR_AirmarkError, MP_OBJ_FROM_PTR(&mp_type_ValueError));
    MP_DYNRUNTIME_INIT_EXIT
}

#else

static MP_DEFINE_CONST_OBJ_TYPE(detection_type, MP_QSTR_Detection, MP_TYPE_FLAG_NONE,
                                attr, detection_attr, print, detection_print);

static const mp_rom_map_elem_t detector_methods_table[] = {
    {MP_ROM_QSTR(MP_QSTR_process), MP_ROM_PTR(&detector_process_obj)},
    {MP_ROM_QSTR(MP_QSTR_flush), MP_ROM_PTR(&detector_flush_obj)},
    {MP_ROM_QSTR(MP_QSTR_reset), MP_ROM_PTR(&detector_reset_obj)},
};
static MP_DEFINE_CONST_DICT(detector_methods, detector_methods_table);

static MP_DEFINE_CONST_OBJ_TYPE(detector_type, MP_QSTR_Detector, MP_TYPE_FLAG_NONE,
                                make_new, detector_make_new, attr, detector_attr, locals_dict, &detector_methods);

static MP_DEFINE_CONST_OBJ_TYPE(answer_type, MP_QSTR_Answer, MP_TYPE_FLAG_NONE, attr, answer_attr);

static const mp_rom_map_elem_t gate_methods_table[] = {
    {MP_ROM_QSTR(MP_QSTR_reset), MP_ROM_PTR(&gate_reset_obj)},
    {MP_ROM_QSTR(MP_QSTR_mark), MP_ROM_PTR(&gate_mark_obj)},
    {MP_ROM_QSTR(MP_QSTR_heard), MP_ROM_PTR(&gate_heard_obj)},
    {MP_ROM_QSTR(MP_QSTR_ask), MP_ROM_PTR(&gate_ask_obj)},
};
static MP_DEFINE_CONST_DICT(gate_methods, gate_methods_table);

static MP_DEFINE_CONST_OBJ_TYPE(gate_type, MP_QSTR_Gate, MP_TYPE_FLAG_NONE,
                                make_new, gate_make_new, locals_dict, &gate_methods);

static MP_DEFINE_STR_OBJ(version_obj, AIRMARK_VERSION);

static const mp_rom_map_elem_t airmark_globals_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_airmark)},
    {MP_ROM_QSTR(MP_QSTR_VERSION), MP_ROM_PTR(&version_obj)},
    {MP_ROM_QSTR(MP_QSTR_NUMERIC_VERSION), MP_ROM_INT(AIRMARK_NUMERIC_VERSION)},
    {MP_ROM_QSTR(MP_QSTR_MAX_KEYS), MP_ROM_INT(AIRMARK_MAX_KEYS)},
    {MP_ROM_QSTR(MP_QSTR_AirmarkError), MP_ROM_PTR(&mp_type_ValueError)},
    {MP_ROM_QSTR(MP_QSTR_Detection), MP_ROM_PTR(&detection_type)},
    {MP_ROM_QSTR(MP_QSTR_Detector), MP_ROM_PTR(&detector_type)},
    {MP_ROM_QSTR(MP_QSTR_Answer), MP_ROM_PTR(&answer_type)},
    {MP_ROM_QSTR(MP_QSTR_Gate), MP_ROM_PTR(&gate_type)},
};
static MP_DEFINE_CONST_DICT(airmark_globals, airmark_globals_table);

const mp_obj_module_t airmark_module = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)&airmark_globals,
};

/* What is Python lies in airmark_helpers.py, frozen or on the file system; a native module has it inside. */
void airmark_module_attr(mp_obj_t self_in, qstr name, mp_obj_t *dest)
{
    (void)self_in;
    if (dest[0] == MP_OBJ_NULL && (name == MP_QSTR_Key || name == MP_QSTR_GateConfig || name == MP_QSTR_Word ||
                                   name == MP_QSTR_Verdict)) {
        const mp_obj_t helpers = mp_import_name(MP_QSTR_airmark_helpers, mp_const_none, MP_OBJ_NEW_SMALL_INT(0));
        dest[0] = mp_load_attr(helpers, name);
    }
}

MP_REGISTER_MODULE(MP_QSTR_airmark, airmark_module);
MP_REGISTER_MODULE_DELEGATION(airmark_module, airmark_module_attr);

#endif
