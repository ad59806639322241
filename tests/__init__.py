"""The project's own rules: who may import whom, what is cited, what stands in one place."""
