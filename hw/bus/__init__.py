"""Between the engine and the outside: AXI, the memory clients behind it, registers, counters."""
