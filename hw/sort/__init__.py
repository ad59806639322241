"""The sorting stage: records ascending, or the least of them."""
