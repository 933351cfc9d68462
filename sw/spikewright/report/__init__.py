"""From run folders to figures, tables and a page: read, group, measure, draw."""
