"""The version of the program, in one place that every module may import."""

__version__ = "0.1.0"
