"""Torture: the product is killed, cheated, crowded and sown with bugs, and a server that counts says what it cost."""
