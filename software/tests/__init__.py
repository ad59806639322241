"""Tests of the software: loop, backends, simulator, command."""
