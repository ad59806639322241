"""What is measured of the method: quality by way of reducing, and speed."""
