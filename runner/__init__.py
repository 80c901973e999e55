"""Shotrunner: a storyboard in, clips and a report out."""

__version__ = "0.1.0"
