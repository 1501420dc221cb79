"""The nodes that say how an image was damaged, by the groups of README's table."""
