"""The reference in PyTorch, exact to the bit where the hardware is. Imports torch only."""
