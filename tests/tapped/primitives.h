/* Loops over the detector's small functions, for tests/test_primitives.py. Declarations only, see tapped.h. */

/*
 * Proofs: each holds a function of one word (a number, or two of 16 bits) to its definition in wider numbers. proof_fails
 * looks at one word; prove at the words k 0x9E3779B1 modulo 2^32 for k = 0 .. count - 1, which are all for 2^32, and
 * returns the first k that fails, or count.
 */
size_t proofs(void);
const char *proof_name(size_t proof);
bool proof_fails(size_t proof, uint32_t x);
uint64_t prove(size_t proof, uint64_t count);

/* Of the 2^16 sets of words each all ones or zero: how many AM_PLANES16 does not count right, in any lane. */
uint32_t planes_wrong(void);

/* The same functions for Python, which has bigger numbers. */
int32_t p_shift(int32_t x, uint32_t n);
int32_t p_clamp(int32_t x, int32_t low, int32_t high);
uint32_t p_add3(uint32_t a, uint32_t b, uint32_t c, uint32_t *carry);
uint32_t p_ones_of_planes(const uint32_t *planes);
uint32_t p_ones16(const uint32_t *words);
int32_t p_dot(uint32_t a, uint32_t b);
int32_t p_dot_add(uint32_t a, uint32_t b, int32_t c);
int32_t p_difference_add(uint32_t a, uint32_t b, int32_t c);
int32_t p_cross(uint32_t a, uint32_t b);
int32_t p_cross_add(uint32_t a, uint32_t b, int32_t c);
uint32_t p_pack_low(uint32_t a, uint32_t b);
uint32_t p_pack_high(uint32_t a, uint32_t b);
uint32_t p_mix(uint32_t a, uint32_t b);
uint32_t p_load_pair(const int16_t *samples);
uint32_t p_turn_index(uint32_t b, int32_t lag, int32_t drift_ppm_q4);
uint32_t p_quarter(uint32_t b, int32_t lag, int32_t drift_ppm_q4);
uint32_t p_distance(uint32_t a, uint32_t b);
uint32_t p_divide(uint64_t n, uint32_t d);
uint32_t p_square_root(uint64_t n);
uint32_t p_cube_root(uint64_t n);
int32_t p_statistic(int32_t agreement, uint32_t variance, int64_t third);
int32_t p_handicap(uint32_t low, uint32_t high, uint8_t half, uint32_t rate);
uint32_t p_transform(uint32_t *work);
/* Cube roots of r^3 - 1, r^3 and r^3 + 1, and square roots likewise: the first r from `first` on below `end` that is wrong. */
uint64_t cubes_wrong(uint64_t first, uint64_t end);
uint64_t squares_wrong(uint64_t first, uint64_t end, uint64_t step);
