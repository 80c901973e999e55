"""A benchmark beside what users would write instead: one server, one manifest, one table of figures."""
