"""A board's design around the engine: memory on chip, and a link to a host over a UART."""
