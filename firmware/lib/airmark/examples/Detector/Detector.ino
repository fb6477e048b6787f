// Listens with the board's microphone, prints a line for every mark and lights the LED for a second.
//
// For boards whose microphone Arduino's PDM library reads: Nano 33 BLE Sense, Nano RP2040 Connect. For another microphone
// replace the lines with PDM in them. keys.h holds the key to listen for. Not run on hardware.

#include <PDM.h>
#include <airmark.h>
#include <airmark_fifo.h>

#include "keys.h"

const uint32_t RATE = 16000;

static airmark_t detector;
static airmark_config_t config = AIRMARK_CONFIG(RATE, airmark_keys, sizeof airmark_keys / sizeof airmark_keys[0]);
static airmark_fifo_t fifo;
static int16_t waiting[4096];  // a quarter of a second: so long loop() may be away
static uint64_t position;      // of the next sample to be pushed
static unsigned long lit;      // when the LED was lit, ms

void setup() {
  Serial.begin(115200);
  pinMode(LED_BUILTIN, OUTPUT);
  airmark_fifo_init(&fifo, waiting, sizeof waiting / sizeof waiting[0]);
  airmark_status_t status = airmark_init(&detector, &config);
  if (status != AIRMARK_OK) {
    stop(airmark_status_text(status));
  }
  PDM.onReceive(heard);
  if (!PDM.begin(1, RATE)) {
    stop("the microphone doesn't start");
  }
}

void loop() {
  const int16_t *samples;
  uint32_t lost;
  uint32_t count = airmark_fifo_peek(&fifo, &samples, &lost);
  if (lost > 0) {
    airmark_fifo_skip(&fifo, lost);
    goOnAfter(lost);
  } else if (count > 0) {
    airmark_detection_t detection;
    bool found;
    uint32_t taken = (uint32_t)airmark_push(&detector, samples, count, 1, &detection, &found);
    airmark_fifo_consume(&fifo, taken);
    position += taken;
    if (found) {
      tell(detection);
    }
  } else {
    delay(1);
  }
  if (millis() - lit >= 1000) {
    digitalWrite(LED_BUILTIN, LOW);
  }
}

// The microphone's interrupt: nothing but taking the samples away. All of them, since the library stops for good where
// some of a block are still there when the next is done.
void heard() {
  static int16_t block[128];
  int bytes;
  while ((bytes = PDM.read(block, sizeof block)) > 0) {
    airmark_fifo_write(&fifo, block, (uint32_t)bytes / sizeof block[0], 1);
  }
}

// Samples are missing: a mark can't be found across the gap. Times stay true.
void goOnAfter(uint32_t lost) {
  position += lost;
  config.first_sample = position;
  airmark_init(&detector, &config);
  Serial.print("lost ");
  Serial.print(lost);
  Serial.println(" samples: loop() was away for too long");
}

void tell(const airmark_detection_t &detection) {
  Serial.print("mark at ");
  Serial.print((uint32_t)(detection.sample * 1000 / RATE));
  Serial.print(" ms, score ");
  Serial.print(detection.score_q8 / 256.0, 1);
  Serial.print(", drift ");
  Serial.print(detection.drift_ppm_q4 / 16.0, 1);
  Serial.print(" ppm, key ");
  Serial.println(detection.key);
  digitalWrite(LED_BUILTIN, HIGH);
  lit = millis();
}

// Says why, again and again, as the serial monitor may come later.
void stop(const char *why) {
  for (;;) {
    Serial.println(why);
    delay(1000);
  }
}
