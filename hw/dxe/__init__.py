"""The DXE, which the engine stands beside: a systolic array of 16-bit floats, and a vector unit."""
