/* Stage template: energies along the key tell whether a candidate is likely, its drift and its place. SPEC.md, 7. */
#include "airmark_internal.h"

enum {
    LEAST_Q8 = 1920,      /* of two chains' energy along the key and the screen's level together */
    LAST_LEAST_Q8 = 2368, /* of four chains' energy */
    LOW_DRIFT_HANDICAP_Q8 = 400,
    SEARCH_STEPS = 4,      /* until two chains tell whether a candidate is likely */
    LAST_SEARCH_STEPS = 8, /* until four do */
    PLACE_BANDS = 3,
    LAST_CHAIN = 5,
    MAX_GROUPS = 8, /* of four repetitions, in a whole mark */
    ZERO_DRIFT = AIRMARK_DRIFTS / 2,
    DRIFT_STEP_Q4 = 400
};

/* Sums of a part: A of SPEC.md, 7.1, for all q; the energy itself has no imaginary part. */
typedef struct {
    int32_t energy;
    int32_t real[MAX_GROUPS];
    int32_t imaginary[MAX_GROUPS];
} sums_t;

/* Ones among four bits in every lane, as planes of weight 1, 2, 4. */
static inline void count4(uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t planes[3])
{
    uint32_t carry;
    const uint32_t sum = am_add3(a, b, c, &carry);
    const uint32_t second = sum & d;
    planes[0] = sum ^ d;
    planes[1] = carry ^ second;
    planes[2] = carry & second;
}

/* The products of group g and q groups later, added to the sums of lag q. */
#define ADD_PAIR(g, q) \
    do { \
        real = am_dot_add(z##g, z##q, real); \
        imaginary = am_cross_add(z##g, z##q, imaginary); \
    } while (0)
#define ADD_LAG(q, pairs) \
    do { \
        int32_t real = sums->real[q]; \
        int32_t imaginary = sums->imaginary[q]; \
        pairs; \
        sums->real[q] = real; \
        sums->imaginary[q] = imaginary; \
        AM_IN_ORDER(); \
    } while (0)

/* Four lanes' squares in one chain of multiply-adds: one load and one store of the energy for all of them. */
#define ADD_ENERGY(a, b, c, d) \
    do { \
        sums->energy = am_dot_add(a, a, am_dot_add(b, b, am_dot_add(c, c, am_dot_add(d, d, sums->energy)))); \
        AM_IN_ORDER(); \
    } while (0)

/* 2 minus the ones of a lane, (real, imaginary), from words that hold four lanes' nibbles in either half. */
static inline uint32_t lane_of(uint32_t word, uint32_t lane)
{
    return am_sub_pair(0x00020002u, (word >> lane) & 0x000F000Fu);
}

/* Adds the products of one lane, whose nibbles begin at bit `lane` of either half of the groups' words: all lags unrolled. */
static inline void add_lane(const uint32_t words[MAX_GROUPS], uint32_t groups, uint32_t lane, sums_t *sums)
{
    const uint32_t z0 = lane_of(words[0], lane);
    const uint32_t z1 = lane_of(words[1], lane);
    const uint32_t z2 = lane_of(words[2], lane);
    const uint32_t z3 = lane_of(words[3], lane);
    ADD_ENERGY(z0, z1, z2, z3);
    if (groups == MAX_GROUPS) {
        const uint32_t z4 = lane_of(words[4], lane);
        const uint32_t z5 = lane_of(words[5], lane);
        const uint32_t z6 = lane_of(words[6], lane);
        const uint32_t z7 = lane_of(words[7], lane);
        ADD_ENERGY(z4, z5, z6, z7);
        ADD_LAG(1, ADD_PAIR(0, 1); ADD_PAIR(1, 2); ADD_PAIR(2, 3); ADD_PAIR(3, 4); ADD_PAIR(4, 5); ADD_PAIR(5, 6);
                ADD_PAIR(6, 7));
        ADD_LAG(2, ADD_PAIR(0, 2); ADD_PAIR(1, 3); ADD_PAIR(2, 4); ADD_PAIR(3, 5); ADD_PAIR(4, 6); ADD_PAIR(5, 7));
        ADD_LAG(3, ADD_PAIR(0, 3); ADD_PAIR(1, 4); ADD_PAIR(2, 5); ADD_PAIR(3, 6); ADD_PAIR(4, 7));
        ADD_LAG(4, ADD_PAIR(0, 4); ADD_PAIR(1, 5); ADD_PAIR(2, 6); ADD_PAIR(3, 7));
        ADD_LAG(5, ADD_PAIR(0, 5); ADD_PAIR(1, 6); ADD_PAIR(2, 7));
        ADD_LAG(6, ADD_PAIR(0, 6); ADD_PAIR(1, 7));
        ADD_LAG(7, ADD_PAIR(0, 7));
    } else {
        ADD_LAG(1, ADD_PAIR(0, 1); ADD_PAIR(1, 2); ADD_PAIR(2, 3));
        ADD_LAG(2, ADD_PAIR(0, 2); ADD_PAIR(1, 3));
        ADD_LAG(3, ADD_PAIR(0, 3));
    }
}

/*
 * The counts of a word's lanes as nibbles: word 2 i + h has those of the lanes i, i + 4, i + 8, i + 12 of the word's half h,
 * of the real parts in its lower and of the imaginary parts in its upper 16 bits.
 */
static inline void spread(const uint32_t real[3], const uint32_t imaginary[3], uint32_t group,
                          uint32_t words[8][MAX_GROUPS])
{
    uint32_t mask = 0x11111111u;
    AM_IN_REGISTER(mask);
#define NIBBLES(planes, i) \
    (((planes)[0] >> (i) & mask) + ((planes)[1] >> (i) & mask) * 2u + ((planes)[2] >> (i) & mask) * 4u)
#define SPREAD(i) \
    do { \
        const uint32_t low = NIBBLES(real, i); \
        const uint32_t high = NIBBLES(imaginary, i); \
        words[2 * (i)][group] = am_pack_low(low, high); \
        words[2 * (i) + 1][group] = am_pack_high(low, high); \
    } while (0)
    SPREAD(0);
    SPREAD(1);
    SPREAD(2);
    SPREAD(3);
#undef SPREAD
#undef NIBBLES
}

/* 7.1: the sums of one part. frame: the chain's first; column: the key's signs in the band, first repetition topmost. */
static void chain_sums(const airmark_t *detector, uint32_t frame, uint32_t b, uint32_t column, uint32_t groups,
                       sums_t *sums)
{
    const uint32_t *const lanes = am_lanes(detector, b);
    sums->energy = 0;
    for (uint32_t q = 0; q < MAX_GROUPS; q++) {
        sums->real[q] = sums->imaginary[q] = 0;
    }
    if (lanes[0] == 0) {
        return;
    }
    uint32_t counts[2][8][MAX_GROUPS];
    uint32_t slot = am_slot(detector, frame);
    for (uint32_t g = 0; g < groups; g++) {
        uint32_t words[4][4];
        for (uint32_t i = 0; i < 4; i++) {
            am_band_words(detector, slot, b, words[i]);
            const uint32_t sign = 0u - (column >> 31);
            column <<= 1;
            words[i][0] ^= sign;
            words[i][1] ^= sign;
            words[i][2] ^= sign;
            words[i][3] ^= sign;
            slot += AM_BLOCK_FRAMES;
            slot -= slot >= AIRMARK_RING ? AIRMARK_RING : 0u;
        }
        for (uint32_t half = 0; half < 2; half++) {
            uint32_t real[3];
            uint32_t imaginary[3];
            const uint32_t w = 2u * half;
            count4(words[0][w], words[1][w], words[2][w], words[3][w], real);
            count4(words[0][w + 1u], words[1][w + 1u], words[2][w + 1u], words[3][w + 1u], imaginary);
            spread(real, imaginary, g, counts[half]);
        }
    }
    for (uint32_t half = 0; half < 2; half++) {
        for (uint32_t i = 0; i < 8; i++) {
            uint32_t used = lanes[half] >> (i / 2u + 16u * (i & 1u)) & 0x1111u;
            for (uint32_t lane = 0; used != 0; lane += 4) {
                if ((used & 1u) != 0) {
                    add_lane(counts[half][i], groups, lane, sums);
                }
                used >>= 4;
            }
        }
    }
}

/* 7.2: what a part adds to the curves of the lower and of all bands. */
static void add_curves(airmark_t *detector, uint32_t b, uint32_t groups, const sums_t *sums)
{
    uint32_t pairs[MAX_GROUPS];
    for (uint32_t q = 1; q < groups; q++) {
        pairs[q] = am_pack(sums->real[q], sums->imaginary[q]);
    }
    for (uint32_t k = 0; k <= ZERO_DRIFT; k++) {
        /* The drifts k and -k share their cosines, and their sines up to the sign. */
        int32_t fast = 1 << 13;
        int32_t slow = 1 << 13;
        const uint32_t step = 4u * DRIFT_STEP_Q4 * k * airmark_turns[b];
        uint32_t phase = 1u << 19;
        for (uint32_t q = 1; q < groups; q++) {
            phase += step;
            const uint32_t turn = am_wave(phase >> 20);
            fast = am_difference_add(pairs[q], turn, fast);
            slow = am_dot_add(pairs[q], turn, slow);
        }
        for (uint32_t group = b < AM_LOW_BANDS ? 0u : 1u; group < 2u; group++) {
            int32_t *const curve = detector->scratch.search.curves[group];
            curve[ZERO_DRIFT + k] += sums->energy + am_shift(fast, 14);
            if (k > 0) {
                curve[ZERO_DRIFT - k] += sums->energy + am_shift(slow, 14);
            }
        }
    }
}

/* The sum of z^2 over 32 lanes, z being the ones among the words w of `repetitions` (16 or 32) less half as many. */
static uint32_t energy_of_words(const uint32_t (*words)[4], uint32_t w, uint32_t repetitions)
{
    uint32_t planes[6] = {0, 0, 0, 0, 0, 0};
    for (uint32_t i = 0; i < repetitions / 16u; i++, words += 16) {
        uint32_t more[5];
#define TAKE(r, a, b) ((a) = words[2 * (r)][w], (b) = words[2 * (r) + 1][w])
        AM_PLANES16(TAKE, more);
#undef TAKE
        for (uint32_t k = 0; k < 5; k++) {
            planes[k] = am_add3(planes[k], more[k], planes[5], &planes[5]);
        }
    }
    const uint32_t middle = repetitions / 2u * 0x00010001u;
    uint32_t mask = 0x01010101u;
    AM_IN_REGISTER(mask);
    int32_t energy = 0;
    for (uint32_t lane = 0; lane < 8; lane++) {
        const uint32_t counts = (planes[0] >> lane & mask) + (planes[1] >> lane & mask) * 2u +
                                (planes[2] >> lane & mask) * 4u + (planes[3] >> lane & mask) * 8u +
                                (planes[4] >> lane & mask) * 16u + (planes[5] >> lane & mask) * 32u;
        const uint32_t even = am_sub_pair(counts & 0x00FF00FFu, middle);
        const uint32_t odd = am_sub_pair(counts >> 8 & 0x00FF00FFu, middle);
        energy = am_dot_add(even, even, am_dot_add(odd, odd, energy));
    }
    return (uint32_t)energy;
}

/* 7.5: the energy of a part at one drift, in quarter turns. frame, column: as in chain_sums. */
static AM_OFTEN uint32_t turned_energy(const airmark_t *detector, uint32_t frame, uint32_t b, uint32_t column,
                                       uint32_t repetitions)
{
    const uint32_t turn_of_repetition = am_turn_of_repetition(b, detector->drift_ppm_q4);
    const uint32_t *const lanes = am_lanes(detector, b);
    uint32_t words[AIRMARK_REPETITIONS][4];
    uint32_t slot = am_slot(detector, frame);
    for (uint32_t r = 0; r < repetitions; r++) {
        uint32_t parts[4];
        am_band_words(detector, slot, b, parts);
        slot += AM_BLOCK_FRAMES;
        slot -= slot >= AIRMARK_RING ? AIRMARK_RING : 0u;
        /* Times the sign and j^quarter: j turns (real, imaginary) to (-imaginary, real). */
        const uint32_t quarter = am_quarters(r * turn_of_repetition + (uint32_t)AM_HALF_QUARTER);
        const uint32_t sign = (0u - (column >> 31)) ^ (0u - (quarter >> 1));
        column <<= 1;
        if ((quarter & 1u) == 0) {
            words[r][0] = (parts[0] ^ sign) & lanes[0];
            words[r][1] = (parts[1] ^ sign) & lanes[0];
            words[r][2] = (parts[2] ^ sign) & lanes[1];
            words[r][3] = (parts[3] ^ sign) & lanes[1];
        } else {
            words[r][0] = (parts[1] ^ ~sign) & lanes[0];
            words[r][1] = (parts[0] ^ sign) & lanes[0];
            words[r][2] = (parts[3] ^ ~sign) & lanes[1];
            words[r][3] = (parts[2] ^ sign) & lanes[1];
        }
    }
    uint32_t energy = 0;
    for (uint32_t w = 0; w < 4; w++) {
        energy += energy_of_words((const uint32_t(*)[4])words, w, repetitions);
    }
    /* Unused lanes have no ones. */
    const uint32_t unused = 2u * (64u - (uint32_t)am_used(detector, b));
    return energy - unused * (repetitions / 2u) * (repetitions / 2u);
}

/* The drift or place between grid points where a parabola through three values peaks, in `unit` a grid step, limited. */
static int32_t peak_between(int32_t left, int32_t middle, int32_t right, int32_t unit)
{
    const int32_t bend = 2 * middle - left - right;
    return bend > 0 ? am_clamp(unit / 2 * (right - left) / bend, -unit, unit) : 0;
}

/* Where a curve is highest, the first of several. */
static AM_SELDOM uint32_t highest_of(const int32_t *curve)
{
    uint32_t best = 0;
    for (uint32_t k = 1; k < AIRMARK_DRIFTS; k++) {
        best = curve[k] > curve[best] ? k : best;
    }
    return best;
}

/* 7.3 and 7.4: the drift of the curve that tells it. */
static AM_SELDOM void find_drift(airmark_t *detector)
{
    const int32_t *const curve = detector->scratch.search.curves[detector->scratch.search.low ? 0 : 1];
    const uint32_t best = highest_of(curve);
    const uint32_t k = best < 1u ? 1u : best > AIRMARK_DRIFTS - 2u ? AIRMARK_DRIFTS - 2u : best;
    detector->drift_ppm_q4 = (int16_t)(DRIFT_STEP_Q4 * ((int32_t)k - ZERO_DRIFT) +
                                       peak_between(curve[k - 1u], curve[k], curve[k + 1u], DRIFT_STEP_Q4));
}

/* z of a group, SPEC.md, 7.3 and 7.4; last: of four chains, else of two. */
static AM_SELDOM int32_t z_of_group(const airmark_t *detector, uint32_t group, uint32_t last)
{
    /* Bins of the chains, by last, used bins (16 kHz, 8 kHz), group (low, all); SPEC.md's C, by used bins, span, group. */
    static const uint16_t bins[2][2][2] = {{{230, 462}, {198, 198}}, {{460, 924}, {396, 396}}};
    static const uint32_t scale[2][2][2] = {{{70247, 49565}, {142817, 100768}}, {{75711, 75711}, {153926, 153926}}};
    const uint32_t narrow = detector->config.rate == 8000u ? 1u : 0u;
    const uint32_t half = detector->queue[0].half;
    const int32_t *const curve = detector->scratch.search.curves[group];
    const int32_t over = curve[highest_of(curve)] - (int32_t)((uint32_t)bins[last][narrow][group] << (4u - half));
    return over <= 0 ? 0 : (int32_t)((uint64_t)(uint32_t)over * scale[narrow][half][group] >> 16);
}

/* The higher of both groups' z; and which of their curves tells the drift. */
static AM_SELDOM int32_t find_z(airmark_t *detector, uint32_t last)
{
    const int32_t low = z_of_group(detector, 0, last);
    const int32_t all = z_of_group(detector, 1, last);
    detector->scratch.search.low = low - LOW_DRIFT_HANDICAP_Q8 > all;
    return low - AM_LOW_HANDICAP_Q8 > all ? low - AM_LOW_HANDICAP_Q8 : all;
}

/*
 * 7.3 and 7.4: whether the candidate is likely, and then its drift from now on; last: by four chains. By two its rank, too, so
 * that others come first only if they are likelier; four give more, which the level of a mark of another key could not reach.
 */
static AM_SELDOM bool decide(airmark_t *detector, uint32_t last)
{
    const int32_t z = find_z(detector, last);
    const int32_t level = detector->queue[0].level;
    const bool likely = last != 0 ? z >= LAST_LEAST_Q8 : z + level >= LEAST_Q8;
    AM_TAP_CANDIDATE(detector, AM_TAP_DRIFT, &detector->queue[0]);
    AM_TAP_EACH(detector, AM_TAP_DRIFT, detector->scratch.search.curves[1], AIRMARK_DRIFTS, 1);
    AM_TAP_EACH(detector, AM_TAP_DRIFT, detector->scratch.search.curves[0], AIRMARK_DRIFTS, 1);
    AM_TAP(detector, AM_TAP_DRIFT, z);
    if (likely) {
        find_drift(detector);
    }
    if (likely && last == 0) {
        detector->queue[0].level = (uint16_t)am_clamp(z, level, 65535);
    }
    AM_TAP(detector, AM_TAP_DRIFT, likely ? 1 : 0);
    AM_TAP(detector, AM_TAP_DRIFT, likely ? detector->drift_ppm_q4 : 0);
    return likely;
}

/* 7.5: the place, from the energies of the chains. */
static AM_SELDOM void find_place(airmark_t *detector)
{
    const int32_t *const energies = detector->scratch.search.energies;
    /* How much more energy four chains in a row have than the four that begin a frame before. */
    const int32_t first = energies[4] - energies[0];
    const int32_t second = energies[LAST_CHAIN] - energies[1];
    const uint32_t i = first < 0 && first + second <= 0 ? 0u : second > 0 ? 2u : 1u;
    detector->offset = (int16_t)(i == 1u ? am_clamp(peak_between(-first, 0, second, 256), -128, 128) : 0);
    detector->place = detector->queue[0].frame - 1u + i;
    AM_TAP_CANDIDATE(detector, AM_TAP_PLACE, &detector->queue[0]);
    AM_TAP_EACH(detector, AM_TAP_PLACE, energies, 2, 1);
    AM_TAP_EACH(detector, AM_TAP_PLACE, energies + 4, 2, 1);
    AM_TAP(detector, AM_TAP_PLACE, detector->place);
    AM_TAP(detector, AM_TAP_PLACE, detector->offset);
}

/* 7.2: a band of a chain, as in chain_sums, into the curves. */
static AM_OFTEN void search_band(airmark_t *detector, uint32_t frame, uint32_t b, uint32_t column, uint32_t groups)
{
    sums_t sums;
    chain_sums(detector, frame, b, column, groups, &sums);
    add_curves(detector, b, groups, &sums);
}

/* 7.5: which drift of a curve is nearest to one within theirs. */
static inline uint32_t grid_point(int32_t drift_ppm_q4)
{
    return (uint32_t)(drift_ppm_q4 + ZERO_DRIFT * DRIFT_STEP_Q4 + DRIFT_STEP_Q4 / 2) / DRIFT_STEP_Q4;
}

/*
 * A part: a chain, by 16 times how many frames it begins after n - 1, and a band. Of the first and the last chain only the
 * energy in quarter turns is taken, 7.5. The others are added to the curves, 7.2, and their energy is what the grid point of the
 * first drift gains; while that is not known (0 is there) it is of no use.
 */
static AM_SELDOM void add_part(airmark_t *detector, uint32_t part)
{
    const uint32_t chain = part >> 4;
    const uint32_t b = part & 15u;
    const airmark_place_t *const candidate = &detector->queue[0];
    const uint32_t column = detector->config.keys[candidate->key].columns[b];
    const uint32_t frame = candidate->frame - 1u + chain;
    const uint32_t groups = candidate->half != 0 ? MAX_GROUPS / 2 : MAX_GROUPS;
    int32_t *const energy = &detector->scratch.search.energies[chain];
    if (chain == 0 || chain == LAST_CHAIN) {
        *energy += (int32_t)turned_energy(detector, frame, b, column, 4u * groups);
        return;
    }
    const int32_t *const point = &detector->scratch.search.curves[1][grid_point(detector->drift_ppm_q4)];
    const int32_t before = *point;
    search_band(detector, frame, b, column, groups);
    if (b < PLACE_BANDS) {
        *energy += *point - before;
    }
}

bool airmark_template(airmark_t *detector, uint32_t step)
{
    /* Those that a step looks at, but the last, which tells the place. */
    static const uint8_t parts[LAST_SEARCH_STEPS][2] = {{0x20, 0x21}, {0x22, 0x23}, {0x30, 0x31}, {0x32, 0x33},
                                                        {0x10, 0x11}, {0x40, 0x41}, {0x12, 0x42}, {0x13, 0x43}};
    if (step == 0) {
        /* What confirm adds up and where it has come to, too: all that lies up to the keys' state. */
        memset((unsigned char *)detector + offsetof(airmark_t, scratch), 0,
               offsetof(airmark_t, key_state) - offsetof(airmark_t, scratch));
    }
    if (step == LAST_SEARCH_STEPS) {
        for (uint32_t b = 0; b < PLACE_BANDS; b++) {
            add_part(detector, b);
            add_part(detector, 16u * LAST_CHAIN + b);
        }
        find_place(detector);
        return true;
    }
    add_part(detector, parts[step][0]);
    add_part(detector, parts[step][1]);
    if (step + 1u == SEARCH_STEPS) {
        return decide(detector, 0);
    }
    return step + 1u < LAST_SEARCH_STEPS || decide(detector, 1);
}
