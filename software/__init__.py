"""Token-reduced video diffusion: the loop, the matching backends and the ``orbis`` command."""
