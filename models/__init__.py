"""The pixel-space network, its loader, and the embedded prior."""
