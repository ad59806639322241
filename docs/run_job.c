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

struct orbis_job {
  uint32_t tokens, channels, num_dst, reduce;
  uint32_t seed, epsilon_q16, max_pairings;
  uint64_t tokens_at, quantized_at, entries_at, records_at, scratch_at;
  uint64_t dst_at, moved_at, history_at;
};

static void write_address(uint32_t low_offset, uint64_t address) {
  orbis_write(low_offset, (uint32_t)address);
  orbis_write(low_offset + 4, (uint32_t)(address >> 32));
}

/* Returns 0 and the number of pairings, or the error bits of STATUS; -1 for another engine. A later
 * minor version of the registers (the lower half) has all that this one has. */
int orbis_run(const struct orbis_job *job, uint32_t config_hash, uint32_t *pairings) {
  const uint32_t version = orbis_read(ORBIS_VERSION);
  uint32_t status;

  if (orbis_read(ORBIS_ID) != ORBIS_ID_VALUE || orbis_read(ORBIS_CONFIG_HASH) != config_hash ||
      version >> 16 != ORBIS_VERSION_VALUE >> 16 || version < ORBIS_VERSION_VALUE)
    return -1;
  orbis_write(ORBIS_TOKENS, job->tokens);
  orbis_write(ORBIS_CHANNELS, job->channels);
  orbis_write(ORBIS_NUM_DST, job->num_dst);
  orbis_write(ORBIS_REDUCE, job->reduce);
  orbis_write(ORBIS_SEED, job->seed);
  orbis_write(ORBIS_EPSILON, job->epsilon_q16);
  orbis_write(ORBIS_MAX_PAIRINGS, job->max_pairings);
  write_address(ORBIS_TOKENS_ADDRESS_LO, job->tokens_at);
  write_address(ORBIS_QUANTIZED_ADDRESS_LO, job->quantized_at);
  write_address(ORBIS_ENTRIES_ADDRESS_LO, job->entries_at);
  write_address(ORBIS_RECORDS_ADDRESS_LO, job->records_at);
  write_address(ORBIS_SCRATCH_ADDRESS_LO, job->scratch_at);
  write_address(ORBIS_DST_ADDRESS_LO, job->dst_at);
  write_address(ORBIS_MOVED_ADDRESS_LO, job->moved_at);
  write_address(ORBIS_HISTORY_ADDRESS_LO, job->history_at);
  orbis_write(ORBIS_CONTROL, ORBIS_CONTROL_START | ORBIS_CONTROL_INTERRUPT_ENABLE);
  orbis_wait();
  orbis_write(ORBIS_INTERRUPT, ORBIS_INTERRUPT_PENDING);
  status = orbis_read(ORBIS_STATUS);
  *pairings = orbis_read(ORBIS_PAIRINGS);
  return (int)(status & ~ORBIS_STATUS_DONE);
}
