"""Speed, measured: each function returns plain figures with the machine's description."""
