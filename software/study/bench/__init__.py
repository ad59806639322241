"""``make bench``: what is measured of speed, one subject a file."""
