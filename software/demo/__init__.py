"""The shipped demo model: a small video diffusion transformer, its clips, its training, its videos."""
