"""The pairing stage: every src token to its nearest dst slot."""
