"""Tests of the layer against running emulators: one with it, one without."""
