"""A network as a page: layers, weights, activity on recordings, cycles and memories."""
