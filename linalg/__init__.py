"""Numbers that know no image restoration: products, solvers, transforms. Every image of a batch is its own problem."""
