/* How a driver runs one matching job: the registers of orbis_registers.h, in order.
 *
 * orbis_read, orbis_write and orbis_wait are the platform's. Before a job the tokens lie in the
 * TOKENS region (docs/regions.md); after it RECORDS begins with the pairs of least loss, DST holds
 * the dst list, each token in the lower half of its word, and HISTORY the loss of each pairing.
 */
#include <stdint.h>

#include "orbis_registers.h"

uint32_t orbis_read(uint32_t offset);
void orbis_write(uint32_t offset, uint32_t value);
void orbis_wait(void); /* until irq is high */

#define REGIONS ((ORBIS_HISTORY_ADDRESS_LO - ORBIS_TOKENS_ADDRESS_LO) / 8 + 1)

struct orbis_job {
  uint32_t tokens, channels, num_dst, reduce;
  uint32_t seed, epsilon_q16, max_pairings;
  uint32_t read_ahead; /* 1 where memory serves reads and writes independently of each other */
  uint32_t watchdog; /* cycles without a transfer that end the job; 0 for none */
  struct {
    uint64_t at, bytes;
  } regions[REGIONS]; /* in the order of docs/regions.md, which tells their bytes */
};

enum { OTHER_ENGINE = -1, BAD_REGIONS = -2 };

/* The engine believes addresses: regions that overlap would spoil the result unnoticed. */
static int regions_are_apart(const struct orbis_job *job) {
  unsigned i, j;

  for (i = 0; i < REGIONS; i++) {
    const uint64_t end = job->regions[i].at + job->regions[i].bytes;

    if (end < job->regions[i].at)
      return 0;
    for (j = 0; j < REGIONS; j++)
      if (j != i && job->regions[j].at < end &&
          job->regions[i].at < job->regions[j].at + job->regions[j].bytes)
        return 0;
  }
  return 1;
}

/* What the error bits of STATUS say, the first of them in one sentence. */
const char *orbis_reason(uint32_t status) {
  if (status & ORBIS_STATUS_BAD_JOB)
    return "The sizes break a rule of the engine or of the algorithm.";
  if (status & ORBIS_STATUS_NONFINITE)
    return "A token value is infinite or not a number.";
  if (status & ORBIS_STATUS_BAD_LIST)
    return "The initial dst list is not M distinct tokens below N.";
  if (status & ORBIS_STATUS_BUS_ERROR)
    return "Memory answered with an error.";
  if (status & ORBIS_STATUS_ABORTED)
    return "The job was aborted.";
  if (status & ORBIS_STATUS_TIMED_OUT && status & ORBIS_STATUS_BUSY)
    return "Memory does not answer: reset it and the engine together.";
  if (status & ORBIS_STATUS_TIMED_OUT)
    return "Memory was silent for longer than the watchdog allows.";
  return "The job ended well.";
}

/* Ends the job that another thread waits for; its orbis_run returns ORBIS_STATUS_ABORTED. */
void orbis_abort(void) { orbis_write(ORBIS_ABORT, ORBIS_ABORT_ABORT); }

/* Returns 0 and the number of pairings, or the error bits of STATUS (with BUSY where memory still
 * does not answer), OTHER_ENGINE or BAD_REGIONS. A later minor version of the registers (the lower
 * half) has all that this one has. */
int orbis_run(const struct orbis_job *job, uint32_t config_hash, uint32_t *pairings) {
  const uint32_t version = orbis_read(ORBIS_VERSION);
  uint32_t status;
  unsigned i;

  if (orbis_read(ORBIS_ID) != ORBIS_ID_VALUE || orbis_read(ORBIS_CONFIG_HASH) != config_hash ||
      version >> 16 != ORBIS_VERSION_VALUE >> 16 || version < ORBIS_VERSION_VALUE)
    return OTHER_ENGINE;
  if (!regions_are_apart(job))
    return BAD_REGIONS;
  orbis_write(ORBIS_TOKENS, job->tokens);
  orbis_write(ORBIS_CHANNELS, job->channels);
  orbis_write(ORBIS_NUM_DST, job->num_dst);
  orbis_write(ORBIS_REDUCE, job->reduce);
  orbis_write(ORBIS_SEED, job->seed);
  orbis_write(ORBIS_EPSILON, job->epsilon_q16);
  orbis_write(ORBIS_MAX_PAIRINGS, job->max_pairings);
  orbis_write(ORBIS_WATCHDOG, job->watchdog);
  for (i = 0; i < REGIONS; i++) {
    orbis_write(ORBIS_TOKENS_ADDRESS_LO + 8 * i, (uint32_t)job->regions[i].at);
    orbis_write(ORBIS_TOKENS_ADDRESS_LO + 8 * i + 4, (uint32_t)(job->regions[i].at >> 32));
  }
  orbis_write(ORBIS_CONTROL, ORBIS_CONTROL_START | ORBIS_CONTROL_INTERRUPT_ENABLE |
                                 (job->read_ahead ? ORBIS_CONTROL_READ_AHEAD : 0));
  orbis_wait();
  orbis_write(ORBIS_INTERRUPT, ORBIS_INTERRUPT_PENDING);
  status = orbis_read(ORBIS_STATUS);
  *pairings = orbis_read(ORBIS_PAIRINGS);
  return (int)(status & ~ORBIS_STATUS_DONE);
}
