"""Open synthesis of the engine: area, timing and power."""
