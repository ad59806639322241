"""What people import: token reduction of diffusers' models, the matchers, the two backends."""
