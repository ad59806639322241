"""The stages of a job in an engine, modelled one a file."""
