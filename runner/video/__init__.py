"""Pictures out of clips: properties, posters, rough cuts and contact sheets.

It is the only room with PyAV and Pillow, beside the simulator.
"""
