"""HDR gain maps: a second picture in a file, which says how much brighter each part of the first is on an HDR screen."""
