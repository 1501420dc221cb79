"""Where to put the labels of points so that they cover neither each other nor what is drawn."""

from __future__ import annotations

from collections.abc import Sequence

from .canvas import Point

Box = tuple[float, float, float, float]  # left, top, right, bottom

# Where a label may lie from its point, the most natural first.
DIRECTIONS = ((1, -1), (-1, -1), (1, 1), (-1, 1), (0, -1), (0, 1), (1, 0), (-1, 0))
DISTANCES = (14, 26)


class Labels:
    """points: on the canvas; markers cover them and a line joins them in this order. Labels stay inside the box."""

    def __init__(self, points: Sequence[Point], inside: Box):
        self.inside = inside
        self.markers = [(x - 9, y - 9, x + 9, y + 9) for x, y in points]
        self.line = [
            (x0 + (x1 - x0) * k / 24, y0 + (y1 - y0) * k / 24)
            for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False)
            for k in range(25)
        ]
        self.placed: list[Box] = []

    def place(self, point: Point, width: float, height: float) -> Box | None:
        """The best place near a point for a label of this size; None if it would cover a label or a marker."""
        box = min(candidates(point, width, height), key=self.cost)
        if any(overlap(box, other) for other in self.placed + self.markers):
            return None
        self.placed.append(box)
        return box

    def cost(self, box: Box) -> float:
        """In pixels that it covers, or that lie outside."""
        outside = overlap(box, box) - overlap(box, self.inside)
        on_labels = sum(overlap(box, other) for other in self.placed)
        on_markers = sum(overlap(box, marker) for marker in self.markers)
        on_line = sum(overlap(box, (x - 1, y - 1, x + 1, y + 1)) for x, y in self.line)
        return 10 * (outside + on_labels + on_markers) + on_line


def candidates(point: Point, width: float, height: float) -> list[Box]:
    (x, y), boxes = point, []
    for distance in DISTANCES:
        for dx, dy in DIRECTIONS:
            reach = distance * (0.7 if dx and dy else 1)
            left = x + dx * reach - width * (1 - dx) / 2
            top = y + dy * reach - height * (1 - dy) / 2
            boxes.append((left, top, left + width, top + height))
    return boxes


def overlap(a: Box, b: Box) -> float:
    """The area that two boxes share."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
