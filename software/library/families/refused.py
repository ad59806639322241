"""Why the attention of diffusers' other transformers cannot be reduced, where the reason is known.

One without a reason here is a model that no family has been written for.
"""

_KEYS_TURNED_APART = "its layers are called with a rotary embedding of the keys' own"
_PACKED = "text, video and what else there is are packed into one sequence without a grid"
_SOUND = "it makes sound, and tokens are reduced in videos"
_IMAGES = "it makes images, and tokens are reduced in videos"
_FLEX = "it attends through masks of blocks, a query's own, that flex attention alone takes"
_LINEAR = "its self-attention is linear and makes no scores of pairs of tokens"
_ELSE = "its processors take arguments that no family's do"

REASONS: dict[str, str] = {
    "AceStepTransformer1DModel": _SOUND,
    "AllegroTransformer3DModel": _ELSE,
    "AnyFlowFARTransformer3DModel": _FLEX,
    "Cosmos3OmniTransformer": _PACKED,
    "HeliosTransformer3DModel": _ELSE,
    "JoyImageEditPlusTransformer3DModel": _IMAGES,
    "JoyImageEditTransformer3DModel": _IMAGES,
    "Kandinsky5Transformer3DModel": _ELSE,
    "Kandinsky6SRTransformer3DModel": _FLEX,
    "Kandinsky6Transformer3DModel": _KEYS_TURNED_APART,
    "LTX2VideoTransformer3DModel": _KEYS_TURNED_APART,
    "LatteTransformer3DModel": "it attends within frames and along time in turn, never over all",
    "LongCatAudioDiTTransformer": _SOUND,
    "MiniMaxH3Transformer3DModel": _PACKED,
    "MiniMaxMusic3RVQDepthDecoder": _SOUND,
    "MiniMaxMusic3Transformer1DModel": _SOUND,
    "PriorTransformer": "it makes embeddings, and tokens are reduced in videos",
    "RFD4ProteinaTransformer": "it makes proteins, and tokens are reduced in videos",
    "SanaVideoTransformer3DModel": _LINEAR,
    "SanaWMLTX2RefinerTransformer3DModel": _KEYS_TURNED_APART,
    "SanaWMTransformer3DModel": f"in most layers {_LINEAR}",
    "StableAudio3DiTModel": _SOUND,
    "StableAudioDiTModel": _SOUND,
    "T5FilmDecoder": _SOUND,
    "TransformerTemporalModel": "it attends along time alone, as a part of another model",
    "WanAnimate2Transformer3DModel": _FLEX,
}
"""By the name of diffusers' class."""


def reason(kind: type) -> str | None:
    """Why a class of diffusers, or one that derives from it, has no family; None if unknown."""
    for each in kind.__mro__:
        if each.__name__ in REASONS:
            return REASONS[each.__name__]
        if "2D" in each.__name__ and each.__module__.startswith("diffusers."):
            return _IMAGES
    return None
