"""What quickstart.py is made of. Standard library only, except photo.py, which runs in ComfyUI's Python."""
