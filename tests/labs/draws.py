"""Known draws in the place of `solvers.noise.Noise`."""


class Draws:
    def draw_ahead(self, x):
        """Nothing has to be begun: they are at hand."""
