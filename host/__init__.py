"""From what ComfyUI has loaded to what the solvers need; the only room that imports comfy."""
