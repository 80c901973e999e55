"""What a user would write instead of a runner; each peer is a whole program that stands alone."""
