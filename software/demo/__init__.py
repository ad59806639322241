"""The shipped demo model: a small video diffusion transformer, its clips, training and videos."""
