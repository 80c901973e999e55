"""The board as a cut: one slot a shot, its chosen clip and the others, and the forms in which editors read it."""
