"""The serial line of a board: frames, circuits that send and take them, and the host's end."""
