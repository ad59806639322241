"""Token reduction in a diffusers pipeline of one of the families that README lists.

python docs/reduce_tokens.py THUDM/CogVideoX-2b "A panda plays the guitar" panda.mp4

It needs the extra ``video``, and what the pipeline does: transformers and sentencepiece.
"""

import sys
from pathlib import Path

import torch
from diffusers import DiffusionPipeline

from orbis import OrbisConfig, apply_orbis, orbis_summary, remove_orbis, write_mp4

model, prompt, output = sys.argv[1:]
device = "cuda" if torch.cuda.is_available() else "cpu"
dtype = torch.bfloat16 if device == "cuda" else torch.float32
pipe = DiffusionPipeline.from_pretrained(model, torch_dtype=dtype).to(device)

apply_orbis(pipe, OrbisConfig())  # the one line
generator = torch.Generator().manual_seed(0)
frames = pipe(prompt, num_inference_steps=50, generator=generator, output_type="pt").frames[0]

print(orbis_summary(pipe))  # what is patched, and what it did
remove_orbis(pipe)  # the model is as it was
write_mp4(Path(output), frames.float().cpu() * 2 - 1)
