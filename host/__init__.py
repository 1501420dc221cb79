"""From what ComfyUI has loaded to what the solvers need; the only room that imports comfy."""

from comfy.model_management import throw_exception_if_processing_interrupted

from ..linalg import cancel

cancel.answer_with(throw_exception_if_processing_interrupted)
